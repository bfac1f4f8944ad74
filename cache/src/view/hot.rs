//! Hot bytes in front of the database, bounded in bytes.
//!
//! A block of the tip is known by its hash, one of history by its height and the epoch (the last removal there), so
//! that neither a reorg nor a removal can ever bring back what is not there any more.

use alloy_primitives::B256;
use bytes::Bytes;
use moka::sync::Cache;

use crate::coverage::Kind;

/// What an entry costs beside its bytes.
const ENTRY_BYTES: u32 = 160;
/// Of the hot memory, one part in this many keeps hashes of headers.
const HASH_SHARE: u64 = 16;

/// Recently read parts of blocks, and hashes of history blocks.
#[derive(Debug)]
pub(crate) struct Hot {
    parts: Cache<HotKey, Bytes>,
    hashes: Cache<(u64, u64), B256>,
}

/// Names bytes that never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HotKey {
    /// A part of the history block at a height, under an epoch.
    History(Kind, u64, u64),
    /// A part of the block with a hash.
    Tip(Kind, B256),
}

// === impl Hot ===

impl Hot {
    pub(crate) fn new(memory: u64) -> Self {
        let hashes = memory / HASH_SHARE;
        let weigh = |_: &HotKey, bytes: &Bytes| {
            u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(ENTRY_BYTES)
        };
        Self {
            parts: Cache::builder().max_capacity(memory - hashes).weigher(weigh).build(),
            hashes: Cache::builder().max_capacity(hashes / u64::from(ENTRY_BYTES)).build(),
        }
    }

    pub(crate) fn part(&self, key: &HotKey) -> Option<Bytes> {
        self.parts.get(key)
    }

    pub(crate) fn put_part(&self, key: HotKey, bytes: Bytes) {
        self.parts.insert(key, bytes);
    }

    pub(crate) fn hash(&self, number: u64, epoch: u64) -> Option<B256> {
        self.hashes.get(&(number, epoch))
    }

    pub(crate) fn put_hash(&self, number: u64, epoch: u64, hash: B256) {
        self.hashes.insert((number, epoch), hash);
    }

    /// Bytes held now, roughly.
    pub(crate) fn bytes(&self) -> u64 {
        let hashes = self.hashes.entry_count().saturating_mul(ENTRY_BYTES.into());
        self.parts.weighted_size().saturating_add(hashes)
    }
}
