//! The tip window on disk: blocks by hash with their forks, and the canonical index over them.
//!
//! A block's rows never change once written; only the index does, in one synced batch. Blocks leave by promotion
//! alone: they are written into history first, and dropped from the window when they are served from there.

mod promote;
mod window;

use std::sync::Arc;

use alloy_primitives::B256;
use hypasis_chain::bor::state_sync;
use hypasis_chain::{BlockId, Header};
use rocksdb::{IteratorMode, WriteBatch};

pub(super) use self::promote::promote;
pub(crate) use self::window::{TipBlock, Window};
use super::block::{Trust, Verified};
use super::core::Core;
use super::error::StoreError;
use super::families::Family;
use super::health::Cause;
use super::keys::{self, TipPart};
use super::meta;
use super::trace::Step;
use crate::coverage::Kind;

/// Makes blocks of the window durable, on whatever fork.
pub(super) fn insert(core: &Core, blocks: &[Verified], trust: &Trust) -> Result<(), StoreError> {
    core.health.check()?;
    let mut ledger = core.ledger();
    let moment = core.moment();
    let mut window = Window::clone(&moment.window);
    let mut batch = WriteBatch::default();
    for block in blocks {
        let tip = TipBlock::of(core, block, trust)?;
        if window.get(&tip.id.hash).is_none_or(|held| tip.says_more_than(held)) {
            put_block(core, &mut batch, block, &tip)?;
            window.insert(tip);
        }
    }
    if window.len() > core.options.tip_blocks_max {
        let max = core.options.tip_blocks_max;
        return StoreError::refused(format!(
            "the tip window is full ({max} blocks); finality has to move first"
        ));
    }
    if batch.is_empty() {
        return Ok(());
    }
    core.write_synced(Step::TipBlocks, batch)?;
    core.publish(&mut ledger, |moment| moment.window = Arc::new(window));
    Ok(())
}

fn put_block(
    core: &Core,
    batch: &mut WriteBatch,
    verified: &Verified,
    tip: &TipBlock,
) -> Result<(), StoreError> {
    let (rows, transactions) = (core.family(Family::TipBlocks)?, core.family(Family::TipTransactions)?);
    let (id, block) = (&tip.id, &verified.block);
    let summary = serde_json::to_vec(tip).map_err(|error| StoreError::database(error.to_string()))?;
    batch.put_cf(rows, keys::tip(id, TipPart::Summary), summary);
    batch.put_cf(rows, keys::tip(id, TipPart::Header), &block.header);
    batch.put_cf(rows, keys::tip(id, TipPart::Body), &block.body);
    if let Some(receipts) = &block.receipts {
        batch.put_cf(rows, keys::tip(id, TipPart::Receipts), receipts);
    }
    if let Some(senders) = &verified.senders {
        let bytes: Vec<u8> = senders.iter().flat_map(|sender| sender.0.0).collect();
        batch.put_cf(rows, keys::tip(id, TipPart::Senders), bytes);
    }
    let hashes: Vec<u8> = verified.transaction_hashes.iter().flat_map(|hash| hash.0).collect();
    batch.put_cf(rows, keys::tip(id, TipPart::Hashes), hashes);
    for (position, hash) in (0_u32..).zip(&verified.transaction_hashes) {
        batch.put_cf(transactions, keys::tip_transaction(hash, id), position.to_be_bytes());
    }
    if let Some(extra) = block.extra.as_ref().filter(|_| core.may_have_extra(id.number)) {
        batch.put_cf(rows, keys::tip(id, TipPart::Extra), extra);
        if extra.as_ref() != state_sync::NONE {
            let position = u32::try_from(verified.transaction_hashes.len()).unwrap_or(u32::MAX);
            let hash = state_sync::derived_hash(id.number, id.hash);
            batch.put_cf(transactions, keys::tip_transaction(&hash, id), position.to_be_bytes());
        }
    }
    Ok(())
}

/// Makes `branch` canonical from its first height on, in one batch and one swap.
pub(super) fn set_canonical(core: &Core, branch: &[BlockId]) -> Result<(), StoreError> {
    core.health.check()?;
    let Some(first) = branch.first() else { return Ok(()) };
    let mut ledger = core.ledger();
    let moment = core.moment();
    if ledger.promoting.is_some_and(|promoting| first.number <= promoting) {
        return StoreError::refused(format!("block {} is being moved into history", first.number));
    }
    let blocks = check_branch(core, &moment.window, branch)?;
    let canonical = core.family(Family::TipCanonical)?;
    let mut batch = WriteBatch::default();
    for block in moment.window.canonical_from(first.number) {
        batch.delete_cf(canonical, keys::number(block.id.number));
    }
    for block in &blocks {
        batch.put_cf(canonical, keys::number(block.id.number), block.id.hash);
    }
    core.write_synced(Step::Canonical, batch)?;
    core.step(Step::Publish)?;
    core.publish(&mut ledger, |moment| {
        let mut window = Window::clone(&moment.window);
        window.set_canonical(first.number, blocks);
        moment.window = Arc::new(window);
    });
    Ok(())
}

