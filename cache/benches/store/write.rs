//! Verify-and-store of prebuilt blocks on two cores, beside its unavoidable parts on the same blocks.

use std::hint::black_box;
use std::thread;

use alloy_primitives::keccak256;
use alloy_trie::root::ordered_trie_root_encoded;
use hypasis_cache::{Store, Verified};
use hypasis_chain::{Block, Body, ChainSpec, Level, Receipt, Receipts, roots, verify};

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
        "| blocks | blocks/s | MB/s | CPU µs a block | roots, hashes, compression alone | share | by libraries \
         | share | stored B a block | raw RLP |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    // The part of a worker is what it gets into the store at once: a section of small blocks, less of busy ones.
    for (name, count, transactions, part) in [
        ("at most 1 transaction", 65_536, 1, 8_192),
        ("20 transactions", 16_384, 20, 8_192),
        ("200 transactions", 2_048, 200, 1_024),
    ] {
        let (spec, blocks) = mint(count, transactions);
        let consensus: Vec<Vec<Vec<u8>>> = blocks.iter().map(consensus).collect();
        let (mut stored, mut alone, mut libraries, mut disk) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for _ in 0..ROUNDS {
            let folder = tempfile::tempdir().unwrap();
            let store = store(&folder.path().join("store"), 256 << 20, false);
            stored.push(cost(|| fill(&store, &spec, &blocks, part)).0);
            disk = store.stats().disk_bytes;
            let compressed = shared_out(&blocks, compression);
            alone.push(compressed + shared_out(&blocks, |blocks| blocks.iter().for_each(roots_and_hashes)));
            let pairs: Vec<_> = blocks.iter().zip(&consensus).collect();
            libraries.push(compressed + shared_out(&pairs, |pairs| pairs.iter().for_each(by_libraries)));
        }
        let per = |seconds: f64| seconds * 1e6 / count as f64;
        let middle = |costs: &[Cost], of: fn(&Cost) -> f64| median(costs.iter().map(of).collect());
        let (wall, cpu) = (middle(&stored, |cost| cost.wall), middle(&stored, |cost| cost.cpu));
        let share = |alone: &[f64]| {
            100.0 * median(stored.iter().zip(alone).map(|(stored, alone)| alone / stored.cpu).collect())
        };
        println!(
            "| {name} | {:.0} | {:.0} | {:.1} | {:.1} µs | {:.0} % | {:.1} µs | {:.0} % | {} | {} |",
            count as f64 / wall,
            raw_bytes(&blocks) as f64 / wall / 1e6,
            per(cpu),
            per(median(alone.clone())),
            share(&alone),
            per(median(libraries.clone())),
            share(&libraries),
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

/// CPU seconds of `work` on all blocks, by as many threads as fill the store, a share each: what shares a core with
/// somebody costs more time there.
fn shared_out<T: Sync>(blocks: &[T], work: impl Fn(&[T]) + Sync) -> f64 {
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
    black_box(roots::transactions_summary(&body).unwrap());
    black_box(roots::withdrawals_root(&body).unwrap());
    black_box(roots::receipts_root(&receipts).unwrap());
}

/// The same with the libraries that others use, which hash one thing after the other. Receipts are there in the form
/// that is hashed; making it and its bloom is not counted.
fn by_libraries((block, consensus): &(&Block, &Vec<Vec<u8>>)) {
    let body = Body::parse(&block.body).unwrap();
    let transactions: Vec<_> = body.transactions().map(Result::unwrap).collect();
    black_box(ordered_trie_root_encoded(&transactions));
    for transaction in &transactions {
        black_box(keccak256(transaction));
    }
    if let Some(withdrawals) = body.withdrawals() {
        let items: Vec<&[u8]> = withdrawals.map(|item| item.unwrap().raw()).collect();
        black_box(ordered_trie_root_encoded(&items));
    }
    black_box(ordered_trie_root_encoded(consensus));
}

/// A block's receipts in the form that is hashed.
fn consensus(block: &Block) -> Vec<Vec<u8>> {
    let receipts = Receipts::parse(block.receipts.as_deref().unwrap()).unwrap();
    let consensus = |receipt: Receipt<'_>| {
        let mut bytes = Vec::new();
        receipt.write_consensus(&receipt.bloom().unwrap(), &mut bytes);
        bytes
    };
    receipts.iter().map(|receipt| consensus(receipt.unwrap())).collect()
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
