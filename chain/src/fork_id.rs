//! EIP-2124 fork ids, with the forks by time of EIP-6122.
//!
//! Bor counts only what its genesis file has at the top level, so Bor's own forks are in none of its ids.

use alloy_eip2124::{ForkFilter, ForkFilterKey, ForkHash, ForkId, Head};
use alloy_primitives::B256;

use crate::header::Header;
use crate::spec::ChainSpec;

/// Why a peer's fork id is refused.
pub use alloy_eip2124::ValidationError;

/// The fork id of a chain whose head has that height and timestamp; its `next` is the height or the time of the
/// next fork, 0 for none. `None` where the spec does not know its block 0.
pub fn fork_id(spec: &ChainSpec, number: u64, time: u64) -> Option<ForkId> {
    let (genesis_hash, genesis_time) = genesis(spec)?;
    let (blocks, times) = spec.forks.points(genesis_time);
    let mut hash = ForkHash::from(genesis_hash);
    // A fork by time never passes before one by height.
    for (point, head) in blocks.iter().map(|block| (*block, number)).chain(times.iter().map(|at| (*at, time)))
    {
        if point > head {
            return Some(ForkId { hash, next: point });
        }
        hash += point;
    }
    Some(ForkId { hash, next: 0 })
}

/// What tells whether a peer's fork id fits a chain whose head has that height and timestamp.
pub fn filter(spec: &ChainSpec, number: u64, time: u64) -> Option<ForkFilter> {
    let (genesis_hash, genesis_time) = genesis(spec)?;
    let (blocks, times) = spec.forks.points(genesis_time);
    let head = Head { number, timestamp: time, ..Head::default() };
    let keys = blocks.into_iter().map(ForkFilterKey::Block).chain(times.into_iter().map(ForkFilterKey::Time));
    Some(ForkFilter::new(head, genesis_hash, genesis_time, keys))
}

/// Hash and timestamp of block 0.
fn genesis(spec: &ChainSpec) -> Option<(B256, u64)> {
    let block = spec.genesis.as_ref()?;
    Some((block.id.hash, Header::parse(&block.header).ok()?.timestamp()))
}