/// The branch is in the window, linked, on the block below it, and contradicts no history.
fn check_branch(core: &Core, window: &Window, branch: &[BlockId]) -> Result<Vec<Arc<TipBlock>>, StoreError> {
    let mut blocks: Vec<Arc<TipBlock>> = Vec::with_capacity(branch.len());
    for id in branch {
        let Some(block) = window.get(&id.hash).filter(|block| block.id == *id) else {
            return StoreError::refused(format!("block {} {} is not in the tip window", id.number, id.hash));
        };
        let parent = match blocks.last() {
            Some(parent) => {
                Some(parent.id.hash).filter(|_| parent.id.number.checked_add(1) == Some(id.number))
            }
            None => Some(below(core, window, id.number)?.unwrap_or(block.parent)),
        };
        if parent != Some(block.parent) {
            return StoreError::refused(format!(
                "block {} {} does not follow what is below",
                id.number, id.hash
            ));
        }
        if history(core, id.number)?.is_some_and(|held| held != id.hash) {
            return StoreError::refused(format!("history holds another block {}; it is final", id.number));
        }
        blocks.push(Arc::clone(block));
    }
    Ok(blocks)
}

fn below(core: &Core, window: &Window, number: u64) -> Result<Option<B256>, StoreError> {
    let Some(below) = number.checked_sub(1) else { return Ok(None) };
    match window.canonical_at(below) {
        Some(block) => Ok(Some(block.id.hash)),
        None => history(core, below),
    }
}

fn history(core: &Core, number: u64) -> Result<Option<B256>, StoreError> {
    match core.moment().coverage.of(Kind::Header).contains(number) {
        true => core.history_hash(number),
        false => Ok(None),
    }
}

/// Records the newest finalized block; an older one is passed over.
pub(super) fn set_finalized(core: &Core, id: BlockId) -> Result<(), StoreError> {
    core.health.check()?;
    let mut ledger = core.ledger();
    if let Some(held) = core.moment().finalized {
        if held.number == id.number && held.hash != id.hash {
            return StoreError::refused(format!("block {} was finalized as {}", id.number, held.hash));
        }
        if held.number >= id.number {
            return Ok(());
        }
    }
    let mut batch = WriteBatch::default();
    let row = serde_json::to_vec(&id).map_err(|error| StoreError::database(error.to_string()))?;
    batch.put_cf(core.family(Family::Meta)?, meta::FINALIZED_KEY, row);
    core.write_synced(Step::Finalized, batch)?;
    core.publish(&mut ledger, |moment| moment.finalized = Some(id));
    Ok(())
}

/// Reads the window from disk. Bodies and receipts are skipped over. What is damaged is left out, and the
/// canonical chain ends below it.
pub(super) fn load(core: &Core) -> Result<Window, StoreError> {
    let mut window = Window::default();
    let mut rows = core.db.raw_iterator_cf(core.family(Family::TipBlocks)?);
    rows.seek_to_first();
    while let Some((key, value)) = rows.item() {
        let Some(id) = keys::tip_id(key) else {
            return Err(StoreError::database("a key of the tip window is malformed"));
        };
        match serde_json::from_slice::<TipBlock>(value).ok().filter(|tip| tip.id == id) {
            Some(tip) => window.insert(tip),
            None => damaged(core, &format!("its block {} {} has no summary", id.number, id.hash)),
        }
        rows.seek(keys::tip(&id, TipPart::End));
    }
    if let Err(error) = rows.status() {
        damaged(core, error.as_ref());
    }
    let mut chain = Vec::new();
    for row in core.db.iterator_cf(core.family(Family::TipCanonical)?, IteratorMode::Start) {
        let block =
            row.map(|(_, hash)| B256::try_from(&*hash).ok().and_then(|hash| window.get(&hash).cloned()));
        match block {
            Ok(Some(block)) => chain.push(block),
            Ok(None) => {
                damaged(core, "a canonical block of it is not there");
                break;
            }
            Err(error) => {
                damaged(core, error.as_ref());
                break;
            }
        }
    }
    window.set_canonical(0, chain);
    Ok(window)
}

fn damaged(core: &Core, what: &str) {
    core.health
        .stop(Cause::Damage, format!("the tip window is damaged on disk ({what}); `store verify` mends it"));
}

// === impl TipBlock ===

impl TipBlock {
    fn of(core: &Core, verified: &Verified, trust: &Trust) -> Result<Self, StoreError> {
        let Verified { block, transaction_hashes, senders } = verified;
        let id = block.id;
        let Some(header) = Header::parse(&block.header).ok().filter(|header| header.number() == id.number)
        else {
            return StoreError::refused(format!("block {} {} has no such header", id.number, id.hash));
        };
        let count = hypasis_chain::Body::parse(&block.body).map(|body| body.transaction_count());
        if count != Ok(transaction_hashes.len())
            || senders.as_ref().is_some_and(|list| count != Ok(list.len()))
        {
            return StoreError::refused(format!("block {} has another number of transactions", id.number));
        }
        let extra = match &block.extra {
            _ if !core.may_have_extra(id.number) => true,
            None => false,
            Some(extra) => match state_sync::check(extra) {
                Ok(()) => true,
                Err(fault) => return StoreError::refused(format!("block {}: {fault}", id.number)),
            },
        };
        let (receipts, senders) = (block.receipts.is_some(), senders.is_some());
        Ok(Self { id, parent: header.parent_hash(), receipts, extra, senders, trust: trust.clone() })
    }
}
