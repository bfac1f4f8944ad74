//! `eth_*` results written straight from RLP into a byte buffer, field for field as the node behind would.
//!
//! Every function appends JSON to `out` and, on an error, leaves a partial text behind: the caller truncates and
//! passes the call through. [`Unknown`](RenderError::Unknown) says that something is outside what this program
//! can derive (an unknown transaction type, an unknown fork): never a guess.
//!
//! * [`profile`]: in which form a client writes, as data
//! * `block`, `transaction`, `receipt`, [`log`](logs): one kind of object each
//! * [`diff`]: where an answer of ours and a node's part, for calibration

mod block;
pub mod diff;
mod json;
mod log;
pub mod profile;
mod receipt;
mod state_sync;
mod transaction;

use alloy_primitives::{Address, B256, U256};

use crate::body::Body;
use crate::header::Header;
use crate::receipt::Receipt;
use crate::rlp::RlpError;
use crate::sender;
use crate::spec::{ChainSpec, Family};
use crate::transaction::Transaction;

pub use block::{block, header, uncle};
pub use log::{LogFilter, logs};
pub use profile::{Client, Profile};
pub use receipt::{block_receipts, receipt};
pub use state_sync::{bor_block_receipt, is_settled};
pub use transaction::transaction;

/// Why a result was not rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Stored bytes are not what they should be.
    #[error(transparent)]
    Rlp(#[from] RlpError),
    /// Something that this program cannot derive; the call passes through.
    #[error("{0} is not known here")]
    Unknown(&'static str),
}

/// What a rendering needs of a block.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The chain's rules.
    pub spec: &'a ChainSpec,
    /// The forms to write.
    pub profile: &'a Profile,
    /// Block hash (data, not derived: some chains hash otherwise).
    pub hash: B256,
    /// Header.
    pub header: Header<'a>,
    /// Body.
    pub body: Body<'a>,
    /// Senders in order where they are stored; recovered otherwise.
    pub senders: Option<&'a [Address]>,
    /// Transaction hashes in order where they are stored; computed otherwise.
    pub transaction_hashes: Option<&'a [B256]>,
    /// Difficulty of the chain up to and including this block, where it is known. Only some clients show it.
    pub total_difficulty: Option<U256>,
    /// What stands beside the block.
    pub beside: Beside<'a>,
}

/// Polygon's state sync before Madhugiri (PIP-74): a transaction that RPC shows as the block's last and neither body
/// nor roots hold.
#[derive(Clone, Copy, Debug, Default)]
pub enum Beside<'a> {
    /// There may be one: the list of transactions, the receipts and the logs (which the header's bloom does not cover
    /// either) are not known then.
    Unknown,
    /// There is none.
    #[default]
    Nothing,
    /// Its receipt.
    Receipt(Receipt<'a>),
}

// === impl Parts ===

impl<'a> Parts<'a> {
    /// Parts without anything stored beside header and body.
    pub fn new(
        spec: &'a ChainSpec,
        profile: &'a Profile,
        hash: B256,
        header: Header<'a>,
        body: Body<'a>,
    ) -> Self {
        let beside = if is_settled(spec, &header) { Beside::Nothing } else { Beside::Unknown };
        Self {
            spec,
            profile,
            hash,
            header,
            body,
            senders: None,
            transaction_hashes: None,
            total_difficulty: None,
            beside,
        }
    }

    /// The receipt of the state sync beside the block, if there is one; refuses where that is not known.
    fn receipt_beside(&self) -> Result<Option<&Receipt<'a>>, RenderError> {
        match &self.beside {
            Beside::Unknown => Err(RenderError::Unknown("state sync beside the block")),
            Beside::Nothing => Ok(None),
            Beside::Receipt(receipt) => Ok(Some(receipt)),
        }
    }

    /// Refuses a fork that the spec lists but does not know. A chain nobody described has no such list; what
    /// depends on its forks is refused field by field.
    fn check_fork(&self) -> Result<(), RenderError> {
        let known = self.spec.family == Family::Unknown
            || self.spec.is_known_at(self.header.number(), self.header.timestamp());
        if known { Ok(()) } else { Err(RenderError::Unknown("fork")) }
    }

    fn hash_of(&self, transaction: &Transaction<'_>, index: usize) -> B256 {
        let stored = self.transaction_hashes.and_then(|hashes| hashes.get(index).copied());
        stored.unwrap_or_else(|| transaction.hash())
    }

    fn sender_of(&self, transaction: &Transaction<'_>, index: usize) -> Result<Address, RenderError> {
        let stored = self.senders.and_then(|senders| senders.get(index).copied());
        stored.or_else(|| sender::recover(transaction)).ok_or(RenderError::Unknown("sender"))
    }
}
