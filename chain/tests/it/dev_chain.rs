//! The development chain: the same in every process, valid by every rule that needs no state.

mod bor;
mod content;
mod lies;
mod reorg;
mod sameness;
mod validity;

use hypasis_chain::dev::{DevChain, DevForks, DevOptions};

const GENESIS_TIME: u64 = 1_700_000_000;

fn options(transactions: u32, seed: u64) -> DevOptions {
    DevOptions { history: 300, transactions, period_ms: 1_000, seed }
}

fn chain(transactions: u32) -> DevChain {
    DevChain::new(options(transactions, 7), GENESIS_TIME)
}

/// A chain on which a fork comes every `step` heights.
fn staged(transactions: u32, step: u64) -> DevChain {
    DevChain::with_forks(options(transactions, 7), GENESIS_TIME, DevForks::staged(step))
}
