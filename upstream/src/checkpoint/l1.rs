//! The checkpoints of Polygon's validators, as the RootChain contract on Ethereum holds them.
//!
//! Ethereum has checked the validators' signatures: a checkpoint is in the contract only if two thirds of the stake
//! signed it. What is read here is read at a *finalized* block of Ethereum, the highest that enough endpoints call
//! so, and believed if enough of them answer the same at that block. Later checkpoints are found by the contract's
//! event `NewHeaderBlock`; where its logs cannot be had, or do not join, the contract's own list is read instead.
//!
//! Source: pos-contracts `RootChain.sol`, `RootChainStorage.sol`.

mod read;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256, U256, address};
use hypasis_chain::BlockId;
use hypasis_chain::bor::checkpoint::BLOCKS_MAX;
use serde::{Deserialize, Serialize};

use super::agree::{self, Disagreement};
use super::endpoint::{Endpoint, EndpointStatus, Endpoints};
use crate::rpc::OptionsError;
use read::{HeaderBlock, Snapshot};

/// Ids of header blocks go in steps of this (`MAX_DEPOSITS`).
pub const ID_STEP: u64 = 10_000;
/// L1 blocks whose logs are asked for at once; more are not asked for at all: the contract is read.
const LOG_BLOCKS_MAX: u64 = 2_000;
/// Checkpoints that one look brings; the rest comes with the next.
const CATCH_UP_MAX: usize = 64;
/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where the checkpoints of a chain are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootChain {
    /// The contract (its proxy).
    pub address: Address,
    /// Chain id of the L1 that it is on.
    pub l1_chain_id: u64,
}

/// Whom to ask for what.
#[derive(Clone)]
pub struct L1Options {
    /// JSON-RPC endpoints of L1. They may hold secrets, so nothing ever prints them.
    pub urls: Vec<String>,
    /// The contract.
    pub root_chain: Address,
    /// Chain id that the endpoints must have, where it is known.
    pub l1_chain_id: Option<u64>,
}

/// One checkpoint as L1 has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct L1Checkpoint {
    /// Id of the header block in the contract.
    pub header_block: u64,
    /// First height that it covers.
    pub start: u64,
    /// Last height that it covers.
    pub end: u64,
    /// Root over the headers of that range.
    pub root: B256,
    /// The finalized L1 block at which it was read.
    pub l1_block: BlockId,
    /// Ids of the endpoints that said so.
    pub endpoints: Vec<String>,
}

/// What a look at L1 found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Checkpoints that are new, in order.
    pub checkpoints: Vec<L1Checkpoint>,
    /// The finalized L1 block of the look.
    pub l1_block: BlockId,
    /// Whether that is all there is at that block.
    pub complete: bool,
}

/// Why L1 tells nothing that can be believed. Nothing that was known is touched by it; asking later may help, except
/// where the contract is the wrong one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum L1Error {
    /// The endpoints are away or contradict each other.
    #[error(transparent)]
    Disagreement(#[from] Disagreement),
    /// The contract's list is shorter than what was read before.
    #[error(
        "the contract's last header block is {found}, but {known} was read before: is `root_chain` right?"
    )]
    Backwards {
        /// The last one now.
        found: u64,
        /// The last one that is known.
        known: u64,
    },
    /// Two checkpoints do not follow each other, or one cannot be.
    #[error("header block {header_block} covers {start} to {end}, which {reason}")]
    Impossible {
        /// Its id.
        header_block: u64,
        /// Its first height.
        start: u64,
        /// Its last height.
        end: u64,
        /// Why that cannot be.
        reason: &'static str,
    },
}

/// The way to L1; clone freely.
#[derive(Clone, Debug)]
pub struct L1 {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoints: Endpoints,
    root_chain: Address,
    l1_chain_id: Option<u64>,
}

// === impl RootChain ===

