//! Polygon's state syncs before Madhugiri (PIP-74): a transaction that RPC shows and neither body nor roots hold.

use crate::header::Header;
use crate::spec::{ChainSpec, Family};

/// Whether header and body hold everything that RPC shows of this block.
///
/// `false` on Polygon where a state sync may stand beside the block: then the list of transactions, the receipts
/// and the logs (which the header's bloom does not cover either) are not known from the block alone. Sources:
/// Bor's `params/config.go` (heights, sprints) and PIP-74, which put state syncs into the body.
pub fn is_settled(spec: &ChainSpec, header: &Header<'_>) -> bool {
    /// Sprints had 64 blocks, since Delhi 16; a state sync stands in the first block of one.
    const SPRINT: u64 = 16;
    let madhugiri = match (spec.family, spec.chain_id) {
        (Family::Ethereum | Family::Unknown, _) => return true,
        (Family::Bor, 137) => 80_084_800,
        (Family::Bor, 80_002) => 28_899_616,
        // Length of the sprint and Madhugiri of any other Bor chain are not in its spec.
        (Family::Bor, _) => return header.number() == 0,
    };
    header.number() == 0 || header.number() >= madhugiri || !header.number().is_multiple_of(SPRINT)
}
