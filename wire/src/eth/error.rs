//! Why a message was not understood.

use super::{EthMessageID, EthVersion};
use crate::p2p::DisconnectReason;
use crate::rlp::RlpError;

/// A message that its sender should not have sent. The session ends with
/// [`EthMessageError::disconnect_reason`]; what was asked may be asked of another peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EthMessageError {
    /// The id means nothing in this version and dialect.
    #[error("{version} has no message {id:#04x}")]
    UnknownId {
        /// The session's version.
        version: EthVersion,
        /// The id, relative to where `eth` begins.
        id: u8,
    },
    /// The message is larger than its kind may be.
    #[error("{message} of {length} bytes: at most {max} are accepted")]
    TooLarge {
        /// The kind.
        message: EthMessageID,
        /// Its length.
        length: usize,
        /// The bound.
        max: usize,
    },
    /// The message is not what its kind demands.
    #[error("{message}: {source}")]
    Malformed {
        /// The kind.
        message: EthMessageID,
        /// What is wrong.
        source: RlpError,
    },
}

// === impl EthMessageError ===

impl EthMessageError {
    /// What to tell the sender before closing.
    pub fn disconnect_reason(&self) -> DisconnectReason {
        DisconnectReason::ProtocolBreach
    }
}
