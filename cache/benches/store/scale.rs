//! A store of many headers in Bor's form: what the gap map, the indexes, a start and memory cost at Polygon's length.
//!
//! Headers have what does not compress on the real chain: hashes, a bloom that is more than half full, a seal. They
//! link to each other; nobody verifies them here. `HYPASIS_SCALE_HEADERS` says how many (10 million by default, 6 GB
//! of disk); what is printed for 92 million is those figures times the ratio. With `HYPASIS_SCALE_MINTED` they are the
//! development chain's in Bor's form: sealed, with validators at sprint ends, and empty, so that they take less disk.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use alloy_primitives::{B256, keccak256};
use hypasis_cache::{Kind, Ranges, Store};
use hypasis_chain::BlockId;
use hypasis_chain::dev::bor::{BorChain, BorOptions};
use hypasis_chain::genesis::EMPTY_UNCLES_HASH;
use hypasis_chain::rlp::{write_list, write_string, write_uint};

use crate::blocks::{store, trust};
use crate::meter::cost;

/// Height of Polygon in late 2026, in blocks.
const POLYGON: u64 = 92_000_000;
/// Headers of a part: a section.
const PART: u64 = 8_192;
/// Bytes of memory that the store gets: the default's eighth.
const MEMORY: u64 = 256 << 20;
/// Reads of each kind.
const READS: u64 = 20_000;
/// Ranges of a gap map that is in a bad state: a hole in every second section of Polygon.
const HOLES: u64 = POLYGON / PART / 2;

pub(crate) fn print() {
    let count = std::env::var("HYPASIS_SCALE_HEADERS").map_or(10_000_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (written, sample) = {
        let store = store(&path, MEMORY, false);
        let (written, sample) = cost(|| match std::env::var_os("HYPASIS_SCALE_MINTED") {
            Some(_) => write(&store, count, minted()),
            None => write(&store, count, header),
        });
        (written.wall, sample)
    };
    let began = Instant::now();
    let store = store(&path, MEMORY, false);
    let opened = began.elapsed();
    let resident_at_start = resident();
    let view = store.view();
    let by_number = each(|i| {
        let block = view.by_number(mixed(i) % count).unwrap().unwrap();
        view.header(&block).unwrap().unwrap().len()
    });
    let by_hash = each(|i| {
        let id = sample[mixed(i) as usize % sample.len()];
        let found = view.by_hash(&id.hash).unwrap().unwrap();
        assert_eq!(found.id, id);
        1
    });
    let unknown = each(|i| usize::from(view.by_hash(&keccak256(i.to_be_bytes())).unwrap().is_some()));
    let stats = store.stats();
    let family =
        |name: &str| stats.families.iter().find(|(found, _)| found == name).map_or(0, |(_, bytes)| *bytes);
    let (one, many) = (map_lookup(1), map_lookup(HOLES));
    println!("A store of {count} headers in Bor's form ({} MiB for caches):\n", MEMORY >> 20);
    println!("| | {count} | times {:.1}: Polygon |", ratio(count));
    println!("| --- | --- | --- |");
    let row = |name: &str, value: f64, unit: &str| {
        println!("| {name} | {value:.2} {unit} | {:.1} {unit} |", value * ratio(count));
    };
    row("written in", written, "s");
    row("headers on disk", family("headers") as f64 / 1e9, "GB");
    row("hash → number on disk", family("hash_number") as f64 / 1e9, "GB");
    row("start", opened.as_secs_f64(), "s");
    println!("| a header by number, at random | {by_number:.1} µs | |");
    println!("| a height by hash, at random | {by_hash:.1} µs | |");
    println!("| a hash that is not there | {unknown:.1} µs | |");
    println!("| gap map of one range: a lookup | {one:.0} ns | |");
    println!(
        "| gap map of {HOLES} ranges: a lookup | {many:.0} ns, {} kB as a record | |",
        HOLES * 16 / 1_000
    );
    println!(
        "| resident after the start, after the reads | {} MiB, {} MiB | |",
        resident_at_start,
        resident()
    );
    println!("| of it caches, indexes and filters | {} MiB | |\n", stats.memory_bytes >> 20);
}

/// Writes `count` linked headers, each made from its number and its parent's hash, and returns some of their ids.
fn write(store: &Store, count: u64, mut header: impl FnMut(u64, B256) -> Vec<u8>) -> Vec<BlockId> {
    let (mut parent, mut sample) = (B256::ZERO, Vec::new());
    for first in (0..count).step_by(PART as usize) {
        let last = (first + PART).min(count) - 1;
        let mut part = store.begin_part(first..=last, vec![Kind::Header]).unwrap();
        for number in first..=last {
            let header = header(number, parent);
            let id = BlockId { number, hash: keccak256(&header) };
            part.append_header(id, &header).unwrap();
            if number.is_multiple_of(997) {
                sample.push(id);
            }
            parent = id.hash;
        }
        part.finish(&trust()).unwrap();
    }
    sample
}

/// The development chain's headers in Bor's form, one after the other.
fn minted() -> impl FnMut(u64, B256) -> Vec<u8> {
    let chain = BorChain::new(BorOptions::default()).unwrap();
    let mut minter = chain.minter();
    move |number, _| match number {
        0 => chain.genesis().header.to_vec(),
        _ => minter.mint().header.to_vec(),
    }
}

/// Sixteen fields; what the real chain fills at random is random here.
fn header(number: u64, parent: B256) -> Vec<u8> {
    let noise: Vec<u8> = (0..64).flat_map(|i| mixed(number << 8 | i).to_be_bytes()).collect();
    let mut fields = Vec::with_capacity(640);
    write_string(&mut fields, parent.as_slice());
    write_string(&mut fields, EMPTY_UNCLES_HASH.as_slice());
    write_string(&mut fields, &[0; 20]);
    for root in 0..3 {
        write_string(&mut fields, &noise[root * 32..][..32]);
    }
    write_string(&mut fields, &noise[96..352]);
    for value in [1, number, 45_000_000, mixed(number) % 45_000_000, 1_590_824_836 + 2 * number] {
        write_uint(&mut fields, value);
    }
    let extra = [&[0; 32], &noise[352..416], &[0]].concat();
    write_string(&mut fields, &extra);
    write_string(&mut fields, &[0; 32]);
    write_string(&mut fields, &[0; 8]);
    write_uint(&mut fields, 25_000_000_000 + mixed(number) % 1_000_000);
    let mut header = Vec::with_capacity(fields.len() + 3);
    write_list(&mut header, &fields);
    header
}

/// Microseconds of processor time of one read.
fn each(read: impl Fn(u64) -> usize) -> f64 {
    let (cost, read) = cost(|| (0..READS).map(read).sum::<usize>());
    black_box(read);
    cost.thread * 1e6 / READS as f64
}

/// Nanoseconds of asking a map of so many ranges for a height.
fn map_lookup(ranges: u64) -> f64 {
    let mut map = Ranges::default();
    for range in 0..ranges {
        let first = range * (POLYGON / ranges);
        map.insert(first..=first + POLYGON / ranges - 2);
    }
    let (cost, held) = cost(|| (0..1_000_000).filter(|i| map.contains(mixed(*i) % POLYGON)).count());
    black_box(held);
    cost.wall * 1e9 / 1e6
}

pub(crate) fn mixed(i: u64) -> u64 {
    let mixed = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 27
}

fn ratio(count: u64) -> f64 {
    POLYGON as f64 / count as f64
}

/// Resident MiB of this process.
fn resident() -> u64 {
    let status = fs::read_to_string(Path::new("/proc/self/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() >> 10
}
