//! What was answered before, kept as ready bytes and bounded by bytes.
//!
//! The key is the method and the parameters exactly as they were written; the value says for which block it holds.
//! Nothing expires by time: a kept answer is right as long as its block is canonical, and below finality that is
//! for ever. A reorg therefore deletes nothing, it only makes some answers not apply.

use std::fmt;

use alloy_primitives::B256;
use hypasis_cache::View;
use hypasis_chain::BlockId;
use moka::sync::Cache;

use super::framing::Rendered;
use super::local::Shelf;

/// Longest key: larger parameters are not kept.
const KEY_MAX: usize = 4_096;
/// Overhead of an entry beside its bytes, roughly.
const ENTRY_BYTES: usize = 200;

/// For how long a kept answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// For ever: a state by block hash, or of a finalized height.
    Always,
    /// While this block is canonical.
    Canonical(BlockId),
    /// While the block with this hash is canonical (`requireCanonical`).
    CanonicalHash(B256),
}

/// Ready answers. Clones are one memory.
#[derive(Clone)]
pub(crate) struct Memory {
    cache: Cache<Box<[u8]>, Kept>,
}

/// A ready answer.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) rendered: Rendered,
    pub(crate) bound: Bound,
}

/// Method and parameters in one piece, on the stack where they are short.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "the stack is where it shall be")]
pub(crate) enum Key {
    Short([u8; Self::SHORT], usize),
    Long(Vec<u8>),
}

// === impl Memory ===

impl Memory {
    /// At most about `bytes`.
    pub(crate) fn new(bytes: u64) -> Self {
        #[allow(clippy::borrowed_box, reason = "the cache's signature")]
        let weigher = |key: &Box<[u8]>, kept: &Kept| {
            let bytes = key.len().saturating_add(kept.rendered.0.len()).saturating_add(ENTRY_BYTES);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self { cache: Cache::builder().max_capacity(bytes).weigher(weigher).build() }
    }

    /// What is kept under `key` and holds in `view`.
    pub(crate) fn get(&self, key: &Key, shelf: &Shelf, view: &View) -> Option<Rendered> {
        let kept = self.cache.get(key.bytes())?;
        let holds = match kept.bound {
            Bound::Always => true,
            Bound::Canonical(id) => shelf.still_canonical(view, id),
            Bound::CanonicalHash(hash) => {
                matches!(view.by_hash(&hash), Ok(Some(block)) if block.canonical)
            }
        };
        holds.then_some(kept.rendered)
    }

    /// Keeps an answer, unless its key is too long.
    pub(crate) fn put(&self, key: &Key, rendered: Rendered, bound: Bound) {
        let key = key.bytes();
        if key.len() <= KEY_MAX {
            self.cache.insert(key.into(), Kept { rendered, bound });
        }
    }

    /// Forgets everything: a form was found to differ from the node's.
    pub(crate) fn clear(&self) {
        self.cache.invalidate_all();
    }

    /// Bytes kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.cache.weighted_size()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("bytes", &self.bytes()).finish()
    }
}

// === impl Key ===

impl Key {
    const SHORT: usize = 256;

    /// The key of a call.
    pub(crate) fn of(method: &str, params: &[u8]) -> Self {
        let length = method.len().saturating_add(params.len()).saturating_add(1);
        let mut short = [0; Self::SHORT];
        if let Some((name, rest)) =
            short.get_mut(..length).and_then(|room| room.split_at_mut_checked(method.len()))
        {
            name.copy_from_slice(method.as_bytes());
            // The zero between them stays: no method name holds one that matters here.
            if let Some(room) = rest.get_mut(1..) {
                room.copy_from_slice(params);
            }
            return Self::Short(short, length);
        }
        let mut long = Vec::with_capacity(length);
        long.extend_from_slice(method.as_bytes());
        long.push(0);
        long.extend_from_slice(params);
        Self::Long(long)
    }

    /// As one piece.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(bytes, length) => bytes.get(..*length).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }
}
