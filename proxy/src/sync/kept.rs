//! Blocks that were fetched for somebody else and are verified already.
//!
//! What peers ask for before it is filled is fetched for them at once. It is kept here for a while, so that others who
//! ask for the same get it from memory, and so that the workers store it when they come to it instead of fetching it
//! a second time. Bounded in bytes; the oldest goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::B256;
use hypasis_cache::store::Verified;
use hypasis_chain::Level;
use parking_lot::Mutex;

use super::verify::size;

/// Bytes of blocks kept.
const BYTES_MAX: u64 = 64 << 20;
/// What a block costs beside its bytes, hashes of its transactions aside.
const ENTRY_BYTES: u64 = 512;

/// The memory; clone freely.
#[derive(Clone, Debug)]
pub struct Kept {
    inner: Arc<Mutex<Inner>>,
    /// The lowest height that sync wants.
    oldest: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Inner {
    blocks: HashMap<B256, Entry>,
    order: VecDeque<B256>,
    bytes: u64,
    bytes_max: u64,
}

#[derive(Debug)]
struct Entry {
    block: Verified,
    level: Level,
    source: Arc<str>,
}

// === impl Kept ===

impl Default for Kept {
    fn default() -> Self {
        Self::new(BYTES_MAX)
    }
}

impl Kept {
    /// A memory of at most `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Self {
        let (blocks, order) = (HashMap::new(), VecDeque::new());
        Self {
            inner: Arc::new(Mutex::new(Inner { blocks, order, bytes: 0, bytes_max })),
            oldest: Arc::default(),
        }
    }

    /// Whether a block of that height is worth being fetched whole.
    pub fn wants(&self, number: u64) -> bool {
        number >= self.oldest.load(Ordering::Relaxed)
    }

    /// Sync wants nothing below.
    pub fn set_oldest(&self, oldest: u64) {
        self.oldest.store(oldest, Ordering::Relaxed);
    }

    /// Keeps a block with its receipts, the level to which it was verified, and who gave it.
    pub fn put(&self, block: Verified, level: Level, source: Arc<str>) {
        let (hash, cost) = (block.block.id.hash, cost(&block));
        let inner = &mut *self.inner.lock();
        if block.block.receipts.is_none() || cost > inner.bytes_max || inner.blocks.contains_key(&hash) {
            return;
        }
        inner.bytes = inner.bytes.saturating_add(cost);
        inner.blocks.insert(hash, Entry { block, level, source });
        inner.order.push_back(hash);
        while inner.bytes > inner.bytes_max
            && let Some(oldest) = inner.order.pop_front()
        {
            if let Some(gone) = inner.blocks.remove(&oldest) {
                inner.bytes = inner.bytes.saturating_sub(self::cost(&gone.block));
            }
        }
    }

    /// The block with that hash, if it was verified to `level` at least, and who gave it.
    pub fn get(&self, hash: &B256, level: Level) -> Option<(Verified, Arc<str>)> {
        let inner = self.inner.lock();
        let entry = inner.blocks.get(hash).filter(|entry| entry.level >= level)?;
        Some((entry.block.clone(), entry.source.clone()))
    }

    /// Whether [`Kept::get`] would give it.
    pub fn holds(&self, hash: &B256, level: Level) -> bool {
        self.inner.lock().blocks.get(hash).is_some_and(|entry| entry.level >= level)
    }

    /// Bytes kept now.
    pub fn bytes(&self) -> u64 {
        self.inner.lock().bytes
    }
}

fn cost(block: &Verified) -> u64 {
    let hashes = block.transaction_hashes.len().saturating_mul(size_of::<B256>());
    size(&block.block).saturating_add(hashes as u64).saturating_add(ENTRY_BYTES)
}
