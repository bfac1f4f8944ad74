//! One trait for everything that blocks can be taken from.

use std::fmt::Debug;
use std::sync::Arc;

use alloy_primitives::{B256, U256};
use async_trait::async_trait;
use bytes::Bytes;
use hypasis_chain::{Block, BlockId, Fault};
use tokio::sync::watch;

use crate::peer::Askers;

/// What a source says of itself now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Its head; `None` while it is down, on the wrong chain, or not probed yet.
    pub latest: Option<BlockId>,
    /// The block it calls finalized, if it does.
    pub finalized: Option<BlockId>,
    /// The lowest height it has bodies and receipts of (pruned nodes and archives have more than 0).
    pub earliest: u64,
    /// The total difficulty of `latest`, where fork choice goes by it (Polygon) and the source says it.
    pub total_difficulty: Option<U256>,
}

/// Which block is wanted; the hash binds the answer.
pub type Wanted = BlockId;

/// What came back for one wanted block. The source made sure of shape only: the caller verifies.
pub type Fetched = Block;

/// Why a source did not give what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceError {
    /// It does not have it (pruned, above its head): ask another.
    #[error("{0} does not have it")]
    Absent(Arc<str>),
    /// It is down, slow or over its limits: try again later or elsewhere.
    #[error("{id}: {reason}")]
    Unavailable {
        /// Id of the source.
        id: Arc<str>,
        /// What happened.
        reason: String,
    },
    /// It answered with what cannot be right. It has been scored down for it already: there is no need to blame it.
    #[error("{id} answered wrongly: {reason}")]
    Misbehaved {
        /// Id of the source.
        id: Arc<str>,
        /// What is wrong.
        reason: String,
    },
}

/// A source of blocks. Cancel-safe: dropping a future abandons the request.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// Id from the configuration; never a URL.
    fn id(&self) -> &Arc<str>;

    /// What it has, followed live.
    fn heads(&self) -> watch::Receiver<Heads>;

    /// Whether its head moves with the chain. An archive's does not, so it has no say in what the head is while
    /// there are sources that follow it.
    fn follows_head(&self) -> bool {
        true
    }

    /// How many requests for history it bears at once now (adapts).
    fn parallel(&self) -> usize;

    /// How good it is at the moment: bytes of history a second that it gave lately; 0 while it is unusable.
    fn score(&self) -> u64;

    /// Raw header RLPs of canonical heights `from..from + count`, ascending; fewer at its head.
    async fn headers(&self, from: u64, count: u64) -> Result<Vec<Bytes>, SourceError>;

    /// Bodies, and receipts if `receipts`, of the wanted blocks in the same order; fewer (a prefix) if they are
    /// many bytes, at least one.
    async fn blocks(&self, wanted: &[Wanted], receipts: bool) -> Result<Vec<Fetched>, SourceError>;

    /// A block of any fork with receipts, by hash.
    async fn block_by_hash(&self, hash: B256) -> Result<Option<Fetched>, SourceError>;

    /// The caller found that this source lied. It scores down; repeated lies shut it out for a while.
    fn blame(&self, number: u64, fault: &Fault);

    /// Whether many who come and go stand behind this one. It sees to it itself that who lies or fails is asked no
    /// more, so it never rests as a whole; and what it says is a stranger's word.
    fn is_many(&self) -> bool {
        false
    }

    /// Whether it has headers below [`Heads::earliest`] too, as pruned nodes do.
    fn has_old_headers(&self) -> bool {
        false
    }

    /// The same source for one lease, if it makes a difference: it remembers who gave what through it, so that
    /// [`Source::blame`] meets the right one, and it never asks one of `askers`. Where somebody waits for the answer
    /// (`urgently`), it goes among users' calls and is not held to what filling may take.
    fn leased(&self, _askers: &Askers, _urgently: bool) -> Option<Arc<dyn Source>> {
        None
    }
}
