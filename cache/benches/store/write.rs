//! Verify-and-store of prebuilt blocks on two cores, beside its unavoidable parts on the same blocks.

use std::hint::black_box;
use std::thread;

use hypasis_cache::{Store, Verified};
use hypasis_chain::{Block, Body, ChainSpec, Level, Receipts, roots, verify};

use crate::blocks::{KINDS, mint, raw_bytes, store, trust, values};
use crate::meter::{Cost, cost, median};

/// Threads that verify and append, each a part of its own; while one waits for the disk, another works.
const WORKERS: usize = 4;
/// Bytes of rows that are compressed together.
const PIECE: usize = 16 << 10;
/// Runs, of which the middle counts; what is compared runs in turns.
const ROUNDS: usize = 5;

pub(crate) fn print() {
    println!(
        "| blocks | blocks/s | MB/s | CPU µs a block | roots, hashes, compression alone | share | stored B a block \
         | raw RLP |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    // The part of a worker is what it gets into the store at once: a section of small blocks, less of busy ones.
    for (name, count, transactions, part) in [
        ("at most 1 transaction", 65_536, 1, 8_192),
        ("20 transactions", 16_384, 20, 8_192),
        ("200 transactions", 2_048, 200, 1_024),
    ] {
        let (spec, blocks) = mint(count, transactions);
        let (mut stored, mut alone, mut disk) = (Vec::new(), Vec::new(), 0);
        for _ in 0..ROUNDS {
            let folder = tempfile::tempdir().unwrap();
            let store = store(&folder.path().join("store"), 256 << 20, false);
            stored.push(cost(|| fill(&store, &spec, &blocks, part)).0);
            disk = store.stats().disk_bytes;
            alone.push(parts_alone(&blocks));
        }
        let per = |seconds: f64| seconds * 1e6 / count as f64;
        let middle = |costs: &[Cost], of: fn(&Cost) -> f64| median(costs.iter().map(of).collect());
        let (wall, cpu) = (middle(&stored, |cost| cost.wall), middle(&stored, |cost| cost.cpu));
        let bare = median(alone.clone());
        let share = median(stored.iter().zip(&alone).map(|(stored, alone)| alone / stored.cpu).collect());
        println!(
            "| {name} | {:.0} | {:.0} | {:.1} | {:.1} µs | {:.0} % | {} | {} |",
            count as f64 / wall,
            raw_bytes(&blocks) as f64 / wall / 1e6,
            per(cpu),
            per(bare),
            share * 100.0,
            disk / count,
            raw_bytes(&blocks) as u64 / count,
        );
    }
    println!();
}

/// Verifies at `full` and stores, as filling does.
fn fill(store: &Store, spec: &ChainSpec, blocks: &[Block], part: usize) {
    let parts: Vec<&[Block]> = blocks.chunks(part).collect();
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let mine = parts.iter().skip(worker).step_by(WORKERS).copied();
            scope.spawn(move || mine.for_each(|blocks| fill_part(store, spec, blocks)));
        }
    });
}

fn fill_part(store: &Store, spec: &ChainSpec, blocks: &[Block]) {
    let range = blocks[0].id.number..=blocks[blocks.len() - 1].id.number;
    let mut part = store.begin_part(range, KINDS.to_vec()).unwrap();
    for block in blocks {
        let checked = verify::verify(Level::Full, spec, block, block.id).unwrap();
        let transaction_hashes = checked.transaction_hashes;
        part.append(&Verified { block: block.clone(), transaction_hashes, senders: None }).unwrap();
    }
    part.finish(&trust()).unwrap();
}

/// CPU seconds of roots, transaction hashes and compression, one after the other on the same blocks, by as many threads
/// as fill the store: what shares a core with somebody costs more time there.
fn parts_alone(blocks: &[Block]) -> f64 {
    let roots = shared_out(blocks, |blocks| blocks.iter().for_each(roots_and_hashes));
    roots + shared_out(blocks, compression)
}

/// CPU seconds of `work` on all blocks, a share a thread.
fn shared_out(blocks: &[Block], work: impl Fn(&[Block]) + Sync) -> f64 {
    let work = &work;
    cost(|| {
        thread::scope(|scope| {
            for share in blocks.chunks(blocks.len().div_ceil(WORKERS)) {
                scope.spawn(move || work(share));
            }
        });
    })
    .0
    .cpu
}

fn roots_and_hashes(block: &Block) {
    let body = Body::parse(&block.body).unwrap();
    let receipts = Receipts::parse(block.receipts.as_deref().unwrap()).unwrap();
    black_box(roots::transactions_root(&body).unwrap());
    black_box(roots::withdrawals_root(&body).unwrap());
    black_box(roots::receipts_root(&receipts).unwrap());
    for transaction in body.transactions() {
        black_box(transaction.unwrap().hash());
    }
}

/// Compresses what the store compresses, in pieces of its size and at its level.
fn compression(blocks: &[Block]) {
    let mut compressor = zstd_safe::CCtx::create();
    let (mut piece, mut out) = (Vec::new(), Vec::new());
    for family in 0..3 {
        for (place, block) in blocks.iter().enumerate() {
            piece.extend_from_slice(values(block)[family]);
            if piece.len() >= PIECE || place + 1 == blocks.len() {
                out.resize(out.len().max(zstd_safe::compress_bound(piece.len())), 0);
                black_box(compressor.compress(&mut out[..], &piece, zstd_safe::CLEVEL_DEFAULT).unwrap());
                piece.clear();
            }
        }
    }
}
