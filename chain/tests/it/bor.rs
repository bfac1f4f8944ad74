//! Bor's rules on Polygon's real blocks.

mod checkpoint;
mod state_sync;

use bytes::Bytes;
use hypasis_chain::{Header, rebuild};

use crate::support::lines;

/// The folder of one checkpoint's blocks.
const CHECKPOINT: &str = "polygon/checkpoint_9825948_9827227";

/// Raw headers of 1,024 consecutive blocks of Polygon's main network, from 9,825,948 on.
fn mainnet_headers() -> Vec<Bytes> {
    let blocks = lines(&format!("{CHECKPOINT}/blocks_first1024.jsonl"));
    blocks.iter().map(|block| rebuild::header(&block.to_string()).unwrap()).collect()
}

fn parse(raw: &[Bytes]) -> Vec<Header<'_>> {
    raw.iter().map(|raw| Header::parse(raw).unwrap()).collect()
}
