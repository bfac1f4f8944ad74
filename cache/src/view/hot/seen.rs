//! What was read a short while ago.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};

use alloy_primitives::map::DefaultHashBuilder;

use super::HotKey;

/// Bytes of hot memory for each place: as many keys are remembered as small entries fit.
const MEMORY_PER_PLACE: u64 = 1 << 10;
/// Places at least and at most, powers of two.
const PLACES: (u64, u64) = (1 << 10, 1 << 20);

/// Marks of the keys that were read last, a place for each modulo their number. It forgets, and two keys in
/// 2^32 are one to it: what it says is only ever a reason to keep bytes, never what they are.
pub(super) struct Seen {
    marks: Vec<AtomicU32>,
    hasher: DefaultHashBuilder,
}

// === impl Seen ===

impl Seen {
    /// For a hot layer of so many bytes.
    pub(super) fn new(memory: u64) -> Self {
        let places = (memory / MEMORY_PER_PLACE).clamp(PLACES.0, PLACES.1).next_power_of_two();
        Self {
            marks: (0..places).map(|_| AtomicU32::default()).collect(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Whether the key was read lately; from now on it was.
    pub(super) fn again(&self, key: &HotKey) -> bool {
        let hash = self.hasher.hash_one(key);
        let mark = (hash >> 32) as u32 | 1;
        let place = self.marks.get(hash as usize & (self.marks.len() - 1));
        place.is_some_and(|place| place.swap(mark, Ordering::Relaxed) == mark)
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.marks.len() * size_of::<AtomicU32>()) as u64
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").field("places", &self.marks.len()).finish_non_exhaustive()
    }
}
