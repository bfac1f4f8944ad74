//! A node as a source of history.
//!
//! Raw RLP is taken where the node offers it, else JSON is turned back into RLP. In both forms the header must hash to
//! what was asked for, and receipts must be as many as transactions; the rest is for the caller to verify. How much is
//! asked at once adapts to what the node bears. Requests for old blocks wait behind users' calls and keep to the fill
//! rate; those for the last [`HEAD_DEPTH`] blocks go among them, and so does what a peer waits for.

mod assemble;
mod batch;
mod beside;
mod json;
mod pace;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use alloy_primitives::B256;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hypasis_chain::{Block, BlockId, ChainSpec, Fault};
use tokio::sync::watch;

use super::message::Ask;
use super::node::{Lane, Node};
use crate::peer::Askers;
use crate::source::{Fetched, Heads, Source, SourceError, Wanted};
use assemble::{Form, Parts, ReceiptsForm};
use pace::Pace;

/// Blocks this near to the head are not history: they are fetched among users' calls.
pub const HEAD_DEPTH: u64 = 64;
/// Most headers of one call.
pub const HEADERS_MAX: u64 = 8_192;
/// Times that one call starts over because the node taught something about itself.
const LESSONS_MAX: usize = 12;

/// A JSON-RPC node from which history is taken.
#[derive(Clone, Debug)]
pub struct RpcSource {
    node: Arc<Node>,
    headers: Arc<Pace>,
    blocks: Arc<Pace>,
    /// Whether somebody waits for what is asked.
    urgent: bool,
    /// The chain's rules, which say beside which blocks a state sync may stand; without them none is asked for.
    spec: Option<Arc<ChainSpec>>,
}

/// Why one item of a batch is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The node does not have it.
    Absent,
    /// The node taught something about itself: ask again in another way.
    Lesson,
    /// Too many bytes: ask for less.
    TooLarge,
    /// Later, or elsewhere.
    Unavailable(String),
    /// It cannot be right.
    Wrong(String),
}

// === impl RpcSource ===

impl RpcSource {
    pub(crate) fn new(node: Arc<Node>, spec: Option<Arc<ChainSpec>>) -> Self {
        let parallel_max = node.gate.fill_places_max();
        let (headers, blocks) = (Pace::headers(parallel_max), Pace::blocks(parallel_max));
        Self { headers: Arc::new(headers), blocks: Arc::new(blocks), node, urgent: false, spec }
    }

    fn lane(&self, lowest: u64) -> Lane {
        let history = self.node.height().is_none_or(|head| lowest < head.saturating_sub(HEAD_DEPTH));
        if history && !self.urgent { Lane::Fill } else { Lane::Head }
    }

    /// Its head, or why it must not be asked.
    fn usable(&self) -> Result<u64, SourceError> {
        if self.node.is_shut_out() {
            return Err(self.unavailable("it is shut out for wrong data"));
        }
        self.node.height().ok_or_else(|| self.unavailable(self.node.view().state.to_string()))
    }

    fn unavailable(&self, reason: impl Into<String>) -> SourceError {
        SourceError::Unavailable { id: Arc::clone(&self.node.id), reason: reason.into() }
    }

    fn error(&self, number: u64, trouble: Trouble) -> SourceError {
        match trouble {
            Trouble::Absent => SourceError::Absent(Arc::clone(&self.node.id)),
            Trouble::Lesson => self.unavailable("it answers in no form that is known"),
            Trouble::TooLarge => self.unavailable("its answer is too large"),
            Trouble::Unavailable(reason) => self.unavailable(reason),
            Trouble::Wrong(reason) => {
                self.node.blame(number, &reason);
                SourceError::Misbehaved { id: Arc::clone(&self.node.id), reason }
            }
        }
    }

