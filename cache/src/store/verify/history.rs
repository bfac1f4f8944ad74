//! Heights of history, one after the other.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::bor::state_sync;
use hypasis_chain::{Body, Header, Level, Receipts, roots, verify};

use super::Report;
use super::index::Prints;
use crate::coverage::{Coverage, Kind};
use crate::store::core::Core;
use crate::store::error::StoreError;
use crate::store::families::Family;
use crate::store::section_start;

/// What a walk over history has found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Heights that were read.
    pub(super) checked: u64,
    /// First heights of sections in which a block is bad.
    pub(super) bad: BTreeSet<u64>,
    hashes: Prints,
    locations: Prints,
}

/// Reads every height of `range` that is held, and tells of the bad ones.
pub(super) fn walk(
    core: &Core,
    coverage: &Coverage,
    range: &RangeInclusive<u64>,
    report: Report<'_>,
) -> Walked {
    let mut walked = Walked::default();
    for held in coverage.of(Kind::Header).iter() {
        let (from, to) = (*held.start().max(range.start()), *held.end().min(range.end()));
        let mut walk = Walk { core, coverage, walked: &mut walked, parent: None, run: None };
        for number in from..=to {
            if let Err(what) = walk.check(number, level_at(core, number)) {
                walk.walked.bad.insert(section_start(number));
                walk.bad(number, what, report);
            }
            walk.walked.checked = walk.walked.checked.saturating_add(1);
        }
        walk.close(report);
    }
    walked
}

/// One run of heights, each checked against the one before.
struct Walk<'c> {
    core: &'c Core,
    coverage: &'c Coverage,
    walked: &'c mut Walked,
    parent: Option<B256>,
    /// Bad heights that were not told yet.
    run: Option<(u64, u64, String)>,
}

// === impl Walked ===

impl Walked {
    /// What each index must hold of the sections that are not bad.
    pub(super) fn prints(&self) -> [(Family, &Prints); 2] {
        [(Family::HashNumber, &self.hashes), (Family::TxLocation, &self.locations)]
    }
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
        if parent.is_some_and(|parent| parent != header.parent_hash()) {
            return Err("it does not follow the block below".to_owned());
        }
        self.parent = Some(hash);
        self.walked.hashes.add(number, 0, &hash);
        self.check_body(number, &header, level)?;
        self.check_extra(number, &hash)?;
        if self.coverage.of(Kind::Receipts).contains(number) {
            let raw = self.row(Family::Receipts, number)?;
            let receipts = Receipts::parse(&raw).map_err(|error| error.to_string())?;
            if level >= Level::Full {
                verify::check_receipts(&header, &receipts).map_err(|fault| fault.to_string())?;
            }
        }
        Ok(())
    }

    fn check_body(&mut self, number: u64, header: &Header<'_>, level: Level) -> Result<(), String> {
        if !self.coverage.of(Kind::Body).contains(number) {
            return Ok(());
        }
        let raw = self.row(Family::Bodies, number)?;
        let body = Body::parse(&raw).map_err(|error| error.to_string())?;
        if level >= Level::Light {
            verify::check_body(header, &body).map_err(|fault| fault.to_string())?;
        }
        if self.coverage.of(Kind::Index).contains(number) {
            let hashes = roots::transaction_hashes(&body).map_err(|error| error.to_string())?;
            for (position, hash) in (0..).zip(&hashes) {
                self.walked.locations.add(number, position, hash);
            }
        }
        if self.coverage.of(Kind::Senders).contains(number) {
            let bytes = body.transaction_count() * 20;
            // A block without transactions has no row.
            if bytes > 0 && self.row(Family::Senders, number)?.len() != bytes {
                return Err("senders are missing".to_owned());
            }
        }
        Ok(())
    }

    /// What stands beside the block has no root; its form is all that can be checked.
    fn check_extra(&mut self, number: u64, hash: &B256) -> Result<(), String> {
        if !self.core.may_have_extra(number) || !self.coverage.of(Kind::Extra).contains(number) {
            return Ok(());
        }
        let extra = self.row(Family::Extra, number)?;
        state_sync::check(&extra).map_err(|fault| fault.to_string())?;
        let indexed = [Kind::Body, Kind::Index].iter().all(|kind| self.coverage.of(*kind).contains(number));
        if indexed && extra.as_ref() != state_sync::NONE {
            let body = self.row(Family::Bodies, number)?;
            let count = Body::parse(&body).map_err(|error| error.to_string())?.transaction_count();
            let position = u32::try_from(count).unwrap_or(u32::MAX);
            self.walked.locations.add(number, position, &state_sync::derived_hash(number, *hash));
        }
        Ok(())
    }

    fn row(&self, family: Family, number: u64) -> Result<Bytes, String> {
        match self.core.value(family, number) {
            Ok(Some(row)) => Ok(row),
            Ok(None) => Err(format!("its row in {} is gone", family.name())),
            // The height is told by the range, so that neighbours in one damaged block of a file are one
            // finding.
            Err(StoreError::Damaged { what, .. }) => {
                Err(format!("its row in {} is damaged ({what})", family.name()))
            }
            Err(error) => Err(error.to_string()),
        }
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

fn level_at(core: &Core, number: u64) -> Level {
    let records = core.ledger().trust.within(&(number..=number));
    records.first().map_or(Level::None, |(_, trust)| trust.level)
}
