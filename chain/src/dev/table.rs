//! What is remembered of minted blocks: 128 bytes a height, from which each can be made again at once.

use std::collections::{HashMap, VecDeque};

use alloy_primitives::B256;

use super::place::{Place, Seal};
use crate::block::BlockId;

/// The canonical chain by height, and the blocks that reorganisations replaced.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The height the chain is said to have; it may lie above or below what is minted.
    pub(super) head: u64,
    entries: Vec<Entry>,
    /// First eight bytes of a hash → height. Hashes are compared in full afterwards; of two blocks that
    /// share these 64 bits only the younger is found by hash.
    heights: HashMap<u64, u64>,
    replaced: HashMap<B256, (Place, Seal)>,
    replaced_order: VecDeque<B256>,
}

/// A canonical block. Its parent's hashes are its neighbours' entries.
#[derive(Clone, Copy, Debug)]
struct Entry {
    seal: Seal,
    salt: u64,
    base_fee: u64,
    excess_blob_gas: u64,
    transactions_before: u64,
}

/// How many replaced blocks stay available by hash; the oldest go first.
pub const REPLACED_MAX: usize = 4_096;
/// Room that is set aside from the start; beyond, the table grows by doubling.
const RESERVED_MAX: u64 = 1 << 20;

// === impl Table ===

impl Table {
    /// An empty table of a chain that has the height `head`.
    pub(super) fn new(head: u64) -> Self {
        let room = head.saturating_add(1).min(RESERVED_MAX) as usize;
        let (entries, heights) = (Vec::with_capacity(room), HashMap::with_capacity(room));
        Self { head, entries, heights, ..Self::default() }
    }

    /// How many heights are minted: the height that comes next.
    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The id of the canonical block at `number`.
    pub(super) fn id(&self, number: u64) -> Option<BlockId> {
        self.entry(number).map(|entry| BlockId { number, hash: entry.seal.hash })
    }

    /// Where the canonical block at `number` stands, and its roots.
    pub(super) fn place(&self, number: u64) -> Option<(Place, Seal)> {
        let entry = self.entry(number)?;
        let hash_below = |depth| number.checked_sub(depth).and_then(|number| self.id(number));
        let place = Place {
            number,
            parent: hash_below(1).map_or(B256::ZERO, |id| id.hash),
            grandparent: hash_below(2).map_or(B256::ZERO, |id| id.hash),
            salt: entry.salt,
            base_fee: entry.base_fee,
            excess_blob_gas: entry.excess_blob_gas,
            transactions_before: entry.transactions_before,
        };
        Some((place, entry.seal))
    }

    /// Where the block with that hash stands, on any fork.
    pub(super) fn place_of(&self, hash: &B256) -> Option<(Place, Seal)> {
        self.number_of(hash)
            .and_then(|number| self.place(number))
            .or_else(|| self.replaced.get(hash).copied())
    }

    /// The height of the canonical block with that hash.
    pub(super) fn number_of(&self, hash: &B256) -> Option<u64> {
        let number = *self.heights.get(&short(hash))?;
        self.entry(number).filter(|entry| entry.seal.hash == *hash).map(|_| number)
    }

    /// Adds the next block.
    pub(super) fn push(&mut self, place: &Place, seal: Seal) {
        self.heights.insert(short(&seal.hash), self.len());
        self.entries.push(Entry {
            seal,
            salt: place.salt,
            base_fee: place.base_fee,
            excess_blob_gas: place.excess_blob_gas,
            transactions_before: place.transactions_before,
        });
    }

    /// Takes the blocks from `number` on off the chain; they stay available by hash for a while.
    pub(super) fn replace_from(&mut self, number: u64) {
        for height in number..self.len() {
            if let (Some(id), Some(known)) = (self.id(height), self.place(height)) {
                self.heights.remove(&short(&id.hash));
                self.replaced.insert(id.hash, known);
                self.replaced_order.push_back(id.hash);
            }
        }
        self.entries.truncate(usize::try_from(number).unwrap_or(usize::MAX));
        while self.replaced_order.len() > REPLACED_MAX {
            if let Some(oldest) = self.replaced_order.pop_front() {
                self.replaced.remove(&oldest);
            }
        }
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(number).ok()?)
    }
}

fn short(hash: &B256) -> u64 {
    hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
