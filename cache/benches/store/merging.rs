//! What merging the files of an index costs, by RocksDB's two ways: level by level, and all files of like size.
//!
//! An index is keyed by hash, so that the file of each part overlaps all others. Its files are made beforehand; each
//! part waits until the merging that it set off is done, as it does while history is filled.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DB, DBCompactionStyle, DBCompressionType,
    IngestExternalFileOptions, Options, ReadOptions, SliceTransform, SstFileWriter, UniversalCompactOptions,
    WaitForCompactOptions,
};

use crate::meter::cost;
use crate::scale::mixed;

/// Memory for blocks, filters and indexes.
const MEMORY: usize = 64 << 20;
/// Lookups of each kind.
const READS: u64 = 20_000;
/// Files at which they are merged, as the store has it.
const TRIGGER: i32 = 8;
/// Size of all younger files beside the oldest at which all are merged, where they are merged by size.
const STALE_PERCENT: i32 = 100;
/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes of a row's key; its value is empty.
const KEY: usize = 16;
/// Bytes of it by which rows are found.
const PREFIX: usize = 8;

pub(crate) fn print() {
    println!("| index | merging | written, over its size | CPU | disk at most, over its size | hit | miss |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (name, parts, rows) in [("1 row a block", 800, 8_192), ("100 rows a block", 80, 819_200)] {
        for (way, style) in [("level", DBCompactionStyle::Level), ("universal", DBCompactionStyle::Universal)]
        {
            let folder = tempfile::tempdir().unwrap();
            measure(&format!("| {name}, {parts} sections | {way}"), folder.path(), style, parts, rows);
        }
    }
    println!();
}

fn measure(name: &str, folder: &Path, style: DBCompactionStyle, parts: u64, rows: u64) {
    let options = options(style);
    let files: Vec<PathBuf> = (0..parts).map(|part| file(&options, folder, part, rows)).collect();
    let path = folder.join("index");
    let db = DB::open(&options, &path).unwrap();
    let before = written();
    let (cost, peak) =
        cost(|| beside(|| files.iter().for_each(|file| take_in(&db, file)), || bytes_in(&path)));
    let (written, size) = ((written() - before) as f64, bytes_in(&path) as f64);
    let hit = each(|i| find(&db, key(i % parts, i / parts % rows)));
    let miss = each(|i| !find(&db, key(parts + 1 + i, i)));
    println!(
        "{name} | {:.1} | {:.1} s | {:.2} | {hit:.1} µs | {miss:.1} µs |",
        written / size,
        cost.cpu,
        peak as f64 / size
    );
}

/// The largest of what `look` sees while `work` goes on.
fn beside(work: impl FnOnce() + Send, look: impl Fn() -> u64) -> u64 {
    let (done, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            work();
            drop(done);
        });
        let mut most = 0;
        while ended.recv_timeout(LOOK_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
            most = most.max(look());
        }
        most
    })
}

/// Takes a part's file in, and waits for what is merged because of it.
fn take_in(db: &DB, file: &Path) {
    let mut how = IngestExternalFileOptions::default();
    how.set_move_files(true);
    db.ingest_external_file_opts(&how, vec![file]).unwrap();
    db.wait_for_compact(&WaitForCompactOptions::default()).unwrap();
}

/// As the store lays an index out.
fn options(style: DBCompactionStyle) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(MEMORY));
    table.set_cache_index_and_filter_blocks(true);
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_pin_top_level_index_and_filter(true);
    table.set_whole_key_filtering(false);
    table.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_compaction_style(style);
    options.set_level_compaction_dynamic_level_bytes(style == DBCompactionStyle::Level);
    options.set_level_zero_file_num_compaction_trigger(TRIGGER);
    options.set_max_background_jobs(2);
    let mut universal = UniversalCompactOptions::default();
    universal.set_max_size_amplification_percent(STALE_PERCENT);
    options.set_universal_compaction_options(&universal);
    options.set_compression_type(DBCompressionType::None);
    options.set_prefix_extractor(SliceTransform::create_fixed_prefix(PREFIX));
    options.set_block_based_table_factory(&table);
    options
}

/// The file of a part, before it is taken in.
fn file(options: &Options, folder: &Path, part: u64, rows: u64) -> PathBuf {
    let mut keys: Vec<[u8; KEY]> = (0..rows).map(|row| key(part, row)).collect();
    keys.sort_unstable();
    let path = folder.join(format!("{part}.sst"));
    let mut writer = SstFileWriter::create(options);
    writer.open(&path).unwrap();
    keys.iter().for_each(|key| writer.put(key, []).unwrap());
    writer.finish().unwrap();
    path
}

/// A hash's first bytes, and where it is found.
fn key(part: u64, row: u64) -> [u8; KEY] {
    let hash = mixed(part << 32 | row).to_be_bytes();
    let place = (part << 32 | row).to_be_bytes();
    [hash, place].concat().try_into().unwrap()
}

/// Whether there is a row with the key's hash.
fn find(db: &DB, key: [u8; KEY]) -> bool {
    let mut how = ReadOptions::default();
    how.set_prefix_same_as_start(true);
    let mut rows = db.raw_iterator_opt(how);
    rows.seek(&key[..PREFIX]);
    rows.key().is_some_and(|found| found[..PREFIX] == key[..PREFIX])
}

/// Microseconds of processor time of one lookup, each of which ends as it should.
fn each(look: impl Fn(u64) -> bool) -> f64 {
    let (cost, right) = cost(|| (0..READS).filter(|i| look(mixed(*i) >> 16)).count() as u64);
    assert_eq!(right, READS);
    cost.thread * 1e6 / READS as f64
}

/// Bytes that this process has written to files.
fn written() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

/// Bytes of the tables in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().filter_map(Result::ok);
    let tables = entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "sst"));
    tables.filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
}
