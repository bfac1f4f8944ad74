//! From a view down to the rows.

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::bor::state_sync;
use hypasis_chain::{BlockId, Body};

use super::hot::HotKey;
use super::{BlockRef, Tier, View};
use crate::coverage::Kind;
use crate::store::StoreError;
use crate::store::families::Family;
use crate::store::keys::{self, TipPart};
use crate::store::tip::TipBlock;

// === impl View ===

impl View {
    /// A part of a block, hot or from disk; `None` is a miss.
    pub(super) fn read(&self, kind: Kind, block: &BlockRef) -> Result<Option<Bytes>, StoreError> {
        match block.tier {
            Tier::History => self.history(kind, block.id.number),
            Tier::Tip => self.tip(kind, &block.id),
        }
    }

    pub(super) fn history_ref(&self, number: u64) -> Result<Option<BlockRef>, StoreError> {
        if !self.moment.coverage.of(Kind::Header).contains(number) {
            return Ok(None);
        }
        let epoch = self.moment.epoch(number);
        let history = |hash| BlockRef { id: BlockId { number, hash }, canonical: true, tier: Tier::History };
        if let Some(hash) = self.core.hot.hash(number, epoch) {
            return Ok(Some(history(hash)));
        }
        let Some(header) = self.history(Kind::Header, number)? else { return Ok(None) };
        let hash = alloy_primitives::keccak256(&header);
        self.core.hot.put_hash(number, epoch, hash);
        Ok(Some(history(hash)))
    }

    /// Each candidate under the hash's prefix is held against the header that it names.
    pub(super) fn history_by_hash(&self, hash: &B256) -> Result<Option<BlockRef>, StoreError> {
        self.core.seek(Family::HashNumber, &keys::prefix(hash).to_be_bytes(), |key, _| {
            let Some((number, _)) = keys::index_target(key) else { return Ok(None) };
            Ok(self.history_ref(number)?.filter(|block| block.id.hash == *hash))
        })
    }

    /// The window knows which of the blocks that hold the transaction is canonical.
    pub(super) fn tip_transaction(&self, hash: &B256) -> Result<Option<(BlockRef, u32)>, StoreError> {
        if self.moment.window.len() == 0 {
            return Ok(None);
        }
        self.core.seek(Family::TipTransactions, hash.as_slice(), |key, position| {
            let id = keys::tip_transaction_block(key).filter(|id| self.moment.window.is_canonical(id));
            let position = position.try_into().ok().map(u32::from_be_bytes);
            Ok(id
                .zip(position)
                .map(|(id, position)| (BlockRef { id, canonical: true, tier: Tier::Tip }, position)))
        })
    }

    /// Each candidate under the hash's prefix is held against the transaction that it names. What it names is
    /// canonical in this view, so a right candidate is right however old its entry.
    pub(super) fn indexed_transaction(&self, hash: &B256) -> Result<Option<(BlockRef, u32)>, StoreError> {
        self.core.seek(Family::TxLocation, &keys::prefix(hash).to_be_bytes(), |key, _| {
            let Some((number, position)) = keys::index_target(key) else { return Ok(None) };
            if !self.covers(Kind::Body, number) {
                return Ok(None);
            }
            let Some(block) = self.by_number(number)? else { return Ok(None) };
            let Some(body) = self.read(Kind::Body, &block)? else { return Ok(None) };
            let Ok(body) = Body::parse(&body) else { return Ok(None) };
            let found = match body.transaction(position as usize) {
                Some(transaction) => transaction.is_ok_and(|transaction| transaction.hash() == *hash),
                None => position as usize == body.transaction_count() && self.is_beside(&block, hash)?,
            };
            Ok(found.then_some((block, position)))
        })
    }

