//! What cannot be read is dropped whole and made anew: the indexes from the blocks, the tip window empty.
//!
//! Crash-safe by order: transactions are taken out of coverage first (synced), and each part of the new index
//! is covered when it is durable. A hash has no coverage of its own: as long as its entry is not there again,
//! it is a miss. After a crash in between, verifying finds what is missing and goes on with the rest.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rocksdb::WriteBatch;

use super::index::{header_hash, transaction_hashes};
use crate::coverage::{Kind, Ranges};
use crate::store::core::Core;
use crate::store::error::StoreError;
use crate::store::families::Family;
use crate::store::meta;
use crate::store::part::PartWriter;
use crate::store::senders::sections;
use crate::store::tip::Window;
use crate::store::trace::Step;

/// Families of the tip window: what is left of one is worth nothing without the others.
const TIP: [Family; 3] = [Family::TipBlocks, Family::TipCanonical, Family::TipTransactions];

/// Drops the families and makes them anew. Nobody else may have a handle on the store.
pub(in crate::store) fn renew(core: &mut Arc<Core>, lost: &[Family]) -> Result<(), StoreError> {
    let Some(alone) = Arc::get_mut(core) else {
        return StoreError::refused("the store is in use through other handles; close them first");
    };
    alone.health.check_removal()?;
    if lost.contains(&Family::TxLocation) {
        uncover_transactions(alone)?;
    }
    let tip = lost.iter().any(|family| TIP.contains(family));
    if tip {
        let mut ledger = alone.ledger();
        alone.publish(&mut ledger, |moment| moment.window = Arc::new(Window::default()));
    }
    let dropped = TIP.iter().filter(|_| tip).chain(lost.iter().filter(|family| !TIP.contains(family)));
    for family in dropped {
        alone.step(Step::Delete(*family))?;
        let options = family.options(&alone.shared);
        let made = alone.db.drop_cf(family.name()).and_then(|()| alone.db.create_cf(family.name(), &options));
        made.map_err(|error| alone.failed(error))?;
    }
    // What is made anew is written as any part is.
    alone.health.damage_dropped();
    if lost.contains(&Family::HashNumber) {
        index_hashes(core)?;
    }
    index_transactions(core, &(0..=u64::MAX))
}

/// From now on no transaction is looked up in history.
fn uncover_transactions(core: &Core) -> Result<(), StoreError> {
    let mut ledger = core.ledger();
    let mut batch = WriteBatch::default();
    meta::put_coverage(&mut batch, core.family(Family::Meta)?, Kind::Index, &Ranges::default());
    core.write_synced(Step::CoverageOff, batch)?;
    core.step(Step::Publish)?;
    core.publish(&mut ledger, |moment| *moment.coverage.of_mut(Kind::Index) = Ranges::default());
    Ok(())
}

/// Writes the entries of all headers that are held.
fn index_hashes(core: &Arc<Core>) -> Result<(), StoreError> {
    let headers = core.moment().coverage.of(Kind::Header).clone();
    for run in headers.iter().flat_map(sections) {
        let mut part = PartWriter::begin(Arc::clone(core), run.clone(), &[])?;
        for number in run {
            part.append_entries(number, header_hash(core, number)?.as_ref(), &[])?;
        }
        part.finish_each(&[])?;
    }
    Ok(())
}

/// Writes the entries of the transactions in `range` whose bodies are held but which are not indexed.
pub(super) fn index_transactions(core: &Arc<Core>, range: &RangeInclusive<u64>) -> Result<(), StoreError> {
    let coverage = core.moment().coverage.clone();
    let asked = Ranges::from_iter([range.clone()]);
    let bodies = coverage.of(Kind::Header).intersection(coverage.of(Kind::Body)).intersection(&asked);
    for run in bodies.difference(coverage.of(Kind::Index)).iter().flat_map(sections) {
        let mut part = PartWriter::begin(Arc::clone(core), run.clone(), &[Kind::Index])?;
        for number in run {
            part.append_entries(number, None, &transaction_hashes(core, number)?)?;
        }
        part.finish_each(&[])?;
    }
    Ok(())
}
