//! Bor's state-sync transactions, which are in a block's JSON but, before Madhugiri, not in its roots.

use alloy_primitives::{B256, Keccak256};

use super::hex;

/// Whether the last transaction or receipt of a block is a state sync that no root covers: its hash is
/// keccak(`matic-bor-receipt-` ‖ number as 8 bytes ‖ block hash) (Bor `core/types/bor_receipt.go`). Nothing that is
/// signed can have that hash.
pub(super) fn is_outside_roots(hash: Option<&str>, number: Option<&str>, block_hash: Option<&str>) -> bool {
    let word = |text: Option<&str>| text.and_then(|text| text.parse::<B256>().ok());
    let (Some(hash), Some(block_hash)) = (word(hash), word(block_hash)) else { return false };
    let Ok(number) = hex::short("blockNumber", number) else { return false };
    let mut hasher = Keccak256::new();
    hasher.update(b"matic-bor-receipt-");
    hasher.update(number.to_be_bytes());
    hasher.update(block_hash);
    hasher.finalize() == hash
}
