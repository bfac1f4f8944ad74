//! What is known of total difficulties, without any I/O.

use std::collections::BTreeMap;

use alloy_primitives::U256;
use hypasis_chain::BlockId;

/// Who says what an anchor has, the better one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Block 0 and all headers above it.
    Genesis,
    /// Whoever vouches for the checkpoint.
    Checkpoint,
    /// A source that the operator named.
    Source,
}

/// A settled block whose total difficulty is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Anchor {
    /// The block.
    #[serde(flatten)]
    pub id: BlockId,
    /// The sum of all difficulties up to it, itself included.
    pub total_difficulty: U256,
    /// Who says so.
    pub origin: Origin,
}

/// Anchors by origin, and what lies above the settled history.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    anchors: BTreeMap<Origin, Anchor>,
    window: Option<Window>,
}

/// The window's canonical branch.
#[derive(Clone, Copy, Debug)]
struct Window {
    root: BlockId,
    head: BlockId,
    /// Difficulty from above the root up to the head.
    above: U256,
}

// === impl Totals ===

impl Totals {
    /// Takes an anchor; says whether its origin had none. Of two that differ about the same block the lower one
    /// counts; one that is known higher up is as good as before.
    pub fn tell(&mut self, anchor: Anchor) -> bool {
        match self.anchors.get_mut(&anchor.origin) {
            None => {
                self.anchors.insert(anchor.origin, anchor);
                true
            }
            Some(known) if known.id == anchor.id => {
                known.total_difficulty = known.total_difficulty.min(anchor.total_difficulty);
                false
            }
            Some(known) if known.id.number < anchor.id.number => {
                *known = anchor;
                false
            }
            Some(_) => false,
        }
    }

    /// The settled history now ends at `to`, `difficulty` above `from`: anchors there move along.
    pub fn settled(&mut self, from: BlockId, to: BlockId, difficulty: U256) {
        for anchor in self.anchors.values_mut().filter(|anchor| anchor.id == from) {
            anchor.id = to;
            anchor.total_difficulty = anchor.total_difficulty.saturating_add(difficulty);
        }
    }

    /// The window stands on `root`, and its canonical `head` has `above` more.
    pub fn weigh(&mut self, root: BlockId, head: BlockId, above: U256) {
        self.window = Some(Window { root, head, above });
    }

    /// What `id` has: the head of the window, or an anchor.
    pub fn at(&self, id: BlockId) -> Option<U256> {
        self.anchors.values().find_map(|anchor| match self.window {
            _ if anchor.id == id => Some(anchor.total_difficulty),
            Some(window) if window.root == anchor.id && window.head == id => {
                anchor.total_difficulty.checked_add(window.above)
            }
            _ => None,
        })
    }

    /// Whether there is an anchor of that origin.
    pub fn has(&self, origin: Origin) -> bool {
        self.anchors.contains_key(&origin)
    }

    /// The anchors below `number`, which have to climb there.
    pub fn below(&self, number: u64) -> Vec<Anchor> {
        self.anchors.values().filter(|anchor| anchor.id.number < number).copied().collect()
    }

    /// An anchor climbed from `from`, unless it was replaced meanwhile.
    pub fn climbed(&mut self, from: u64, anchor: Anchor) {
        if let Some(known) = self.anchors.get_mut(&anchor.origin).filter(|known| known.id.number == from) {
            *known = anchor;
        }
    }

    /// All of them, for the record.
    pub fn anchors(&self) -> Vec<Anchor> {
        self.anchors.values().copied().collect()
    }
}
