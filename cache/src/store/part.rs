//! Writing history: one contiguous part of one section at a time.
//!
//! Values stream in ascending order into SST files, a thread for each family, while index keys gather in memory
//! and are sorted at the end. Then, and in this order: the files are complete and synced; an intent record says
//! what is about to come (synced); the files are taken in, family by family; coverage and trust are written and
//! the intent is taken back (one synced batch); readers see it. A crash before the batch leaves an intent, whose
//! range the next start deletes; a crash after it leaves a whole part.

mod extra;
mod index;
mod lane;

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use alloy_primitives::{Address, B256};
use bytes::Bytes;
use hypasis_chain::{Block, BlockId, Body};
use rocksdb::{IngestExternalFileOptions, WriteBatch};

use self::extra::Settled;
use self::index::IndexKeys;
use self::lane::{Lanes, Row};
use super::block::{Trust, Verified};
use super::core::Core;
use super::error::StoreError;
use super::families::Family;
use super::meta::{self, Intent};
use super::trace::Step;
use super::{SECTION, keys};
use crate::coverage::{Coverage, Kind, Ranges};

/// Folder, inside the store's, of files that are not taken in yet.
const SCRATCH: &str = "scratch";

/// Writes one part of a section. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct PartWriter {
    core: Arc<Core>,
    range: RangeInclusive<u64>,
    kinds: Vec<Kind>,
    /// What was held when the part began; it is not written again.
    held: Coverage,
    next: u64,
    bytes: u64,
    lanes: Lanes,
    hashes: IndexKeys,
    locations: IndexKeys,
    /// Heights that this part will have written, for kinds that not every block brings.
    senders: Ranges,
    extra: Settled,
    scratch: PathBuf,
    reservation: Option<u64>,
}

// === impl PartWriter ===

impl PartWriter {
    pub(super) fn begin(
        core: Arc<Core>,
        range: RangeInclusive<u64>,
        kinds: &[Kind],
    ) -> Result<Self, StoreError> {
        core.health.check()?;
        if range.is_empty() || range.start() / SECTION != range.end() / SECTION {
            return StoreError::refused(format!(
                "a part lies in one section of {SECTION}; {range:?} does not"
            ));
        }
        if *range.end() > keys::NUMBER_MAX {
            return StoreError::refused(format!("heights end at {}", keys::NUMBER_MAX));
        }
        let mut kinds = kinds.to_vec();
        if kinds.contains(&Kind::Body) && !kinds.contains(&Kind::Senders) {
            kinds.push(Kind::Senders);
        }
        let blocks = kinds.contains(&Kind::Body) || kinds.contains(&Kind::Receipts);
        if blocks && core.keeps_extra() && !kinds.contains(&Kind::Extra) {
            kinds.push(Kind::Extra);
        }
        let serial = core.next_serial();
        let Some(reservation) = core.reserve(&range, &kinds) else {
            return StoreError::refused(format!("some of {range:?} is being written already"));
        };
        let scratch = core.options.path.join(SCRATCH).join(serial.to_string());
        let lanes = Lanes::new(core.shared.clone(), scratch.clone());
        let part = Self {
            held: core.moment().coverage.clone(),
            next: *range.start(),
            bytes: 0,
            lanes,
            hashes: IndexKeys::default(),
            locations: IndexKeys::default(),
            senders: Ranges::default(),
            extra: Settled::from(*range.start()),
            scratch,
            reservation: Some(reservation),
            core,
            range,
            kinds,
        };
        fs::create_dir_all(&part.scratch)?;
        Ok(part)
    }

    /// Appends the next height. What is held already is not written again, but must agree.
    pub fn append(&mut self, block: &Verified) -> Result<(), StoreError> {
        let Verified { block: Block { id, header, body, receipts, extra }, transaction_hashes, senders } =
            block;
        self.expect(id)?;
        let number = id.number;
        let receipts = match (self.writes(Kind::Receipts, number), receipts) {
            (true, None) => return StoreError::refused(format!("block {number} comes without receipts")),
            (writes, receipts) => receipts.as_ref().filter(|_| writes),
        };
        let index = self.writes(Kind::Index, number);
        if index || senders.is_some() {
            let count = Body::parse(body).map(|body| body.transaction_count());
            let fits = |len| count == Ok(len);
            if index && !fits(transaction_hashes.len())
                || senders.as_ref().is_some_and(|list| !fits(list.len()))
            {
                return StoreError::refused(format!("block {number} has another number of transactions"));
            }
        }
        self.push_header(id, header)?;
        if self.writes(Kind::Body, number) {
            self.push(Family::Bodies, number, body.clone())?;
        }
        if let Some(receipts) = receipts {
            self.push(Family::Receipts, number, receipts.clone())?;
        }
        if index {
            self.locations.push_all(number, transaction_hashes)?;
        }
        if let Some(senders) = senders.as_ref().filter(|_| self.writes(Kind::Senders, number)) {
            self.push_senders(number, senders)?;
        }
        if self.kinds.contains(&Kind::Extra) {
            self.push_extra(id, body, extra.as_ref())?;
        }
        self.advance();
        Ok(())
    }

