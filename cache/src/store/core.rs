//! What all handles of one store share.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::{B256, keccak256};
use arc_swap::ArcSwap;
use bytes::Bytes;
use hypasis_chain::BlockId;
use hypasis_chain::bor::state_sync;
use parking_lot::{Mutex, MutexGuard};
use rocksdb::{ColumnFamily, DB, DBRawIterator, ReadOptions, WriteBatch, WriteOptions};

use super::Options;
use super::error::StoreError;
use super::families::{Family, Shared};
use super::health::{Cause, Health};
use super::keys;
use super::lock::Lock;
use super::moment::{Moment, Reservations};
use super::trace::{Observer, Step};
use super::trust::TrustMap;
use crate::coverage::Kind;
use crate::view::Hot;

/// The database, what is known of it in memory, and who may change it.
pub(crate) struct Core {
    pub(crate) db: DB,
    /// Dropped behind the database, as the fields stand.
    _lock: Lock,
    pub(crate) options: Options,
    pub(crate) shared: Shared,
    pub(crate) hot: Hot,
    pub(crate) health: Health,
    pub(crate) observer: Arc<dyn Observer>,
    moment: ArcSwap<Moment>,
    ledger: Mutex<Ledger>,
    serial: AtomicU64,
}

/// What only writers need. Holding its lock is the right to write records and to publish a moment.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) trust: TrustMap,
    pub(crate) reservations: Reservations,
    /// Heights up to which blocks are being promoted; the canonical index may not change there.
    pub(crate) promoting: Option<u64>,
}

// === impl Core ===

impl Core {
    pub(crate) fn new(
        db: DB,
        lock: Lock,
        options: Options,
        shared: Shared,
        hot: Hot,
        health: Health,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let (moment, ledger) = (ArcSwap::default(), Mutex::default());
        let serial = AtomicU64::new(0);
        Self { db, _lock: lock, options, shared, hot, health, observer, moment, ledger, serial }
    }

    /// The present moment.
    pub(crate) fn moment(&self) -> Arc<Moment> {
        self.moment.load_full()
    }

    /// Which removal last touched the height.
    pub(crate) fn epoch(&self, number: u64) -> u64 {
        self.moment.load().epoch(number)
    }

