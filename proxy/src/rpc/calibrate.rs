//! Whether what is rendered here is what the node behind writes.
//!
//! Client families differ in forms, so nothing is answered in a node's name before an answer of that form was
//! compared with the node's own. The unit is a [`Form`] in an era of the header and for a transaction type, since
//! forms change with those. While a unit is not compared, calls pass through and each answer that comes back is
//! compared ([`compare`]); [`probe`] asks on its own for what [`survey`] finds in held blocks, so that waiting is
//! short. A form that differs stays with the node, as does a method that the node lacks; status shows them
//! ([`verdicts`]). The outcome is kept in the store by client version ([`record`]).
//!
//! With no node up there is nobody to differ from: the profile of the record, else of the chain's family, is used.

pub(crate) mod compare;
pub(crate) mod probe;
pub(crate) mod record;
pub(crate) mod shadow;
mod survey;
mod verdicts;

use alloy_primitives::U256;
use hypasis_chain::header::field;
use hypasis_chain::render::Beside;
use hypasis_chain::rlp::RlpError;
use hypasis_chain::{Body, Header};
use serde::{Deserialize, Serialize};

pub(crate) use verdicts::{Verdict, Verdicts};

/// What an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// A block with hashes.
    Block,
    /// A block with transactions.
    BlockFull,
    /// A header.
    Header,
    /// An uncle.
    Uncle,
    /// A transaction.
    Transaction,
    /// A receipt.
    Receipt,
    /// The receipts of a block.
    BlockReceipts,
    /// Logs.
    Logs,
    /// Whether `eth_getLogs` shows the logs of state syncs that stand beside blocks. Bor does with `--bor.logs` only;
    /// a difference means that it leaves them out, and so they are left out here.
    StateSyncLogs,
    /// The receipts of a block in Bor's older method.
    ReceiptsByBlock,
    /// The receipt of a state sync in Bor's own method.
    BorBlockReceipt,
    /// The root of a checkpoint.
    RootHash,
    /// Who sealed a block.
    Author,
    /// Who might have.
    Signers,
}

/// What of a block decides its form: the era by the header's shape, and the types of transactions in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Facts {
    era: Era,
    /// A bit for each type; bit 31 for all from 31 on. No bits: none are shown.
    types: u32,
}

/// Header fields, and whether difficulty is zero (after the merge).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Era {
    fields: u8,
    merged: bool,
}

/// Stands for the type of state syncs beside blocks, which is no other than that of legacy transactions.
pub(crate) const BESIDE: u8 = 30;

/// A unit of comparison; type `None`: no transactions shown.
pub(crate) type Unit = (Form, Era, Option<u8>);

// === impl Facts ===

impl Facts {
    /// Of an answer whose form does not depend on the block.
    pub(crate) const ANY: Self = Self { era: Era { fields: 0, merged: false }, types: 0 };

    /// Of the same answer, which shows a state sync beside the block as well if there is one.
    pub(crate) fn and_beside(self, beside: &Beside<'_>) -> Self {
        let there = matches!(beside, Beside::Receipt(_));
        Self { types: self.types | if there { bit(BESIDE) } else { 0 }, ..self }
    }

    /// Of an answer that shows no transactions.
    pub(crate) fn of_header(header: &Header<'_>) -> Self {
        let difficulty = header.field(field::DIFFICULTY).unwrap_or_default();
        let merged = U256::try_from_be_slice(difficulty).is_some_and(|difficulty| difficulty.is_zero());
        let fields = u8::try_from(header.field_count()).unwrap_or(u8::MAX);
        Self { era: Era { fields, merged }, types: 0 }
    }

    /// Of an answer that shows one transaction.
    pub(crate) fn of_transaction(header: &Header<'_>, kind: u8) -> Self {
        Self { types: bit(kind), ..Self::of_header(header) }
    }

    /// Of an answer that shows all transactions.
    pub(crate) fn of_block(header: &Header<'_>, body: &Body<'_>) -> Result<Self, RlpError> {
        let mut facts = Self::of_header(header);
        for transaction in body.transactions() {
            facts.types |= bit(transaction?.kind());
        }
        Ok(facts)
    }

    /// The units that an answer of this form stands on.
    pub(crate) fn units(self, form: Form) -> impl Iterator<Item = Unit> {
        let none = (self.types == 0).then_some((form, self.era, None));
        let types = (0..32_u8).filter(move |kind| self.types & (1 << kind) != 0);
        none.into_iter().chain(types.map(move |kind| (form, self.era, Some(kind))))
    }
}

fn bit(kind: u8) -> u32 {
    1 << kind.min(31)
}
