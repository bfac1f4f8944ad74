//! A set of heights.

use std::ops::RangeInclusive;

/// A set of heights as sorted, disjoint, inclusive intervals that never touch each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    intervals: Vec<(u64, u64)>,
}

// === impl Ranges ===

impl Ranges {
    /// Whether `number` is in the set.
    pub fn contains(&self, number: u64) -> bool {
        self.around(number).is_some()
    }

    /// Whether all of `range` is in the set; an empty range always is.
    pub fn contains_all(&self, range: &RangeInclusive<u64>) -> bool {
        range.is_empty() || self.around(*range.start()).is_some_and(|(_, to)| to >= *range.end())
    }

    /// The interval that `number` lies in.
    pub fn run(&self, number: u64) -> Option<RangeInclusive<u64>> {
        self.around(number).map(|(from, to)| from..=to)
    }

    /// Adds `range`, joining what it touches.
    pub fn insert(&mut self, range: RangeInclusive<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut from, mut to) = range.into_inner();
        let first =
            self.intervals.partition_point(|(_, end)| end.checked_add(1).is_some_and(|next| next < from));
        let last = self.intervals.partition_point(|(start, _)| *start <= to.saturating_add(1));
        if let Some((start, _)) = self.intervals.get(first..last).and_then(<[_]>::first) {
            from = from.min(*start);
        }
        if let Some((_, end)) = self.intervals.get(first..last).and_then(<[_]>::last) {
            to = to.max(*end);
        }
        self.intervals.splice(first..last, [(from, to)]);
    }

    /// Takes `range` out, splitting what it cuts.
    pub fn remove(&mut self, range: RangeInclusive<u64>) {
        if range.is_empty() {
            return;
        }
        let (from, to) = range.into_inner();
        let first = self.intervals.partition_point(|(_, end)| *end < from);
        let last = self.intervals.partition_point(|(start, _)| *start <= to);
        let cut = self.intervals.get(first..last).unwrap_or_default();
        let head = cut.first().filter(|(start, _)| *start < from).map(|(start, _)| (*start, from - 1));
        let tail = cut.last().filter(|(_, end)| *end > to).map(|(_, end)| (to + 1, *end));
        self.intervals.splice(first..last, head.into_iter().chain(tail));
    }

    /// What of `range` is not in the set, ascending.
    pub fn gaps(&self, range: RangeInclusive<u64>) -> Vec<RangeInclusive<u64>> {
        let (mut from, to) = range.into_inner();
        let first = self.intervals.partition_point(|(_, end)| *end < from);
        let mut gaps = Vec::new();
        for (start, end) in self.intervals.iter().skip(first) {
            if from > to || *start > to {
                break;
            }
            if *start > from {
                gaps.push(from..=*start - 1);
            }
            match end.checked_add(1) {
                Some(next) => from = next,
                None => return gaps,
            }
        }
        if from <= to {
            gaps.push(from..=to);
        }
        gaps
    }

    /// The intervals, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = RangeInclusive<u64>> + '_ {
        self.intervals.iter().map(|(from, to)| *from..=*to)
    }

    /// How many heights are in the set.
    pub fn len(&self) -> u64 {
        self.intervals.iter().fold(0, |sum, (from, to)| sum.saturating_add((to - from).saturating_add(1)))
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// The lowest height.
    pub fn first(&self) -> Option<u64> {
        self.intervals.first().map(|(from, _)| *from)
    }

    /// The highest height.
    pub fn last(&self) -> Option<u64> {
        self.intervals.last().map(|(_, to)| *to)
    }

    /// The heights that are in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        let (mut ours, mut theirs) = (self.intervals.iter().peekable(), other.intervals.iter().peekable());
        while let (Some((a, b)), Some((c, d))) = (ours.peek(), theirs.peek()) {
            let (from, to) = ((*a).max(*c), (*b).min(*d));
            if from <= to {
                both.insert(from..=to);
            }
            if b < d {
                ours.next();
            } else {
                theirs.next();
            }
        }
        both
    }

    /// The heights that are in either set.
    pub fn union(&self, other: &Self) -> Self {
        let mut either = self.clone();
        for range in other.iter() {
            either.insert(range);
        }
        either
    }

    /// The heights of this set that are not in `other`.
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        for range in other.iter() {
            rest.remove(range);
        }
        rest
    }

    /// The set as it is stored: pairs of big-endian heights.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.intervals
            .iter()
            .flat_map(|(from, to)| [from.to_be_bytes(), to.to_be_bytes()])
            .flatten()
            .collect()
    }

    /// Reads what [`Self::encode`] wrote; `None` if it is not that.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let (pairs, odd) = words.as_chunks::<2>();
        let mut ranges = Self::default();
        for [from, to] in pairs {
            let (from, to) = (u64::from_be_bytes(*from), u64::from_be_bytes(*to));
            if from > to {
                return None;
            }
            ranges.insert(from..=to);
        }
        (rest.is_empty() && odd.is_empty()).then_some(ranges)
    }

    fn around(&self, number: u64) -> Option<(u64, u64)> {
        let place = self.intervals.partition_point(|(_, end)| *end < number);
        self.intervals.get(place).copied().filter(|(start, _)| *start <= number)
    }
}

impl FromIterator<RangeInclusive<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u64>>>(ranges: I) -> Self {
        let mut set = Self::default();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}
