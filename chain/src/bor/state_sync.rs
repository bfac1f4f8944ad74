//! State syncs: transactions that carry events of the root chain, committed at the first block of a sprint.
//!
//! Before Madhugiri (PIP-74) such a transaction is derived: it stands beside the block, in neither body nor roots.
//! What is kept of it is its receipt ("extra"), in the slim form in which Bor's eth/69 appends it to a block's
//! receipts: `[type = 0, status, cumulative gas, logs]`. A sprint start without events has none, which is kept as
//! [`NONE`]. From Madhugiri on it is a transaction of type 0x7f, last in the body, covered by both roots.

use alloy_primitives::{B256, Keccak256};

use super::BorFork;
use crate::spec::{ChainSpec, Family};

/// What is kept as extra of a block that may have had a state sync beside it, and is known to have none.
pub const NONE: &[u8] = &[0xc0];

/// Type of state-sync transactions inside of blocks (PIP-74).
pub const TRANSACTION_TYPE: u8 = 0x7f;

/// Hash of the transaction beside a block: keccak(`matic-bor-receipt-` ‖ number as 8 bytes ‖ block hash) (Bor
/// `core/types/bor_receipt.go`). Nothing that is signed can have that hash.
pub fn derived_hash(number: u64, block_hash: B256) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(b"matic-bor-receipt-");
    hasher.update(number.to_be_bytes());
    hasher.update(block_hash);
    hasher.finalize()
}

/// Whether a state sync may stand beside the block of that height, so that its extra must be known before its lists
/// of transactions, receipts or logs are.
pub fn may_stand_beside(spec: &ChainSpec, number: u64) -> bool {
    match (spec.family, &spec.bor) {
        (Family::Ethereum | Family::Unknown, _) => false,
        (Family::Bor, Some(bor)) => bor.is_sprint_start(number) && !bor.is_active(BorFork::Madhugiri, number),
        (Family::Bor, None) => number > 0,
    }
}
