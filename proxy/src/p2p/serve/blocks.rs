//! `GetBlockBodies` and `GetReceipts`: by hash, a prefix of what was asked.
//!
//! Peers ask for blocks in a row. So one look into the index finds the first, its neighbours are recognised by what
//! lies above it, and the rows are read by one walk.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_cache::store::Verified;
use hypasis_cache::{BlockRef, Kind, StoreError, View};
use hypasis_chain::bor::state_sync::{NONE, may_stand_beside};
use hypasis_chain::spec::Family;
use hypasis_chain::{BlockId, ChainSpec, Level};
use hypasis_wire::eth::{MAX_BODIES, RawAnswer, SOFT_RESPONSE_LIMIT};

use super::headers::read;
use super::item::{Put, proven, put, with_last};
use super::{Asker, BOR_RECEIPTS_LIMIT, Draft, HARD_LIMIT, Library};
use crate::p2p::forward::Missing;

/// Hashes that are looked up before any of them is read: what Geth asks for at once.
const LOOKED_UP: usize = 128;
/// Missing blocks that are asked of others for one answer.
const FORWARDED_MAX: usize = 128;
/// Bytes of a message at first.
const CAPACITY: usize = 256 << 10;

/// What is asked of each block, in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Bodies,
    /// With blooms.
    Receipts68,
    /// As stored.
    Receipts69,
    /// As stored, in pages: of the first block only from that receipt on.
    Receipts70 {
        first: u64,
    },
}

/// Blocks that came from elsewhere for this answer, and the level to which they were verified.
#[derive(Debug, Default)]
struct Fetched {
    blocks: HashMap<B256, Verified>,
    level: Option<Level>,
}

/// A place in the store.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Canonical: can be read in a row with its neighbours.
    Row(BlockId),
    /// On a side branch of the tip window.
    Side(BlockRef),
    Nowhere,
}

/// One request under way.
#[derive(Debug)]
struct Reading {
    spec: Arc<ChainSpec>,
    hashes: Vec<B256>,
    form: Form,
    /// Most bytes of the message.
    limit: usize,
    answer: RawAnswer,
    /// How many hashes are answered.
    done: usize,
    /// How many of those from what was fetched.
    forwarded: usize,
    /// Places of the hashes from an index on.
    places: Vec<Place>,
    places_from: usize,
}

// === impl Form ===

impl Form {
    /// Most bytes of a message in this form; Bor lets receipts fill a frame.
    fn limit(self, spec: &ChainSpec) -> usize {
        let is_large = self != Self::Bodies && spec.family == Family::Bor;
        if is_large { BOR_RECEIPTS_LIMIT } else { HARD_LIMIT }
    }

    fn kind(self) -> Kind {
        if self == Self::Bodies { Kind::Body } else { Kind::Receipts }
    }
}

// === impl Library ===

impl Library {
    pub(super) async fn blocks(
        &self,
        request_id: u64,
        hashes: Vec<B256>,
        form: Form,
        asker: Asker<'_>,
    ) -> Draft {
        let answer = RawAnswer::with_capacity(request_id, if hashes.is_empty() { 0 } else { CAPACITY });
        let spec = self.shelf.forward.spec().clone();
        let reading = Reading {
            limit: form.limit(&spec),
            spec,
            hashes,
            form,
            answer,
            done: 0,
            forwarded: 0,
            places: Vec::new(),
            places_from: 0,
        };
        let (mut reading, missing) = self
            .read(move |_, view| {
                let mut reading = reading;
                let whole = reading.go_on(view, &Fetched::default());
                let missing = if whole { Vec::new() } else { reading.missing(view) };
                (reading, missing)
            })
            .await;
        if !missing.is_empty() {
            let blocks = self.shelf.forward.blocks(missing, form != Form::Bodies, asker).await;
            if !blocks.is_empty() {
                let fetched = Fetched { blocks, level: Some(self.shelf.forward.level()) };
                reading = self
                    .read(move |_, view| {
                        reading.places.clear();
                        reading.go_on(view, &fetched);
                        reading
                    })
                    .await;
            }
        }
        Draft { answer: reading.answer, forwarded: reading.forwarded }
    }
}

// === impl Reading ===

impl Reading {
    /// Reads until the answer is whole (true) or something is missing (false).
    fn go_on(&mut self, view: &View, fetched: &Fetched) -> bool {
        loop {
            let Some(hash) = self.hashes.get(self.done).copied().filter(|_| !self.full()) else {
                return true;
            };
            let before = self.done;
            let more = match fetched.blocks.get(&hash) {
                Some(block) => self.put_fetched(block, fetched.level),
                None => match self.place(view, before) {
                    Place::Row(id) => self.put_row(view, id),
                    Place::Side(block) => self.put_side(view, &block),
                    Place::Nowhere => return false,
                },
            };
            match more {
                Put::Last => return true,
                Put::Unfit => return false,
                Put::Done => {}
            }
        }
    }

    fn full(&self) -> bool {
        self.answer.len() >= SOFT_RESPONSE_LIMIT || self.done >= MAX_BODIES
    }

