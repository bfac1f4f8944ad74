//! What is filled in after the blocks: senders, and what lies outside the roots.

use std::sync::Arc;

use alloy_primitives::Address;
use bytes::Bytes;
use hypasis_chain::Body;

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
    for run in runs(&wanted, |(number, _)| *number) {
        write(
            core,
            Kind::Senders,
            run,
            |(number, _)| *number,
            |part, (number, senders)| part.append_senders(*number, senders),
        )?;
    }
    Ok(())
}

/// Stores what lies outside the roots of history blocks, ascending. Heights that have it are passed over.
pub(super) fn put_extra(core: &Arc<Core>, blocks: &[(u64, Bytes)]) -> Result<(), StoreError> {
    let moment = core.moment();
    let missing = moment.coverage.of(Kind::Header).difference(moment.coverage.of(Kind::Extra));
    let wanted: Vec<_> = blocks.iter().filter(|(number, _)| missing.contains(*number)).collect();
    for run in runs(&wanted, |(number, _)| *number) {
        write(
            core,
            Kind::Extra,
            run,
            |(number, _)| *number,
            |part, (number, extra)| part.append_extra(*number, extra),
        )?;
    }
    Ok(())
}

fn write<T>(
    core: &Arc<Core>,
    kind: Kind,
    run: &[&T],
    number: impl Fn(&T) -> u64,
    append: impl Fn(&mut PartWriter, &T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
    let mut part = PartWriter::begin(Arc::clone(core), number(first)..=number(last), &[kind])?;
    for row in run {
        append(&mut part, row)?;
    }
    part.finish_each(&[])
}

/// Cuts ascending rows into unbroken runs that stay inside a section.
fn runs<'a, T>(rows: &'a [&'a T], number: impl Fn(&T) -> u64) -> impl Iterator<Item = &'a [&'a T]> {
    rows.chunk_by(move |one, next| {
        let (one, next) = (number(one), number(next));
        one.checked_add(1) == Some(next) && one / SECTION == next / SECTION
    })
}
