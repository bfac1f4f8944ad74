//! How each height of history was verified: intervals, each with its record.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hypasis_chain::Level;

use super::SECTION;
use super::block::Trust;
use crate::coverage::Ranges;

/// Trust records by range. What is written later replaces what lay there.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustMap {
    ranges: BTreeMap<u64, (u64, Trust)>,
}

/// Rows that a change writes and deletes, by first height.
#[derive(Debug, Default)]
pub(crate) struct TrustChange {
    pub(crate) put: Vec<(u64, u64, Trust)>,
    pub(crate) delete: Vec<u64>,
}

/// Which heights of history were verified to less than the levels that matter to readers. Where everything is verified
/// in full, which is the default, both sets are empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doubts {
    below_light: Ranges,
    below_full: Ranges,
}

// === impl Doubts ===

impl Doubts {
    /// `range` was verified to `level` now.
    pub(crate) fn note(&mut self, range: &RangeInclusive<u64>, level: Level) {
        self.forget(range);
        if level < Level::Light {
            self.below_light.insert(range.clone());
        }
        if level < Level::Full {
            self.below_full.insert(range.clone());
        }
    }

    /// `range` is held no more.
    pub(crate) fn forget(&mut self, range: &RangeInclusive<u64>) {
        self.below_light.remove(range.clone());
        self.below_full.remove(range.clone());
    }

    /// Heights that were not verified to `level`, as far as they are held.
    pub(crate) fn below(&self, level: Level) -> &Ranges {
        if level > Level::Light { &self.below_full } else { &self.below_light }
    }

    /// To which level `number` was verified, if it is held: `none`, `light` or `full`.
    pub(crate) fn level(&self, number: u64) -> Level {
        match (self.below_full.contains(number), self.below_light.contains(number)) {
            (false, _) => Level::Full,
            (true, false) => Level::Light,
            (true, true) => Level::None,
        }
    }
}

// === impl TrustMap ===

impl TrustMap {
    /// Takes a row as it was stored.
    pub(crate) fn load(&mut self, from: u64, to: u64, trust: Trust) {
        self.ranges.insert(from, (to, trust));
    }

    /// What is to be doubted by all records.
    pub(crate) fn doubts(&self) -> Doubts {
        let mut doubts = Doubts::default();
        for (from, (to, trust)) in self.ranges.iter().filter(|(_, (_, trust))| trust.level < Level::Full) {
            doubts.note(&(*from..=*to), trust.level);
        }
        doubts
    }

    /// The records within `range`, cut to it.
    pub(crate) fn within(&self, range: &RangeInclusive<u64>) -> Vec<(RangeInclusive<u64>, Trust)> {
        self.touching(range)
            .map(|(from, to, trust)| (from.max(*range.start())..=to.min(*range.end()), trust.clone()))
            .collect()
    }

    /// Takes `range` out; what sticks out on either side stays.
    pub(crate) fn remove(&mut self, range: &RangeInclusive<u64>) -> TrustChange {
        let mut change = TrustChange::default();
        let touched: Vec<_> =
            self.touching(range).map(|(from, to, trust)| (from, to, trust.clone())).collect();
        for (from, to, trust) in touched {
            self.ranges.remove(&from);
            change.delete.push(from);
            if from < *range.start() {
                self.put(&mut change, from, *range.start() - 1, trust.clone());
            }
            if to > *range.end() {
                self.put(&mut change, *range.end() + 1, to, trust);
            }
        }
        change
    }

    /// Records `trust` for `range`, joining a neighbour of the same section that says the same.
    pub(crate) fn insert(&mut self, range: &RangeInclusive<u64>, trust: &Trust) -> TrustChange {
        let mut change = self.remove(range);
        let (mut from, mut to) = (*range.start(), *range.end());
        let section = from / SECTION;
        let before = self.ranges.range(..from).next_back().map(|(start, (end, held))| (*start, *end, held));
        if let Some((start, end, held)) = before
            && end.checked_add(1) == Some(from)
            && start / SECTION == section
            && held.agrees(trust)
        {
            self.ranges.remove(&start);
            change.delete.push(start);
            from = start;
        }
        let after =
            to.checked_add(1).and_then(|next| self.ranges.get(&next).map(|(end, held)| (next, *end, held)));
        if let Some((start, end, held)) = after
            && start / SECTION == section
            && held.agrees(trust)
        {
            self.ranges.remove(&start);
            change.delete.push(start);
            to = end;
        }
        self.put(&mut change, from, to, trust.clone());
        change
    }

    fn put(&mut self, change: &mut TrustChange, from: u64, to: u64, trust: Trust) {
        change.put.push((from, to, trust.clone()));
        self.ranges.insert(from, (to, trust));
    }

    fn touching(&self, range: &RangeInclusive<u64>) -> impl Iterator<Item = (u64, u64, &Trust)> {
        let first =
            self.ranges.range(..=*range.start()).next_back().map_or(*range.start(), |(from, _)| *from);
        let end = (*range.end()).max(first);
        let start = *range.start();
        self.ranges
            .range(first..=end)
            .map(|(from, (to, trust))| (*from, *to, trust))
            .filter(move |(from, to, _)| *to >= start && *from <= end)
    }
}