impl RootChain {
    /// The one of a chain that is built in: Polygon's on Ethereum, Amoy's on Sepolia.
    pub fn of(chain_id: u64) -> Option<Self> {
        let (address, l1_chain_id) = match chain_id {
            137 => (address!("0x86E4Dc95c7FBdBf52e33D563BbDB00823894C287"), 1),
            80_002 => (address!("0xbd07D7E1E93c8d4b2a261327F3C28a8EA7167209"), 11_155_111),
            _ => return None,
        };
        Some(Self { address, l1_chain_id })
    }
}

impl std::fmt::Debug for L1Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { urls, root_chain, l1_chain_id } = self;
        let mut debug = f.debug_struct("L1Options");
        debug.field("urls", &urls.len()).field("root_chain", root_chain).field("l1_chain_id", l1_chain_id);
        debug.finish()
    }
}

// === impl L1 ===

impl L1 {
    /// Checks the URLs; nothing is dialled yet.
    pub fn new(options: &L1Options) -> Result<Self, OptionsError> {
        let endpoints = Endpoints::new("l1", &options.urls, TIMEOUT)?;
        let (root_chain, l1_chain_id) = (options.root_chain, options.l1_chain_id);
        Ok(Self { inner: Arc::new(Inner { endpoints, root_chain, l1_chain_id }) })
    }

    /// The contract.
    pub fn root_chain(&self) -> Address {
        self.inner.root_chain
    }

    /// The newest finalized checkpoint; `None` while the contract has none.
    pub async fn latest(&self) -> Result<Option<L1Checkpoint>, L1Error> {
        let (snapshot, by) = self.inner.snapshot().await?;
        if snapshot.current == 0 {
            return Ok(None);
        }
        let block = HeaderBlock { id: snapshot.current, ..snapshot.last };
        block.possible()?;
        Ok(Some(checkpoint(&block, snapshot.block, &by)))
    }

    /// The checkpoints after `last`, where L1 was looked through up to block `seen`.
    pub async fn since(&self, last: &L1Checkpoint, seen: u64) -> Result<News, L1Error> {
        let inner = &self.inner;
        let (snapshot, by) = inner.snapshot().await?;
        let l1_block = snapshot.block;
        if snapshot.current < last.header_block {
            return Err(L1Error::Backwards { found: snapshot.current, known: last.header_block });
        }
        let ids = ids_after(last.header_block, snapshot.current);
        if ids.is_empty() {
            return Ok(News { checkpoints: Vec::new(), l1_block, complete: true });
        }
        let complete = ids.last() == Some(&snapshot.current);
        let from = seen.saturating_add(1);
        let logs = match l1_block.number.checked_sub(from) {
            Some(blocks) if blocks < LOG_BLOCKS_MAX && complete => {
                inner.logs(&by, from..=l1_block.number).await.ok()
            }
            _ => None,
        };
        let expected = HeaderBlock { id: snapshot.current, ..snapshot.last };
        let joined = logs.filter(|(blocks, _)| {
            blocks.iter().map(|block| block.id).eq(ids.iter().copied()) && blocks.last() == Some(&expected)
        });
        let (blocks, by) = match joined {
            Some(found) => found,
            None => {
                let mut blocks = Vec::with_capacity(ids.len());
                for id in ids {
                    blocks.push(inner.header_block(&by, id, l1_block.number).await?);
                }
                (blocks, by)
            }
        };
        let mut end = last.end;
        for block in &blocks {
            block.possible()?;
            if end.checked_add(1) != Some(block.start) {
                return Err(block.impossible("does not follow the one before"));
            }
            end = block.end;
        }
        let checkpoints = blocks.iter().map(|block| checkpoint(block, l1_block, &by)).collect();
        Ok(News { checkpoints, l1_block, complete })
    }

    /// What is known of each endpoint.
    pub fn status(&self) -> Vec<EndpointStatus> {
        self.inner.endpoints.status()
    }
}

// === impl Inner ===

