//! The branches of an ordered trie, by their distance from the leaves: those of a level are hashed beside each other.

use std::ops::Range;

use alloy_primitives::{B256, keccak256};

use crate::keccak::{Message, hash_all};
use crate::rlp::{write_list, write_list_prefix};
use crate::roots::row::Row;

use super::key::{Key, Node};
use super::reference::Reference;

/// All branches of a trie.
#[derive(Debug, Default)]
pub(super) struct Levels {
    count: usize,
    levels: Vec<Vec<Branch>>,
}

/// A branch and the path that leads to it and nowhere else.
#[derive(Debug)]
struct Branch {
    children: [Option<Child>; CHILDREN],
    key: Key,
    path: Range<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Child {
    Leaf { index: usize },
    Branch { level: usize, place: usize },
}

/// One child a nibble.
const CHILDREN: usize = 16;
/// RLP of what is not there.
const ABSENT: u8 = 0x80;

// === impl Levels ===

impl Levels {
    /// The branches over `count` leaves, at least two.
    pub(super) fn of(count: usize) -> Self {
        let mut levels = Self { count, levels: Vec::new() };
        levels.lay_out(0..count, 0);
        levels
    }

    /// The root over these leaves.
    pub(super) fn root(&self, leaves: &[Reference]) -> B256 {
        let mut done: Vec<Vec<Reference>> = Vec::with_capacity(self.levels.len());
        for branches in &self.levels {
            let references = hash_level(branches, |child| match child {
                Child::Leaf { index } => leaves.get(index),
                Child::Branch { level, place } => done.get(level)?.get(place),
            });
            done.push(references);
        }
        let root = done.last().and_then(|level| level.first());
        root.map_or(B256::ZERO, Reference::hash)
    }

    /// Adds the nodes over the keys at `places`, of whose nibbles the first `depth` are used up.
    fn lay_out(&mut self, places: Range<usize>, depth: u32) -> Child {
        let (first, last) = (self.key(places.start), self.key(places.end - 1));
        if places.len() == 1 {
            return Child::Leaf { index: Key::index(places.start, self.count) };
        }
        let shared = first.shared(last);
        let (mut children, mut level) = ([None; CHILDREN], 0);
        let mut start = places.start;
        while start < places.end {
            let nibble = self.key(start).nibble(shared);
            let behind = |place: &usize| self.key(*place).nibble(shared) != nibble;
            let end = (start + 1..places.end).find(behind).unwrap_or(places.end);
            let child = self.lay_out(start..end, shared + 1);
            if let Child::Branch { level: below, .. } = child {
                level = level.max(below + 1);
            }
            if let Some(slot) = children.get_mut(usize::from(nibble)) {
                *slot = Some(child);
            }
            start = end;
        }
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        let mut place = 0;
        if let Some(branches) = self.levels.get_mut(level) {
            place = branches.len();
            branches.push(Branch { children, key: first, path: depth..shared });
        }
        Child::Branch { level, place }
    }

    fn key(&self, place: usize) -> Key {
        Key::of(Key::index(place, self.count))
    }
}

/// References to the branches of a level, all of whose children `reference` knows.
fn hash_level<'a>(branches: &[Branch], reference: impl Fn(Child) -> Option<&'a Reference>) -> Vec<Reference> {
    let mut nodes = Row::default();
    for branch in branches {
        let child =
            |child: &Option<Child>| child.and_then(&reference).map_or(&[ABSENT][..], Reference::as_slice);
        let len = branch.children.iter().map(|slot| child(slot).len()).sum::<usize>();
        nodes.push(|out| {
            write_list_prefix(out, len + 1);
            branch.children.iter().for_each(|slot| out.extend_from_slice(child(slot)));
            // No key ends at a branch: none is the beginning of another.
            out.push(ABSENT);
        });
    }
    let messages: Vec<Message<'_>> = nodes.iter().map(Message::from).collect();
    let references = messages.iter().zip(hash_all(&messages)).map(|(node, hash)| Reference::to(node, hash));
    references.zip(branches).map(|(reference, branch)| branch.extend(reference)).collect()
}

// === impl Branch ===

impl Branch {
    /// A reference to this branch through the extension before it, if there is one: where all keys of over 128 items
    /// begin alike, so seldom that nothing is won by hashing these beside each other.
    fn extend(&self, branch: Reference) -> Reference {
        if self.path.is_empty() {
            return branch;
        }
        let (mut items, mut node) = (Vec::new(), Vec::new());
        self.key.write_path(Node::Branch, self.path.clone(), &mut items);
        items.extend_from_slice(branch.as_slice());
        write_list(&mut node, &items);
        Reference::to(&Message::from(node.as_slice()), keccak256(&node))
    }
}
