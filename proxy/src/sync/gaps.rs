//! Which heights are wanted next: arithmetic on coverage, without any I/O.
//!
//! Nothing remembers what remains to be filled. It follows from coverage each time, so that a stop at any moment, a
//! range that was dropped as damaged, and a moved `oldest` are all the same case: a gap.

use std::ops::RangeInclusive;

use hypasis_cache::Ranges;
use hypasis_cache::store::SECTION;

/// From which end a direction works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the checkpoint up.
    Ascending,
    /// From the checkpoint down.
    Descending,
}

/// The aligned section that `number` lies in.
pub fn section_of(number: u64) -> RangeInclusive<u64> {
    let start = number - number % SECTION;
    start..=start.saturating_add(SECTION - 1)
}

/// The piece that should be linked next downward: the top of the highest gap within `wanted`, cut at its section.
pub fn next_headers_down(held: &Ranges, wanted: RangeInclusive<u64>) -> Option<RangeInclusive<u64>> {
    let gap = held.gaps(wanted).pop()?;
    let start = *section_of(*gap.end()).start().max(gap.start());
    Some(start..=*gap.end())
}

/// The piece that should be linked next upward from `base` towards `target`, cut at its section.
pub fn next_headers_up(base: u64, target: u64) -> Option<RangeInclusive<u64>> {
    let start = base.checked_add(1)?;
    let end = target.min(*section_of(start).end());
    (start <= end).then_some(start..=end)
}

/// What a worker should take next.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Heights whose headers are held: only these can be verified.
    pub linked: &'a Ranges,
    /// Heights that need nothing any more.
    pub complete: &'a Ranges,
    /// Heights that other workers have in hand.
    pub busy: &'a Ranges,
    /// Heights that this direction is about.
    pub within: RangeInclusive<u64>,
    /// Most heights of a claim.
    pub batch: u64,
    /// From which end.
    pub order: Order,
}

/// The next claim: within one section, at most `batch` heights, aligned so that neighbours meet at multiples of it.
pub fn next_claim(question: &Question<'_>) -> Option<RangeInclusive<u64>> {
    let taken = question.complete.union(question.busy);
    let (from, to) = (*question.within.start(), *question.within.end());
    let piece = |interval: RangeInclusive<u64>| {
        let (start, end) = (*interval.start().max(&from), *interval.end().min(&to));
        (start <= end).then_some(start..=end)
    };
    let gap = match question.order {
        Order::Ascending => {
            question.linked.iter().filter_map(piece).find_map(|range| taken.gaps(range).into_iter().next())
        }
        Order::Descending => {
            question.linked.iter().rev().filter_map(piece).find_map(|range| taken.gaps(range).pop())
        }
    }?;
    Some(cut(&gap, question.batch, question.order))
}

/// How many heights of `wanted` are missing.
pub fn missing(held: &Ranges, wanted: RangeInclusive<u64>) -> u64 {
    held.gaps(wanted).iter().map(|gap| (gap.end() - gap.start()).saturating_add(1)).sum()
}

/// The lowest height that is wanted: `oldest` as configured (negative: the last so many up to `head`), never below
/// what pruning to a size has given up.
pub fn oldest(configured: i64, head: u64) -> u64 {
    match u64::try_from(configured) {
        Ok(height) => height,
        Err(_) => head.saturating_add(1).saturating_sub(configured.unsigned_abs()),
    }
}

fn cut(gap: &RangeInclusive<u64>, batch: u64, order: Order) -> RangeInclusive<u64> {
    let batch = batch.clamp(1, SECTION);
    let (start, end) = (*gap.start(), *gap.end());
    match order {
        Order::Ascending => {
            let aligned = (start - start % batch).saturating_add(batch - 1);
            start..=end.min(aligned).min(*section_of(start).end())
        }
        Order::Descending => start.max(end - end % batch).max(*section_of(end).start())..=end,
    }
}
