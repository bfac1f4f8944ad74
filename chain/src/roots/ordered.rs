//! The trie index → item, built while the items come.
//!
//! Its keys are the RLP of the indices, in whose order the builder must get its leaves: 1 to 127, then 0 (0x80),
//! then 128 and up. So no more than the first item has to wait, however many there are: receipts grow fiftyfold
//! between their stored and their hashed form, and must never be held all at once.

use alloy_primitives::B256;
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles};

use crate::rlp::write_uint;

/// A trie that takes its items in order.
#[derive(Debug, Default)]
pub(super) struct OrderedTrie {
    builder: HashBuilder,
    first: Option<Vec<u8>>,
    key: Vec<u8>,
    count: u64,
}

/// The first index whose key comes behind that of 0.
const BEHIND_FIRST: u64 = 0x80;

// === impl OrderedTrie ===

impl OrderedTrie {
    /// Takes the next item.
    pub(super) fn push(&mut self, item: &[u8]) {
        let index = self.count;
        self.count = index.saturating_add(1);
        if index == 0 {
            self.first = Some(item.to_vec());
            return;
        }
        if index == BEHIND_FIRST {
            self.add_first();
        }
        self.add(index, item);
    }

    /// The root over all items.
    pub(super) fn root(mut self) -> B256 {
        if self.count == 0 {
            return EMPTY_ROOT_HASH;
        }
        self.add_first();
        self.builder.root()
    }

    fn add_first(&mut self) {
        if let Some(first) = self.first.take() {
            self.add(0, &first);
        }
    }

    fn add(&mut self, index: u64, item: &[u8]) {
        self.key.clear();
        write_uint(&mut self.key, index);
        self.builder.add_leaf(Nibbles::unpack(&self.key), item);
    }
}