    /// Headers of one batch's heights: a prefix, at least one.
    async fn header_chunk(&self, from: u64, count: u64) -> Result<Vec<Bytes>, SourceError> {
        let lane = self.lane(from);
        if let (Lane::Fill, Some(rate)) = (lane, &self.node.fill_rate) {
            rate.headers.take(u32::try_from(count).unwrap_or(u32::MAX)).await;
        }
        for _ in 0..LESSONS_MAX {
            let raw = self.node.abilities.raw_header.is_likely();
            let asks: Vec<_> =
                (from..from.saturating_add(count)).map(|number| header_ask(number, raw)).collect();
            let outcomes = match self.batch(asks, lane, &self.headers).await {
                Ok(outcomes) => outcomes,
                Err(Trouble::Lesson) => continue,
                Err(trouble) => return Err(self.error(from, trouble)),
            };
            let (headers, trouble) = assemble::headers(from, outcomes, raw).await;
            match trouble {
                None => return Ok(headers),
                Some(Trouble::Lesson) => self.node.abilities.raw_header.set(false),
                Some(Trouble::Wrong(reason)) => {
                    let number = from.saturating_add(headers.len() as u64);
                    return Err(self.error(number, Trouble::Wrong(reason)));
                }
                Some(_) if !headers.is_empty() => return Ok(headers),
                Some(trouble) => return Err(self.error(from, trouble)),
            }
        }
        Err(self.error(from, Trouble::Lesson))
    }

    /// Blocks of any fork: a prefix, at least one; else which of them made the trouble.
    async fn take(
        &self,
        wanted: &[Target],
        receipts: bool,
        lane: Lane,
    ) -> Result<Vec<Block>, (usize, Trouble)> {
        let mut count = wanted.len().min(self.blocks.batch());
        if let (Lane::Fill, Some(rate)) = (lane, &self.node.fill_rate) {
            count = count.min(rate.blocks.burst() as usize);
            rate.blocks.take(u32::try_from(count).unwrap_or(u32::MAX)).await;
        }
        for _ in 0..LESSONS_MAX {
            let wanted = wanted.get(..count).unwrap_or(wanted);
            let (blocks, trouble) = match self.take_once(wanted, receipts, lane).await {
                Ok(taken) => taken,
                Err(trouble) => (Vec::new(), Some(trouble)),
            };
            match trouble {
                Some(Trouble::Lesson) => {}
                Some(Trouble::TooLarge) if blocks.is_empty() && count > 1 => {
                    self.blocks.failed();
                    count /= 2;
                }
                Some(Trouble::Wrong(reason)) => return Err((blocks.len(), Trouble::Wrong(reason))),
                Some(trouble) if blocks.is_empty() => return Err((0, trouble)),
                _ => return Ok(blocks),
            }
        }
        Err((0, Trouble::Lesson))
    }

    async fn take_once(
        &self,
        wanted: &[Target],
        receipts: bool,
        lane: Lane,
    ) -> Result<(Vec<Block>, Option<Trouble>), Trouble> {
        let form = Form::choose(&self.node.abilities, wanted, receipts);
        let asks = form.asks(wanted);
        let mut outcomes = self.batch(asks, lane, &self.blocks).await?;
        let receipt_outcomes = match form.receipts {
            ReceiptsForm::Raw | ReceiptsForm::Block => outcomes.split_off(wanted.len().min(outcomes.len())),
            ReceiptsForm::None | ReceiptsForm::Single => Vec::new(),
        };
        let (parts, trouble) = assemble::blocks(wanted, outcomes, form).await;
        self.learn(&trouble, form.raw);
        let (parts, trouble) = self.complete(parts, trouble, lane).await?;
        let (parts, trouble) = match form.receipts {
            ReceiptsForm::None => (parts, trouble),
            ReceiptsForm::Single => self.single_receipts(parts, lane).await?,
            ReceiptsForm::Raw | ReceiptsForm::Block => {
                let (parts, receipts_trouble) =
                    assemble::receipts(parts, receipt_outcomes, form, self.spec.clone()).await;
                self.learn_receipts(&receipts_trouble, form.receipts);
                (parts, receipts_trouble.or(trouble))
            }
        };
        let parts = if form.receipts == ReceiptsForm::Raw { self.beside(parts, lane).await } else { parts };
        Ok((parts.into_iter().map(Parts::into_block).collect(), trouble))
    }

    /// Remembers what a refused block method says of the node.
    fn learn(&self, trouble: &Option<Trouble>, raw: bool) {
        if raw && matches!(trouble, Some(Trouble::Lesson)) {
            let by_hash = self.node.abilities.raw_by_hash.swap(false, Ordering::Relaxed);
            if !by_hash {
                self.node.abilities.raw_block.set(false);
            }
        }
    }

