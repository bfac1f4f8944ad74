//! How fast a development chain comes into being, and how fast what was minted comes back.
//!
//! `cargo bench -p hypasis-chain --bench mint` prints blocks a second for several means of transactions: minted in
//! order by one thread; made again by one thread; by two; headers alone. Then blocks of the chain in Bor's form.

#![allow(clippy::print_stdout, reason = "the results")]

use std::time::Instant;

use hypasis_chain::dev::bor::{BorChain, BorForks, BorOptions};
use hypasis_chain::dev::{DevChain, DevOptions};

fn main() {
    println!(
        "{:>5} {:>8} {:>9} {:>9} {:>9} {:>9}",
        "mean", "blocks", "mint/s", "again/s", "two/s", "headers/s"
    );
    for (transactions, blocks) in [(0, 100_000), (1, 100_000), (20, 10_000), (100, 3_000), (500, 600)] {
        let options = DevOptions { history: blocks, transactions, period_ms: 1_000, seed: 0 };
        let chain = DevChain::new(options, 1_700_000_000);
        chain.id_at(0);
        let mint = rate(blocks, || {
            chain.id_at(blocks);
        });
        let again = rate(blocks, || span(&chain, 0, blocks));
        let middle = blocks / 2;
        let two = rate(blocks, || {
            std::thread::scope(|scope| {
                scope.spawn(|| span(&chain, 0, middle));
                span(&chain, middle, blocks);
            });
        });
        let headers = rate(blocks, || {
            for from in (0..blocks).step_by(CHUNK) {
                std::hint::black_box(chain.headers(from..blocks.min(from + CHUNK as u64)));
            }
        });
        println!("{transactions:>5} {blocks:>8} {mint:>9.0} {again:>9.0} {two:>9.0} {headers:>9.0}");
    }
    bor();
}

/// In Bor's form: before Rio with 21 producers, and from Rio on.
fn bor() {
    let many = BorOptions { validators: vec![10; 21], producers: 21, ..BorOptions::default() };
    for (name, options) in [
        ("before Rio", BorOptions { forks: BorForks::before_rio(), ..many }),
        ("from Rio", BorOptions::default()),
    ] {
        let Ok(chain) = BorChain::new(options) else { return };
        let (mut minter, blocks) = (chain.minter(), 200_000);
        let mint = rate(blocks, || (0..blocks).for_each(|_| drop(std::hint::black_box(minter.mint()))));
        println!("in Bor's form, {name}: {mint:.0} blocks a second");
    }
}

/// Blocks that are held at once.
const CHUNK: usize = 64;

fn span(chain: &DevChain, from: u64, to: u64) {
    for start in (from..to).step_by(CHUNK) {
        std::hint::black_box(chain.blocks(start..to.min(start + CHUNK as u64)));
    }
}

fn rate(count: u64, run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    count as f64 / start.elapsed().as_secs_f64()
}
