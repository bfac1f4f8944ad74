//! What callers hand to the store.

use alloy_primitives::{Address, B256};
use hypasis_chain::{Block, BlockId, Level};

/// How a range was verified, and whence it came. Kept with the range.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Trust {
    /// What was checked.
    pub level: Level,
    /// Ids of the sources, comma-separated.
    pub source: String,
    /// The checkpoint that the range links to.
    pub checkpoint: Option<BlockId>,
    /// Seconds since the epoch.
    pub verified_at: u64,
}

/// A block for the store, verified by the caller.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its bytes.
    pub block: Block,
    /// Hashes of its transactions in order, which verification computed anyway.
    pub transaction_hashes: Vec<B256>,
    /// Senders, if they are known already; may be filled in later.
    pub senders: Option<Vec<Address>>,
}

// === impl Trust ===

impl Trust {
    /// Whether the two say the same but for the time.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        self.level == other.level && self.source == other.source && self.checkpoint == other.checkpoint
    }
}
