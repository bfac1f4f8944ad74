//! A consistent moment of the store.
//!
//! A view is one load of one pointer: coverage, canonical index and head in it agree, whatever is written
//! meanwhile. Bytes are read from the database when asked for; a block that was promoted since is found in
//! history, and one that was removed since is a miss.

mod hot;
mod read;
mod scan;

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use bytes::Bytes;
use hypasis_chain::{BlockId, Level};

pub(crate) use self::hot::Hot;
use crate::coverage::{Kind, Ranges};
use crate::store::StoreError;
use crate::store::core::Core;
use crate::store::moment::Moment;
use crate::store::tip::TipBlock;

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Finalized history, by number.
    History,
    /// The tip window, by hash.
    Tip,
}

/// A block that the store holds (at least its header).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Height and hash.
    pub id: BlockId,
    /// Whether the canonical index points at it.
    pub canonical: bool,
    /// Where it lies.
    pub tier: Tier,
}

/// One moment: coverage and canonical index agree with each other in it. Reads of one answer use one view.
#[derive(Clone, Debug)]
pub struct View {
    core: Arc<Core>,
    moment: Arc<Moment>,
}

// === impl View ===

impl View {
    pub(crate) fn of(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), moment: core.moment() }
    }

    /// The highest canonical block whose header, body and receipts are held in the region at the head (the tip
    /// window, or history where the window is empty).
    pub fn head(&self) -> Option<BlockId> {
        self.moment.head
    }

    /// The newest finalized block recorded.
    pub fn finalized(&self) -> Option<BlockId> {
        self.moment.finalized
    }

    /// Whether `kind` is held for the canonical block at `number`.
    pub fn covers(&self, kind: Kind, number: u64) -> bool {
        match self.moment.window.canonical_at(number) {
            Some(block) if block.holds(kind) => true,
            _ if kind == Kind::Extra && !self.core.may_have_extra(number) => true,
            _ => self.moment.coverage.of(kind).contains(number),
        }
    }

    /// To which level the block was verified when it was stored: `none` (or `header`), `light` or `full`.
    pub fn level(&self, id: &BlockId) -> Level {
        match self.moment.window.get(&id.hash) {
            Some(tip) => tip.trust.level,
            None => self.moment.doubts.level(id.number),
        }
    }

    /// Heights for which `kind` is held, history and canonical tip together.
    pub fn ranges(&self, kind: Kind) -> Ranges {
        self.moment.ranges(kind)
    }

    /// Heights whose headers, bodies and receipts are held and were verified to `level` at least.
    pub fn whole(&self, level: Level) -> Ranges {
        let held = self.ranges(Kind::Body).intersection(&self.ranges(Kind::Receipts));
        let held = held.intersection(&self.ranges(Kind::Header));
        let mut whole = held.difference(self.moment.doubts.below(level));
        for block in self.moment.window.canonical() {
            if block.trust.level < level {
                whole.remove(block.id.number..=block.id.number);
            } else if held.contains(block.id.number) {
                whole.insert(block.id.number..=block.id.number);
            }
        }
        whole
    }

    /// The highest canonical block whose header and body are held, wherever it is.
    pub fn top_with_body(&self) -> Option<BlockId> {
        let held = self.ranges(Kind::Header).intersection(&self.ranges(Kind::Body));
        self.by_number(held.last()?).ok().flatten().map(|block| block.id)
    }

    /// The canonical block at `number`, if its header is held.
    pub fn by_number(&self, number: u64) -> Result<Option<BlockRef>, StoreError> {
        match self.moment.window.canonical_at(number) {
            Some(block) => Ok(Some(self.tip_ref(block))),
            None => self.history_ref(number),
        }
    }

    /// The block with that hash, canonical or not, if its header is held and indexed.
    pub fn by_hash(&self, hash: &B256) -> Result<Option<BlockRef>, StoreError> {
        if let Some(block) = self.moment.window.get(hash) {
            let tip = self.tip_ref(block);
            if tip.canonical {
                return Ok(Some(tip));
            }
            let history = self.history_ref(block.id.number)?.filter(|held| held.id == block.id);
            return Ok(Some(history.unwrap_or(tip)));
        }
        self.history_by_hash(hash)
    }

    /// The canonical block that holds the transaction, and its index there.
    pub fn transaction(&self, hash: &B256) -> Result<Option<(BlockRef, u32)>, StoreError> {
        match self.tip_transaction(hash)? {
            Some(found) => Ok(Some(found)),
            None => self.indexed_transaction(hash),
        }
    }

    /// Header RLP of the canonical block at `number`: spares hashing it.
    pub fn header_at(&self, number: u64) -> Result<Option<Bytes>, StoreError> {
        match self.moment.window.canonical_at(number) {
            Some(block) => self.tip_part(Kind::Header, block),
            None => self.history(Kind::Header, number),
        }
    }

    /// Header RLP.
    pub fn header(&self, block: &BlockRef) -> Result<Option<Bytes>, StoreError> {
        self.read(Kind::Header, block)
    }

    /// Body RLP.
    pub fn body(&self, block: &BlockRef) -> Result<Option<Bytes>, StoreError> {
        self.read(Kind::Body, block)
    }

    /// Slim receipts list.
    pub fn receipts(&self, block: &BlockRef) -> Result<Option<Bytes>, StoreError> {
        self.read(Kind::Receipts, block)
    }

    /// What lies outside the roots, as it was stored ([`hypasis_chain::bor::state_sync`]); `None` where it is not
    /// known, or where there can be none.
    pub fn extra(&self, block: &BlockRef) -> Result<Option<Bytes>, StoreError> {
        self.read(Kind::Extra, block)
    }

    /// Senders in order, if they were stored already.
    pub fn senders(&self, block: &BlockRef) -> Result<Option<Vec<Address>>, StoreError> {
        let rows = self.read(Kind::Senders, block)?;
        Ok(rows.map(|rows| rows.as_chunks::<20>().0.iter().map(Address::from).collect()))
    }

    /// All blocks of the tip window, by height, canonical or not (for sync and for `verify`).
    pub fn tip_blocks(&self) -> Vec<BlockRef> {
        self.moment.window.blocks().into_iter().map(|block| self.tip_ref(block)).collect()
    }

    fn tip_ref(&self, block: &TipBlock) -> BlockRef {
        BlockRef { id: block.id, canonical: self.moment.window.is_canonical(&block.id), tier: Tier::Tip }
    }
}
