//! The column families and how each is laid out on disk.
//!
//! *Values* (headers, bodies, receipts, extra, senders) are keyed by height, written as SST files that never
//! overlap, and so lie in the lowest level from the start: nothing is ever compacted but what a removal cuts.
//! *Indexes* are keyed by hash, so that each part's file overlaps all others: files of like size are merged (universal
//! compaction), which also frees the entries of what was pruned. Merging all of an index takes as much disk again until
//! it is done. A lookup there is one seek under an 8-byte prefix that a bloom filter guards.
//! *Records* (meta, tip) go through the write-ahead log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, CompactionDecision, DBCompactionStyle, DBCompressionType,
    DataBlockIndexType, Options, SliceTransform, UniversalCompactOptions, WriteBufferManager,
};

use super::{Options as StoreOptions, keys};

/// Sorted runs of an index at which some are merged; each part brings one.
const INDEX_MERGE_TRIGGER: i32 = 8;
/// When all younger runs together are so large beside the oldest, the index is merged whole. So it is at most twice
/// its size where old entries go as new ones come.
const INDEX_STALE_PERCENT: i32 = 100;
/// A data block closes at this size; a larger value has a block of its own.
const VALUE_BLOCK_BYTES: usize = 16 << 10;
/// Memtable of the families that are written through the log.
const RECORD_BUFFER_BYTES: usize = 16 << 20;
/// One part in this many of the block cache may be taken by write buffers.
const WRITE_BUFFER_SHARE: usize = 4;
/// Files kept open at most; each section of history has one in every value family.
const OPEN_FILES_MAX: u64 = 16_384;
/// Memory for each file that may stay open: what a table reader keeps outside the block cache is a small part of it.
const MEMORY_PER_FILE: u64 = 64 << 10;

/// A column family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Number → header RLP.
    Headers,
    /// Number → body RLP.
    Bodies,
    /// Number → slim receipts.
    Receipts,
    /// Number → what lies outside the roots.
    Extra,
    /// Number → senders, 20 bytes each; no row where there are none.
    Senders,
    /// Eight bytes of a block hash ‖ number → nothing.
    HashNumber,
    /// Eight bytes of a transaction hash ‖ number ‖ index → nothing.
    TxLocation,
    /// Coverage, intents, trust, identity, named records.
    Meta,
    /// Number ‖ hash ‖ part → bytes of a tip block.
    TipBlocks,
    /// Number → hash of the canonical tip block.
    TipCanonical,
    /// Transaction hash ‖ number ‖ block hash → index.
    TipTransactions,
}

/// Whether files are merged in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merging {
    On,
    Off,
}

/// What the families share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) cache: Cache,
    pub(crate) buffers: WriteBufferManager,
    /// No entry of an index below this height is wanted any more; merging drops them.
    pub(crate) floor: Arc<AtomicU64>,
    merging: Merging,
}

// === impl Shared ===

impl Shared {
    /// `memory` bounds the block cache; write buffers, indexes and filters are charged to it.
    pub(crate) fn new(memory: u64, merging: Merging) -> Self {
        let bytes = usize::try_from(memory).unwrap_or(usize::MAX);
        let cache = Cache::new_lru_cache(bytes);
        let buffers = bytes / WRITE_BUFFER_SHARE;
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(buffers, false, cache.clone());
        Self { cache, buffers, floor: Arc::default(), merging }
    }
}

// === impl Family ===

impl Family {
    /// All families.
    pub const ALL: [Self; 11] = [
        Self::Headers,
        Self::Bodies,
        Self::Receipts,
        Self::Extra,
        Self::Senders,
        Self::HashNumber,
        Self::TxLocation,
        Self::Meta,
        Self::TipBlocks,
        Self::TipCanonical,
        Self::TipTransactions,
    ];

    /// The families keyed by height.
    pub(crate) const VALUES: [Self; 5] =
        [Self::Headers, Self::Bodies, Self::Receipts, Self::Extra, Self::Senders];