impl Inner {
    /// The contract's last checkpoint at the highest block that enough endpoints call finalized.
    async fn snapshot(&self) -> Result<(Snapshot, Vec<Arc<Endpoint>>), L1Error> {
        let (root_chain, chain_id) = (self.root_chain, self.l1_chain_id);
        let ask = |endpoint: Arc<Endpoint>| async move { read::finalized(&endpoint, chain_id).await };
        let finalized = self.endpoints.ask(self.endpoints.all(), ask).await;
        let heights = finalized.iter().map(|(_, id)| id.number);
        let Some(height) = agree::reached(heights, self.endpoints.len()) else {
            let needed = agree::needed(self.endpoints.len(), finalized.len());
            return Err(self.endpoints.too_few(finalized.len(), needed).into());
        };
        let there: Vec<_> = finalized
            .iter()
            .filter(|(_, id)| id.number >= height)
            .map(|(endpoint, _)| endpoint.clone())
            .collect();
        let ask =
            |endpoint: Arc<Endpoint>| async move { read::snapshot(&endpoint, root_chain, height).await };
        let answers = self.endpoints.ask(&there, ask).await;
        Ok(self.endpoints.weigh(&format!("the checkpoints at L1 block {height}"), answers)?)
    }

    /// The events in a range of L1 blocks.
    async fn logs(
        &self,
        whom: &[Arc<Endpoint>],
        range: RangeInclusive<u64>,
    ) -> Result<(Vec<HeaderBlock>, Vec<Arc<Endpoint>>), Disagreement> {
        let what = format!("the logs of L1 blocks {} to {}", range.start(), range.end());
        let root_chain = self.root_chain;
        let ask = |endpoint: Arc<Endpoint>| {
            let range = range.clone();
            async move { read::logs(&endpoint, root_chain, range).await }
        };
        let answers = self.endpoints.ask(whom, ask).await;
        self.endpoints.weigh(&what, answers)
    }

    /// One entry of the contract's list.
    async fn header_block(
        &self,
        whom: &[Arc<Endpoint>],
        id: u64,
        height: u64,
    ) -> Result<HeaderBlock, Disagreement> {
        let root_chain = self.root_chain;
        let ask = |endpoint: Arc<Endpoint>| async move {
            read::header_block(&endpoint, root_chain, id, height).await
        };
        let answers = self.endpoints.ask(whom, ask).await;
        let (block, _) = self.endpoints.weigh(&format!("header block {id}"), answers)?;
        Ok(block)
    }
}

// === impl HeaderBlock ===

impl HeaderBlock {
    fn possible(&self) -> Result<(), L1Error> {
        if self.root.is_zero() || !self.id.is_multiple_of(ID_STEP) {
            return Err(self.impossible("is no checkpoint"));
        }
        match self.end.checked_sub(self.start) {
            None => Err(self.impossible("is no range")),
            Some(more) if more >= BLOCKS_MAX => Err(self.impossible("is longer than any checkpoint can be")),
            Some(_) => Ok(()),
        }
    }

    fn impossible(&self, reason: &'static str) -> L1Error {
        L1Error::Impossible { header_block: self.id, start: self.start, end: self.end, reason }
    }
}

/// The next ids, as many as one look brings.
fn ids_after(last: u64, current: u64) -> Vec<u64> {
    let next = |id: &u64| id.checked_add(ID_STEP);
    std::iter::successors(next(&last), next).take_while(|id| *id <= current).take(CATCH_UP_MAX).collect()
}

fn checkpoint(block: &HeaderBlock, l1_block: BlockId, by: &[Arc<Endpoint>]) -> L1Checkpoint {
    L1Checkpoint {
        header_block: block.id,
        start: block.start,
        end: block.end,
        root: block.root,
        l1_block,
        endpoints: by.iter().map(|endpoint| endpoint.id.to_string()).collect(),
    }
}

/// A number as a word.
fn word(number: u64) -> U256 {
    U256::from(number)
}
