//! Polygon's choice among forks: difficulty decides, not who says what.

use std::collections::HashMap;

use alloy_primitives::{B256, U256};
use hypasis_chain::BlockId;
use hypasis_chain::bor::fork_choice::{Candidate, Standing, choose};

use super::{Choice, Tree};

// === impl Tree ===

impl Tree {
    /// What should be canonical by [Bor's fork choice](hypasis_chain::bor::fork_choice) among all blocks of the
    /// window. `last` is the latest block that is final beyond doubt: a milestone's end. Settled blocks were compared
    /// with it before.
    pub fn choose_heaviest(&self, last: Option<BlockId>) -> Choice {
        let last = last.filter(|last| last.number >= self.root.number);
        let best = choose(self.candidates(last));
        let contradicted =
            last.filter(|last| self.canonical(last.number).is_some_and(|canonical| canonical != *last));
        match (best, last) {
            (Some(best), _) if best.id == self.head() => Choice::Stay,
            // The canonical chain contradicts what is final, and nothing that reaches so far replaces it yet.
            (Some(best), Some(last)) if contradicted.is_some() && best.standing == Standing::Open => {
                Choice::Contradicts(last)
            }
            (Some(best), _) => self.branch(best.id).map_or(Choice::Stay, Choice::Switch),
            (None, Some(last)) => Choice::Contradicts(last),
            (None, None) => Choice::Stay,
        }
    }

    /// The root and all blocks above it.
    fn candidates(&self, last: Option<BlockId>) -> Vec<Candidate> {
        let mut ids: Vec<BlockId> =
            self.nodes.iter().map(|(hash, node)| BlockId { number: node.number, hash: *hash }).collect();
        ids.sort_unstable();
        let mut standings: HashMap<B256, Standing> = HashMap::with_capacity(ids.len().saturating_add(1));
        let mut candidates = Vec::with_capacity(ids.len().saturating_add(1));
        // By rising numbers, so that a block's parent comes before it.
        for id in std::iter::once(self.root).chain(ids) {
            let inherited = self.node(id).and_then(|node| standings.get(&node.parent).copied());
            let standing = standing(id, last, inherited);
            standings.insert(id.hash, standing);
            let total_difficulty = self.total(id).unwrap_or_default();
            candidates.push(Candidate { id, total_difficulty, standing });
        }
        candidates
    }

    /// Difficulty of all blocks from above the root up to `id`, itself included.
    pub fn above_root(&self, id: BlockId) -> Option<U256> {
        self.total(id)?.checked_sub(self.root_total)
    }

    /// Difficulty up to `id` since the tree began.
    pub(super) fn total(&self, id: BlockId) -> Option<U256> {
        if id == self.root { Some(self.root_total) } else { self.node(id).map(|node| node.total) }
    }
}

/// How a block's branch stands to `last`, given how its parent's does.
fn standing(id: BlockId, last: Option<BlockId>, inherited: Option<Standing>) -> Standing {
    match last {
        Some(last) if id == last => Standing::Holds,
        Some(last) if id.number == last.number => Standing::Contradicts,
        _ => inherited.unwrap_or(Standing::Open),
    }
}
