//! Asking one connected peer.

use std::sync::Arc;

use alloy_primitives::B256;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::PeerId;
use crate::source::Heads;

/// Requests that may wait for a session to take them; beyond, the peer counts as busy.
const QUEUE: usize = 16;

/// A connected peer. Clone freely; all clones are one session.
#[derive(Clone, Debug)]
pub struct PeerHandle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: PeerId,
    version: u8,
    requests: mpsc::Sender<Request>,
    claim: watch::Sender<Claim>,
    condemned: watch::Sender<Option<String>>,
}

/// What a peer says to have.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) heads: Heads,
    /// Whether its session has seen the header of `heads.latest`, so that it needs no other proof.
    pub(super) shown: bool,
}

/// One question on its way to a session, which must answer it or drop it.
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub question: Question,
    /// Where the answer goes. Nobody listens any more when it is closed.
    pub answer: oneshot::Sender<Result<Answer, PeerError>>,
}

/// What a peer can be asked, whatever its version of `eth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// `GetBlockHeaders`.
    Headers {
        /// Where to begin.
        start: Start,
        /// Most headers.
        limit: u64,
        /// Towards genesis.
        reverse: bool,
    },
    /// `GetBlockBodies`.
    Bodies(Vec<B256>),
    /// `GetReceipts`.
    Receipts {
        /// Hashes of blocks.
        hashes: Vec<B256>,
        /// Index of the first receipt wanted of the first block (eth/70); 0 before.
        first_index: u64,
    },
}

/// Where headers begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the block with this hash, on whatever fork.
    Hash(B256),
    /// At this canonical height.
    Number(u64),
}

/// What came back: raw RLP items in the form of the peer's version, a prefix of what was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Headers, bodies, or lists of receipts.
    pub items: Vec<Bytes>,
    /// Whether the last list of receipts is cut (eth/70).
    pub incomplete: bool,
}

/// Why a peer did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The session has ended; ask another peer.
    #[error("the session has ended")]
    Gone,
    /// It has more to answer than it should; ask again, or another.
    #[error("more requests wait than it is sent at once")]
    Busy,
    /// It did not answer in time; ask another.
    #[error("it did not answer in time")]
    Late,
    /// Its answer cannot be what was asked for; the session ends it for that.
    #[error("{0}")]
    Wrong(String),
}

// === impl PeerHandle ===

impl PeerHandle {
    /// A handle for a session and the queue that the session must serve. `version` is that of `eth`.
    pub fn new(id: PeerId, version: u8, heads: Heads) -> (Self, mpsc::Receiver<Request>) {
        let (requests, queue) = mpsc::channel(QUEUE);
        let inner = Inner {
            id,
            version,
            requests,
            claim: watch::Sender::new(Claim { heads, shown: false }),
            condemned: watch::Sender::new(None),
        };
        (Self { inner: Arc::new(inner) }, queue)
    }

    /// Its node id.
    pub fn id(&self) -> PeerId {
        self.inner.id
    }

    /// Its version of `eth`, which decides the form of receipts.
    pub fn version(&self) -> u8 {
        self.inner.version
    }

    /// What it says to have.
    pub fn heads(&self) -> Heads {
        self.inner.claim.borrow().heads.clone()
    }

    /// It said what it has.
    pub fn announce(&self, heads: Heads) {
        self.inner.claim.send_replace(Claim { heads, shown: false });
    }

    /// It said what it has, and gave the header of its head.
    pub fn show(&self, heads: Heads) {
        self.inner.claim.send_replace(Claim { heads, shown: true });
    }

    pub(super) fn claim(&self) -> Claim {
        self.inner.claim.borrow().clone()
    }

    /// Whether its session lives.
    pub fn is_alive(&self) -> bool {
        !self.inner.requests.is_closed()
    }

    /// Asks; dropping the future abandons the request.
    pub async fn ask(&self, question: Question) -> Result<Answer, PeerError> {
        let (answer, answered) = oneshot::channel();
        self.inner.requests.try_send(Request { question, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PeerError::Busy,
            mpsc::error::TrySendError::Closed(_) => PeerError::Gone,
        })?;
        answered.await.unwrap_or(Err(PeerError::Gone))
    }

    /// It gave what is provably wrong: its session must end and the peer be banned. The first reason counts.
    pub fn condemn(&self, reason: impl Into<String>) {
        let reason = reason.into();
        self.inner.condemned.send_if_modified(|condemned| {
            let first = condemned.is_none();
            condemned.get_or_insert(reason);
            first
        });
    }

    /// Whether it may be asked: its session lives, and it is not condemned.
    pub(super) fn is_usable(&self) -> bool {
        self.is_alive() && self.inner.condemned.borrow().is_none()
    }

    /// Tells the session when the peer is condemned, and why.
    pub fn condemned(&self) -> watch::Receiver<Option<String>> {
        self.inner.condemned.subscribe()
    }
}
