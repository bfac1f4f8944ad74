//! Removal: coverage goes first (synced), then the rows.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rocksdb::{BottommostLevelCompaction, CompactOptions, WriteBatch};

use super::core::Core;
use super::error::StoreError;
use super::families::Family;
use super::keys;
use super::meta::{self, Intent};
use super::trace::Step;
use crate::coverage::Kind;

/// Takes `range` out of history. Readers miss it from the moment its coverage is off; a crash in between leaves
/// an intent, by which the next start goes on deleting.
pub(super) fn remove(core: &Core, range: &RangeInclusive<u64>) -> Result<(), StoreError> {
    if range.is_empty() {
        return Ok(());
    }
    core.health.check_removal()?;
    let Some(serial) = core.ledger().reservations.take(range, &Kind::ALL) else {
        return StoreError::refused(format!("blocks {range:?} are being written; remove them afterwards"));
    };
    let removed = remove_reserved(core, range);
    let mut ledger = core.ledger();
    ledger.reservations.release(serial);
    core.raise_floor(&mut ledger);
    removed
}

fn remove_reserved(core: &Core, range: &RangeInclusive<u64>) -> Result<(), StoreError> {
    let intent = Intent { from: *range.start(), to: *range.end(), kinds: Kind::ALL.to_vec() };
    let meta = core.family(Family::Meta)?;
    {
        let mut ledger = core.ledger();
        let mut coverage = core.moment().coverage.clone();
        coverage.remove(range);
        let mut batch = WriteBatch::default();
        for kind in Kind::ALL {
            meta::put_coverage(&mut batch, meta, kind, coverage.of(kind));
        }
        let trust = ledger.trust.remove(range);
        let records = meta::put_trust(&mut batch, meta, &trust).and_then(|()| intent.put(&mut batch, meta));
        records.map_err(|error| StoreError::database(error.to_string()))?;
        core.write_synced(Step::CoverageOff, batch)?;
        core.step(Step::Publish)?;
        core.publish(&mut ledger, |moment| {
            moment.coverage = coverage;
            moment.doubts.forget(range);
            moment.removed(range.clone());
        });
    }
    for kind in Kind::ALL {
        delete_rows(core, kind, range)?;
    }
    let mut batch = WriteBatch::default();
    intent.delete(&mut batch, meta);
    core.write_synced(Step::Deleted, batch)
}

/// Deletes the rows of a kind. Whole files go at once and give their space back; what a border cuts through is
/// deleted by key and compacted. Index entries stay: they point outside coverage, where they are misses, and
/// what they point at is verified anyway. Those below all that is held go when their files are merged.
pub(super) fn delete_rows(core: &Core, kind: Kind, range: &RangeInclusive<u64>) -> Result<(), StoreError> {
    let Some(family) = family_of(kind) else { return Ok(()) };
    core.step(Step::Delete(family))?;
    let handle = core.family(family)?;
    let (from, to) = (keys::number(*range.start()), keys::number(*range.end()));
    core.db.delete_file_in_range_cf(handle, from, to).map_err(|error| core.failed(error))?;
    let mut rows = core.db.raw_iterator_cf(handle);
    rows.seek(from);
    let left = rows.key().is_some_and(|key| *key <= to[..]);
    let readable = rows.status().is_ok();
    drop(rows);
    if !left && readable {
        return Ok(());
    }
    let end = keys::number(range.end().saturating_add(1));
    let mut batch = WriteBatch::default();
    batch.delete_range_cf(handle, from, end);
    core.write_synced(Step::Delete(family), batch)?;
    // Compaction would run into what cannot be read.
    if readable {
        core.db.compact_range_cf(handle, Some(from), Some(end));
    }
    Ok(())
}

fn family_of(kind: Kind) -> Option<Family> {
    match kind {
        Kind::Header => Some(Family::Headers),
        Kind::Body => Some(Family::Bodies),
        Kind::Receipts => Some(Family::Receipts),
        Kind::Extra => Some(Family::Extra),
        Kind::Senders => Some(Family::Senders),
        Kind::Index | Kind::Logs => None,
    }
}

/// Removes the sections of history that lie wholly below `number`, oldest first, and then the rest below it.
/// Gives back how many heights went.
pub(super) fn prune_below(core: &Arc<Core>, number: u64) -> Result<u64, StoreError> {
    let Some(last) = number.checked_sub(1) else { return Ok(0) };
    let mut pruned: u64 = 0;
    loop {
        let Some(first) = core.moment().first().filter(|first| *first <= last) else { return Ok(pruned) };
        let range = first..=super::section_end(first).min(last);
        remove(core, &range)?;
        pruned = pruned.saturating_add((range.end() - range.start()).saturating_add(1));
    }
}

/// Merges both indexes whole.
pub(super) fn compact_indexes(core: &Core) -> Result<(), StoreError> {
    core.health.check()?;
    let mut options = CompactOptions::default();
    // Files of the lowest level hold most of what goes.
    options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    for family in [Family::HashNumber, Family::TxLocation] {
        core.db.compact_range_cf_opt(core.family(family)?, None::<&[u8]>, None::<&[u8]>, &options);
    }
    Ok(())
}