    /// The family's name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Bodies => "bodies",
            Self::Receipts => "receipts",
            Self::Extra => "extra",
            Self::Senders => "senders",
            Self::HashNumber => "hash_number",
            Self::TxLocation => "tx_location",
            Self::Meta => "meta",
            Self::TipBlocks => "tip_blocks",
            Self::TipCanonical => "tip_canonical",
            Self::TipTransactions => "tip_transactions",
        }
    }

    /// How the family is laid out.
    pub(crate) fn options(self, shared: &Shared) -> Options {
        let mut options = Options::default();
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&shared.cache);
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_format_version(6);
        options.set_compaction_style(DBCompactionStyle::Level);
        options.set_level_compaction_dynamic_level_bytes(true);
        options.set_write_buffer_size(RECORD_BUFFER_BYTES);
        options.set_disable_auto_compactions(shared.merging == Merging::Off);
        match self {
            Self::Headers | Self::Bodies | Self::Receipts | Self::Extra => {
                options.set_compression_type(DBCompressionType::Zstd);
                values(&mut table);
            }
            // Addresses are as good as random.
            Self::Senders => {
                options.set_compression_type(DBCompressionType::None);
                values(&mut table);
            }
            Self::HashNumber | Self::TxLocation => {
                options.set_compression_type(DBCompressionType::None);
                merged_by_size(&mut options);
                drop_below(&mut options, Arc::clone(&shared.floor));
                prefixed(&mut options, &mut table, keys::INDEX_PREFIX);
            }
            Self::TipTransactions => {
                options.set_compression_type(DBCompressionType::None);
                prefixed(&mut options, &mut table, keys::HASH);
            }
            Self::TipBlocks => options.set_compression_type(DBCompressionType::Lz4),
            Self::Meta | Self::TipCanonical => options.set_compression_type(DBCompressionType::None),
        }
        options.set_block_based_table_factory(&table);
        options
    }
}

/// How the database as a whole behaves.
pub(crate) fn database_options(shared: &Shared, store: &StoreOptions) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_write_buffer_manager(&shared.buffers);
    options.set_use_direct_reads(store.direct_reads);
    options.set_max_background_jobs(2);
    options.set_max_open_files(open_files(store.memory));
    options.set_max_total_wal_size(128 << 20);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(8 << 20);
    options.set_bytes_per_sync(1 << 20);
    options
}

/// Every height is read by its whole key, so a filter would say nothing that coverage does not; the index of a
/// section is cut into pages, so that one read does not load it whole. In a block a hash leads to the row: going
/// through the rows before it touches memory all over the block.
fn values(table: &mut BlockBasedOptions) {
    table.set_block_restart_interval(1);
    table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    table.set_block_size(VALUE_BLOCK_BYTES);
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
}

/// Filter and index are cut into pages too: those of a large file are megabytes, which the cache could not keep, so
/// that each lookup read them anew.
fn prefixed(options: &mut Options, table: &mut BlockBasedOptions, prefix: usize) {
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_pin_top_level_index_and_filter(true);
    options.set_prefix_extractor(SliceTransform::create_fixed_prefix(prefix));
    options.set_memtable_prefix_bloom_ratio(0.05);
    table.set_whole_key_filtering(false);
    table.set_bloom_filter(10.0, false);
}

/// Files of like size are merged with each other. Merged level by level, each few parts would be written anew with
/// all that is held: over 800 sections of headers seventeen times their size is written so and four times here, and
/// lookups take as long (`cargo bench -p hypasis-cache --bench store -- merging`).
fn merged_by_size(options: &mut Options) {
    let mut universal = UniversalCompactOptions::default();
    universal.set_max_size_amplification_percent(INDEX_STALE_PERCENT);
    options.set_universal_compaction_options(&universal);
    options.set_compaction_style(DBCompactionStyle::Universal);
    options.set_level_compaction_dynamic_level_bytes(false);
    options.set_level_zero_file_num_compaction_trigger(INDEX_MERGE_TRIGGER);
}

/// Entries of pruned heights go when their file is merged, which costs no write of its own. Whoever writes lowers
/// the floor before its files come in.
fn drop_below(options: &mut Options, floor: Arc<AtomicU64>) {
    options.set_compaction_filter("pruned", move |_, key, _| match keys::index_target(key) {
        Some((number, _)) if number < floor.load(Ordering::SeqCst) => CompactionDecision::Remove,
        _ => CompactionDecision::Keep,
    });
}

fn open_files(memory: u64) -> i32 {
    let limit =
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(OPEN_FILES_MAX * 2);
    let files = (limit / 2).min(memory / MEMORY_PER_FILE);
    i32::try_from(files.clamp(64, OPEN_FILES_MAX)).unwrap_or(64)
}