    fn learn_receipts(&self, trouble: &Option<Trouble>, form: ReceiptsForm) {
        if !matches!(trouble, Some(Trouble::Lesson)) {
            return;
        }
        match form {
            ReceiptsForm::Raw => self.node.abilities.raw_receipts.set(false),
            _ => self.node.abilities.block_receipts.set(false),
        }
    }
}

#[async_trait]
impl Source for RpcSource {
    fn id(&self) -> &Arc<str> {
        &self.node.id
    }

    fn heads(&self) -> watch::Receiver<Heads> {
        self.node.heads()
    }

    fn parallel(&self) -> usize {
        self.blocks.parallel()
    }

    fn score(&self) -> u64 {
        if self.usable().is_err() {
            return 0;
        }
        ((self.blocks.bytes_per_second() * self.node.credit()) as u64).max(1)
    }

    async fn headers(&self, from: u64, count: u64) -> Result<Vec<Bytes>, SourceError> {
        let head = self.usable()?;
        if from > head {
            return Err(self.error(from, Trouble::Absent));
        }
        let count = count.min(HEADERS_MAX).min(head.saturating_sub(from).saturating_add(1));
        let step = self.headers.batch() as u64;
        let chunks = (0..count.div_ceil(step)).map(|chunk| {
            let skipped = chunk.saturating_mul(step);
            (from.saturating_add(skipped), step.min(count.saturating_sub(skipped)))
        });
        let mut chunks = stream::iter(chunks)
            .map(|(from, count)| async move { Ok((count, self.header_chunk(from, count).await?)) })
            .buffered(self.headers.parallel());
        let mut headers = Vec::new();
        while let Some(next) = chunks.next().await {
            match next {
                Ok((count, mut chunk)) => {
                    let whole = chunk.len() as u64 == count;
                    headers.append(&mut chunk);
                    if !whole {
                        break;
                    }
                }
                Err(SourceError::Misbehaved { id, reason }) => {
                    return Err(SourceError::Misbehaved { id, reason });
                }
                Err(_) if !headers.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(headers)
    }

    async fn blocks(&self, wanted: &[Wanted], receipts: bool) -> Result<Vec<Fetched>, SourceError> {
        let head = self.usable()?;
        let Some(first) = wanted.first() else { return Ok(Vec::new()) };
        if first.number > head {
            return Err(self.error(first.number, Trouble::Absent));
        }
        let lowest = wanted.iter().map(|id| id.number).min().unwrap_or_default();
        let targets: Vec<_> = wanted.iter().map(|id| Target::from(*id)).collect();
        self.take(&targets, receipts, self.lane(lowest))
            .await
            .map_err(|(index, trouble)| self.error(wanted.get(index).unwrap_or(first).number, trouble))
    }

    async fn block_by_hash(&self, hash: B256) -> Result<Option<Fetched>, SourceError> {
        self.usable()?;
        match self.take(&[Target { hash, number: None }], true, Lane::Head).await {
            Ok(blocks) => Ok(blocks.into_iter().next()),
            Err((_, Trouble::Absent)) => Ok(None),
            Err((_, trouble)) => Err(self.error(0, trouble)),
        }
    }

    fn leased(&self, _: &Askers, urgently: bool) -> Option<Arc<dyn Source>> {
        urgently.then(|| Arc::new(Self { urgent: true, ..self.clone() }) as Arc<dyn Source>)
    }

    fn blame(&self, number: u64, fault: &Fault) {
        self.node.blame(number, fault);
    }
}

/// A block to take; the number may be unknown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) hash: B256,
    pub(super) number: Option<u64>,
}

// === impl Target ===

impl From<BlockId> for Target {
    fn from(id: BlockId) -> Self {
        Self { hash: id.hash, number: Some(id.number) }
    }
}

fn header_ask(number: u64, raw: bool) -> Ask {
    if raw {
        Ask::new("debug_getRawHeader", format!(r#"["{number:#x}"]"#))
    } else {
        Ask::new("eth_getBlockByNumber", format!(r#"["{number:#x}",false]"#))
    }
}
