//! An index against the blocks, both ways.
//!
//! The walk over the blocks has summed up, section by section, which entries there must be; one scan sums up
//! which there are. Only where the sums differ are the entries themselves compared. So a sound index costs
//! one sequential read, however large it is, and no look-up.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use alloy_primitives::B256;
use hypasis_chain::bor::state_sync;
use hypasis_chain::{Body, roots};
use rocksdb::{ReadOptions, WriteBatch};

use super::Report;
use crate::coverage::{Kind, Ranges};
use crate::store::core::Core;
use crate::store::error::StoreError;
use crate::store::families::Family;
use crate::store::trace::Step;
use crate::store::{keys, section_end, section_start};

/// Entries that are compared one by one at most (16 bytes each in memory, twice). An index in which more is
/// in doubt is made anew.
const COMPARED_MAX: u64 = 8 << 20;
/// Entries that are mended in one batch.
const BATCH: usize = 8_192;
/// Bytes that a scan reads ahead.
const READ_AHEAD: usize = 1 << 20;

/// Sums over the entries of each section. Equal sums mean equal sets, but for a chance of one in 2^128.
#[derive(Debug, Default)]
pub(super) struct Prints {
    sections: BTreeMap<u64, Print>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Print {
    entries: u64,
    sum: u128,
}

/// An index, and the heights of which it must hold entries.
#[derive(Debug)]
pub(super) struct Index<'c> {
    pub(super) core: &'c Core,
    pub(super) family: Family,
    pub(super) heights: Ranges,
}

// === impl Prints ===

impl Prints {
    /// Adds the entry of a hash.
    pub(super) fn add(&mut self, number: u64, position: u32, hash: &B256) {
        if let Some(key) = keys::index(hash, number, position) {
            self.add_key(number, key);
        }
    }

    fn add_key(&mut self, number: u64, key: u128) {
        let print = self.sections.entry(section_start(number)).or_default();
        print.entries = print.entries.saturating_add(1);
        print.sum = print.sum.wrapping_add(spread(key));
    }

    /// Sections in which the two are not the same, and how many entries are in doubt there.
    fn differing(&self, other: &Self) -> (BTreeSet<u64>, u64) {
        let at = |prints: &Self, section: &u64| prints.sections.get(section).copied().unwrap_or_default();
        let all: BTreeSet<u64> = self.sections.keys().chain(other.sections.keys()).copied().collect();
        let differing: BTreeSet<u64> =
            all.into_iter().filter(|section| at(self, section) != at(other, section)).collect();
        let entries =
            differing.iter().map(|section| at(self, section).entries.max(at(other, section).entries));
        let entries = entries.fold(0, u64::saturating_add);
        (differing, entries)
    }
}

// === impl Index ===

