//! The `eth` protocol: messages of versions 68 to 70, and its handshake.
//!
//! Blocks stay bytes: answers hold each header, body or receipts list as a slice of the message, and are made
//! from stored bytes without decoding them. Only the structure that the message itself has is checked; what
//! is inside a header is verified by whoever knows the chain.
//!
//! * [`EthMessage`] is every message; [`EthMessage::decode`] wants the version and the [`Dialect`] of the
//!   session
//! * [`RawAnswer`] streams an answer from stored bytes, within a budget, also receipts in pages
//! * [`UnifiedStatus`] is what the handshake compares, whatever form it had; [`EthHandshake`] does it
//!
//! Sources: devp2p `caps/eth.md`, EIP-7642 (eth/69), EIP-7975 (eth/70), go-ethereum `eth/protocols/eth`.

mod answer;
mod bor;
mod broadcast;
mod dialect;
mod error;
mod handshake;
mod id;
mod message;
mod raw;
mod request;
mod status;
mod version;

pub use answer::{BlockBodies, BlockHeaders, PooledTransactions, Receipts, Receipts69, Receipts70};
pub use bor::StatusBor69;
pub use broadcast::{BlockHashNumber, NewBlock, NewBlockHashes, NewPooledTransactionHashes68, Transactions};
pub use dialect::Dialect;
pub use error::EthMessageError;
pub use handshake::{EthHandshake, EthHandshakeError};
pub use id::EthMessageID;
pub use message::EthMessage;
pub use raw::{RawAnswer, ReceiptsPage};
pub use request::{
    BlockHashOrNumber, GetBlockBodies, GetBlockHeaders, GetPooledTransactions, GetReceipts, GetReceipts70,
    HeadersDirection, RequestPair,
};
pub use status::{
    BlockRangeError, BlockRangeUpdate, Status, StatusBuilder, StatusEth69, StatusMessage, UnifiedStatus,
};
pub use version::{EthVersion, UnknownVersion};

pub use crate::rlp::{MAX_TOTAL_DIFFICULTY_BITS, RlpError};

/// Largest message, before compression (devp2p `caps/eth.md`, go-ethereum `maxMessageSize`).
pub const MAX_MESSAGE_SIZE: usize = 10 * 1024 * 1024;
/// Largest message of the transport, a frame's 24-bit length: what Bor's receipts may reach.
pub const MAX_BOR_RECEIPTS_SIZE: usize = 16 * 1024 * 1024 - 1;
/// An answer is cut after the item that passes this (go-ethereum `softResponseLimit`).
pub const SOFT_RESPONSE_LIMIT: usize = 2 * 1024 * 1024;

/// Headers in an answer (go-ethereum `maxHeadersServe`).
pub const MAX_HEADERS: usize = 1024;
/// Bodies in an answer (go-ethereum `maxBodiesServe`).
pub const MAX_BODIES: usize = 1024;
/// Receipts lists in an answer (go-ethereum `maxReceiptsServe`).
pub const MAX_RECEIPTS: usize = 1024;
/// Hashes in a request for bodies, receipts or transactions. Servers look at 2,048 (Geth: twice the answer's
/// bound) or 256 (transactions) and ignore the rest, so more is no offence; it is bounded here for memory.
pub const MAX_REQUESTED_HASHES: usize = 8192;
/// Announced transactions in a message: the specification recommends 4,096 at most; twice that is accepted.
pub const MAX_ANNOUNCED_HASHES: usize = 8192;
/// Transactions in a message; Geth accepts 5,000 (go-ethereum `maxTransactionAnnouncements`).
pub const MAX_TRANSACTIONS: usize = 8192;
/// Blocks announced in one message.
pub const MAX_ANNOUNCED_BLOCKS: usize = 1024;
/// Largest header. Bor's `extraData` holds transaction dependencies, up to some 100 KiB.
pub const MAX_HEADER_SIZE: usize = 512 * 1024;