    /// The right to write records.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock()
    }

    /// Takes `range` for a writer of `kinds`, unless somebody has some of it. Its index entries are kept from now on.
    pub(crate) fn reserve(&self, range: &RangeInclusive<u64>, kinds: &[Kind]) -> Option<u64> {
        let mut ledger = self.ledger();
        let serial = ledger.reservations.take(range, kinds)?;
        self.shared.floor.fetch_min(*range.start(), Ordering::SeqCst);
        Some(serial)
    }

    /// Gives up the index entries below all that is held and all that is being written. The ledger's lock keeps
    /// this from passing by a writer.
    pub(crate) fn raise_floor(&self, ledger: &mut Ledger) {
        let first = [self.moment().first(), ledger.reservations.first()].into_iter().flatten().min();
        self.shared.floor.store(first.unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// A number that this process has not used before.
    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Changes what readers see, in one swap. The ledger's lock orders the writers.
    pub(crate) fn publish(&self, _ledger: &mut Ledger, change: impl FnOnce(&mut Moment)) {
        let mut moment = Moment::clone(&self.moment.load());
        change(&mut moment);
        moment.head = self.head_of(&moment);
        self.moment.store(Arc::new(moment));
    }

    /// Tells the observer and takes its refusal as the disk's.
    pub(crate) fn step(&self, step: Step) -> Result<(), StoreError> {
        self.observer.before(step).map_err(|why| self.failed(why))
    }

    /// Writes records durably.
    pub(crate) fn write_synced(&self, step: Step, batch: WriteBatch) -> Result<(), StoreError> {
        self.step(step)?;
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db.write_opt(batch, &options).map_err(|error| self.failed(error))
    }

    /// A write that failed: no further one is tried.
    pub(crate) fn failed(&self, why: impl AsRef<str>) -> StoreError {
        self.health.stop(Cause::Write, why.as_ref());
        StoreError::database(why)
    }

    pub(crate) fn family(&self, family: Family) -> Result<&ColumnFamily, StoreError> {
        self.db
            .cf_handle(family.name())
            .ok_or_else(|| StoreError::database(format!("no family {}", family.name())))
    }

    /// A row of a value family. Damage is counted and stops writing.
    pub(crate) fn value(&self, family: Family, number: u64) -> Result<Option<Bytes>, StoreError> {
        let row = self.db.get_pinned_cf(self.family(family)?, keys::number(number));
        row.map(|row| row.map(|row| Bytes::copy_from_slice(&row)))
            .map_err(|error| self.read_failed(number, &error))
    }

    /// A row of any family, which belongs to the block at `number`.
    pub(crate) fn row(&self, family: Family, number: u64, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let row = self.db.get_pinned_cf(self.family(family)?, key);
        row.map(|row| row.map(|row| Bytes::copy_from_slice(&row)))
            .map_err(|error| self.read_failed(number, &error))
    }

    /// Walks the keys under `prefix` (as long as the family's prefix) until `visit` gives an answer.
    pub(crate) fn seek<T>(
        &self,
        family: Family,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut options = ReadOptions::default();
        options.set_prefix_same_as_start(true);
        let mut rows: DBRawIterator<'_> = self.db.raw_iterator_cf_opt(self.family(family)?, options);
        rows.seek(prefix);
        while let Some((key, value)) = rows.item() {
            if !key.starts_with(prefix) {
                break;
            }
            if let Some(found) = visit(key, value)? {
                return Ok(Some(found));
            }
            rows.next();
        }
        rows.status().map_err(|error| self.index_failed(family, &error))?;
        Ok(None)
    }

    /// Whether the chain has, or had, something beside its blocks.
    pub(crate) fn keeps_extra(&self) -> bool {
        self.options.spec.as_ref().is_some_and(|spec| state_sync::are_beside(spec))
    }

    /// Whether something may stand beside the block at `number`.
    pub(crate) fn may_have_extra(&self, number: u64) -> bool {
        self.options.spec.as_ref().is_some_and(|spec| state_sync::may_stand_beside(spec, number))
    }

    /// Hash of the history block at `number`.
    pub(crate) fn history_hash(&self, number: u64) -> Result<Option<B256>, StoreError> {
        let epoch = self.epoch(number);
        if let Some(hash) = self.hot.hash(number, epoch) {
            return Ok(Some(hash));
        }
        let hash = self.value(Family::Headers, number)?.map(keccak256);
        if let Some(hash) = hash.filter(|_| self.epoch(number) == epoch) {
            self.hot.put_hash(number, epoch, hash);
        }
        Ok(hash)
    }

    /// What a failed read means: a broken checksum is damage, anything else the database's trouble.
    pub(crate) fn read_failed(&self, number: u64, error: &rocksdb::Error) -> StoreError {
        if error.kind() == rocksdb::ErrorKind::Corruption {
            tracing::error!(number, %error, "Stored data are damaged");
            self.health.damaged(number, "checksum");
            return StoreError::Damaged { number, what: "checksum" };
        }
        StoreError::database(error)
    }

    /// The same for an index, whose rows belong to no one block.
    pub(crate) fn index_failed(&self, family: Family, error: &rocksdb::Error) -> StoreError {
        if error.kind() == rocksdb::ErrorKind::Corruption {
            tracing::error!(family = family.name(), %error, "An index is damaged");
            self.health.index_damaged(family.name());
        }
        StoreError::database(error)
    }

    /// The highest canonical block with header, body and receipts: of the tip, else of history.
    fn head_of(&self, moment: &Moment) -> Option<BlockId> {
        if let Some(id) = moment.window.head() {
            return Some(id);
        }
        let number = moment.coverage.complete().last()?;
        let hash = self.history_hash(number).ok()??;
        Some(BlockId { number, hash })
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("path", &self.options.path)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}
