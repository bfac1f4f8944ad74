//! Message ids, relative to where `eth` begins in a session.

use std::fmt;

use super::{Dialect, EthVersion};

/// The id of a message (devp2p `caps/eth.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EthMessageID {
    /// What one serves; the first message of each side.
    Status = 0x00,
    /// Announced blocks; up to eth/68, and with Bor always.
    NewBlockHashes = 0x01,
    /// Transactions sent unasked.
    Transactions = 0x02,
    /// Asks for headers.
    GetBlockHeaders = 0x03,
    /// Answers with headers.
    BlockHeaders = 0x04,
    /// Asks for bodies.
    GetBlockBodies = 0x05,
    /// Answers with bodies.
    BlockBodies = 0x06,
    /// A block sent unasked; up to eth/68, and with Bor always.
    NewBlock = 0x07,
    /// Announced transactions.
    NewPooledTransactionHashes = 0x08,
    /// Asks for announced transactions.
    GetPooledTransactions = 0x09,
    /// Answers with transactions.
    PooledTransactions = 0x0a,
    /// Asks for receipts.
    GetReceipts = 0x0f,
    /// Answers with receipts.
    Receipts = 0x10,
    /// What one serves has changed; from eth/69.
    BlockRangeUpdate = 0x11,
}

// === impl EthMessageID ===

impl EthMessageID {
    /// Every id.
    pub const ALL: &'static [Self] = &[
        Self::Status,
        Self::NewBlockHashes,
        Self::Transactions,
        Self::GetBlockHeaders,
        Self::BlockHeaders,
        Self::GetBlockBodies,
        Self::BlockBodies,
        Self::NewBlock,
        Self::NewPooledTransactionHashes,
        Self::GetPooledTransactions,
        Self::PooledTransactions,
        Self::GetReceipts,
        Self::Receipts,
        Self::BlockRangeUpdate,
    ];

    /// The message that `id` is in this version and dialect, if there is one. Geth disconnects on any other.
    pub fn of(version: EthVersion, dialect: Dialect, id: u8) -> Option<Self> {
        let found = *Self::ALL.iter().find(|known| u8::from(**known) == id)?;
        let exists = match found {
            Self::NewBlockHashes | Self::NewBlock => dialect.announces_blocks(version),
            Self::BlockRangeUpdate => version >= EthVersion::Eth69,
            _ => true,
        };
        exists.then_some(found)
    }
}

impl From<EthMessageID> for u8 {
    fn from(id: EthMessageID) -> Self {
        id as Self
    }
}

impl fmt::Display for EthMessageID {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
