//! A map that forgets the oldest half when it is full.

use std::collections::HashMap;
use std::hash::Hash;

/// A bounded map without timers: when the young half is full it becomes the old half, and what was old is forgotten.
///
/// Memory is bounded by `max` entries whatever strangers send, every operation is constant time, and an entry that
/// was written lives through at least `max / 2` writes of others.
#[derive(Debug)]
pub(super) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

// === impl Generations ===

impl<K: Eq + Hash, V: Default> Generations<K, V> {
    /// A map of at most `max` entries.
    pub(super) fn new(max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (max / 2).max(1) }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// The entry, made if it is not there, and young again.
    pub(super) fn entry(&mut self, key: K) -> &mut V {
        if !self.young.contains_key(&key) && self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        let Self { young, old, .. } = self;
        young.entry(key).or_insert_with_key(|key| old.remove(key).unwrap_or_default())
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_grows_beyond_its_bound_and_keeps_what_is_used() {
        let mut map = Generations::new(100);
        *map.entry(7_u32) = true;
        for key in 1000..100_000 {
            map.entry(key);
            assert!(*map.entry(7), "an entry in use was forgotten");
            assert!(map.len() <= 100);
        }
        assert!(map.get(&1000).is_none());
    }
}
