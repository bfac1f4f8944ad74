//! Every message of the protocol, in and out.

use bytes::{Bytes, BytesMut};

use super::{
    BlockBodies, BlockHeaders, BlockRangeUpdate, Dialect, EthMessageError, EthMessageID, EthVersion,
    GetBlockBodies, GetBlockHeaders, GetPooledTransactions, GetReceipts, GetReceipts70, NewBlock,
    NewBlockHashes, NewPooledTransactionHashes68, PooledTransactions, Receipts, Receipts69, Receipts70,
    RequestPair, StatusMessage, Transactions,
};
use crate::rlp::RlpError;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EthMessage {
    /// What one serves; the first message of each side.
    Status(StatusMessage),
    /// Announced blocks; up to eth/68, and with Bor always.
    NewBlockHashes(NewBlockHashes),
    /// Transactions sent unasked.
    Transactions(Transactions),
    /// Asks for headers.
    GetBlockHeaders(RequestPair<GetBlockHeaders>),
    /// Answers with headers.
    BlockHeaders(RequestPair<BlockHeaders>),
    /// Asks for bodies.
    GetBlockBodies(RequestPair<GetBlockBodies>),
    /// Answers with bodies.
    BlockBodies(RequestPair<BlockBodies>),
    /// A block sent unasked; up to eth/68, and with Bor always.
    NewBlock(NewBlock),
    /// Announced transactions.
    NewPooledTransactionHashes68(NewPooledTransactionHashes68),
    /// Asks for announced transactions.
    GetPooledTransactions(RequestPair<GetPooledTransactions>),
    /// Answers with transactions.
    PooledTransactions(RequestPair<PooledTransactions>),
    /// Asks for receipts: eth/68 and eth/69.
    GetReceipts(RequestPair<GetReceipts>),
    /// Asks for receipts from an index on: eth/70.
    GetReceipts70(RequestPair<GetReceipts70>),
    /// Answers with receipts: eth/68, with blooms.
    Receipts(RequestPair<Receipts>),
    /// Answers with receipts: eth/69, without blooms.
    Receipts69(RequestPair<Receipts69>),
    /// Answers with receipts: eth/70, the last block perhaps in part.
    Receipts70(RequestPair<Receipts70>),
    /// What one serves has changed; from eth/69.
    BlockRangeUpdate(BlockRangeUpdate),
}

// === impl EthMessage ===

impl EthMessage {
    /// Reads the message that `id`, relative to where `eth` begins, and its payload are in this session. Raw
    /// parts are slices of `payload`, which they keep alive.
    pub fn decode(
        version: EthVersion,
        dialect: Dialect,
        id: u8,
        payload: Bytes,
    ) -> Result<Self, EthMessageError> {
        let message =
            EthMessageID::of(version, dialect, id).ok_or(EthMessageError::UnknownId { version, id })?;
        let max = dialect.max_message_size(message);
        if payload.len() > max {
            return Err(EthMessageError::TooLarge { message, length: payload.len(), max });
        }
        Self::read(version, dialect, message, &payload)
            .map_err(|source| EthMessageError::Malformed { message, source })
    }

    /// The id, relative to where `eth` begins.
    pub fn message_id(&self) -> EthMessageID {
        match self {
            Self::Status(_) => EthMessageID::Status,
            Self::NewBlockHashes(_) => EthMessageID::NewBlockHashes,
            Self::Transactions(_) => EthMessageID::Transactions,
            Self::GetBlockHeaders(_) => EthMessageID::GetBlockHeaders,
            Self::BlockHeaders(_) => EthMessageID::BlockHeaders,
            Self::GetBlockBodies(_) => EthMessageID::GetBlockBodies,
            Self::BlockBodies(_) => EthMessageID::BlockBodies,
            Self::NewBlock(_) => EthMessageID::NewBlock,
            Self::NewPooledTransactionHashes68(_) => EthMessageID::NewPooledTransactionHashes,
            Self::GetPooledTransactions(_) => EthMessageID::GetPooledTransactions,
            Self::PooledTransactions(_) => EthMessageID::PooledTransactions,
            Self::GetReceipts(_) | Self::GetReceipts70(_) => EthMessageID::GetReceipts,
            Self::Receipts(_) | Self::Receipts69(_) | Self::Receipts70(_) => EthMessageID::Receipts,
            Self::BlockRangeUpdate(_) => EthMessageID::BlockRangeUpdate,
        }
    }

