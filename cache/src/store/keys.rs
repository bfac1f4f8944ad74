//! How keys are made up. Integers are big-endian, so that order on disk is order of heights.

use alloy_primitives::B256;
use hypasis_chain::BlockId;

/// Bytes of a hash.
pub(crate) const HASH: usize = 32;
/// Bytes of a hash that the indexes keep; what they point at is verified against the whole hash.
pub(crate) const INDEX_PREFIX: usize = 8;
/// Bits of a height in an index key.
const NUMBER_BITS: u32 = 40;
/// Bits of a transaction's index in an index key.
const POSITION_BITS: u32 = 24;
/// Heights that the indexes can hold.
pub(crate) const NUMBER_MAX: u64 = (1 << NUMBER_BITS) - 1;

/// A part of a tip block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TipPart {
    Summary = 0,
    Header = 1,
    Body = 2,
    Receipts = 3,
    Senders = 4,
    Hashes = 5,
    Extra = 6,
    /// Above all parts; only to seek past a block.
    End = 0xff,
}

/// Key of a height in the value families and in `tip_canonical`.
pub(crate) fn number(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// Index key: eight bytes of the hash, 40 bits of height, 24 bits of position. As an integer it sorts as on disk.
pub(crate) fn index(hash: &B256, number: u64, position: u32) -> Option<u128> {
    let fits = number <= NUMBER_MAX && position < 1 << POSITION_BITS;
    fits.then(|| u128::from(prefix(hash)) << 64 | u128::from(number) << POSITION_BITS | u128::from(position))
}

/// Height and position of an index key.
pub(crate) fn index_target(key: &[u8]) -> Option<(u64, u32)> {
    let low = u128::from_be_bytes(key.try_into().ok()?) as u64;
    Some((low >> POSITION_BITS, (low & ((1 << POSITION_BITS) - 1)) as u32))
}

/// The first eight bytes of a hash.
pub(crate) fn prefix(hash: &B256) -> u64 {
    hash.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// Key of a part of a tip block.
pub(crate) fn tip(id: &BlockId, part: TipPart) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + HASH + 1);
    key.extend_from_slice(&id.number.to_be_bytes());
    key.extend_from_slice(id.hash.as_slice());
    key.push(part as u8);
    key
}

/// Which block a key of `tip_blocks` belongs to.
pub(crate) fn tip_id(key: &[u8]) -> Option<BlockId> {
    let (number, rest) = key.split_first_chunk::<8>()?;
    let (hash, _) = rest.split_first_chunk::<HASH>()?;
    Some(BlockId { number: u64::from_be_bytes(*number), hash: B256::from(hash) })
}

/// Key of a transaction in a tip block.
pub(crate) fn tip_transaction(transaction: &B256, block: &BlockId) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 * HASH + 8);
    key.extend_from_slice(transaction.as_slice());
    key.extend_from_slice(&block.number.to_be_bytes());
    key.extend_from_slice(block.hash.as_slice());
    key
}

/// The block of a key made by [`tip_transaction`].
pub(crate) fn tip_transaction_block(key: &[u8]) -> Option<BlockId> {
    key.get(HASH..).and_then(tip_id)
}
