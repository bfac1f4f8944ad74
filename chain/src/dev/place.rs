//! Where a block stands, and what follows from that for its successor.

use alloy_primitives::B256;

use super::fees::{BASE_FEE_INITIAL, next_base_fee, next_excess_blob_gas};
use super::forks::DevFork;
use super::mint::Mint;
use super::plan::Totals;

/// Where a block stands, and with that what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Height.
    pub(super) number: u64,
    /// Parent's hash. Only the header and uncles depend on it.
    pub(super) parent: B256,
    /// The parent's parent's hash: uncles are its children.
    pub(super) grandparent: B256,
    /// Which fork of this chain the block was minted on.
    pub(super) salt: u64,
    /// Base fee; before London that of London's first block.
    pub(super) base_fee: u64,
    /// Excess blob gas.
    pub(super) excess_blob_gas: u64,
    /// How many transactions the chain has before this block.
    pub(super) transactions_before: u64,
}

/// What is dear to compute again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// Block hash.
    pub(super) hash: B256,
    /// Roots of transactions and receipts.
    pub(super) roots: Roots,
}

/// Roots of transactions and receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Roots {
    /// Transactions root.
    pub(super) transactions: B256,
    /// Receipts root.
    pub(super) receipts: B256,
}

// === impl Place ===

impl Place {
    /// Where block 0 stands.
    pub(super) const GENESIS: Self = Self {
        number: 0,
        parent: B256::ZERO,
        grandparent: B256::ZERO,
        salt: 0,
        base_fee: BASE_FEE_INITIAL,
        excess_blob_gas: 0,
        transactions_before: 0,
    };

    /// Makes the block whose hash this is the parent.
    pub(super) fn follow(&mut self, parent: B256) {
        self.grandparent = std::mem::replace(&mut self.parent, parent);
    }
}

// === impl Mint ===

impl Mint {
    /// Where the child of a minted block stands.
    pub(super) fn child(&self, place: &Place, seal: Seal) -> Place {
        let totals = self.plan(place, self.forks.at(place.number), &mut Vec::new());
        let mut child = self.after(place, &totals);
        child.follow(seal.hash);
        child
    }

    /// Where the child of the block at `place` stands, which sums up to `totals`; it has yet to [`Place::follow`]
    /// that block.
    pub(super) fn after(&self, place: &Place, totals: &Totals) -> Place {
        let number = place.number.saturating_add(1);
        let base_fee = if self.forks.at(place.number) < DevFork::London {
            BASE_FEE_INITIAL
        } else {
            next_base_fee(place.base_fee, totals.gas_used, self.gas_limit(place.number))
        };
        let (excess, used) = (place.excess_blob_gas, totals.blob_gas_used);
        Place {
            number,
            base_fee,
            excess_blob_gas: next_excess_blob_gas(self.forks.at(number), excess, used, place.base_fee),
            transactions_before: place.transactions_before.saturating_add(totals.transactions),
            ..*place
        }
    }
}
