//! What is filled in after the blocks: senders, and what lies outside the roots.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use bytes::Bytes;
use hypasis_chain::{BlockId, Body};

use super::SECTION;
use super::core::Core;
use super::error::StoreError;
use super::part::PartWriter;
use crate::coverage::{Kind, Ranges};
use crate::store::families::Family;

/// Heights whose bodies are held in history but whose senders are not.
pub(super) fn missing(core: &Core) -> Ranges {
    let moment = core.moment();
    moment.coverage.of(Kind::Body).difference(moment.coverage.of(Kind::Senders))
}

/// Stores senders of history blocks, ascending. Heights whose senders are held, or whose bodies are not, are
/// passed over.
pub(super) fn put_senders(core: &Arc<Core>, blocks: &[(u64, Vec<Address>)]) -> Result<(), StoreError> {
    let missing = missing(core);
    let wanted: Vec<_> = blocks.iter().filter(|(number, _)| missing.contains(*number)).collect();
    for (number, senders) in &wanted {
        let body = core.value(Family::Bodies, *number)?.unwrap_or_default();
        let count = Body::parse(&body).map(|body| body.transaction_count());
        if count != Ok(senders.len()) {
            return StoreError::refused(format!("block {number} has another number of senders"));
        }
    }
    for run in runs(&wanted) {
        let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else { continue };
        let mut part = PartWriter::begin(Arc::clone(core), *first..=*last, &[Kind::Senders])?;
        for (number, senders) in run {
            part.append_senders(*number, senders)?;
        }
        part.finish_each(&[])?;
    }
    Ok(())
}

/// Stores what lies outside the roots of history blocks in `range`, ascending. Heights that have it are passed over,
/// as are those without header or body.
pub(super) fn put_extra(
    core: &Arc<Core>,
    range: RangeInclusive<u64>,
    blocks: &[(BlockId, Bytes)],
) -> Result<(), StoreError> {
    let coverage = core.moment().coverage.clone();
    let blocks: BTreeMap<u64, (B256, &Bytes)> =
        blocks.iter().map(|(id, extra)| (id.number, (id.hash, extra))).collect();
    let whole = coverage.of(Kind::Header).intersection(coverage.of(Kind::Body));
    let missing = whole.intersection(&Ranges::from_iter([range])).difference(coverage.of(Kind::Extra));
    for run in missing.iter().flat_map(sections) {
        let mut part = PartWriter::begin(Arc::clone(core), run.clone(), &[Kind::Extra])?;
        for number in run {
            let extra = blocks.get(&number);
            if let Some((hash, _)) = extra
                && core.history_hash(number)? != Some(*hash)
            {
                return StoreError::refused(format!("history holds another block {number}"));
            }
            part.append_extra(number, extra.map(|(_, extra)| *extra))?;
        }
        part.finish_each(&[])?;
    }
    Ok(())
}

/// Cuts heights at the borders of sections.
pub(super) fn sections(run: RangeInclusive<u64>) -> impl Iterator<Item = RangeInclusive<u64>> {
    let (from, to) = run.into_inner();
    (from / SECTION..=to / SECTION).map(move |section| {
        let start = section.saturating_mul(SECTION);
        start.max(from)..=start.saturating_add(SECTION - 1).min(to)
    })
}

/// Cuts ascending rows into unbroken runs that stay inside a section.
fn runs<'a, T>(rows: &'a [&'a (u64, T)]) -> impl Iterator<Item = &'a [&'a (u64, T)]> {
    rows.chunk_by(|(one, _), (next, _)| one.checked_add(1) == Some(*next) && one / SECTION == next / SECTION)
}