    /// Appends the next height's header alone (for parts of kind header only).
    pub fn append_header(&mut self, id: BlockId, header: &[u8]) -> Result<(), StoreError> {
        self.expect(&id)?;
        if self.kinds.iter().any(|kind| *kind != Kind::Header) {
            return StoreError::refused("this part was begun for more than headers");
        }
        self.push_header(&id, &Bytes::copy_from_slice(header))?;
        self.advance();
        Ok(())
    }

    /// Appends the next height's senders (for parts of kind senders only).
    pub(super) fn append_senders(&mut self, number: u64, senders: &[Address]) -> Result<(), StoreError> {
        self.push_senders(number, senders)?;
        self.advance();
        Ok(())
    }

    /// Appends what lies outside the next height's roots, if it is known (for parts of kind extra only).
    pub(super) fn append_extra(&mut self, number: u64, extra: Option<&Bytes>) -> Result<(), StoreError> {
        let extra = extra.filter(|_| self.core.may_have_extra(number));
        let hash = extra.map(|_| self.core.history_hash(number)).transpose()?.flatten();
        match hash {
            Some(hash) => {
                let body = self.core.value(Family::Bodies, number)?.unwrap_or_default();
                self.push_extra(&BlockId { number, hash }, &body, extra)?;
            }
            None => self.push_extra(&BlockId { number, hash: B256::ZERO }, &[], None)?,
        }
        self.advance();
        Ok(())
    }

    /// Appends the next height's index entries alone: of its hash, and of its transactions if this part is
    /// begun for the index.
    pub(super) fn append_entries(
        &mut self,
        number: u64,
        hash: Option<&B256>,
        transactions: &[B256],
    ) -> Result<(), StoreError> {
        if let Some(hash) = hash {
            self.hashes.push(number, 0, hash)?;
        }
        if self.writes(Kind::Index, number) {
            self.locations.push_all(number, transactions)?;
        }
        self.advance();
        Ok(())
    }

    /// Bytes appended so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes what was appended durable, then visible. It may be shorter than what was begun: the part closes early.
    pub fn finish(self, trust: &Trust) -> Result<(), StoreError> {
        let range = self.range.clone();
        self.finish_each(&[(range, trust.clone())])
    }

    /// Finishes a part whose blocks were not all verified in one way. What the records do not name gets none.
    pub(super) fn finish_each(mut self, trust: &[(RangeInclusive<u64>, Trust)]) -> Result<(), StoreError> {
        let Some(last) = self.next.checked_sub(1).filter(|last| last >= self.range.start()) else {
            return Ok(());
        };
        self.core.health.check()?;
        let written = *self.range.start()..=last;
        let files = self.build()?;
        let intent = Intent { from: *written.start(), to: last, kinds: self.kinds.clone() };
        let mut batch = WriteBatch::default();
        let core = Arc::clone(&self.core);
        let meta = core.family(Family::Meta)?;
        intent.put(&mut batch, meta).map_err(|error| StoreError::database(error.to_string()))?;
        core.write_synced(Step::Intent, batch)?;
        take_in(&core, files)?;
        self.cover(&written, trust, &intent)
    }

    /// Claims what is durable now, and shows it.
    fn cover(
        &self,
        written: &RangeInclusive<u64>,
        trust: &[(RangeInclusive<u64>, Trust)],
        intent: &Intent,
    ) -> Result<(), StoreError> {
        let core = &self.core;
        let meta = core.family(Family::Meta)?;
        let mut ledger = core.ledger();
        let mut coverage = core.moment().coverage.clone();
        let mut batch = WriteBatch::default();
        for kind in &self.kinds {
            let ranges = coverage.of_mut(*kind);
            match kind {
                Kind::Senders => *ranges = ranges.union(&self.senders),
                Kind::Extra => *ranges = ranges.union(&self.extra.heights(*written.end())),
                _ => ranges.insert(written.clone()),
            }
            meta::put_coverage(&mut batch, meta, *kind, ranges);
        }
        for (range, trust) in trust {
            let range = *range.start().max(written.start())..=*range.end().min(written.end());
            if !range.is_empty() {
                let change = ledger.trust.insert(&range, trust);
                meta::put_trust(&mut batch, meta, &change).map_err(|error| core.failed(error.to_string()))?;
            }
        }
        intent.delete(&mut batch, meta);
        core.write_synced(Step::Coverage, batch)?;
        core.step(Step::Publish)?;
        core.publish(&mut ledger, |moment| {
            moment.coverage = coverage;
            for (range, trust) in trust {
                let range = *range.start().max(written.start())..=*range.end().min(written.end());
                moment.doubts.note(&range, trust.level);
            }
        });
        Ok(())
    }