impl Index<'_> {
    /// Compares the index with what it must hold; `false` means that it has to be made anew. Sections with a
    /// bad block are passed over: they go as a whole.
    pub(super) fn check(
        mut self,
        right: &Prints,
        bad: &BTreeSet<u64>,
        mend: bool,
        report: Report<'_>,
    ) -> Result<bool, StoreError> {
        bad.iter().for_each(|section| self.heights.remove(*section..=section_end(*section)));
        let span = self.heights.first().unwrap_or_default()..=self.heights.last().unwrap_or_default();
        let mut found = Prints::default();
        if let Err(error) = self.scan(|number, key| found.add_key(number, key)) {
            let why = self.core.index_failed(self.family, &error);
            report(span, &format!("the index {} cannot be read: {why}", self.family.name()));
            return Ok(false);
        }
        let (mut sections, entries) = right.differing(&found);
        sections.retain(|section| !bad.contains(section));
        if sections.is_empty() {
            return Ok(true);
        }
        if entries > COMPARED_MAX {
            report(span, &format!("of the index {} some {entries} entries are wrong", self.family.name()));
            return Ok(false);
        }
        let doubtful: Ranges = sections.into_iter().map(|section| section..=section_end(section)).collect();
        self.heights = self.heights.intersection(&doubtful);
        let (missing, mut stray) = self.compare()?;
        if self.core.keeps_extra() {
            let mut left_over = Ok(());
            stray.retain(|key| match is_left_over(self.core, *key) {
                Ok(left_over) => !left_over,
                Err(error) => {
                    left_over = Err(error);
                    true
                }
            });
            left_over?;
        }
        if missing.is_empty() && stray.is_empty() {
            return Ok(true);
        }
        self.tell(&missing, "lacks entries of these blocks", report);
        self.tell(&stray, "has entries that lead to what these blocks do not hold", report);
        if mend {
            self.mend(&missing, &stray)?;
        }
        Ok(true)
    }

    /// The entries that are missing, and those that lead nowhere.
    fn compare(&self) -> Result<(Vec<u128>, Vec<u128>), StoreError> {
        let (mut right, mut found) = (BTreeSet::new(), BTreeSet::new());
        for number in self.heights.iter().flatten() {
            right.extend(entries(self.core, self.family, number)?);
        }
        let scanned = self.scan(|_, key| {
            found.insert(key);
        });
        scanned.map_err(|error| self.core.index_failed(self.family, &error))?;
        Ok((right.difference(&found).copied().collect(), found.difference(&right).copied().collect()))
    }

    fn mend(&self, missing: &[u128], stray: &[u128]) -> Result<(), StoreError> {
        let handle = self.core.family(self.family)?;
        for keys in missing.chunks(BATCH) {
            let mut batch = WriteBatch::default();
            keys.iter().for_each(|key| batch.put_cf(handle, key.to_be_bytes(), []));
            self.core.write_synced(Step::Mended(self.family), batch)?;
        }
        for keys in stray.chunks(BATCH) {
            let mut batch = WriteBatch::default();
            keys.iter().for_each(|key| batch.delete_cf(handle, key.to_be_bytes()));
            self.core.write_synced(Step::Mended(self.family), batch)?;
        }
        Ok(())
    }

    /// Goes through all entries of the heights. What lies outside them is left from a removal, and is a miss.
    fn scan(&self, mut take: impl FnMut(u64, u128)) -> Result<(), rocksdb::Error> {
        let Some(handle) = self.core.db.cf_handle(self.family.name()) else { return Ok(()) };
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        options.fill_cache(false);
        options.set_readahead_size(READ_AHEAD);
        let mut rows = self.core.db.raw_iterator_cf_opt(handle, options);
        rows.seek_to_first();
        while let Some(key) = rows.key() {
            if let (Some((number, _)), Ok(key)) = (keys::index_target(key), key.try_into())
                && self.heights.contains(number)
            {
                take(number, u128::from_be_bytes(key));
            }
            rows.next();
        }
        rows.status()
    }

    fn tell(&self, keys: &[u128], what: &str, report: Report<'_>) {
        let targets = keys.iter().filter_map(|key| keys::index_target(&key.to_be_bytes()));
        let heights: Ranges = targets.map(|(number, _)| number..=number).collect();
        let what = format!("the index {} {what}", self.family.name());
        heights.iter().for_each(|range: RangeInclusive<u64>| report(range, &what));
    }
}

/// The entries that an index must hold of the history block at `number`.
fn entries(core: &Core, family: Family, number: u64) -> Result<Vec<u128>, StoreError> {
    let hashes = match family {
        Family::HashNumber => header_hash(core, number)?.into_iter().collect(),
        _ => transaction_hashes(core, number)?,
    };
    Ok((0..).zip(&hashes).filter_map(|(position, hash)| keys::index(hash, number, position)).collect())
}

/// Hash of the header on disk at `number`.
pub(super) fn header_hash(core: &Core, number: u64) -> Result<Option<B256>, StoreError> {
    Ok(core.value(Family::Headers, number)?.map(alloy_primitives::keccak256))
}

/// Hashes of the transactions on disk at `number`.
pub(super) fn transaction_hashes(core: &Core, number: u64) -> Result<Vec<B256>, StoreError> {
    let damaged = |_| StoreError::Damaged { number, what: "body" };
    let raw = core.value(Family::Bodies, number)?.unwrap_or_default();
    let body = Body::parse(&raw).map_err(damaged)?;
    let mut hashes = roots::transaction_hashes(&body).map_err(damaged)?;
    if core.may_have_extra(number)
        && core.moment().coverage.of(Kind::Extra).contains(number)
        && core.value(Family::Extra, number)?.is_some_and(|extra| extra.as_ref() != state_sync::NONE)
        && let Some(hash) = header_hash(core, number)?
    {
        hashes.push(state_sync::derived_hash(number, hash));
    }
    Ok(hashes)
}

/// Whether the entry is that of a transaction beside a block of which it is not known now whether it has one. It was
/// written before what stood there was removed; looking it up is a miss.
fn is_left_over(core: &Core, key: u128) -> Result<bool, StoreError> {
    let Some((number, position)) = keys::index_target(&key.to_be_bytes()) else { return Ok(false) };
    if !core.may_have_extra(number) || core.moment().coverage.of(Kind::Extra).contains(number) {
        return Ok(false);
    }
    let Some(hash) = header_hash(core, number)? else { return Ok(false) };
    Ok(keys::index(&state_sync::derived_hash(number, hash), number, position) == Some(key))
}

/// Makes a key as good as random, so that sums of other keys come out otherwise.
fn spread(key: u128) -> u128 {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let mixed = (key ^ key >> 67).wrapping_mul(ODD);
    let mixed = (mixed ^ mixed >> 59).wrapping_mul(ODD);
    mixed ^ mixed >> 64
}
