//! What a node offers. Learned by probing, corrected by what it says later.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use serde::Serialize;

use crate::rpc::message::RpcError;

/// Most calls in one batch (Geth takes 1,000, Bor 100 until told otherwise).
pub(crate) const BATCH_CALLS_MAX: usize = 1_000;

/// All that is known of a node's offer.
#[derive(Debug)]
pub(crate) struct Abilities {
    /// `debug_getRawHeader`.
    pub(crate) raw_header: Ability,
    /// `debug_getRawBlock`.
    pub(crate) raw_block: Ability,
    /// `debug_getRawReceipts`.
    pub(crate) raw_receipts: Ability,
    /// `eth_getBlockReceipts`.
    pub(crate) block_receipts: Ability,
    /// The tag `finalized`.
    pub(crate) finalized: Ability,
    /// `eth_getTdByHash`, which Bor alone offers.
    pub(crate) total_difficulty: Ability,
    /// The raw methods take a block's hash, not only its height.
    pub(crate) raw_by_hash: AtomicBool,
    batch_calls_max: AtomicUsize,
}

/// Whether one thing is offered; unknown counts as yes until the node says no.
#[derive(Debug, Default)]
pub(crate) struct Ability(AtomicU8);

/// The same for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// `debug_getRawHeader`; `None` while unknown.
    pub raw_header: Option<bool>,
    /// `debug_getRawBlock`.
    pub raw_block: Option<bool>,
    /// `debug_getRawReceipts`.
    pub raw_receipts: Option<bool>,
    /// `eth_getBlockReceipts`.
    pub block_receipts: Option<bool>,
    /// The tag `finalized` names a block.
    pub finalized: Option<bool>,
    /// Most calls of a batch that it took so far; 1: no batches.
    pub batch_calls_max: usize,
}

// === impl Abilities ===

impl Abilities {
    pub(crate) fn new() -> Self {
        Self {
            raw_header: Ability::default(),
            raw_block: Ability::default(),
            raw_receipts: Ability::default(),
            block_receipts: Ability::default(),
            finalized: Ability::default(),
            total_difficulty: Ability::default(),
            raw_by_hash: AtomicBool::new(true),
            batch_calls_max: AtomicUsize::new(BATCH_CALLS_MAX),
        }
    }

    /// Most calls of one batch.
    pub(crate) fn batch_calls_max(&self) -> usize {
        self.batch_calls_max.load(Ordering::Relaxed)
    }

    /// A batch of `calls` was too many for it.
    pub(crate) fn batch_refused(&self, calls: usize) {
        self.batch_calls_max.fetch_min((calls / 2).max(1), Ordering::Relaxed);
    }

    /// What is known now.
    pub(crate) fn known(&self) -> Capabilities {
        Capabilities {
            raw_header: self.raw_header.known(),
            raw_block: self.raw_block.known(),
            raw_receipts: self.raw_receipts.known(),
            block_receipts: self.block_receipts.known(),
            finalized: self.finalized.known(),
            batch_calls_max: self.batch_calls_max(),
        }
    }

    /// Forgets what may have changed with another client behind the same address.
    pub(crate) fn forget(&self) {
        for ability in [&self.raw_header, &self.raw_block, &self.raw_receipts, &self.block_receipts] {
            ability.0.store(0, Ordering::Relaxed);
        }
        self.total_difficulty.0.store(0, Ordering::Relaxed);
        self.raw_by_hash.store(true, Ordering::Relaxed);
        self.batch_calls_max.store(BATCH_CALLS_MAX, Ordering::Relaxed);
    }
}

// === impl Ability ===

impl Ability {
    /// Whether to try it.
    pub(crate) fn is_likely(&self) -> bool {
        self.known() != Some(false)
    }

    /// It is there, or not.
    pub(crate) fn set(&self, offered: bool) {
        self.0.store(1 + u8::from(offered), Ordering::Relaxed);
    }

    /// Learns from an answer: only "no such method" means no.
    pub(crate) fn learn<T>(&self, outcome: &Result<T, RpcError>) {
        self.set(!outcome.as_ref().is_err_and(RpcError::is_unsupported));
    }

    fn known(&self) -> Option<bool> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            known => Some(known == 2),
        }
    }
}
