//! What is known of each source, for status pages.

use hypasis_chain::BlockId;
use serde::Serialize;
use tokio::time::Instant;

use super::{Entry, Sources};

/// A source as sync sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    /// Id from the configuration.
    pub id: String,
    /// `up`, `resting` after an error or a lie, or `down`: nothing can be had of it now.
    pub state: &'static str,
    /// Whether it may be asked.
    pub up: bool,
    /// Its head.
    pub head: Option<BlockId>,
    /// The lowest height it has bodies and receipts of.
    pub earliest: u64,
    /// Bytes of history a second that it gave lately.
    pub bytes_per_second: u64,
    /// Requests at it now.
    pub in_flight: usize,
    /// Times it was found lying, of late.
    pub blamed: u32,
}

// === impl Sources ===

impl Sources {
    /// Those that the operator named; other peers are listed as peers.
    pub fn status(&self) -> Vec<SourceStatus> {
        self.entries.iter().filter(|entry| !entry.source.is_many()).map(status).collect()
    }
}

fn status(entry: &Entry) -> SourceStatus {
    let heads = entry.heads.borrow().clone();
    let state = entry.state.lock();
    let name = match heads.latest {
        None => "down",
        Some(_) if state.resting(Instant::now()) => "resting",
        Some(_) => "up",
    };
    SourceStatus {
        id: entry.source.id().to_string(),
        state: name,
        up: name == "up",
        head: heads.latest,
        earliest: heads.earliest,
        bytes_per_second: entry.source.score(),
        in_flight: state.requests,
        blamed: state.lies,
    }
}
