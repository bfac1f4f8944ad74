//! Small numbers for connected peers, and sets of them.
//!
//! Geth remembers 32,768 hashes for each peer: with 500 peers that would be a gigabyte. Only what is in the
//! pool can ever be sent, so each transaction in it remembers its peers instead: a bit each.

/// A connected peer: its number, which is given to another once it has left, and which session it is. What was verified
/// for a peer that has left meanwhile is then not taken for its successor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) index: usize,
    pub(super) session: u64,
}

/// A set of connected peers; grows with the highest number in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SlotSet(Vec<u64>);

// === impl SlotSet ===

impl SlotSet {
    pub(super) fn insert(&mut self, slot: Slot) {
        let word = slot.index / 64;
        if self.0.len() <= word {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (slot.index % 64);
        }
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        if let Some(word) = self.0.get_mut(slot.index / 64) {
            *word &= !(1 << (slot.index % 64));
        }
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.0.get(slot.index / 64).is_some_and(|word| word >> (slot.index % 64) & 1 == 1)
    }
}
