//! What is remembered of L1's checkpoints, without any I/O.
//!
//! A checkpoint that L1 tells is *pending* until the root over all headers of its range, as the store holds them, is
//! the one on L1; then its range is *covered*. Order does not matter: each is judged by itself.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use hypasis_cache::Ranges;
use hypasis_upstream::checkpoint::L1Checkpoint;
use hypasis_upstream::checkpoint::l1::News;
use serde::{Deserialize, Serialize};

/// Name of the persisted record.
pub const RECORD: &str = "checkpoint-l1";
/// Checkpoints that wait for their headers; beyond, L1 is not asked for more (three weeks of Polygon's).
pub const PENDING_MAX: usize = 1_024;

/// The record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The newest that L1 told.
    pub latest: L1Checkpoint,
    /// L1 blocks up to this one were looked through.
    pub seen: u64,
    /// Told, and their headers are not all held yet.
    pub pending: VecDeque<L1Checkpoint>,
    /// Heights whose roots were found to be L1's: first and last of each range.
    pub covered: Vec<(u64, u64)>,
}

// === impl Record ===

impl Record {
    /// Begins with the checkpoint at which trust starts: its range was checked before it was trusted.
    pub fn begin(first: &L1Checkpoint) -> Self {
        Self {
            latest: first.clone(),
            seen: first.l1_block.number,
            pending: VecDeque::new(),
            covered: vec![(first.start, first.end)],
        }
    }

    /// Takes what L1 told; says whether that is to be written down.
    pub fn learn(&mut self, news: News) -> bool {
        // Blocks of L1 without a checkpoint need no write: looking through them again costs one question.
        let told = !news.checkpoints.is_empty();
        if news.complete {
            self.seen = self.seen.max(news.l1_block.number);
        }
        if let Some(last) = news.checkpoints.last() {
            self.latest = last.clone();
        }
        self.pending.extend(news.checkpoints);
        told
    }

    /// Whether more checkpoints may be asked for.
    pub fn has_room(&self) -> bool {
        self.pending.len() < PENDING_MAX
    }

    /// The root over a pending checkpoint's headers is L1's.
    pub fn cover(&mut self, header_block: u64) {
        let Some(place) = self.pending.iter().position(|pending| pending.header_block == header_block) else {
            return;
        };
        let Some(checkpoint) = self.pending.remove(place) else { return };
        let mut covered = self.covered();
        covered.insert(checkpoint.start..=checkpoint.end);
        self.covered = covered.iter().map(|range| (*range.start(), *range.end())).collect();
    }

    /// Covered heights.
    pub fn covered(&self) -> Ranges {
        self.covered.iter().map(|(from, to)| RangeInclusive::new(*from, *to)).collect()
    }
}
