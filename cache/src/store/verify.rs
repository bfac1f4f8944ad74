//! Reading and re-checking what is held.
//!
//! Each height is checked to the level that its range claims: number, link, hash index; from `light` on the body
//! against its header, at `full` the receipts too; and every transaction has its index entry. Nothing is taken
//! from the hot layer. Blocks of the tip window are checked likewise, each by itself, but none is dropped.

mod tip;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use alloy_primitives::B256;
use hypasis_chain::{Body, Header, Level, Receipts, verify};
use rocksdb::IteratorMode;

use super::core::Core;
use super::error::StoreError;
use super::families::Family;
use super::{keys, remove, section_end, section_start};
use crate::coverage::{Coverage, Kind};

/// What is told of each bad range: the heights, and what is wrong with them.
pub(super) type Report<'r> = &'r mut dyn FnMut(RangeInclusive<u64>, &str);

/// Checks the history in `range` and tells how many heights it read. With `drop_bad` the sections of bad heights
/// are removed whole: a damaged file can only go as a whole, and no file spans two sections.
pub(super) fn verify(
    core: &Core,
    range: RangeInclusive<u64>,
    drop_bad: bool,
    report: Report<'_>,
) -> Result<u64, StoreError> {
    let moment = core.moment();
    let coverage = &moment.coverage;
    let mut bad = BTreeSet::new();
    let mut checked: u64 = 0;
    for held in coverage.of(Kind::Header).iter() {
        let (from, to) = (*held.start().max(range.start()), *held.end().min(range.end()));
        let mut walk = Walk { core, coverage, parent: None, run: None };
        for number in from..=to {
            let level = level_at(core, number);
            if let Err(what) = walk.check(number, level) {
                bad.insert(section_start(number));
                walk.bad(number, what, report);
            }
            checked = checked.saturating_add(1);
        }
        walk.close(report);
    }
    tip::check(core, &range, report);
    let indexes = check_indexes(core, &range, report);
    if drop_bad {
        for section in bad {
            remove::remove(core, &(section..=section_end(section)))?;
        }
        let all = Kind::ALL.iter().all(|kind| {
            let held = coverage.of(*kind);
            held.first().is_none_or(|first| range.contains(&first))
                && held.last().is_none_or(|last| range.contains(&last))
        });
        if indexes && all {
            core.health.damage_dropped();
        }
    }
    Ok(checked)
}

/// One run of heights, each checked against the one before.
struct Walk<'c> {
    core: &'c Core,
    coverage: &'c Coverage,
    parent: Option<B256>,
    /// Bad heights that were not told yet.
    run: Option<(u64, u64, String)>,
}

// === impl Walk ===

impl Walk<'_> {
    fn check(&mut self, number: u64, level: Level) -> Result<(), String> {
        let parent = self.parent.take();
        let raw = self.row(Family::Headers, number)?;
        let header = Header::parse(&raw).map_err(|error| error.to_string())?;
        let hash = header.hash();
        if header.number() != number {
            return Err(format!("the header says {}", header.number()));
        }
        if !self.indexed(Family::HashNumber, &hash, number, 0)? {
            return Err("its hash is not indexed".to_owned());
        }
        if parent.is_some_and(|parent| parent != header.parent_hash()) {
            return Err("it does not follow the block below".to_owned());
        }
        self.parent = Some(hash);
        self.check_body(number, &header, level)?;
        if self.coverage.of(Kind::Receipts).contains(number) {
            let raw = self.row(Family::Receipts, number)?;
            let receipts = Receipts::parse(&raw).map_err(|error| error.to_string())?;
            if level >= Level::Full {
                verify::check_receipts(&header, &receipts).map_err(|fault| fault.to_string())?;
            }
        }
        Ok(())
    }

    fn check_body(&self, number: u64, header: &Header<'_>, level: Level) -> Result<(), String> {
        if !self.coverage.of(Kind::Body).contains(number) {
            return Ok(());
        }
        let raw = self.row(Family::Bodies, number)?;
        let body = Body::parse(&raw).map_err(|error| error.to_string())?;
        if level >= Level::Light {
            verify::check_body(header, &body).map_err(|fault| fault.to_string())?;
        }
        if self.coverage.of(Kind::Index).contains(number) {
            for (position, transaction) in (0..).zip(body.transactions()) {
                let hash = transaction.map_err(|error| error.to_string())?.hash();
                if !self.indexed(Family::TxLocation, &hash, number, position)? {
                    return Err(format!("transaction {position} is not indexed"));
                }
            }
        }
        if self.coverage.of(Kind::Senders).contains(number) {
            let senders = self.core.value(Family::Senders, number).map_err(|error| error.to_string())?;
            if senders.map_or(0, |senders| senders.len()) != body.transaction_count() * 20 {
                return Err("senders are missing".to_owned());
            }
        }
        Ok(())
    }

    fn row(&self, family: Family, number: u64) -> Result<bytes::Bytes, String> {
        let row = self.core.value(family, number).map_err(|error| error.to_string())?;
        row.ok_or_else(|| format!("its row in {} is gone", family.name()))
    }

    fn indexed(&self, family: Family, hash: &B256, number: u64, position: u32) -> Result<bool, String> {
        let Some(key) = keys::index(hash, number, position) else { return Ok(false) };
        let found = self.core.row(family, number, &key.to_be_bytes());
        found.map(|row| row.is_some()).map_err(|error| error.to_string())
    }

    fn bad(&mut self, number: u64, what: String, report: Report<'_>) {
        match &mut self.run {
            Some((_, to, why)) if to.checked_add(1) == Some(number) && *why == what => *to = number,
            _ => {
                self.close(report);
                self.run = Some((number, number, what));
            }
        }
    }

    fn close(&mut self, report: Report<'_>) {
        if let Some((from, to, why)) = self.run.take() {
            report(from..=to, &why);
        }
    }
}

/// Whether both indexes can be read from end to end. An entry that points at nothing is left from a removal; what
/// it names is verified on each lookup.
fn check_indexes(core: &Core, range: &RangeInclusive<u64>, report: Report<'_>) -> bool {
    let mut sound = true;
    for family in [Family::HashNumber, Family::TxLocation] {
        let Ok(handle) = core.family(family) else { return false };
        let mut options = rocksdb::ReadOptions::default();
        options.set_total_order_seek(true);
        options.fill_cache(false);
        for row in core.db.iterator_cf_opt(handle, options, IteratorMode::Start) {
            if let Err(error) = row {
                report(range.clone(), &core.index_failed(family, &error).to_string());
                sound = false;
                break;
            }
        }
    }
    sound
}

fn level_at(core: &Core, number: u64) -> Level {
    let records = core.ledger().trust.within(&(number..=number));
    records.first().map_or(Level::None, |(_, trust)| trust.level)
}
