//! Reading and re-checking what is held.
//!
//! * [`history`]: each height to the level that its range claims: number, link; from `light` on the body against its
//!   header, at `full` the receipts too
//! * [`index`]: both indexes against the blocks, both ways: no entry is missing, and none leads to what is not there
//! * [`tip`]: blocks of the tip window likewise, and the canonical chain over them
//! * [`renew`]: what cannot be read at all is made anew
//!
//! Nothing is taken from the hot layer. Blocks are the truth: a bad block goes with its section, so that it
//! is fetched again; a bad index is mended from the blocks.

mod drop_tip;
mod history;
mod index;
mod renew;
mod tip;

use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) use self::renew::renew;
use super::core::Core;
use super::error::StoreError;
use super::families::Family;
use super::{remove, section_end};
use crate::coverage::{Coverage, Kind, Ranges};

/// What is told of each bad range: the heights, and what is wrong with them.
pub(super) type Report<'r> = &'r mut dyn FnMut(RangeInclusive<u64>, &str);

/// What verifying has found, beside what it reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Heights of history that were read.
    pub checked: u64,
    /// Families that have to be made anew, because they cannot be read or too much of them is wrong.
    pub lost: Vec<Family>,
}

/// Checks what is held in `range`. With `mend` the sections of bad heights are removed whole (a damaged file
/// can only go as a whole, and no file spans two sections), and indexes and tip window are mended.
pub(super) fn verify(
    core: &Arc<Core>,
    range: RangeInclusive<u64>,
    mend: bool,
    report: Report<'_>,
) -> Result<Findings, StoreError> {
    if mend {
        core.health.check_removal()?;
    }
    let coverage = core.moment().coverage.clone();
    let walked = history::walk(core, &coverage, &range, report);
    let mut findings = Findings { checked: walked.checked, lost: tip::check(core, &range, mend, report)? };
    for (family, prints) in walked.prints() {
        let index = index::Index { core, family, heights: indexed(&coverage, family, &range) };
        if !index.check(prints, &walked.bad, mend, report)? {
            findings.lost.push(family);
        }
    }
    if mend {
        for section in &walked.bad {
            remove::remove(core, &(*section..=section_end(*section)))?;
        }
        if findings.lost.is_empty() && spans(&range, &coverage) {
            core.health.damage_dropped();
        }
        // What an interrupted renewal left undone; while damage stays no file is written.
        if core.health.check().is_ok() && findings.lost.is_empty() {
            renew::index_transactions(core, &range)?;
        }
    }
    Ok(findings)
}

/// Heights in `range` that an index has entries of.
fn indexed(coverage: &Coverage, family: Family, range: &RangeInclusive<u64>) -> Ranges {
    let asked = Ranges::from_iter([range.clone()]);
    let headers = coverage.of(Kind::Header).intersection(&asked);
    match family {
        Family::TxLocation => {
            headers.intersection(coverage.of(Kind::Body)).intersection(coverage.of(Kind::Index))
        }
        _ => headers,
    }
}

/// Whether nothing is held outside `range`.
fn spans(range: &RangeInclusive<u64>, coverage: &Coverage) -> bool {
    Kind::ALL.iter().all(|kind| {
        let held = coverage.of(*kind);
        held.first().is_none_or(|first| range.contains(&first))
            && held.last().is_none_or(|last| range.contains(&last))
    })
}
