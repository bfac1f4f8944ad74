//! Blocks of the development chain, made before anything is measured.

use std::path::Path;

use hypasis_cache::{Kind, Options, Store, Trust};
use hypasis_chain::dev::{DEV_CHAIN_ID, DevChain, DevOptions};
use hypasis_chain::{Block, ChainSpec, Level};

/// All that a full block brings.
pub(crate) const KINDS: [Kind; 4] = [Kind::Header, Kind::Body, Kind::Receipts, Kind::Index];

/// The first `count` blocks of a chain with so many transactions a block.
pub(crate) fn mint(count: u64, transactions: u32) -> (ChainSpec, Vec<Block>) {
    let options = DevOptions { history: count, transactions, period_ms: 1_000, seed: 7 };
    let chain = DevChain::new(options, 1_700_000_000);
    (chain.spec(), chain.blocks(0..count))
}

/// The values of a block, as they are stored.
pub(crate) fn values(block: &Block) -> [&[u8]; 3] {
    [&block.header, &block.body, block.receipts.as_deref().unwrap_or_default()]
}

/// Bytes of blocks as raw RLP.
pub(crate) fn raw_bytes(blocks: &[Block]) -> usize {
    blocks.iter().flat_map(values).map(<[u8]>::len).sum()
}

/// A new store.
pub(crate) fn store(path: &Path, memory: u64, direct_reads: bool) -> Store {
    let options = Options {
        path: path.to_path_buf(),
        memory,
        chain_id: DEV_CHAIN_ID,
        genesis_hash: None,
        direct_reads,
        tip_blocks_max: 1_024,
        spec: None,
    };
    Store::open(&options).unwrap()
}

/// The record of what these benches write.
pub(crate) fn trust() -> Trust {
    Trust { level: Level::Full, source: "bench".to_owned(), checkpoint: None, verified_at: 0 }
}
