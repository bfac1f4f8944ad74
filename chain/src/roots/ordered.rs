//! The trie index → item (Yellow Paper, appendix D), whose hashes are made level by level.
//!
//! Which nodes there are follows from the number of items alone: keys are the RLP of the indices. So each item's leaf
//! can be hashed as soon as the item is at hand, beside other leaves, and need not be kept: receipts grow fiftyfold
//! between their stored and their hashed form. Of an item stays the [`Reference`] by which its parent names it.

mod key;
mod levels;
mod reference;

use alloy_primitives::B256;
use alloy_trie::EMPTY_ROOT_HASH;

use crate::keccak::{Head, Message, hash_all};
use crate::rlp::{write_list_prefix, write_string_prefix};

use key::{Key, Node};
use levels::Levels;
use reference::Reference;

/// A trie that takes its items in order.
#[derive(Debug)]
pub(crate) struct OrderedTrie {
    count: usize,
    leaves: Vec<Reference>,
}

/// Items that are worked on together: enough to fill all lanes, and no more memory however many there are.
pub(crate) const TOGETHER: usize = 512;

// === impl OrderedTrie ===

impl OrderedTrie {
    /// A trie that will have so many items.
    pub(crate) fn of(count: usize) -> Self {
        Self { count, leaves: Vec::with_capacity(count) }
    }

    /// Takes the next items.
    pub(crate) fn take<'a>(&mut self, mut items: impl Iterator<Item = &'a [u8]>) {
        loop {
            let leaves = self.leaves(items.by_ref().take(TOGETHER));
            if leaves.is_empty() {
                break;
            }
            self.extend(&leaves, &hash_all(&leaves));
        }
    }

    /// The leaves of the next items, for whom wants to hash more beside them.
    pub(crate) fn leaves<'a>(&self, items: impl Iterator<Item = &'a [u8]>) -> Vec<Message<'a>> {
        let (mut path, mut head) = (Vec::new(), Vec::new());
        let leaf = |(index, item)| {
            let key = Key::of(index);
            path.clear();
            key.write_path(Node::Leaf, self.depth(index)..key.len(), &mut path);
            write_string_prefix(&mut path, item);
            head.clear();
            write_list_prefix(&mut head, path.len() + item.len());
            head.extend_from_slice(&path);
            Message::new(Head::of(&head), item)
        };
        (self.leaves.len()..).zip(items).map(leaf).collect()
    }

    /// Takes the next leaves and their hashes.
    pub(crate) fn extend(&mut self, leaves: &[Message<'_>], hashes: &[B256]) {
        self.leaves.extend(leaves.iter().zip(hashes).map(|(leaf, hash)| Reference::to(leaf, *hash)));
    }

    /// The root over all items.
    pub(crate) fn root(self) -> B256 {
        match self.leaves.as_slice() {
            [] => EMPTY_ROOT_HASH,
            [only] => only.hash(),
            leaves => Levels::of(leaves.len()).root(leaves),
        }
    }

    /// Nibbles of a key that the branches above its leaf have used up.
    fn depth(&self, index: usize) -> u32 {
        let (key, place) = (Key::of(index), Key::place(index, self.count));
        let shared = |other: usize| key.shared(Key::of(Key::index(other, self.count))) + 1;
        let before = place.checked_sub(1).map_or(0, shared);
        let behind = Some(place + 1).filter(|place| *place < self.count).map_or(0, shared);
        before.max(behind)
    }
}
