//! Blocks of the tip window, canonical or not.

use std::ops::RangeInclusive;

use bytes::Bytes;
use hypasis_chain::{Body, Header, Level, Receipts, verify};

use super::Report;
use crate::store::core::Core;
use crate::store::families::Family;
use crate::store::keys::{self, TipPart};
use crate::store::tip::TipBlock;

/// Checks the blocks of the window in `range` and reports each bad one.
pub(super) fn check(core: &Core, range: &RangeInclusive<u64>, report: Report<'_>) {
    let window = &core.moment().window;
    for block in window.blocks().into_iter().filter(|block| range.contains(&block.id.number)) {
        if let Err(what) = check_block(core, block) {
            report(block.id.number..=block.id.number, &format!("tip block {}: {what}", block.id.hash));
        }
    }
}

fn check_block(core: &Core, block: &TipBlock) -> Result<(), String> {
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
    check_transactions(core, block, &body)?;
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

/// Each transaction is found by its hash.
fn check_transactions(core: &Core, block: &TipBlock, body: &Body<'_>) -> Result<(), String> {
    for (position, transaction) in (0_u32..).zip(body.transactions()) {
        let hash = transaction.map_err(|error| error.to_string())?.hash();
        let key = keys::tip_transaction(&hash, &block.id);
        let found = core.row(Family::TipTransactions, block.id.number, &key);
        if found.map_err(|error| error.to_string())?.as_deref() != Some(&position.to_be_bytes()[..]) {
            return Err(format!("transaction {position} is not indexed"));
        }
    }
    Ok(())
}

fn row(core: &Core, block: &TipBlock, part: TipPart) -> Result<Bytes, String> {
    let row = core.row(Family::TipBlocks, block.id.number, &keys::tip(&block.id, part));
    row.map_err(|error| error.to_string())?.ok_or_else(|| format!("its {part:?} is gone"))
}