    /// Whether the transaction with that hash stands beside the block.
    fn is_beside(&self, block: &BlockRef, hash: &B256) -> Result<bool, StoreError> {
        if state_sync::derived_hash(block.id.number, block.id.hash) != *hash {
            return Ok(false);
        }
        Ok(self.extra(block)?.is_some_and(|extra| extra.as_ref() != state_sync::NONE))
    }

    pub(super) fn history(&self, kind: Kind, number: u64) -> Result<Option<Bytes>, StoreError> {
        if !self.moment.coverage.of(kind).contains(number) {
            return Ok(None);
        }
        let (Some((family, _)), epoch) = (places(kind), self.moment.epoch(number)) else { return Ok(None) };
        let hot = &self.core.hot;
        let key = (kind != Kind::Header).then_some(HotKey::History(kind, number, epoch));
        let held = key.map_or_else(|| hot.header(number, epoch), |key| hot.part(&key));
        if held.is_some() {
            return Ok(held);
        }
        let row = self.core.value(family, number)?;
        // Rows are deleted only after the epoch has moved on: whoever still sees the old one has read what was
        // held. A view from before a removal misses what was removed from then on.
        if self.core.epoch(number) != epoch {
            return Ok(None);
        }
        let bytes = match row {
            Some(bytes) => bytes,
            None if kind == Kind::Senders => Bytes::new(),
            None if kind == Kind::Extra && !self.core.may_have_extra(number) => return Ok(None),
            None => {
                self.core.health.damaged(number, kind.name());
                return Err(StoreError::Damaged { number, what: "a row is gone" });
            }
        };
        match key {
            Some(key) => hot.put_read(key, &bytes),
            None => hot.put_header(number, epoch, bytes.clone()),
        }
        Ok(Some(bytes))
    }

    pub(super) fn tip(&self, kind: Kind, id: &BlockId) -> Result<Option<Bytes>, StoreError> {
        let Some(block) = self.moment.window.get(&id.hash) else { return Ok(None) };
        self.tip_part(kind, block)
    }

    pub(super) fn tip_part(&self, kind: Kind, block: &TipBlock) -> Result<Option<Bytes>, StoreError> {
        let (Some((family, part)), id) = (places(kind), &block.id) else { return Ok(None) };
        let key = HotKey::Tip(kind, id.hash);
        if let Some(bytes) = self.core.hot.part(&key) {
            return Ok(Some(bytes));
        }
        let row = match block.holds(kind) {
            true => self.core.row(Family::TipBlocks, id.number, &keys::tip(id, part))?,
            false => None,
        };
        let bytes = match row {
            Some(bytes) => bytes,
            // It was promoted since this view was taken, or was a side fork and is gone.
            None => match self.promoted(kind, family, id)? {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        self.core.hot.put_part(key, bytes.clone());
        Ok(Some(bytes))
    }

    fn promoted(&self, kind: Kind, family: Family, id: &BlockId) -> Result<Option<Bytes>, StoreError> {
        let now = self.core.moment();
        let held = |kind| now.coverage.of(kind).contains(id.number);
        if !held(kind) || !held(Kind::Header) || self.core.history_hash(id.number)? != Some(id.hash) {
            return Ok(None);
        }
        let row = self.core.value(family, id.number)?;
        if self.core.epoch(id.number) != now.epoch(id.number) {
            return Ok(None);
        }
        Ok(row.or_else(|| (kind == Kind::Senders).then(Bytes::new)))
    }
}

/// Where a kind's bytes lie in history and in the tip.
pub(super) fn places(kind: Kind) -> Option<(Family, TipPart)> {
    match kind {
        Kind::Header => Some((Family::Headers, TipPart::Header)),
        Kind::Body => Some((Family::Bodies, TipPart::Body)),
        Kind::Receipts => Some((Family::Receipts, TipPart::Receipts)),
        Kind::Senders => Some((Family::Senders, TipPart::Senders)),
        Kind::Extra => Some((Family::Extra, TipPart::Extra)),
        Kind::Index | Kind::Logs => None,
    }
}
