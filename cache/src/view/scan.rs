//! Rows in a row: the blocks of a height range by one walk of the database.

use std::ops::{ControlFlow, RangeInclusive};

use alloy_primitives::{B256, keccak256};
use hypasis_chain::{BlockId, Header, Level};
use rocksdb::ReadOptions;

use super::View;
use super::read::places;
use crate::coverage::Kind;
use crate::store::StoreError;
use crate::store::keys;

// === impl View ===

impl View {
    /// Hands the bytes of `kind` of the canonical blocks in `range` to `visit`, ascending, up to the first height
    /// that is not held or until `visit` breaks. Returns how many it was given.
    ///
    /// A block of history costs a fraction of a point read here. What is read this way passes by the hot layer, so
    /// that a peer that reads the whole chain does not push out what others ask for again and again.
    pub fn scan(
        &self,
        kind: Kind,
        range: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<u64, StoreError> {
        let (mut at, end) = range.into_inner();
        let mut visited = 0_u64;
        while at <= end {
            let walk = match self.moment.coverage.of(kind).run(at) {
                Some(run) => self.walk(kind, at..=end.min(*run.end()), visit)?,
                None => self.visit_tip(kind, at, visit)?,
            };
            visited = visited.saturating_add(walk.visited);
            match at.checked_add(walk.visited) {
                Some(next) if walk.on => at = next,
                _ => break,
            }
        }
        Ok(visited)
    }

    /// Hands the ids of the canonical blocks in `range` to `visit`, ascending, up to the first height whose header is
    /// not held or until `visit` breaks.
    pub fn scan_ids(
        &self,
        range: RangeInclusive<u64>,
        visit: &mut dyn FnMut(BlockId) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (mut at, end) = range.into_inner();
        while at <= end {
            let walk = match self.moment.window.canonical_at(at) {
                Some(block) => Walk { visited: 1, on: visit(block.id).is_continue() },
                None => self.walk_ids(at..=end, visit)?,
            };
            match at.checked_add(walk.visited) {
                Some(next) if walk.on => at = next,
                _ => break,
            }
        }
        Ok(())
    }

    /// Walks the headers of history. Each says the hash of the one below it, which is not hashed then: to hash all of
    /// them would cost more than to send a peer their bodies.
    fn walk_ids(
        &self,
        range: RangeInclusive<u64>,
        visit: &mut dyn FnMut(BlockId) -> ControlFlow<()>,
    ) -> Result<Walk, StoreError> {
        let (first, end) = range.into_inner();
        let nothing = Walk { visited: 0, on: false };
        let Some(run) = self.moment.coverage.of(Kind::Header).run(first) else { return Ok(nothing) };
        let mut told = Told { next: first, on: true };
        let mut below = Vec::new();
        let walked = self.walk(Kind::Header, first..=end.min(*run.end()), &mut |number, header| {
            if !below.is_empty() {
                let hash = self.parent_of(number, header).unwrap_or_else(|| keccak256(&below));
                told.tell(hash, visit)?;
            }
            below.clear();
            below.extend_from_slice(header);
            ControlFlow::Continue(())
        })?;
        // Nothing above the last one was read.
        if told.on && !below.is_empty() {
            let _ = told.tell(keccak256(&below), visit);
        }
        Ok(Walk { visited: told.next.saturating_sub(first), on: told.on && walked.on })
    }

    /// The parent's hash by the header of history at `number`, if its link was verified.
    fn parent_of(&self, number: u64, header: &[u8]) -> Option<B256> {
        let linked = self.moment.doubts.level(number) >= Level::Light;
        linked.then(|| Header::parse(header).ok()).flatten().map(|header| header.parent_hash())
    }

    /// Walks history, of which all of `range` is covered in this view.
    fn walk(
        &self,
        kind: Kind,
        range: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<Walk, StoreError> {
        let mut walk = Walk { visited: 0, on: false };
        let Some((family, _)) = places(kind) else { return Ok(walk) };
        let mut options = ReadOptions::default();
        if let Some(above) = range.end().checked_add(1) {
            options.set_iterate_upper_bound(keys::number(above));
        }
        let mut rows = self.core.db.raw_iterator_cf_opt(self.core.family(family)?, options);
        rows.seek(keys::number(*range.start()));
        // The rows that this iterator sees were all there when it was made, unless a removal had been published
        // before: rows are deleted only after the epoch has moved on.
        let end = match self.moment.first_removed(&self.core.moment(), &range) {
            Some(gone) if gone == *range.start() => return Ok(walk),
            Some(gone) => gone.saturating_sub(1),
            None => *range.end(),
        };
        for number in *range.start()..=end {
            let row = rows.item().filter(|(key, _)| **key == keys::number(number));
            let (bytes, found) = match row {
                Some((_, bytes)) => (bytes, true),
                None => {
                    rows.status().map_err(|error| self.core.read_failed(number, &error))?;
                    let none = kind == Kind::Extra && !self.core.may_have_extra(number);
                    if kind != Kind::Senders && !none {
                        self.core.health.damaged(number, kind.name());
                        return Err(StoreError::Damaged { number, what: "a row is gone" });
                    }
                    (&[][..], false)
                }
            };
            walk.visited = walk.visited.saturating_add(1);
            if visit(number, bytes).is_break() {
                return Ok(walk);
            }
            if found && number < end {
                rows.next();
            }
        }
        walk.on = end == *range.end();
        Ok(walk)
    }

    fn visit_tip(
        &self,
        kind: Kind,
        number: u64,
        visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<Walk, StoreError> {
        let block = self.moment.window.canonical_at(number).filter(|block| block.holds(kind));
        let bytes = block.map(|block| self.tip_part(kind, block)).transpose()?.flatten();
        let Some(bytes) = bytes else { return Ok(Walk { visited: 0, on: false }) };
        Ok(Walk { visited: 1, on: visit(number, &bytes).is_continue() })
    }
}

/// How far a walk came.
#[derive(Clone, Copy, Debug)]
struct Walk {
    visited: u64,
    /// Whether there may be more.
    on: bool,
}

/// How far ids were told.
#[derive(Clone, Copy, Debug)]
struct Told {
    next: u64,
    on: bool,
}

// === impl Told ===

impl Told {
    fn tell(&mut self, hash: B256, visit: &mut dyn FnMut(BlockId) -> ControlFlow<()>) -> ControlFlow<()> {
        let more = visit(BlockId { number: self.next, hash });
        *self = Self { next: self.next.saturating_add(1), on: more.is_continue() };
        more
    }
}
