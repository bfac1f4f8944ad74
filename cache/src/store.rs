//! The database behind the store.
//!
//! * `open`, `families`, `keys`, `meta`: how it lies on disk, whose it is, what is recorded of it
//! * `part`, `senders`: writing history; `tip`: the window above it; `remove`, `verify`: taking out what is old or bad
//! * `core`, `moment`: what all handles share, and what readers see of it at one moment
//! * `health`: whether it may still write; [`trace`]: the steps of a write, for tests

mod block;
pub(crate) mod core;
mod error;
pub(crate) mod families;
mod health;
pub(crate) mod keys;
mod lock;
mod meta;
pub(crate) mod moment;
mod open;
mod part;
mod records;
mod remove;
mod senders;
mod stats;
pub(crate) mod tip;
#[doc(hidden)]
pub mod trace;
mod trust;
mod verify;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use bytes::Bytes;
use hypasis_chain::{BlockId, ChainSpec};

pub use self::block::{Trust, Verified};
use self::core::Core;
pub use self::error::{OpenError, StoreError};
pub use self::families::Family;
use self::families::Merging;
use self::health::Cause;
pub use self::part::PartWriter;
pub use self::stats::Stats;
use self::trace::{Observer, Unobserved};
pub use self::verify::Findings;
use crate::coverage::{Kind, Kinds, Ranges};
use crate::view::View;

/// Heights of a section, the era unit; history is written in parts of aligned sections.
pub const SECTION: u64 = 8_192;

/// The store. Clone freely; all clones are one store.
#[derive(Clone, Debug)]
pub struct Store {
    core: Arc<Core>,
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the database; made if absent.
    pub path: PathBuf,
    /// Bytes for the hot layer and the database's caches and write buffers together.
    pub memory: u64,
    /// Chain id that the store belongs to (or shall belong to, if it is new).
    pub chain_id: u64,
    /// Hash of block 0, where known; must agree with the store's.
    pub genesis_hash: Option<B256>,
    /// Read around the page cache (`O_DIRECT`).
    pub direct_reads: bool,
    /// Most blocks that the tip window may hold over all forks.
    pub tip_blocks_max: usize,
    /// The chain's rules, which say beside which blocks a state sync may stand. Without them there are none.
    pub spec: Option<Arc<ChainSpec>>,
}

// === impl Store ===

