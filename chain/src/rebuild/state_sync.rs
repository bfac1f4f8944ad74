//! Bor's state-sync transactions, which are in a block's JSON but, before Madhugiri, not in its roots.

use alloy_primitives::B256;

use super::hex;
use crate::bor::state_sync::derived_hash;

/// Whether the last transaction or receipt of a block is a state sync that no root covers: its hash is
/// [derived](derived_hash).
pub(super) fn is_outside_roots(hash: Option<&str>, number: Option<&str>, block_hash: Option<&str>) -> bool {
    let word = |text: Option<&str>| text.and_then(|text| text.parse::<B256>().ok());
    let (Some(hash), Some(block_hash)) = (word(hash), word(block_hash)) else { return false };
    let Ok(number) = hex::short("blockNumber", number) else { return false };
    derived_hash(number, block_hash) == hash
}
