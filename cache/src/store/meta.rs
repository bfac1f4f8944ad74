//! The rows of the `meta` family.

use std::ops::RangeInclusive;

use hypasis_chain::BlockId;
use rocksdb::{ColumnFamily, DB, IteratorMode, WriteBatch};
use serde::{Deserialize, Serialize};

use super::block::Trust;
use super::trust::TrustChange;
use crate::coverage::{Coverage, Kind, Ranges};

/// The format that this program writes.
pub(crate) const FORMAT: u32 = 1;

pub(crate) const FORMAT_KEY: &[u8] = b"format";
pub(crate) const CHAIN_KEY: &[u8] = b"chain";
pub(crate) const FINALIZED_KEY: &[u8] = b"finalized";
const COVERAGE: &[u8] = b"coverage/";
const INTENT: &[u8] = b"intent/";
const TRUST: &[u8] = b"trust/";
const RECORD: &[u8] = b"record/";
const DIFFICULTY: &[u8] = b"difficulty/";

/// A range that is being written or removed. On open, what of it coverage does not claim is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) kinds: Vec<Kind>,
}

#[derive(Serialize, Deserialize)]
struct TrustRow {
    to: u64,
    trust: Trust,
}

// === impl Intent ===

impl Intent {
    pub(crate) fn range(&self) -> RangeInclusive<u64> {
        self.from..=self.to
    }

    /// Two parts may have one range but never one range and one kind.
    fn key(&self) -> Vec<u8> {
        let kinds = self.kinds.iter().flat_map(|kind| [b"/", kind.name().as_bytes()].concat());
        [INTENT, &self.from.to_be_bytes(), &self.to.to_be_bytes()].concat().into_iter().chain(kinds).collect()
    }

    pub(crate) fn put(&self, batch: &mut WriteBatch, meta: &ColumnFamily) -> Result<(), serde_json::Error> {
        batch.put_cf(meta, self.key(), serde_json::to_vec(self)?);
        Ok(())
    }

    pub(crate) fn delete(&self, batch: &mut WriteBatch, meta: &ColumnFamily) {
        batch.delete_cf(meta, self.key());
    }
}

pub(crate) fn put_coverage(batch: &mut WriteBatch, meta: &ColumnFamily, kind: Kind, ranges: &Ranges) {
    batch.put_cf(meta, [COVERAGE, kind.name().as_bytes()].concat(), ranges.encode());
}

pub(crate) fn put_trust(
    batch: &mut WriteBatch,
    meta: &ColumnFamily,
    change: &TrustChange,
) -> Result<(), serde_json::Error> {
    for from in &change.delete {
        batch.delete_cf(meta, [TRUST, &from.to_be_bytes()].concat());
    }
    for (from, to, trust) in &change.put {
        let row = serde_json::to_vec(&TrustRow { to: *to, trust: trust.clone() })?;
        batch.put_cf(meta, [TRUST, &from.to_be_bytes()].concat(), row);
    }
    Ok(())
}

pub(crate) fn record_key(name: &str) -> Vec<u8> {
    [RECORD, name.as_bytes()].concat()
}

pub(crate) fn difficulty_key(number: u64) -> Vec<u8> {
    [DIFFICULTY, &number.to_be_bytes()].concat()
}

/// Why a row cannot be read; the store does not open then.
pub(crate) type Unreadable = String;

pub(crate) fn coverage(db: &DB, meta: &ColumnFamily) -> Result<Coverage, Unreadable> {
    let mut coverage = Coverage::default();
    for kind in Kind::ALL {
        let key = [COVERAGE, kind.name().as_bytes()].concat();
        if let Some(row) = db.get_cf(meta, key).map_err(String::from)? {
            *coverage.of_mut(kind) = Ranges::decode(&row)
                .ok_or_else(|| format!("the coverage record of {} is malformed", kind.name()))?;
        }
    }
    Ok(coverage)
}

pub(crate) fn intents(db: &DB, meta: &ColumnFamily) -> Result<Vec<Intent>, Unreadable> {
    let mut intents = Vec::new();
    rows(db, meta, INTENT, |_, row| {
        intents.push(serde_json::from_slice(row).map_err(|error| format!("an intent record: {error}"))?);
        Ok(())
    })?;
    Ok(intents)
}

pub(crate) fn trust(
    db: &DB,
    meta: &ColumnFamily,
    mut take: impl FnMut(u64, u64, Trust),
) -> Result<(), Unreadable> {
    rows(db, meta, TRUST, |key, row| {
        let from = key.try_into().map(u64::from_be_bytes).map_err(|_| "a trust record's key is malformed")?;
        let row: TrustRow =
            serde_json::from_slice(row).map_err(|error| format!("a trust record: {error}"))?;
        take(from, row.to, row.trust);
        Ok(())
    })
}

pub(crate) fn finalized(db: &DB, meta: &ColumnFamily) -> Result<Option<BlockId>, Unreadable> {
    let row = db.get_cf(meta, FINALIZED_KEY).map_err(String::from)?;
    row.map(|row| serde_json::from_slice(&row).map_err(|error| format!("the finalized record: {error}")))
        .transpose()
}

fn rows(
    db: &DB,
    meta: &ColumnFamily,
    prefix: &[u8],
    mut take: impl FnMut(&[u8], &[u8]) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    for row in db.iterator_cf(meta, IteratorMode::From(prefix, rocksdb::Direction::Forward)) {
        let (key, value) = row.map_err(String::from)?;
        let Some(rest) = key.strip_prefix(prefix) else { break };
        take(rest, &value)?;
    }
    Ok(())
}