impl Store {
    /// Opens or makes the store; drops what an interrupted write left behind.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        Self::open_observed(options, Arc::new(Unobserved))
    }

    /// Opens the store with an observer of its steps.
    #[doc(hidden)]
    pub fn open_observed(options: &Options, observer: Arc<dyn Observer>) -> Result<Self, OpenError> {
        open::open(options, observer, Merging::On).map(|core| Self { core })
    }

    /// Opens the store for [`Self::verify`]: nothing is merged in the background, which would run into what
    /// is damaged before it is dropped.
    pub fn open_to_verify(options: &Options) -> Result<Self, OpenError> {
        open::open(options, Arc::new(Unobserved), Merging::Off).map(|core| Self { core })
    }

    /// A consistent moment of the store. Cheap: take one for each request.
    pub fn view(&self) -> View {
        View::of(&self.core)
    }

    /// Starts writing a contiguous part of one section, ascending. Kinds say what each block will bring. What of
    /// it is held already is not written again; what is being written elsewhere is refused.
    pub fn begin_part(&self, range: RangeInclusive<u64>, kinds: Kinds) -> Result<PartWriter, StoreError> {
        if kinds.is_empty() || kinds.contains(&Kind::Logs) {
            return StoreError::refused("a part brings headers, bodies, receipts, the index or senders");
        }
        PartWriter::begin(Arc::clone(&self.core), range, &kinds)
    }

    /// Makes blocks of the tip window durable, on whatever fork. They are not canonical yet.
    pub fn insert_tip(&self, blocks: &[Verified], trust: &Trust) -> Result<(), StoreError> {
        tip::insert(&self.core, blocks, trust)
    }

    /// Makes `branch` (ascending, linked, all in the tip window) the canonical chain from its first height on, in
    /// one durable and visible step; canonical blocks above and beside it leave the index, not the window.
    pub fn set_canonical(&self, branch: &[BlockId]) -> Result<(), StoreError> {
        tip::set_canonical(&self.core, branch)
    }

    /// Records the newest finalized block (a persisted marker; it never goes back).
    pub fn set_finalized(&self, id: BlockId) -> Result<(), StoreError> {
        tip::set_finalized(&self.core, id)
    }

    /// Moves canonical tip blocks up to `number` into history and drops side forks at or below it.
    pub fn promote(&self, number: u64) -> Result<(), StoreError> {
        tip::promote(&self.core, number)
    }

    /// Stores senders of history blocks (ascending) that were written without them.
    pub fn put_senders(&self, blocks: &[(u64, Vec<Address>)]) -> Result<(), StoreError> {
        senders::put_senders(&self.core, blocks)
    }

    /// Stores what lies outside the roots of history blocks in `range`, whose headers and bodies are held; `blocks`
    /// ascend. Heights that have it are passed over.
    pub fn put_extra(
        &self,
        range: RangeInclusive<u64>,
        blocks: &[(BlockId, Bytes)],
    ) -> Result<(), StoreError> {
        senders::put_extra(&self.core, range, blocks)
    }

    /// Whether the chain has, or had, state syncs that stand beside blocks, so that [`Kind::Extra`] is kept.
    pub fn keeps_extra(&self) -> bool {
        self.core.keeps_extra()
    }

    /// Whether something may stand beside the block at `number`.
    pub fn may_have_extra(&self, number: u64) -> bool {
        self.core.may_have_extra(number)
    }

    /// Heights whose bodies are held in history but whose senders are not.
    pub fn missing_senders(&self) -> Ranges {
        senders::missing(&self.core)
    }

    /// Coverage off (synced), then the range is deleted from history.
    pub fn remove(&self, range: RangeInclusive<u64>) -> Result<(), StoreError> {
        remove::remove(&self.core, &range)
    }

    /// Removes history below `number`, oldest sections first, and gives their space back; returns how many heights
    /// it went through.
    pub fn prune_below(&self, number: u64) -> Result<u64, StoreError> {
        remove::prune_below(&self.core, number)
    }

    /// Merges the indexes whole, which gives back the space of entries below all that is held. It rewrites them and
    /// takes its time; without it they go by and by, as the indexes are merged.
    pub fn compact_indexes(&self) -> Result<(), StoreError> {
        remove::compact_indexes(&self.core)
    }

    /// Bytes on disk of the values in `range`, roughly: what removing it would give back.
    pub fn value_bytes(&self, range: RangeInclusive<u64>) -> u64 {
        stats::value_bytes(&self.core, &range)
    }

    /// How the ranges within `range` were verified.
    pub fn trust(&self, range: RangeInclusive<u64>) -> Result<Vec<(RangeInclusive<u64>, Trust)>, StoreError> {
        Ok(self.core.ledger().trust.within(&range))
    }

    /// A small named record of the program (checkpoint, calibration, …).
    pub fn record(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        records::record(&self.core, name)
    }

    /// Writes a small named record (synced).
    pub fn put_record(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        records::put_record(&self.core, name, value)
    }

    /// The total difficulty of the first block of the section of `number`, if it was recorded.
    pub fn difficulty_base(&self, number: u64) -> Result<Option<U256>, StoreError> {
        records::difficulty_base(&self.core, number)
    }

    /// Records the total difficulty of the first block of the section of `number` (synced).
    pub fn put_difficulty_base(&self, number: u64, total: U256) -> Result<(), StoreError> {
        records::put_difficulty_base(&self.core, number, total)
    }

    /// Why the store only reads, if it does.
    pub fn read_only(&self) -> Option<Arc<str>> {
        self.core.health.why()
    }

    /// Sizes and counts for status and metrics.
    pub fn stats(&self) -> Stats {
        stats::stats(&self.core)
    }

    /// Reads and re-checks everything in `range`, of history and of the tip window: links, roots (to the
    /// level that was claimed), and the indexes both ways. Reports what is bad. With `mend` bad blocks go, so
    /// that they become gaps (of history their sections, of the tip window they and the canonical chain from
    /// there on), and indexes are mended from the blocks. What cannot be mended in place is told, for
    /// [`Self::renew`].
    pub fn verify(
        &self,
        range: RangeInclusive<u64>,
        mend: bool,
        report: &mut dyn FnMut(RangeInclusive<u64>, &str),
    ) -> Result<Findings, StoreError> {
        verify::verify(&self.core, range, mend, report)
    }

    /// Drops families that [`Self::verify`] found lost and makes them anew: indexes from the blocks, the tip
    /// window empty. No other handle, view or writer of the store may be alive.
    pub fn renew(&mut self, lost: &[Family]) -> Result<(), StoreError> {
        verify::renew(&mut self.core, lost)
    }

    /// Syncs and closes what can be closed; further writes are refused.
    pub fn close(&self) -> Result<(), StoreError> {
        self.core.health.stop(Cause::Closed, "it was closed");
        let synced = self.core.db.flush_wal(true);
        self.core.db.cancel_all_background_work(true);
        synced.map_err(StoreError::from)
    }
}

/// First height of the section that holds `number`.
pub(crate) fn section_start(number: u64) -> u64 {
    number - number % SECTION
}

/// Last height of the section that holds `number`.
pub(crate) fn section_end(number: u64) -> u64 {
    section_start(number).saturating_add(SECTION - 1)
}
