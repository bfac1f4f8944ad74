//! How fast a busy block is rendered where its senders and hashes are stored.
//!
//! `cargo bench -p hypasis-chain --bench render` prints the bytes of JSON, microseconds a block and nanoseconds a
//! transaction. With `-- once` it renders a hundred times and prints nothing, for a profiler.

#![allow(clippy::print_stdout, reason = "the results")]

use std::hint::black_box;
use std::time::Instant;

use alloy_primitives::B256;
use hypasis_chain::dev::{DevChain, DevOptions};
use hypasis_chain::render::{self, Client, Parts, Profile};
use hypasis_chain::{Body, Header, sender};

/// Renderings of one measurement.
const RUNS: usize = 400;
/// Measurements, of which the fastest counts.
const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let profiling = std::env::args().any(|argument| argument == "once");
    let options = DevOptions { history: 64, transactions: 500, period_ms: 1_000, seed: 0 };
    let chain = DevChain::new(options, 1_700_000_000);
    let blocks = chain.blocks(1..64);
    let busiest = blocks.iter().max_by_key(|block| block.body.len()).ok_or("no blocks")?;
    let (header, body) = (Header::parse(&busiest.header)?, Body::parse(&busiest.body)?);
    let senders = sender::recover_all(&body).ok_or("senders")?;
    let hashes: Vec<B256> =
        body.transactions().map(|transaction| transaction.map(|it| it.hash())).collect::<Result<_, _>>()?;
    let (spec, profile) = (chain.spec(), Profile::of(Client::Geth));
    let parts = Parts {
        senders: Some(&senders),
        transaction_hashes: Some(&hashes),
        ..Parts::new(&spec, &profile, busiest.id.hash, header, body)
    };
    let mut out = Vec::new();
    let mut run = |runs: usize| -> Result<usize, render::RenderError> {
        for _ in 0..runs {
            out.clear();
            render::block(&mut out, black_box(&parts), true)?;
            black_box(&out);
        }
        Ok(out.len())
    };
    if profiling {
        run(100)?;
        return Ok(());
    }
    let mut fastest = f64::MAX;
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        bytes = run(RUNS)?;
        fastest = fastest.min(start.elapsed().as_secs_f64() / RUNS as f64);
    }
    let count = hashes.len();
    println!("{count} transactions, {bytes} bytes of JSON");
    println!("{:.1} us a block, {:.0} ns a transaction", fastest * 1e6, fastest * 1e9 / count as f64);
    Ok(())
}
