//! What readers see at one moment.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

use hypasis_chain::BlockId;

use super::tip::Window;
use super::trust::Doubts;
use crate::coverage::{Coverage, Kind, Ranges};

/// Coverage of history and the canonical index of the tip, always swapped together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moment {
    /// Heights of history, by kind.
    pub(crate) coverage: Coverage,
    /// The tip window.
    pub(crate) window: Arc<Window>,
    /// The newest finalized block.
    pub(crate) finalized: Option<BlockId>,
    /// The one served head.
    pub(crate) head: Option<BlockId>,
    /// Heights of history that were not verified to the highest level.
    pub(crate) doubts: Doubts,
    /// What was removed lately.
    removals: Arc<Removals>,
}

/// Removals, the last ones with their heights. What was read of a height before one of them may be gone since, or
/// may have been fetched anew.
#[derive(Clone, Debug, Default)]
struct Removals {
    /// Counts all.
    count: u64,
    /// Those that are not listed any more; they count for every height.
    forgotten: u64,
    last: VecDeque<(u64, RangeInclusive<u64>)>,
}

/// Removals that are remembered with their heights.
const REMOVALS_MAX: usize = 64;

/// What is being written or removed, so that nothing is written twice or deleted under a writer.
#[derive(Debug, Default)]
pub(crate) struct Reservations {
    serial: u64,
    held: Vec<(u64, RangeInclusive<u64>, Vec<Kind>)>,
}

// === impl Moment ===

impl Moment {
    /// Which removal last touched the height. Equal numbers mean that nothing was removed there in between.
    pub(crate) fn epoch(&self, number: u64) -> u64 {
        let touched = |(_, range): &&(u64, RangeInclusive<u64>)| range.contains(&number);
        let last = self.removals.last.iter().rev().find(touched);
        last.map_or(self.removals.forgotten, |(count, _)| *count)
    }

    /// The first height of `range` that a removal touched between this moment and `later`.
    pub(crate) fn first_removed(&self, later: &Self, range: &RangeInclusive<u64>) -> Option<u64> {
        if self.removals.count == later.removals.count {
            return None;
        }
        if later.removals.forgotten > self.removals.count {
            return Some(*range.start());
        }
        let since = later.removals.last.iter().filter(|(count, _)| *count > self.removals.count);
        let touching = since.filter(|(_, gone)| gone.start() <= range.end() && gone.end() >= range.start());
        touching.map(|(_, gone)| *gone.start().max(range.start())).min()
    }

    /// Counts a removal of `range`.
    pub(crate) fn removed(&mut self, range: RangeInclusive<u64>) {
        let removals = Arc::make_mut(&mut self.removals);
        removals.count = removals.count.wrapping_add(1);
        removals.last.push_back((removals.count, range));
        if removals.last.len() > REMOVALS_MAX
            && let Some((count, _)) = removals.last.pop_front()
        {
            removals.forgotten = count;
        }
    }

    /// The lowest height of history of which anything is held.
    pub(crate) fn first(&self) -> Option<u64> {
        Kind::ALL.iter().filter_map(|kind| self.coverage.of(*kind).first()).min()
    }

    /// Heights for which `kind` is held, history and canonical tip together.
    pub(crate) fn ranges(&self, kind: Kind) -> Ranges {
        let mut ranges = self.coverage.of(kind).clone();
        for block in self.window.canonical() {
            if block.holds(kind) {
                ranges.insert(block.id.number..=block.id.number);
            }
        }
        ranges
    }
}

// === impl Reservations ===

impl Reservations {
    /// Takes `range` for `kinds`, unless somebody has some of it.
    pub(crate) fn take(&mut self, range: &RangeInclusive<u64>, kinds: &[Kind]) -> Option<u64> {
        let free = self.held.iter().all(|(_, held, held_kinds)| {
            held.end() < range.start()
                || held.start() > range.end()
                || !held_kinds.iter().any(|kind| kinds.contains(kind))
        });
        free.then(|| {
            self.serial = self.serial.wrapping_add(1);
            self.held.push((self.serial, range.clone(), kinds.to_vec()));
            self.serial
        })
    }

    /// The lowest height that somebody has.
    pub(crate) fn first(&self) -> Option<u64> {
        self.held.iter().map(|(_, range, _)| *range.start()).min()
    }

    /// Gives it back.
    pub(crate) fn release(&mut self, serial: u64) {
        self.held.retain(|(held, ..)| *held != serial);
    }
}