    /// The payload as a buffer of its own; [`message_id`](Self::message_id) goes before it.
    pub fn encoded(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.encode(&mut out);
        out.freeze()
    }

    /// Appends the payload. Which form of a message a session speaks is the caller's choice of variant.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Status(message) => message.write(out),
            Self::NewBlockHashes(message) => message.write(out),
            Self::Transactions(message) => message.write(out),
            Self::GetBlockHeaders(message) => message.write(out),
            Self::BlockHeaders(message) => message.write(out),
            Self::GetBlockBodies(message) => message.write(out),
            Self::BlockBodies(message) => message.write(out),
            Self::NewBlock(message) => message.write(out),
            Self::NewPooledTransactionHashes68(message) => message.write(out),
            Self::GetPooledTransactions(message) => message.write(out),
            Self::PooledTransactions(message) => message.write(out),
            Self::GetReceipts(message) => message.write(out),
            Self::GetReceipts70(message) => message.write(out),
            Self::Receipts(message) => message.write(out),
            Self::Receipts69(message) => message.write(out),
            Self::Receipts70(message) => message.write(out),
            Self::BlockRangeUpdate(message) => message.write(out),
        }
    }

    fn read(
        version: EthVersion,
        dialect: Dialect,
        id: EthMessageID,
        payload: &Bytes,
    ) -> Result<Self, RlpError> {
        Ok(match (id, version) {
            (EthMessageID::Status, _) => Self::Status(StatusMessage::read(version, dialect, payload)?),
            (EthMessageID::NewBlockHashes, _) => Self::NewBlockHashes(NewBlockHashes::read(payload)?),
            (EthMessageID::Transactions, _) => Self::Transactions(Transactions::read(payload)?),
            (EthMessageID::GetBlockHeaders, _) => Self::GetBlockHeaders(RequestPair::read(payload)?),
            (EthMessageID::BlockHeaders, _) => Self::BlockHeaders(RequestPair::read(payload)?),
            (EthMessageID::GetBlockBodies, _) => Self::GetBlockBodies(RequestPair::read(payload)?),
            (EthMessageID::BlockBodies, _) => Self::BlockBodies(RequestPair::read(payload)?),
            (EthMessageID::NewBlock, _) => Self::NewBlock(NewBlock::read(payload)?),
            (EthMessageID::NewPooledTransactionHashes, _) => {
                Self::NewPooledTransactionHashes68(NewPooledTransactionHashes68::read(payload)?)
            }
            (EthMessageID::GetPooledTransactions, _) => {
                Self::GetPooledTransactions(RequestPair::read(payload)?)
            }
            (EthMessageID::PooledTransactions, _) => Self::PooledTransactions(RequestPair::read(payload)?),
            (EthMessageID::GetReceipts, EthVersion::Eth70) => {
                Self::GetReceipts70(RequestPair::read(payload)?)
            }
            (EthMessageID::GetReceipts, _) => Self::GetReceipts(RequestPair::read(payload)?),
            (EthMessageID::Receipts, EthVersion::Eth68) => Self::Receipts(RequestPair::read(payload)?),
            (EthMessageID::Receipts, EthVersion::Eth69) => Self::Receipts69(RequestPair::read(payload)?),
            (EthMessageID::Receipts, EthVersion::Eth70) => Self::Receipts70(RequestPair::read(payload)?),
            (EthMessageID::BlockRangeUpdate, _) => Self::BlockRangeUpdate(BlockRangeUpdate::read(payload)?),
        })
    }
}