    /// Completes the SST files of all families, in the order in which they are taken in.
    fn build(&mut self) -> Result<Vec<(Family, Vec<PathBuf>)>, StoreError> {
        let (core, scratch) = (Arc::clone(&self.core), self.scratch.clone());
        let (hashes, locations) = (std::mem::take(&mut self.hashes), std::mem::take(&mut self.locations));
        let indexes = thread::scope(|scope| {
            let write = |family, keys: IndexKeys| {
                let (shared, scratch) = (&core.shared, &scratch);
                scope.spawn(move || keys.write(family, shared, scratch))
            };
            let threads = [(Family::HashNumber, hashes), (Family::TxLocation, locations)];
            let threads = threads.map(|(family, keys)| (family, write(family, keys)));
            threads.map(|(family, thread)| (family, thread.join()))
        });
        let mut files = self.lanes.finish().map_err(|error| core.failed(error))?;
        for (family, written) in indexes {
            let written = written.map_err(|_| core.failed("an index could not be written"))?;
            if let Some(file) = written.map_err(|error| core.failed(error))? {
                files.push((family, vec![file]));
            }
        }
        for (family, _) in &files {
            core.step(Step::Built(*family))?;
        }
        Ok(files)
    }

    fn push_header(&mut self, id: &BlockId, header: &Bytes) -> Result<(), StoreError> {
        if self.writes(Kind::Header, id.number) {
            self.hashes.push(id.number, 0, &id.hash)?;
            return self.push(Family::Headers, id.number, header.clone());
        }
        // A body belongs to a header. If that one is held already, it must be the same one.
        if self.held.of(Kind::Header).contains(id.number)
            && self.core.history_hash(id.number)?.is_some_and(|held| held != id.hash)
        {
            return StoreError::refused(format!("another block {} is held", id.number));
        }
        Ok(())
    }

    fn push_senders(&mut self, number: u64, senders: &[Address]) -> Result<(), StoreError> {
        self.senders.insert(number..=number);
        if senders.is_empty() {
            return Ok(());
        }
        let bytes: Vec<u8> = senders.iter().flat_map(|sender| sender.0.0).collect();
        let run = self.senders.run(number).map(|run| *run.start());
        self.push_row(Family::Senders, Row { number, run, value: bytes.into() })
    }

    fn push(&mut self, family: Family, number: u64, value: Bytes) -> Result<(), StoreError> {
        self.push_row(family, Row { number, run: None, value })
    }

    fn push_row(&mut self, family: Family, row: Row) -> Result<(), StoreError> {
        self.bytes = self.bytes.saturating_add(row.value.len() as u64);
        self.lanes.push(family, row).map_err(|error| self.core.failed(error))
    }

    fn expect(&self, id: &BlockId) -> Result<(), StoreError> {
        match id.number == self.next && self.range.contains(&id.number) {
            true => Ok(()),
            false => StoreError::refused(format!(
                "block {} where {} of {:?} is next",
                id.number, self.next, self.range
            )),
        }
    }

    fn advance(&mut self) {
        self.next = self.next.saturating_add(1);
    }

    fn writes(&self, kind: Kind, number: u64) -> bool {
        self.kinds.contains(&kind) && !self.held.of(kind).contains(number)
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        self.lanes.abandon();
        if let Err(error) = fs::remove_dir_all(&self.scratch) {
            tracing::warn!(%error, path = %self.scratch.display(), "Scratch files stay until the next start");
        }
        if let Some(reservation) = self.reservation.take() {
            self.core.ledger().reservations.release(reservation);
        }
    }
}

/// Takes the files into the database, the families beside each other: each waits for syncs of its own.
fn take_in(core: &Core, files: Vec<(Family, Vec<PathBuf>)>) -> Result<(), StoreError> {
    thread::scope(|scope| {
        let (mut running, mut outcome) = (Vec::new(), Ok(()));
        for (family, files) in files {
            outcome = core.step(Step::Ingest(family));
            if outcome.is_err() {
                break;
            }
            running.push(scope.spawn(move || ingest(core, family, files)));
        }
        let died = |_| Err(core.failed("a thread that takes files in died"));
        let taken = running.into_iter().map(|thread| thread.join().unwrap_or_else(died));
        taken.fold(outcome, Result::and)
    })
}

fn ingest(core: &Core, family: Family, files: Vec<PathBuf>) -> Result<(), StoreError> {
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(true);
    let taken = core.db.ingest_external_file_cf_opts(core.family(family)?, &options, files);
    taken.map_err(|error| core.failed(error))
}

/// Removes the files of parts that a crash left unfinished.
pub(super) fn clear_scratch(store: &Path) -> io::Result<()> {
    match fs::remove_dir_all(store.join(SCRATCH)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(store.join(SCRATCH)),
    }
}
