//! Blocks served to a peer: headers, bodies and lists of receipts a second over one session.

use std::time::{Duration, Instant};

use alloy_primitives::{B256, keccak256};
use hypasis_wire::eth::EthVersion;

use super::load::cpu_seconds;
use crate::peer::{Ask, Peer};

/// Requests that the asking side keeps under way.
const UNDER_WAY: usize = 4;
/// Headers of a request: Geth's skeleton asks for as many.
const HEADERS: u64 = 512;
/// Bodies and lists of receipts of a request: Geth asks for as many bodies.
const BLOCKS: usize = 128;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// 512 headers by height a request.
    Headers,
    /// 128 bodies by hash a request.
    Bodies,
    /// 128 lists of receipts by hash a request.
    Receipts,
}

/// What one run showed.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// Items a second.
    pub rate: f64,
    /// Bytes of items a second.
    pub bytes: f64,
    /// CPU time of the server an item, in microseconds.
    pub cpu_us: f64,
}

/// Hashes of the blocks up to `head`, asked of the node itself.
pub async fn hashes(enode: &str, head: u64) -> Vec<B256> {
    let mut peer = Peer::connect(enode, EthVersion::Eth69).await.expect("a session");
    let mut hashes = Vec::new();
    while (hashes.len() as u64) <= head {
        let wanted = (head + 1 - hashes.len() as u64).min(1_024);
        let headers = peer.ask(&Ask::Headers(hashes.len() as u64, wanted)).await.expect("headers");
        assert!(!headers.is_empty(), "no headers from {} on", hashes.len());
        hashes.extend(headers.iter().map(keccak256));
    }
    hashes
}

/// Those blocks whose receipts fit into a message of eth/69: go-ethereum sends larger ones all the same, and its own
/// peers refuse them.
pub async fn fitting(enode: &str, hashes: &[B256]) -> Vec<B256> {
    let mut peer = Peer::connect(enode, EthVersion::Eth69).await.expect("a session");
    let mut fitting = Vec::new();
    for hash in hashes {
        if !peer.ask(&Ask::Receipts(vec![*hash])).await.expect("an answer").is_empty() {
            fitting.push(*hash);
        }
    }
    fitting
}

/// Asks one kind for `time`, all over the chain and round again.
pub async fn run(enode: &str, pid: u32, hashes: &[B256], kind: Kind, time: Duration) -> Served {
    let mut peer = Peer::connect(enode, EthVersion::Eth69).await.expect("a session");
    let asks = asks(hashes, kind);
    let mut asks = asks.iter().cycle();
    let (mut items, mut bytes) = (0_usize, 0_usize);
    let (began, cpu) = (Instant::now(), cpu_seconds(&[pid]));
    for _ in 0..UNDER_WAY {
        peer.request(asks.next().expect("asks")).await.expect("the node reads");
    }
    while began.elapsed() < time {
        let answer = peer.answer().await.expect("the node answers");
        assert!(!answer.is_empty(), "an empty answer of {kind:?}");
        items += answer.len();
        bytes += answer.iter().map(bytes::Bytes::len).sum::<usize>();
        peer.request(asks.next().expect("asks")).await.expect("the node reads");
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds(&[pid]) - cpu);
    Served {
        rate: items as f64 / seconds,
        bytes: bytes as f64 / seconds,
        cpu_us: cpu * 1e6 / items.max(1) as f64,
    }
}

fn asks(hashes: &[B256], kind: Kind) -> Vec<Ask> {
    let by_hash =
        |wrap: fn(Vec<B256>) -> Ask| hashes.chunks(BLOCKS).map(|part| wrap(part.to_vec())).collect();
    match kind {
        Kind::Headers => {
            let starts = (0..hashes.len() as u64).step_by(HEADERS as usize);
            starts.map(|from| Ask::Headers(from, HEADERS.min(hashes.len() as u64 - from))).collect()
        }
        Kind::Bodies => by_hash(Ask::Bodies),
        Kind::Receipts => by_hash(Ask::Receipts),
    }
}
