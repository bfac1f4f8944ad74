//! Polygon's state syncs before Madhugiri (PIP-74): a transaction that RPC shows and neither body nor roots hold.

use crate::bor::state_sync::may_stand_beside;
use crate::header::Header;
use crate::spec::ChainSpec;

/// Whether header and body hold everything that RPC shows of this block.
///
/// `false` on Polygon where a state sync may stand beside the block: then the list of transactions, the receipts
/// and the logs (which the header's bloom does not cover either) are not known from the block alone.
pub fn is_settled(spec: &ChainSpec, header: &Header<'_>) -> bool {
    !may_stand_beside(spec, header.number())
}
