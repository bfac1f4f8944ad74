//! The development chain as a [`Source`] in the same process.

use std::sync::Arc;

use alloy_primitives::B256;
use async_trait::async_trait;
use bytes::Bytes;
use hypasis_chain::dev::DevChain;
use hypasis_chain::{BlockId, Fault};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval_at};

use super::{FINALITY_DEPTH, Responder};
use crate::source::{Fetched, Heads, Source, SourceError, Wanted};

/// Most headers of one answer.
const HEADERS_MAX: u64 = 8_192;

/// An answer of blocks ends with the one that reaches this.
const ANSWER_BYTES: usize = 16 << 20;

/// Minting is bound to one core, making minted blocks again is not.
const PARALLEL: usize = 2;

/// What it is taken for: bytes of history a second.
const SPEED: u64 = 100_000_000;

/// A source that mints what it is asked for. Minting takes time (some 50 µs a height), so it runs on blocking
/// threads. It has no head until [`run`](Self::run), [`advance`](Self::advance) or [`reorg`](Self::reorg) was
/// called, since its history must be minted first.
#[derive(Clone, Debug)]
pub struct DevSource {
    id: Arc<str>,
    chain: Arc<DevChain>,
    heads: watch::Sender<Heads>,
    /// Held from a change to its publication, so that an older head never follows a newer one.
    changing: Arc<tokio::sync::Mutex<()>>,
    responder: Arc<Responder>,
}

// === impl DevSource ===

impl DevSource {
    /// A source over `chain`.
    pub fn new(id: Arc<str>, chain: Arc<DevChain>) -> Self {
        let responder = Arc::new(Responder::new(chain.clone()));
        Self { id, chain, heads: watch::Sender::default(), changing: Arc::default(), responder }
    }

    /// The chain behind.
    pub fn chain(&self) -> &Arc<DevChain> {
        &self.chain
    }

    /// Mints the history, then a block each period until it is dropped. With a period of 0 it only mints the history
    /// and returns.
    pub async fn run(&self) -> Result<(), SourceError> {
        self.advance(0).await?;
        let period = Duration::from_millis(self.chain.options().period_ms);
        if period.is_zero() {
            return Ok(());
        }
        let mut ticks = interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.advance(1).await?;
        }
    }

    /// Mints `count` blocks onto the head and publishes it.
    pub async fn advance(&self, count: u64) -> Result<BlockId, SourceError> {
        self.change(move |chain| chain.advance(count)).await
    }

    /// Replaces the last `depth` blocks by `length` other ones and publishes the new head.
    pub async fn reorg(&self, depth: u64, length: u64) -> Result<BlockId, SourceError> {
        self.change(move |chain| chain.reorg(depth, length)).await
    }

    /// A node's answer to a JSON-RPC call or batch; empty for notifications. Blocks of the answer may have to be
    /// made: call it from a blocking thread, or use [`answer`](Self::answer).
    pub fn answer_blocking(&self, request: &[u8]) -> Vec<u8> {
        self.responder.answer(request)
    }

    /// A node's answer to a JSON-RPC call or batch; empty for notifications.
    pub async fn answer(&self, request: Bytes) -> Result<Vec<u8>, SourceError> {
        let responder = self.responder.clone();
        self.blocking(move |_| responder.answer(&request)).await
    }

    async fn change(
        &self,
        change: impl FnOnce(&DevChain) -> BlockId + Send + 'static,
    ) -> Result<BlockId, SourceError> {
        let _changing = self.changing.lock().await;
        let heads = self.blocking(move |chain| heads_at(chain, change(chain))).await?;
        let head = heads.latest;
        self.heads.send_replace(heads);
        head.ok_or_else(|| SourceError::Absent(self.id.clone()))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&DevChain) -> T + Send + 'static,
    ) -> Result<T, SourceError> {
        let chain = self.chain.clone();
        let done = spawn_blocking(move || work(&chain)).await;
        done.map_err(|error| SourceError::Unavailable { id: self.id.clone(), reason: error.to_string() })
    }

    fn head(&self) -> Result<u64, SourceError> {
        let unavailable =
            || SourceError::Unavailable { id: self.id.clone(), reason: "its history is being minted".into() };
        self.heads.borrow().latest.map(|head| head.number).ok_or_else(unavailable)
    }
}

#[async_trait]
impl Source for DevSource {
    fn id(&self) -> &Arc<str> {
        &self.id
    }

    fn heads(&self) -> watch::Receiver<Heads> {
        self.heads.subscribe()
    }

    fn parallel(&self) -> usize {
        PARALLEL
    }

    fn score(&self) -> u64 {
        if self.heads.borrow().latest.is_some() { SPEED } else { 0 }
    }

    async fn headers(&self, from: u64, count: u64) -> Result<Vec<Bytes>, SourceError> {
        let end = self.head()?.saturating_add(1).min(from.saturating_add(count.min(HEADERS_MAX)));
        if from >= end {
            return if count == 0 { Ok(Vec::new()) } else { Err(SourceError::Absent(self.id.clone())) };
        }
        self.blocking(move |chain| chain.headers(from..end)).await
    }

    async fn blocks(&self, wanted: &[Wanted], receipts: bool) -> Result<Vec<Fetched>, SourceError> {
        let (head, wanted) = (self.head()?, wanted.to_vec());
        let asked = wanted.len();
        let blocks = self.blocking(move |chain| read_blocks(chain, head, &wanted, receipts)).await?;
        if blocks.is_empty() && asked > 0 { Err(SourceError::Absent(self.id.clone())) } else { Ok(blocks) }
    }

    async fn block_by_hash(&self, hash: B256) -> Result<Option<Fetched>, SourceError> {
        self.blocking(move |chain| chain.block_by_hash(&hash)).await
    }

    fn blame(&self, number: u64, fault: &Fault) {
        tracing::error!(upstream = %self.id, number, %fault, "The development chain minted a wrong block.");
    }
}

/// What the chain says of itself with that head.
fn heads_at(chain: &DevChain, head: BlockId) -> Heads {
    let finalized = chain.id_at(head.number.saturating_sub(FINALITY_DEPTH));
    Heads { latest: Some(head), finalized: Some(finalized), ..Heads::default() }
}

/// Blocks up to the first that is on no known fork, or to [`ANSWER_BYTES`].
fn read_blocks(chain: &DevChain, head: u64, wanted: &[Wanted], receipts: bool) -> Vec<Fetched> {
    let (mut blocks, mut bytes) = (Vec::new(), 0_usize);
    for id in wanted {
        let canonical = (id.number <= head).then(|| chain.block(id.number)).filter(|block| block.id == *id);
        let Some(mut block) = canonical.or_else(|| chain.block_by_hash(&id.hash)) else { break };
        if !receipts {
            block.receipts = None;
        }
        let len = block.body.len().saturating_add(block.receipts.as_ref().map_or(0, Bytes::len));
        bytes = bytes.saturating_add(len).saturating_add(block.header.len());
        blocks.push(block);
        if bytes >= ANSWER_BYTES {
            break;
        }
    }
    blocks
}
