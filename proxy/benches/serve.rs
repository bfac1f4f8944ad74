//! How fast peers are served from the store, without the network: from the request to the whole message.
//!
//! `cargo bench -p hypasis-proxy --bench serve` prints a markdown table. One asker at a time walks the chain as a
//! syncing Geth does: skeletons of 512 headers downwards, then 128 bodies and 256 lists of receipts a request upwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench"
)]

use std::sync::Arc;
use std::time::Instant;

use alloy_primitives::B256;
use hypasis_cache::store::Verified;
use hypasis_cache::{Kind, Options, Store, Trust};
use hypasis_chain::dev::{DEV_CHAIN_ID, DevChain, DevOptions};
use hypasis_chain::{BlockId, Level};
use hypasis_proxy::p2p::forward::{Forward, Parts};
use hypasis_proxy::p2p::serve::{Library, Request, Who};
use hypasis_proxy::served::{Served, ServedHead};
use hypasis_proxy::sync::kept::Kept;
use hypasis_proxy::sync::metrics::Metrics;
use hypasis_proxy::sync::sources::Sources;
use hypasis_proxy::sync::verify::Checks;
use hypasis_wire::eth::{
    BlockHashOrNumber, EthVersion, GetBlockBodies, GetBlockHeaders, GetReceipts, HeadersDirection,
    RequestPair,
};

/// Blocks of a chain: one section.
const BLOCKS: u64 = 8_192;
/// Walks over the chain, of which the middle one counts; the first is not counted.
const ROUNDS: usize = 7;
/// Bytes for the store. Less than what the busy chain takes, so that it is read from the page cache and unpacked.
const MEMORY: u64 = 32 << 20;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("| answers | transactions a block | items/s | MB/s | µs an item |");
    println!("| --- | --- | --- | --- | --- |");
    for transactions in [2, 100] {
        let folder = tempfile::tempdir().unwrap();
        let (library, ids) = library(folder.path(), transactions);
        let hashes: Vec<B256> = ids.iter().map(|id| id.hash).collect();
        let falling =
            |from: u64| Request::Headers(RequestPair::new(1, headers(from, HeadersDirection::Falling)));
        let rising =
            |from: u64| Request::Headers(RequestPair::new(1, headers(from, HeadersDirection::Rising)));
        let skeletons: Vec<Request> = (0..BLOCKS / 512).rev().map(|i| falling(512 * i + 511)).collect();
        let rows: Vec<Request> = (0..BLOCKS / 512).map(|i| rising(512 * i)).collect();
        let bodies = |hashes: &[B256]| Request::Bodies(RequestPair::new(1, GetBlockBodies(hashes.to_vec())));
        let bodies: Vec<Request> = hashes.chunks(128).map(bodies).collect();
        let lists = |hashes: &[B256]| Request::Receipts(RequestPair::new(1, GetReceipts(hashes.to_vec())));
        let lists: Vec<Request> = hashes.chunks(256).map(lists).collect();
        for (name, version, requests) in [
            ("headers, 512 downwards", EthVersion::Eth69, &skeletons),
            ("headers, 512 upwards", EthVersion::Eth69, &rows),
            ("bodies, 128", EthVersion::Eth69, &bodies),
            ("receipts, 256, eth/69", EthVersion::Eth69, &lists),
            ("receipts, 256, eth/68", EthVersion::Eth68, &lists),
        ] {
            let walk = || runtime.block_on(walk(library.clone(), version, requests.clone()));
            let mut rounds: Vec<(f64, usize, usize)> = (0..=ROUNDS).map(|_| walk()).skip(1).collect();
            rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
            let (seconds, items, bytes) = rounds[ROUNDS / 2];
            println!(
                "| {name} | {transactions} | {:.0} | {:.0} | {:.2} |",
                items as f64 / seconds,
                bytes as f64 / seconds / 1e6,
                seconds * 1e6 / items as f64
            );
        }
    }
}

/// Asks one request after the other, as a worker of the runtime. Seconds, items and bytes.
async fn walk(library: Library, version: EthVersion, requests: Vec<Request>) -> (f64, usize, usize) {
    let walk = async move {
        let started = Instant::now();
        let (mut items, mut bytes) = (0, 0);
        for request in requests {
            let answer = library.answer(version, request, &Who::default()).await;
            items += answer.items;
            bytes += answer.payload.len();
        }
        (started.elapsed().as_secs_f64(), items, bytes)
    };
    tokio::spawn(walk).await.unwrap()
}

fn headers(from: u64, direction: HeadersDirection) -> GetBlockHeaders {
    GetBlockHeaders { start_block: BlockHashOrNumber::Number(from), limit: 512, skip: 0, direction }
}

/// A library over a store with the whole chain, and the chain's ids.
fn library(path: &std::path::Path, transactions: u32) -> (Library, Vec<BlockId>) {
    let options = DevOptions { history: BLOCKS, transactions, period_ms: 1_000, seed: 7 };
    let chain = DevChain::new(options, 1_700_000_000);
    let spec = Arc::new(chain.spec());
    let options = Options {
        path: path.to_path_buf(),
        memory: MEMORY,
        chain_id: DEV_CHAIN_ID,
        genesis_hash: None,
        direct_reads: false,
        tip_blocks_max: 1_024,
        spec: None,
    };
    let store = Store::open(&options).unwrap();
    let mut part = store.begin_part(0..=BLOCKS - 1, vec![Kind::Header, Kind::Body, Kind::Receipts]).unwrap();
    let mut ids = Vec::new();
    for from in (0..BLOCKS).step_by(512) {
        for block in chain.blocks(from..from + 512) {
            ids.push(block.id);
            part.append(&Verified { block, transaction_hashes: Vec::new(), senders: None }).unwrap();
        }
    }
    let trust = Trust { level: Level::Full, source: "bench".into(), checkpoint: None, verified_at: 0 };
    part.finish(&trust).unwrap();
    let served = ServedHead::new(Served { latest: ids.last().copied(), ..Served::default() });
    let forward = Forward::new(Parts {
        sources: Sources::new(Vec::new(), Metrics::default()),
        checks: Checks::new(Level::Full, spec),
        kept: Kept::default(),
        store: store.clone(),
        served: served.clone(),
    });
    (Library::new(store, served, forward), ids)
}
