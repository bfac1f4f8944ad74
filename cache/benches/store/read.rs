//! Reads at random heights from a store four times its memory, around the page cache, beside a bare RocksDB that
//! holds the same bytes under the same memory.

use std::path::Path;

use hypasis_cache::{Store, Verified, View};
use hypasis_chain::{Block, Body};
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, DB, DBCompressionType, IngestExternalFileOptions, SstFileWriter,
};

use crate::blocks::{KINDS, mint, store, trust, values};
use crate::meter::{Cost, cost, median};

/// Bytes for the store, and for the cache of the bare database.
const MEMORY: u64 = 64 << 20;
const BLOCKS: u64 = 3 * SECTION as u64;
const SECTION: usize = 8_192;
const TRANSACTIONS: u32 = 60;
/// Reads of a round; rounds take turns.
const READS: u64 = 16_000;
const ROUNDS: usize = 5;

/// The families of the bare database.
const FAMILIES: [&str; 3] = ["headers", "bodies", "receipts"];

pub(crate) fn print() {
    let (_, blocks) = mint(BLOCKS, TRANSACTIONS);
    let folder = tempfile::tempdir().unwrap();
    write(&store(&folder.path().join("store"), MEMORY, true), &blocks);
    let bare = bare(&folder.path().join("bare"), &blocks);
    let store = store(&folder.path().join("store"), MEMORY, true);
    let times = store.stats().disk_bytes as f64 / MEMORY as f64;
    println!("Store {times:.1} times its memory, direct reads, random heights, one thread:\n");
    println!("| read | store (CPU) | bare get of the same bytes (CPU) | ratio | of CPU time |");
    println!("| --- | --- | --- | --- | --- |");
    let view = store.view();
    row("header, body and receipts", &bare, &[0, 1, 2], |number| whole(&view, number));
    row("header and body", &bare, &[0, 1], |number| header_and_body(&view, number));
    row("header", &bare, &[0], |number| view.header_at(number).unwrap().unwrap().len());
    row("header and its hash", &bare, &[0], |number| header(&view, number));
    println!(
        "\nMemory held afterwards: {:.0} % of `store.memory`\n",
        store.stats().memory_bytes as f64 * 100.0 / MEMORY as f64
    );
}

fn row(name: &str, bare: &DB, families: &[usize], read: impl Fn(u64) -> usize) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let handles: Vec<&ColumnFamily> =
        families.iter().map(|family| bare.cf_handle(FAMILIES[*family]).unwrap()).collect();
    for round in 0..=ROUNDS as u64 {
        let (one, found) = cost(|| heights(2 * round).map(&read).sum::<usize>());
        let get = |number: u64| -> usize {
            let value =
                |handle: &&ColumnFamily| bare.get_cf(handle, number.to_be_bytes()).unwrap().unwrap().len();
            handles.iter().map(value).sum()
        };
        let (other, same) = cost(|| heights(2 * round).map(get).sum::<usize>());
        assert_eq!(found, same);
        // The first round fills the caches.
        if round > 0 {
            ours.push(one);
            theirs.push(other);
        }
    }
    let (wall, thread) = (|cost: &Cost| cost.wall, |cost: &Cost| cost.thread);
    let micros =
        |costs: &[Cost], of: fn(&Cost) -> f64| median(costs.iter().map(of).collect()) * 1e6 / READS as f64;
    let ratio = |of: fn(&Cost) -> f64| {
        median(ours.iter().zip(&theirs).map(|(one, other)| of(one) / of(other)).collect())
    };
    println!(
        "| {name} | {:.1} µs ({:.1}) | {:.1} µs ({:.1}) | {:.2} | {:.2} |",
        micros(&ours, wall),
        micros(&ours, thread),
        micros(&theirs, wall),
        micros(&theirs, thread),
        ratio(wall),
        ratio(thread),
    );
}

fn header(view: &View, number: u64) -> usize {
    let block = view.by_number(number).unwrap().unwrap();
    view.header(&block).unwrap().unwrap().len()
}

fn header_and_body(view: &View, number: u64) -> usize {
    let block = view.by_number(number).unwrap().unwrap();
    header(view, number) + view.body(&block).unwrap().unwrap().len()
}

fn whole(view: &View, number: u64) -> usize {
    let block = view.by_number(number).unwrap().unwrap();
    header_and_body(view, number) + view.receipts(&block).unwrap().unwrap().len()
}

/// Heights in no order, others for each round.
fn heights(round: u64) -> impl Iterator<Item = u64> {
    (0..READS)
        .map(move |i| {
            let mixed = (round << 32 | i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
        })
        .map(|mixed| mixed % BLOCKS)
}

/// A part holds a section at most.
fn write(store: &Store, blocks: &[Block]) {
    blocks.chunks(SECTION).for_each(|blocks| write_part(store, blocks));
}

fn write_part(store: &Store, blocks: &[Block]) {
    let range = blocks[0].id.number..=blocks[blocks.len() - 1].id.number;
    let mut part = store.begin_part(range, KINDS.to_vec()).unwrap();
    for block in blocks {
        let transactions = Body::parse(&block.body).unwrap().transactions();
        let transaction_hashes = transactions.map(|transaction| transaction.unwrap().hash()).collect();
        part.append(&Verified { block: block.clone(), transaction_hashes, senders: None }).unwrap();
    }
    part.finish(&trust()).unwrap();
}

/// RocksDB with its defaults but for compression, the size of the cache and direct reads.
fn bare(path: &Path, blocks: &[Block]) -> DB {
    let (mut options, mut table) = (rocksdb::Options::default(), BlockBasedOptions::default());
    table.set_block_cache(&Cache::new_lru_cache(MEMORY as usize));
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_compression_type(DBCompressionType::Zstd);
    options.set_use_direct_reads(true);
    options.set_block_based_table_factory(&table);
    let families = FAMILIES.map(|name| (name, options.clone()));
    let db = DB::open_cf_with_opts(&options, path, families).unwrap();
    for (family, name) in FAMILIES.iter().enumerate() {
        let file = path.join(format!("{name}.new"));
        let mut writer = SstFileWriter::create(&options);
        writer.open(&file).unwrap();
        for block in blocks {
            writer.put(block.id.number.to_be_bytes(), values(block)[family]).unwrap();
        }
        writer.finish().unwrap();
        let mut ingest = IngestExternalFileOptions::default();
        ingest.set_move_files(true);
        db.ingest_external_file_cf_opts(db.cf_handle(name).unwrap(), &ingest, vec![file]).unwrap();
    }
    db
}
