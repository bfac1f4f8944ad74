//! The tip window: its blocks, canonical or not, their transactions both ways, and the canonical chain over
//! them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::bor::state_sync;
use hypasis_chain::{BlockId, Body, Header, Level, Receipts, roots, verify};
use rocksdb::{IteratorMode, ReadOptions};

use super::Report;
use super::drop_tip::{self, Bad};
use crate::store::core::Core;
use crate::store::error::StoreError;
use crate::store::families::Family;
use crate::store::keys::{self, TipPart};
use crate::store::tip::{TipBlock, Window};

/// Checks the window's blocks in `range`, reports what is bad, and with `mend` drops it. Tells which families
/// cannot be read at all.
pub(super) fn check(
    core: &Core,
    range: &RangeInclusive<u64>,
    mend: bool,
    report: Report<'_>,
) -> Result<Vec<Family>, StoreError> {
    let mut lost = Vec::new();
    for family in [Family::TipBlocks, Family::TipCanonical, Family::TipTransactions] {
        if let Err(error) = each(core, family, |_, _| ()) {
            report(range.clone(), &format!("the tip window's {} cannot be read: {error}", family.name()));
            lost.push(family);
        }
    }
    if !lost.is_empty() {
        return Ok(lost);
    }
    let bad = find(core, &core.moment().window, range)?;
    for (id, what) in &bad.blocks {
        report(id.number..=id.number, &format!("tip block {}: {what}", id.hash));
    }
    for (number, what) in &bad.canonical {
        report(*number..=*number, &format!("the canonical chain of the tip: {what}"));
    }
    if mend && !(bad.blocks.is_empty() && bad.canonical.is_empty()) {
        drop_tip::drop_bad(core, &bad)?;
    }
    Ok(lost)
}

fn find(core: &Core, window: &Window, range: &RangeInclusive<u64>) -> Result<Bad, StoreError> {
    let mut bad = Bad::default();
    let entries = entries(core)?;
    for block in window.blocks().into_iter().filter(|block| range.contains(&block.id.number)) {
        let entries = entries.get(&block.id).copied().unwrap_or_default();
        if let Err(what) = check_block(core, block, entries) {
            bad.blocks.insert(block.id, what);
        }
    }
    // What the window does not know of was left out when it was read, or left behind.
    let mut unknown = |id: Option<BlockId>, what: &str| {
        if let Some(id) = id.filter(|id| range.contains(&id.number) && window.get(&id.hash).is_none()) {
            bad.blocks.entry(id).or_insert_with(|| what.to_owned());
        }
    };
    each(core, Family::TipBlocks, |key, _| unknown(keys::tip_id(key), "its summary is damaged"))?;
    entries.keys().for_each(|id| unknown(Some(*id), "its transactions are indexed, but it is not there"));
    each(core, Family::TipCanonical, |key, hash| {
        let number = key.try_into().map_or(0, u64::from_be_bytes);
        let known = window.canonical_at(number).is_some_and(|block| block.id.hash.as_slice() == hash);
        if range.contains(&number) && !known {
            bad.canonical.insert(number, "it names a block that is not there");
        }
    })?;
    for (below, block) in window.canonical().zip(window.canonical().skip(1)) {
        let number = block.id.number;
        if below.id.number.checked_add(1) == Some(number)
            && below.id.hash != block.parent
            && range.contains(&number)
        {
            bad.canonical.insert(number, "it does not follow the block below");
        }
    }
    Ok(bad)
}

/// How many transactions of each block are indexed.
fn entries(core: &Core) -> Result<BTreeMap<BlockId, usize>, StoreError> {
    let mut entries = BTreeMap::new();
    each(core, Family::TipTransactions, |key, _| {
        if let Some(id) = keys::tip_transaction_block(key) {
            *entries.entry(id).or_default() += 1;
        }
    })?;
    Ok(entries)
}

/// Goes through all rows of a family.
pub(super) fn each(
    core: &Core,
    family: Family,
    mut take: impl FnMut(&[u8], &[u8]),
) -> Result<(), StoreError> {
    let mut options = ReadOptions::default();
    options.set_total_order_seek(true);
    options.fill_cache(false);
    for row in core.db.iterator_cf_opt(core.family(family)?, options, IteratorMode::Start) {
        let (key, value) = row?;
        take(&key, &value);
    }
    Ok(())
}

fn check_block(core: &Core, block: &TipBlock, entries: usize) -> Result<(), String> {
    let raw = row(core, block, TipPart::Header)?;
    let header = Header::parse(&raw).map_err(|error| error.to_string())?;
    verify::check_identity(&header, block.id.number, block.id.hash).map_err(|fault| fault.to_string())?;
    if header.parent_hash() != block.parent {
        return Err("its summary names another parent".to_owned());
    }
    let raw = row(core, block, TipPart::Body)?;
    let body = Body::parse(&raw).map_err(|error| error.to_string())?;
    if block.trust.level >= Level::Light {
        verify::check_body(&header, &body).map_err(|fault| fault.to_string())?;
    }
    let beside = check_beside(core, block)?;
    check_transactions(core, block, &body, beside, entries)?;
    if block.receipts {
        let raw = row(core, block, TipPart::Receipts)?;
        let receipts = Receipts::parse(&raw).map_err(|error| error.to_string())?;
        if block.trust.level >= Level::Full {
            verify::check_receipts(&header, &receipts).map_err(|fault| fault.to_string())?;
        }
    }
    if block.senders && row(core, block, TipPart::Senders)?.len() != body.transaction_count() * 20 {
        return Err("senders are missing".to_owned());
    }
    Ok(())
}

/// The hash of the transaction beside the block, if there is one.
fn check_beside(core: &Core, block: &TipBlock) -> Result<Option<B256>, String> {
    if !block.extra || !core.may_have_extra(block.id.number) {
        return Ok(None);
    }
    let extra = row(core, block, TipPart::Extra)?;
    state_sync::check(&extra).map_err(|fault| fault.to_string())?;
    let there = extra.as_ref() != state_sync::NONE;
    Ok(there.then(|| state_sync::derived_hash(block.id.number, block.id.hash)))
}

/// Each transaction is found by its hash, and nothing else is found in the block.
fn check_transactions(
    core: &Core,
    block: &TipBlock,
    body: &Body<'_>,
    beside: Option<B256>,
    entries: usize,
) -> Result<(), String> {
    let mut hashes = Vec::new();
    let mut count = 0_u32;
    let inside = roots::transaction_hashes(body).map_err(|error| error.to_string())?;
    for hash in inside.into_iter().chain(beside) {
        let key = keys::tip_transaction(&hash, &block.id);
        let found = core.row(Family::TipTransactions, block.id.number, &key);
        if found.map_err(|error| error.to_string())?.as_deref() != Some(&count.to_be_bytes()[..]) {
            return Err(format!("transaction {count} is not indexed"));
        }
        if beside != Some(hash) {
            hashes.extend_from_slice(hash.as_slice());
        }
        count = count.saturating_add(1);
    }
    if entries as u64 != u64::from(count) {
        return Err(format!("{entries} transactions are indexed, it has {count}"));
    }
    match row(core, block, TipPart::Hashes)? == hashes {
        true => Ok(()),
        false => Err("the hashes of its transactions are not those of its body".to_owned()),
    }
}

fn row(core: &Core, block: &TipBlock, part: TipPart) -> Result<Bytes, String> {
    let row = core.row(Family::TipBlocks, block.id.number, &keys::tip(&block.id, part));
    row.map_err(|error| error.to_string())?.ok_or_else(|| format!("its {part:?} is gone"))
}
