//! What stands beside the blocks of a part.
//!
//! Only the first block of a sprint can have a state sync beside it, so a height counts as settled when that of its
//! sprint is known. Where it is not, the whole sprint counts as missing: coverage would else be cut into pieces of a
//! few heights each, all over history.

use bytes::Bytes;
use hypasis_chain::bor::state_sync::{NONE, check, derived_hash};
use hypasis_chain::{BlockId, Body};

use super::PartWriter;
use super::lane::Row;
use crate::coverage::{Kind, Ranges};
use crate::store::error::StoreError;
use crate::store::families::Family;

/// Heights of a part that miss nothing.
#[derive(Debug)]
pub(super) struct Settled {
    from: u64,
    heights: Ranges,
    /// Whether the last height at which something may stand is known; `None` before the first one.
    known: Option<bool>,
}

// === impl Settled ===

impl Settled {
    /// For a part that begins there.
    pub(super) fn from(from: u64) -> Self {
        Self { from, heights: Ranges::default(), known: None }
    }

    /// The heights, if the part ends with `last`.
    pub(super) fn heights(&self, last: u64) -> Ranges {
        let mut heights = self.heights.clone();
        if self.known.is_none() {
            heights.insert(self.from..=last);
        }
        heights
    }

    /// The next height, at which nothing can stand.
    fn pass(&mut self, number: u64) {
        if self.known == Some(true) {
            self.heights.insert(number..=number);
        }
    }

    /// The next height, at which something may stand.
    fn note(&mut self, number: u64, known: bool) {
        if known {
            // What is in front of the first one misses nothing that this part could bring.
            let from = if self.known.is_none() { self.from } else { number };
            self.heights.insert(from..=number);
        }
        self.known = Some(known);
    }

    /// The next height, which is held already.
    fn pass_held(&mut self) {
        self.known = Some(true);
    }

    /// First of the heights without a hole that end with `number`.
    fn run(&self, number: u64) -> Option<u64> {
        self.heights.run(number).map(|run| *run.start())
    }
}

// === impl PartWriter ===

impl PartWriter {
    /// Takes what stands beside the next block, if it is known, and indexes its transaction.
    pub(super) fn push_extra(
        &mut self,
        id: &BlockId,
        body: &[u8],
        extra: Option<&Bytes>,
    ) -> Result<(), StoreError> {
        let number = id.number;
        if self.held.of(Kind::Extra).contains(number) {
            self.extra.pass_held();
            return Ok(());
        }
        if !self.core.may_have_extra(number) {
            self.extra.pass(number);
            return Ok(());
        }
        self.extra.note(number, extra.is_some());
        let Some(extra) = extra else { return Ok(()) };
        if let Err(fault) = check(extra) {
            return StoreError::refused(format!("block {number}: {fault}"));
        }
        if extra.as_ref() != NONE {
            let count = Body::parse(body).map(|body| body.transaction_count());
            let Some(position) = count.ok().and_then(|count| u32::try_from(count).ok()) else {
                return StoreError::refused(format!("block {number} has no such body"));
            };
            self.locations.push(number, position, &derived_hash(number, id.hash))?;
        }
        let run = self.extra.run(number);
        self.push_row(Family::Extra, Row { number, run, value: extra.clone() })
    }
}
