//! Who takes how much room, and who gives first.

use std::collections::{BTreeSet, HashMap};

use alloy_primitives::U256;

use super::Origin;

/// What an entry takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) rank: Rank,
    pub(super) bytes: usize,
}

/// The order in which an origin's transactions go: the cheapest first, then the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) fee: U256,
    pub(super) number: u64,
}

/// Room for one kind of transactions.
#[derive(Debug, Default)]
pub(super) struct Room {
    bytes: usize,
    shares: HashMap<Origin, Share>,
}

#[derive(Debug, Default)]
struct Share {
    bytes: usize,
    ranks: BTreeSet<Rank>,
}

// === impl Room ===

impl Room {
    /// Bytes that are taken.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, origin: Origin, claim: Claim) {
        let share = self.shares.entry(origin).or_default();
        share.ranks.insert(claim.rank);
        share.bytes = share.bytes.saturating_add(claim.bytes);
        self.bytes = self.bytes.saturating_add(claim.bytes);
    }

    pub(super) fn take(&mut self, origin: Origin, claim: Claim) {
        let Some(share) = self.shares.get_mut(&origin) else { return };
        share.ranks.remove(&claim.rank);
        share.bytes = share.bytes.saturating_sub(claim.bytes);
        self.bytes = self.bytes.saturating_sub(claim.bytes);
        if share.ranks.is_empty() {
            self.shares.remove(&origin);
        }
    }

    /// The number of the entry that goes first.
    pub(super) fn first_to_go(&self) -> Option<u64> {
        let largest = self.shares.values().max_by_key(|share| share.bytes)?;
        largest.ranks.first().map(|rank| rank.number)
    }

    /// What `from` takes is `into`'s from now on.
    pub(super) fn merge(&mut self, from: Origin, into: Origin) {
        let Some(mut share) = self.shares.remove(&from) else { return };
        let all = self.shares.entry(into).or_default();
        all.bytes = all.bytes.saturating_add(share.bytes);
        all.ranks.append(&mut share.ranks);
    }
}
