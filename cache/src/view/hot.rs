//! Hot bytes in front of the database, bounded in bytes.
//!
//! A block of the tip is known by its hash, one of history by its height and the epoch (the last removal there), so
//! that neither a reorg nor a removal can ever bring back what is not there any more.

mod hashes;
mod headers;
mod seen;

use alloy_primitives::B256;
use alloy_primitives::map::DefaultHashBuilder;
use bytes::Bytes;
use moka::sync::Cache;

use self::hashes::Hashes;
use self::headers::Headers;
use self::seen::Seen;
use crate::coverage::Kind;

/// What an entry costs beside its bytes.
const ENTRY_BYTES: u32 = 160;
/// Of the hot memory, one part in this many keeps hashes of headers.
const HASH_SHARE: u64 = 16;

/// Recently read parts of blocks, and hashes of history blocks.
#[derive(Debug)]
pub(crate) struct Hot {
    parts: Cache<HotKey, Bytes, DefaultHashBuilder>,
    seen: Seen,
    hashes: Hashes,
    headers: Headers,
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
        let hashes = Hashes::new(memory / HASH_SHARE);
        let seen = Seen::new(memory);
        let headers = Headers::new(memory);
        let parts = memory.saturating_sub(hashes.bytes() + headers.bytes()).saturating_sub(seen.bytes());
        let weigh = |_: &HotKey, bytes: &Bytes| {
            u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(ENTRY_BYTES)
        };
        // Not SipHash: names are no longer than a hash, and what is kept under them was verified.
        let parts = Cache::builder().max_capacity(parts).weigher(weigh);
        Self { parts: parts.build_with_hasher(DefaultHashBuilder::default()), seen, hashes, headers }
    }

    pub(crate) fn part(&self, key: &HotKey) -> Option<Bytes> {
        self.parts.get(key)
    }

    /// Keeps what was read now and a short while ago too. Most of what is read once is not read again, and
    /// taking it in costs as much as reading it from the database's cache.
    pub(crate) fn put_read(&self, key: HotKey, bytes: &Bytes) {
        if self.seen.again(&key) {
            self.put_part(key, bytes.clone());
        }
    }

    /// Keeps what is sure to be asked for again.
    pub(crate) fn put_part(&self, key: HotKey, bytes: Bytes) {
        self.parts.insert(key, bytes);
    }

    pub(crate) fn hash(&self, number: u64, epoch: u64) -> Option<B256> {
        self.hashes.get(number, epoch)
    }

    pub(crate) fn put_hash(&self, number: u64, epoch: u64, hash: B256) {
        self.hashes.put(number, epoch, &hash);
    }

    /// A header of history.
    pub(crate) fn header(&self, number: u64, epoch: u64) -> Option<Bytes> {
        self.headers.get(number, epoch)
    }

    pub(crate) fn put_header(&self, number: u64, epoch: u64, header: Bytes) {
        self.headers.put(number, epoch, header);
    }

    /// Bytes held now, roughly.
    pub(crate) fn bytes(&self) -> u64 {
        let tables = self.hashes.bytes() + self.headers.bytes() + self.seen.bytes();
        self.parts.weighted_size().saturating_add(tables)
    }
}