    /// Canonical neighbours, as many as follow each other both in the store and in the request.
    fn put_row(&mut self, view: &View, first: BlockId) -> Put {
        let mut length = 1_u64;
        while let Some(Place::Row(next)) = self.known(self.done.saturating_add(length as usize))
            && first.number.checked_add(length) == Some(next.number)
        {
            length += 1;
        }
        let (kind, mut end) = (self.form.kind(), Put::Done);
        let range = first.number..=first.number.saturating_add(length - 1);
        let visited = view.scan(kind, range, &mut |number, bytes| {
            let hash = self.hashes.get(self.done).copied().unwrap_or_default();
            end = self.put_one(view, BlockId { number, hash }, bytes);
            match end {
                Put::Done if !self.full() => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        });
        match visited {
            Ok(0) => Put::Unfit,
            Ok(_) => end,
            Err(error) => {
                read::<()>(Err(error));
                Put::Unfit
            }
        }
    }

    fn put_side(&mut self, view: &View, block: &BlockRef) -> Put {
        let bytes: Result<_, StoreError> =
            if self.form == Form::Bodies { view.body(block) } else { view.receipts(block) };
        match read(bytes) {
            Some(bytes) => self.put_one(view, block.id, &bytes),
            None => Put::Unfit,
        }
    }

    /// Puts a stored block's bytes, if they were verified well enough.
    fn put_one(&mut self, view: &View, id: BlockId, bytes: &[u8]) -> Put {
        let level = view.level(&id);
        let header = || read(view.by_hash(&id.hash)).and_then(|block| read(view.header(&block)));
        let fit = level >= Level::Light && (self.form == Form::Bodies || proven(level, header, bytes));
        let extra = || read(view.by_hash(&id.hash)).and_then(|block| read(view.extra(&block)));
        match self.beside(id.number, extra) {
            Ok(beside) if fit => self.count(bytes, beside),
            _ => Put::Unfit,
        }
    }

    /// The receipt of the state sync beside the block at `number`, if one belongs into the answer; `Err` where that is
    /// not known.
    fn beside(&self, number: u64, extra: impl FnOnce() -> Option<Bytes>) -> Result<Option<Bytes>, ()> {
        // Bor shows them from eth/69 on.
        if self.form != Form::Receipts69 || !may_stand_beside(&self.spec, number) {
            return Ok(None);
        }
        let extra = extra().ok_or(())?;
        Ok(Some(extra).filter(|extra| extra != NONE))
    }

    fn put_fetched(&mut self, block: &Verified, level: Option<Level>) -> Put {
        let block = &block.block;
        let level = level.unwrap_or(Level::Light);
        let beside = self.beside(block.id.number, || block.extra.clone());
        let put = match (&block.receipts, beside) {
            _ if self.form == Form::Bodies => self.count(&block.body, None),
            (Some(receipts), Ok(beside)) if proven(level, || Some(block.header.clone()), receipts) => {
                self.count(receipts, beside)
            }
            _ => Put::Unfit,
        };
        self.forwarded += usize::from(put == Put::Done);
        put
    }

    fn count(&mut self, bytes: &[u8], beside: Option<Bytes>) -> Put {
        let put = match beside.map(|beside| with_last(bytes, &beside)) {
            Some(Some(list)) => put(&mut self.answer, self.form, &list, self.limit),
            Some(None) => Put::Unfit,
            None => put(&mut self.answer, self.form, bytes, self.limit),
        };
        self.done += usize::from(put == Put::Done);
        put
    }

    /// Where the hash at `index` lies; looks up some more when it is the first of them.
    fn place(&mut self, view: &View, index: usize) -> Place {
        if self.known(index).is_none() {
            self.look_up(view, index);
        }
        self.known(index).unwrap_or(Place::Nowhere)
    }

    fn known(&self, index: usize) -> Option<Place> {
        self.places.get(index.checked_sub(self.places_from)?).copied()
    }

    fn look_up(&mut self, view: &View, from: usize) {
        self.places.clear();
        self.places_from = from;
        let hashes = self.hashes.get(from..).unwrap_or_default();
        let hashes = hashes.get(..hashes.len().min(LOOKED_UP)).unwrap_or_default();
        while let Some(hash) = hashes.get(self.places.len()) {
            match read(view.by_hash(hash)) {
                Some(block) if block.canonical => {
                    self.places.push(Place::Row(block.id));
                    let rest = hashes.get(self.places.len()..).unwrap_or_default();
                    neighbours(view, block.id.number, rest, &mut self.places);
                }
                Some(block) => self.places.push(Place::Side(block)),
                None => self.places.push(Place::Nowhere),
            }
        }
    }

    /// What must be had from elsewhere to go on: the next block, and those behind it that are not held either.
    fn missing(&mut self, view: &View) -> Vec<Missing> {
        let mut missing = Vec::new();
        for index in self.done..self.hashes.len().min(MAX_BODIES) {
            let Some(hash) = self.hashes.get(index).copied() else { break };
            let id = match self.place(view, index) {
                Place::Row(id) => Some(id),
                Place::Side(block) => Some(block.id),
                Place::Nowhere => None,
            };
            let held = id.is_some_and(|id| {
                view.covers(self.form.kind(), id.number) && view.level(&id) >= Level::Light
            });
            if index == self.done || !held {
                missing.push(Missing { hash, id });
            }
            if missing.len() >= FORWARDED_MAX {
                break;
            }
        }
        missing
    }
}

/// Recognises `hashes` as the canonical blocks above `number`, as many as are.
fn neighbours(view: &View, number: u64, hashes: &[B256], places: &mut Vec<Place>) {
    let Some(from) = number.checked_add(1).filter(|_| !hashes.is_empty()) else { return };
    let mut expected = hashes.iter();
    let range = from..=number.saturating_add(hashes.len() as u64);
    let walked = view.scan_ids(range, &mut |id| {
        if expected.next() != Some(&id.hash) {
            return ControlFlow::Break(());
        }
        places.push(Place::Row(id));
        ControlFlow::Continue(())
    });
    // What could not be read is looked up by its hash, where the damage shows again.
    read(walked.map(Some));
}
