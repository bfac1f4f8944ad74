//! Bor's fork choice: the heavier branch, overridden by a milestone.
//!
//! More total difficulty wins; on equal difficulty the lower block, then the larger hash (Bor `core/forkchoice.go`).
//! A branch that has another block at a milestone's height is never taken; one that holds the milestone is preferred
//! to those that do not reach it (Bor `eth/downloader/whitelist`).

use std::cmp::{Ordering, Reverse};

use alloy_primitives::U256;

use crate::block::BlockId;

/// How a branch stands to the latest milestone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It has another block at that height.
    Contradicts,
    /// It does not reach that height, or there is no milestone.
    Open,
    /// It has that block.
    Holds,
}

/// A block that could be the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The block.
    pub id: BlockId,
    /// Its total difficulty, from wherever it is the same for all candidates.
    pub total_difficulty: U256,
    /// How its branch stands to the milestone.
    pub standing: Standing,
}

/// Orders two candidates: the greater one should be the head.
pub fn compare(a: &Candidate, b: &Candidate) -> Ordering {
    let key = |c: &Candidate| (c.standing, c.total_difficulty, Reverse(c.id.number), c.id.hash);
    key(a).cmp(&key(b))
}

/// The candidate that should be the head; `None` if there is none that a milestone allows.
pub fn choose(candidates: impl IntoIterator<Item = Candidate>) -> Option<Candidate> {
    let allowed = candidates.into_iter().filter(|candidate| candidate.standing != Standing::Contradicts);
    allowed.max_by(compare)
}
