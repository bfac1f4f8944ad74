//! Bor's rules on Polygon's real blocks.

mod checkpoint;
mod config;
mod eras;
mod fork_choice;
mod headers;
mod heimdall;
mod minted;
mod state_sync;

use bytes::Bytes;
use hypasis_chain::bor::{Span, Spans};
use hypasis_chain::{Header, rebuild};

use crate::support::{lines, text};

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

/// A span of the main network.
fn span(id: u64) -> Span {
    Span::parse(&text(&format!("polygon/heimdall/mainnet_spans/span_{id}.json"))).unwrap()
}

/// The spans around those blocks.
fn spans() -> Spans {
    Spans::from_iter([span(1_535), span(1_536), span(1_537)])
}
