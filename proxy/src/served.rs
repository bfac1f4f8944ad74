//! The one served head: `eth_blockNumber`, `latest`, and all that is advertised come from here.
//!
//! Sync alone publishes. The value never goes back except by a reorg. Once the region at the head is held, it is
//! the highest block whose header, body and receipts are local; before that it is the upstream's.

use alloy_primitives::U256;
use hypasis_chain::BlockId;
use tokio::sync::watch;

/// What the tags mean at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Served {
    /// `latest`.
    pub latest: Option<BlockId>,
    /// `safe`, where the node behind answers it; with no upstream the same as `finalized`.
    pub safe: Option<BlockId>,
    /// `finalized`, where the node behind answers it; with no upstream the last persisted one or the checkpoint.
    pub finalized: Option<BlockId>,
    /// Whether `latest` is held locally (header, body, receipts), so that tags are answered from the store.
    pub local: bool,
    /// Whether any upstream is up.
    pub upstream: bool,
    /// The total difficulty of `latest`, where fork choice goes by it (Polygon) and it is proved or the source of
    /// the head says it. Never more than the truth: followers on Polygon sync from whoever claims most.
    pub total_difficulty: Option<U256>,
}

/// Publishes and reads the served head. Clone freely.
#[derive(Clone, Debug)]
pub struct ServedHead {
    sender: watch::Sender<Served>,
}

// === impl ServedHead ===

impl ServedHead {
    /// Starts with what is known without any upstream.
    pub fn new(initial: Served) -> Self {
        Self { sender: watch::Sender::new(initial) }
    }

    /// The value now.
    pub fn now(&self) -> Served {
        *self.sender.borrow()
    }

    /// Follows the value.
    pub fn subscribe(&self) -> watch::Receiver<Served> {
        self.sender.subscribe()
    }

    /// Replaces the value; sync alone may do so.
    pub fn publish(&self, served: Served) {
        self.sender.send_if_modified(|current| std::mem::replace(current, served) != served);
    }
}
