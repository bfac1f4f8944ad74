//! Sizes and counts.

use std::ops::RangeInclusive;

use rocksdb::Range;

use super::core::Core;
use super::families::Family;
use super::keys;
use crate::coverage::Kind;

/// Sizes and counts of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Free bytes of the file system.
    pub free_bytes: u64,
    /// Blocks of history.
    pub history_blocks: u64,
    /// Blocks of the tip window over all forks.
    pub tip_blocks: u64,
    /// Bytes of memory that caches, write buffers and readers of open files hold.
    pub memory_bytes: u64,
    /// Reads that met damaged data since the start.
    pub damaged_reads: u64,
    /// Bytes on disk by family.
    pub families: Vec<(String, u64)>,
}

// === impl Stats ===

impl Stats {
    /// Bytes on disk of what is keyed by hash.
    pub fn index_bytes(&self) -> u64 {
        let indexes = [Family::HashNumber, Family::TxLocation].map(Family::name);
        let of = |(name, _): &&(String, u64)| indexes.contains(&name.as_str());
        self.families.iter().filter(of).map(|(_, bytes)| bytes).sum()
    }
}

pub(super) fn stats(core: &Core) -> Stats {
    let property = |family: Family, name: &str| {
        let value =
            core.family(family).ok().and_then(|handle| core.db.property_int_value_cf(handle, name).ok());
        value.flatten().unwrap_or_default()
    };
    let families = Family::ALL
        .map(|family| (family.name().to_owned(), property(family, "rocksdb.total-sst-files-size")));
    // What is in memtables is in the log as well.
    let logged = Family::ALL.map(|family| property(family, "rocksdb.cur-size-all-mem-tables"));
    // Write buffers, and the indexes and filters of files, are charged to the block cache.
    let readers = Family::ALL.map(|family| property(family, "rocksdb.estimate-table-readers-mem"));
    let files = families.iter().map(|(_, bytes)| *bytes);
    let free = rustix::fs::statvfs(&core.options.path);
    let moment = core.moment();
    Stats {
        disk_bytes: files.chain(logged).fold(0, u64::saturating_add),
        free_bytes: free.map_or(0, |free| free.f_bavail.saturating_mul(free.f_frsize)),
        history_blocks: moment.coverage.of(Kind::Header).len(),
        tip_blocks: moment.window.len() as u64,
        memory_bytes: [core.shared.cache.get_usage() as u64, core.hot.bytes()]
            .into_iter()
            .chain(readers)
            .fold(0, u64::saturating_add),
        damaged_reads: core.health.damaged_reads(),
        families: families.to_vec(),
    }
}

/// Bytes on disk of the values in `range`, roughly (what is in data blocks that the range touches).
pub(super) fn value_bytes(core: &Core, range: &RangeInclusive<u64>) -> u64 {
    let (from, to) = (keys::number(*range.start()), keys::number(range.end().saturating_add(1)));
    let sizes = Family::VALUES.map(|family| {
        let handle = core.family(family).ok();
        let sizes = handle.map(|handle| core.db.get_approximate_sizes_cf(handle, &[Range::new(&from, &to)]));
        sizes.and_then(|sizes| sizes.first().copied()).unwrap_or_default()
    });
    sizes.into_iter().fold(0, u64::saturating_add)
}
