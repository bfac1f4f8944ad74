//! How fast busy blocks are rendered where their senders and hashes are stored.
//!
//! `cargo bench -p hypasis-chain --bench render` prints the bytes of JSON, microseconds a block and nanoseconds a
//! transaction, for the development chain and, where the test data lie beside the checkout, for a mainnet block. With
//! `-- once NAME` it renders one of them a hundred times and prints nothing, for a profiler.

#![allow(clippy::print_stdout, reason = "the results")]

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use alloy_primitives::{Address, B256};
use hypasis_chain::dev::{DevChain, DevOptions};
use hypasis_chain::render::{self, Client, Parts, Profile, RenderError};
use hypasis_chain::rlp::{write_list, write_string};
use hypasis_chain::{Body, ChainSpec, Header, sender};
use serde_json::Value;

/// Renderings of one measurement.
const RUNS: usize = 200;
/// Measurements, of which the fastest counts.
const ROUNDS: usize = 15;
/// The mainnet block that is rendered: 769 transactions of all types.
const MAINNET: u64 = 24_784_163;

/// A block with what a store keeps beside it.
struct Held {
    name: &'static str,
    spec: ChainSpec,
    hash: B256,
    header: Vec<u8>,
    body: Vec<u8>,
    senders: Vec<Address>,
    hashes: Vec<B256>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let once = arguments.iter().position(|argument| argument == "once");
    let once = once.map(|place| arguments.get(place.saturating_add(1)).map_or("dev", String::as_str));
    for held in [Some(development()?), mainnet()?].into_iter().flatten() {
        match once {
            Some(name) if name == held.name => drop(held.rendered(100)?),
            Some(_) => {}
            None => held.measure()?,
        }
    }
    Ok(())
}

/// The development chain's busiest block.
fn development() -> Result<Held, Box<dyn Error>> {
    let options = DevOptions { history: 64, transactions: 500, period_ms: 1_000, seed: 0 };
    let chain = DevChain::new(options, 1_700_000_000);
    let blocks = chain.blocks(1..64);
    let busiest = blocks.into_iter().max_by_key(|block| block.body.len()).ok_or("no blocks")?;
    Held::new("dev", chain.spec(), busiest.id.hash, busiest.header.to_vec(), busiest.body.to_vec())
}

/// A busy block of mainnet; `None` without the test data.
fn mainnet() -> Result<Option<Held>, Box<dyn Error>> {
    let folder = std::env::var_os("HYPASIS_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/testdata")),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(folder.join("ethereum/mainnet_blocks.jsonl")) else {
        return Ok(None);
    };
    let bytes = |value: &Value| const_hex::decode(value.as_str().unwrap_or_default());
    for line in text.lines() {
        let block: Value = serde_json::from_str(line)?;
        if block.get("number").and_then(Value::as_u64) != Some(MAINNET) {
            continue;
        }
        let field = |name: &str| bytes(block.get(name).unwrap_or(&Value::Null));
        let (mut transactions, mut lists) = (Vec::new(), Vec::new());
        for transaction in block.get("txs").and_then(Value::as_array).into_iter().flatten() {
            let transaction = bytes(transaction)?;
            match transaction.first() {
                Some(0xc0..) => transactions.extend_from_slice(&transaction),
                _ => write_string(&mut transactions, &transaction),
            }
        }
        write_list(&mut lists, &transactions);
        lists.extend_from_slice(&field("uncles_rlp")?);
        lists.extend_from_slice(&field("withdrawals_rlp")?);
        let mut body = Vec::new();
        write_list(&mut body, &lists);
        let spec = ChainSpec::named("ethereum").ok_or("no spec")?;
        let hash = B256::try_from(field("hash")?.as_slice())?;
        return Held::new("mainnet", spec, hash, field("header_rlp")?, body).map(Some);
    }
    Ok(None)
}

// === impl Held ===

impl Held {
    fn new(
        name: &'static str,
        spec: ChainSpec,
        hash: B256,
        header: Vec<u8>,
        body: Vec<u8>,
    ) -> Result<Self, Box<dyn Error>> {
        let parsed = Body::parse(&body)?;
        let senders = sender::recover_all(&parsed).ok_or("senders")?;
        let hashes = parsed.transactions().map(|it| it.map(|it| it.hash())).collect::<Result<_, _>>()?;
        Ok(Self { name, spec, hash, header, body, senders, hashes })
    }

    /// Renders so many times; returns the bytes of JSON.
    fn rendered(&self, runs: usize) -> Result<usize, RenderError> {
        let profile = Profile::of(Client::Geth);
        let (header, body) = (Header::parse(&self.header)?, Body::parse(&self.body)?);
        let parts = Parts {
            senders: Some(&self.senders),
            transaction_hashes: Some(&self.hashes),
            ..Parts::new(&self.spec, &profile, self.hash, header, body)
        };
        let mut out = Vec::new();
        for _ in 0..runs {
            out.clear();
            render::block(&mut out, black_box(&parts), true)?;
            black_box(&out);
        }
        Ok(out.len())
    }

    fn measure(&self) -> Result<(), RenderError> {
        let mut fastest = f64::MAX;
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            bytes = self.rendered(RUNS)?;
            fastest = fastest.min(start.elapsed().as_secs_f64() / RUNS as f64);
        }
        let (name, count) = (self.name, self.hashes.len());
        println!("{name}: {count} transactions, {bytes} bytes of JSON");
        println!("{:.1} us a block, {:.0} ns a transaction", fastest * 1e6, fastest * 1e9 / count as f64);
        Ok(())
    }
}
