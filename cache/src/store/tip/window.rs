//! The tip window in memory: which blocks there are and which of them are canonical. Their bytes stay on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::B256;
use alloy_primitives::map::HashMap;
use hypasis_chain::BlockId;
use serde::{Deserialize, Serialize};

use crate::coverage::Kind;
use crate::store::block::Trust;

/// Blocks by hash, and the canonical ones by height. Cloned for each change, so that a view never sees half of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    blocks: HashMap<B256, Arc<TipBlock>>,
    canonical: BTreeMap<u64, Arc<TipBlock>>,
}

/// What is known of a block of the window; the summary row on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TipBlock {
    pub(crate) id: BlockId,
    pub(crate) parent: B256,
    /// Whether its receipts are held.
    pub(crate) receipts: bool,
    /// Whether nothing is missing of what stands beside it.
    #[serde(default)]
    pub(crate) extra: bool,
    /// Whether its senders are held.
    pub(crate) senders: bool,
    pub(crate) trust: Trust,
}

// === impl Window ===

impl Window {
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn get(&self, hash: &B256) -> Option<&Arc<TipBlock>> {
        self.blocks.get(hash)
    }

    pub(crate) fn canonical_at(&self, number: u64) -> Option<&Arc<TipBlock>> {
        self.canonical.get(&number)
    }

    pub(crate) fn is_canonical(&self, id: &BlockId) -> bool {
        self.canonical_at(id.number).is_some_and(|block| block.id.hash == id.hash)
    }

    /// The canonical blocks, ascending.
    pub(crate) fn canonical(&self) -> impl Iterator<Item = &Arc<TipBlock>> {
        self.canonical.values()
    }

    /// The canonical blocks from `number` on.
    pub(crate) fn canonical_from(&self, number: u64) -> impl Iterator<Item = &Arc<TipBlock>> {
        self.canonical.range(number..).map(|(_, block)| block)
    }

    /// All blocks, by height.
    pub(crate) fn blocks(&self) -> Vec<&Arc<TipBlock>> {
        let mut blocks: Vec<_> = self.blocks.values().collect();
        blocks.sort_unstable_by_key(|block| block.id);
        blocks
    }

    /// The highest canonical block that is complete.
    pub(crate) fn head(&self) -> Option<BlockId> {
        self.canonical.values().rev().find(|block| block.receipts).map(|block| block.id)
    }

    /// Adds a block, or what more is known of one.
    pub(crate) fn insert(&mut self, block: TipBlock) {
        let block = Arc::new(block);
        if let Some(held) = self.canonical.get_mut(&block.id.number)
            && held.id == block.id
        {
            *held = Arc::clone(&block);
        }
        self.blocks.insert(block.id.hash, block);
    }

    /// Makes `branch` the canonical chain from `first` on.
    pub(crate) fn set_canonical(&mut self, first: u64, branch: Vec<Arc<TipBlock>>) {
        self.canonical.split_off(&first);
        self.canonical.extend(branch.into_iter().map(|block| (block.id.number, block)));
    }

    /// Takes out blocks, and the canonical chain from `cut` on.
    pub(crate) fn take_out(&mut self, hashes: &[B256], cut: u64) {
        self.canonical.split_off(&cut);
        hashes.iter().for_each(|hash| drop(self.blocks.remove(hash)));
    }

    /// Takes out all blocks up to `number`.
    pub(crate) fn drop_up_to(&mut self, number: u64) {
        self.blocks.retain(|_, block| block.id.number > number);
        self.canonical.retain(|height, _| *height > number);
    }
}

// === impl TipBlock ===

impl TipBlock {
    /// Whether the block's data of that kind are held.
    pub(crate) fn holds(&self, kind: Kind) -> bool {
        match kind {
            Kind::Header | Kind::Body | Kind::Index => true,
            Kind::Receipts => self.receipts,
            Kind::Extra => self.extra,
            Kind::Senders => self.senders,
            Kind::Logs => false,
        }
    }

    /// Whether it brings what `held` lacks, and lacks nothing that `held` has.
    pub(super) fn says_more_than(&self, held: &Self) -> bool {
        let parts = |block: &Self| [block.receipts, block.extra, block.senders];
        let (ours, theirs) = (parts(self), parts(held));
        ours != theirs && ours.iter().zip(theirs).all(|(ours, theirs)| *ours >= theirs)
    }
}
