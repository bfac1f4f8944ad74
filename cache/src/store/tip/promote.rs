//! Canonical blocks move into history, and their rivals go.
//!
//! Crash-safe by order: parts are written by the protocol of all history, and only when every canonical block
//! up to the height is covered there does one batch drop the window's copies. Between the two both hold the
//! same blocks, which is harmless; a repeated promotion writes nothing that is covered. Views from before the
//! drop find the blocks in history.

use std::ops::RangeInclusive;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use bytes::Bytes;
use hypasis_chain::Block;
use hypasis_chain::bor::state_sync;
use rocksdb::WriteBatch;

use super::{TipBlock, Window};
use crate::coverage::{Kind, Ranges};
use crate::store::SECTION;
use crate::store::block::{Trust, Verified};
use crate::store::core::Core;
use crate::store::error::StoreError;
use crate::store::families::Family;
use crate::store::keys::{self, TipPart};
use crate::store::part::PartWriter;
use crate::store::trace::Step;

/// Moves canonical blocks up to `number` into history and drops side forks at or below it.
pub(crate) fn promote(core: &Arc<Core>, number: u64) -> Result<(), StoreError> {
    core.health.check()?;
    {
        let mut ledger = core.ledger();
        if ledger.promoting.is_some() {
            return StoreError::refused("blocks are being moved into history already");
        }
        ledger.promoting = Some(number);
    }
    let promoted = write_parts(core, number).and_then(|()| drop_up_to(core, number));
    core.ledger().promoting = None;
    promoted
}

fn write_parts(core: &Arc<Core>, number: u64) -> Result<(), StoreError> {
    let moment = core.moment();
    let blocks: Vec<&Arc<TipBlock>> =
        moment.window.canonical().take_while(|block| block.id.number <= number).collect();
    // Parts close at section borders, and where the kinds change.
    let runs = blocks.chunk_by(|one, next| {
        let (a, b) = (one.id.number, next.id.number);
        a.checked_add(1) == Some(b) && a / SECTION == b / SECTION && one.receipts == next.receipts
    });
    for run in runs {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let mut kinds = vec![Kind::Header, Kind::Body, Kind::Index];
        kinds.extend(first.receipts.then_some(Kind::Receipts));
        let range = first.id.number..=last.id.number;
        agrees(core, run, moment.coverage.of(Kind::Header))?;
        let beside = |block: &&Arc<TipBlock>| {
            let settled = !core.keeps_extra() || !block.extra;
            settled || moment.coverage.of(Kind::Extra).contains(block.id.number)
        };
        if kinds.iter().all(|kind| moment.coverage.of(*kind).contains_all(&range)) && run.iter().all(beside) {
            continue;
        }
        let mut part = PartWriter::begin(Arc::clone(core), range, &kinds)?;
        for block in run {
            part.append(&read(core, block)?)?;
        }
        part.finish_each(&trust_of(run))?;
    }
    Ok(())
}

/// History that is there already must hold these very blocks: what contradicts it does not become canonical by being
/// dropped in its favour.
fn agrees(core: &Core, run: &[&Arc<TipBlock>], held: &Ranges) -> Result<(), StoreError> {
    for block in run.iter().filter(|block| held.contains(block.id.number)) {
        let number = block.id.number;
        if core.history_hash(number)? != Some(block.id.hash) {
            return StoreError::refused(format!("history holds another block {number} than the tip window"));
        }
    }
    Ok(())
}

/// One record for neighbours that were verified alike.
fn trust_of(run: &[&Arc<TipBlock>]) -> Vec<(RangeInclusive<u64>, Trust)> {
    let alike = run.chunk_by(|one, next| one.trust.agrees(&next.trust));
    let ends = alike.filter_map(|run| run.first().zip(run.last()));
    ends.map(|(first, last)| (first.id.number..=last.id.number, last.trust.clone())).collect()
}

fn read(core: &Core, block: &TipBlock) -> Result<Verified, StoreError> {
    let row = |part| -> Result<Bytes, StoreError> {
        let row = core.row(Family::TipBlocks, block.id.number, &keys::tip(&block.id, part))?;
        row.ok_or(StoreError::Damaged { number: block.id.number, what: "a row of the tip window is gone" })
    };
    let receipts = block.receipts.then(|| row(TipPart::Receipts)).transpose()?;
    let senders = block.senders.then(|| row(TipPart::Senders)).transpose()?;
    let hashes = row(TipPart::Hashes)?;
    let extra = block.extra && core.may_have_extra(block.id.number);
    let extra = extra.then(|| row(TipPart::Extra)).transpose()?;
    Ok(Verified {
        block: Block {
            id: block.id,
            header: row(TipPart::Header)?,
            body: row(TipPart::Body)?,
            receipts,
            extra,
        },
        transaction_hashes: hashes.as_chunks::<32>().0.iter().map(B256::from).collect(),
        senders: senders.map(|rows| rows.as_chunks::<20>().0.iter().map(Address::from).collect()),
    })
}

/// Drops the window up to `number` from disk, then from memory.
fn drop_up_to(core: &Core, number: u64) -> Result<(), StoreError> {
    let mut ledger = core.ledger();
    let moment = core.moment();
    let old: Vec<&Arc<TipBlock>> =
        moment.window.blocks().into_iter().take_while(|block| block.id.number <= number).collect();
    let Some(first) = old.first() else { return Ok(()) };
    let (rows, canonical) = (core.family(Family::TipBlocks)?, core.family(Family::TipCanonical)?);
    let transactions = core.family(Family::TipTransactions)?;
    let mut batch = WriteBatch::default();
    let from = keys::number(first.id.number);
    batch.delete_range_cf(rows, &from[..], &keys::number(number.saturating_add(1))[..]);
    for block in &old {
        if moment.window.is_canonical(&block.id) {
            batch.delete_cf(canonical, keys::number(block.id.number));
        }
        let hashes = core
            .row(Family::TipBlocks, block.id.number, &keys::tip(&block.id, TipPart::Hashes))?
            .unwrap_or_default();
        for hash in hashes.as_chunks::<32>().0 {
            batch.delete_cf(transactions, keys::tip_transaction(&B256::from(hash), &block.id));
        }
        if core.may_have_extra(block.id.number) {
            let hash = state_sync::derived_hash(block.id.number, block.id.hash);
            batch.delete_cf(transactions, keys::tip_transaction(&hash, &block.id));
        }
    }
    core.write_synced(Step::TipDrop, batch)?;
    core.step(Step::Publish)?;
    core.publish(&mut ledger, |moment| {
        let mut window = Window::clone(&moment.window);
        window.drop_up_to(number);
        moment.window = Arc::new(window);
    });
    Ok(())
}
