//! Bad blocks leave the tip window, and the canonical chain ends below them: following the head brings them
//! again.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::B256;
use hypasis_chain::BlockId;
use rocksdb::WriteBatch;

use super::tip::each;
use crate::store::core::Core;
use crate::store::error::StoreError;
use crate::store::families::Family;
use crate::store::keys::{self, TipPart};
use crate::store::tip::Window;
use crate::store::trace::Step;

/// What is wrong in the tip window.
#[derive(Debug, Default)]
pub(super) struct Bad {
    /// Blocks, known to the window or not.
    pub(super) blocks: BTreeMap<BlockId, String>,
    /// Heights at which the canonical chain is wrong.
    pub(super) canonical: BTreeMap<u64, &'static str>,
}

/// Drops the bad blocks and all canonical rows from the lowest bad one on, in one batch, then from memory.
pub(super) fn drop_bad(core: &Core, bad: &Bad) -> Result<(), StoreError> {
    let mut ledger = core.ledger();
    if ledger.promoting.is_some() {
        return StoreError::refused(
            "blocks of the tip window are being moved into history; verify it afterwards",
        );
    }
    let window = Arc::clone(&core.moment().window);
    let canonical = bad.blocks.keys().filter(|id| window.is_canonical(id)).map(|id| id.number);
    let cut = canonical.chain(bad.canonical.keys().copied()).min().unwrap_or(u64::MAX);
    let mut batch = WriteBatch::default();
    let rows = core.family(Family::TipBlocks)?;
    for id in bad.blocks.keys() {
        batch.delete_range_cf(rows, &keys::tip(id, TipPart::Summary)[..], &keys::tip(id, TipPart::End)[..]);
    }
    let transactions = core.family(Family::TipTransactions)?;
    each(core, Family::TipTransactions, |key, _| {
        if keys::tip_transaction_block(key).is_some_and(|id| bad.blocks.contains_key(&id)) {
            batch.delete_cf(transactions, key);
        }
    })?;
    let chain = core.family(Family::TipCanonical)?;
    each(core, Family::TipCanonical, |key, _| {
        if key >= &keys::number(cut)[..] {
            batch.delete_cf(chain, key);
        }
    })?;
    core.write_synced(Step::Mended(Family::TipBlocks), batch)?;
    core.step(Step::Publish)?;
    let hashes: Vec<B256> = bad.blocks.keys().map(|id| id.hash).collect();
    core.publish(&mut ledger, |moment| {
        let mut window = Window::clone(&moment.window);
        window.take_out(&hashes, cut);
        moment.window = Arc::new(window);
    });
    Ok(())
}
