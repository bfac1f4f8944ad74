//! Hashes that are done with: on the chain, refused, expired, pushed out. They are neither fetched nor taken
//! again until they are forgotten, oldest first.

use std::collections::HashSet;

use alloy_primitives::B256;

use super::limits::MAX_SETTLED;

/// Two generations: when the young one is full it becomes the old one, which is forgotten. Between one and
/// two times [`MAX_SETTLED`] hashes are remembered.
#[derive(Debug, Default)]
pub(super) struct Settled {
    young: HashSet<B256>,
    old: HashSet<B256>,
}

// === impl Settled ===

impl Settled {
    pub(super) fn insert(&mut self, hash: B256) {
        if self.young.len() >= MAX_SETTLED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash);
    }

    pub(super) fn remove(&mut self, hash: &B256) {
        self.young.remove(hash);
        self.old.remove(hash);
    }

    pub(super) fn contains(&self, hash: &B256) -> bool {
        self.young.contains(hash) || self.old.contains(hash)
    }
}
