//! The handshake: each side sends Status, and each judges the other's.
//!
//! Ours is sent at once, without waiting for the peer's: go-ethereum's conformance tool, and whoever is as
//! cautious, waits for ours before it sends its own. No time is kept here; the caller wraps the handshake in
//! its own limit (Geth: five seconds).

use std::fmt;

use alloy_eip2124::{ForkFilter, ForkId, ValidationError};
use alloy_primitives::B256;
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};

use super::status::BlockRangeError;
use super::{Dialect, EthMessage, EthMessageError, EthMessageID, EthVersion, UnifiedStatus};
use crate::p2p::DisconnectReason;

/// The handshake of one session.
#[derive(Clone, Copy, Debug)]
pub struct EthHandshake<'a> {
    /// What we serve, with the version that was negotiated.
    pub status: UnifiedStatus,
    /// Which fork ids are compatible with ours.
    pub fork_filter: &'a ForkFilter,
    /// Whose `eth` it is.
    pub dialect: Dialect,
}

/// Why there is no session. [`disconnect_reason`](Self::disconnect_reason) says what to tell the peer.
#[derive(Debug, thiserror::Error)]
pub enum EthHandshakeError<E> {
    /// The connection failed: nobody's fault, another try may succeed.
    #[error("the connection failed: {0}")]
    Transport(E),
    /// The peer closed the connection before it sent its Status.
    #[error("the peer closed the connection before its Status")]
    Closed,
    /// Another message came first.
    #[error("the peer's first message is {id:#04x}, not Status")]
    NotStatus {
        /// Its id, relative to where `eth` begins.
        id: u8,
    },
    /// The Status was not understood, or names another version than was negotiated.
    #[error(transparent)]
    Malformed(#[from] EthMessageError),
    /// The peer is of another network.
    #[error("the peer's network is {theirs}, ours is {ours}")]
    Network {
        /// Our network id.
        ours: u64,
        /// Theirs.
        theirs: u64,
    },
    /// The peer's chain began otherwise.
    #[error("the peer's genesis is {theirs}, ours is {ours}")]
    Genesis {
        /// Our genesis hash.
        ours: B256,
        /// Theirs.
        theirs: B256,
    },
    /// The peer follows other forks, or does not know one that has passed (EIP-2124).
    #[error("the peer's fork id {} (next {}) does not fit ours: {source}", Hash(.theirs), .theirs.next)]
    Fork {
        /// Their fork id.
        theirs: ForkId,
        /// Which rule it breaks.
        source: ValidationError,
    },
    /// The range that the peer serves cannot be.
    #[error(transparent)]
    Range(#[from] BlockRangeError),
}

// === impl EthHandshake ===

impl EthHandshake<'_> {
    /// Sends our Status, reads the peer's, and judges it.
    ///
    /// `stream` carries messages as id, relative to where `eth` begins, and payload. On an error the caller
    /// disconnects with [`EthHandshakeError::disconnect_reason`].
    pub async fn handshake<S, E>(&self, stream: &mut S) -> Result<UnifiedStatus, EthHandshakeError<E>>
    where
        S: Stream<Item = Result<(u8, Bytes), E>> + Sink<(u8, Bytes), Error = E> + Unpin,
    {
        let ours = EthMessage::Status(self.status.into_message(self.dialect));
        let message = (u8::from(ours.message_id()), ours.encoded());
        stream.send(message).await.map_err(EthHandshakeError::Transport)?;
        let received = stream.next().await.ok_or(EthHandshakeError::Closed)?;
        let (id, payload) = received.map_err(EthHandshakeError::Transport)?;
        let theirs = self.read(id, payload)?;
        self.judge(&theirs)?;
        Ok(theirs)
    }

    /// Reads the peer's first message.
    pub fn read<E>(&self, id: u8, payload: Bytes) -> Result<UnifiedStatus, EthHandshakeError<E>> {
        if id != u8::from(EthMessageID::Status) {
            return Err(EthHandshakeError::NotStatus { id });
        }
        match EthMessage::decode(self.status.version, self.dialect, id, payload)? {
            EthMessage::Status(status) => Ok(status.into()),
            _ => Err(EthHandshakeError::NotStatus { id }),
        }
    }

    /// Whether the peer is of our chain, in the order of Geth: network, genesis, forks, range.
    pub fn judge<E>(&self, theirs: &UnifiedStatus) -> Result<(), EthHandshakeError<E>> {
        let ours = &self.status;
        if theirs.chain != ours.chain {
            return Err(EthHandshakeError::Network { ours: ours.chain, theirs: theirs.chain });
        }
        if theirs.genesis != ours.genesis {
            return Err(EthHandshakeError::Genesis { ours: ours.genesis, theirs: theirs.genesis });
        }
        self.fork_filter
            .validate(theirs.forkid)
            .map_err(|source| EthHandshakeError::Fork { theirs: theirs.forkid, source })?;
        if let Some(range) = theirs.range() {
            range.validate()?;
        }
        Ok(())
    }

    /// The version that both sides speak.
    pub fn version(&self) -> EthVersion {
        self.status.version
    }
}

// === impl EthHandshakeError ===

impl<E> EthHandshakeError<E> {
    /// What to tell the peer; `None` if the connection is gone. As Geth does, a peer of another chain hears
    /// that the reason lies in the protocol above, one that breaks the protocol that it did so.
    pub fn disconnect_reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Transport(_) | Self::Closed => None,
            Self::Malformed(error) => Some(error.disconnect_reason()),
            Self::NotStatus { .. } | Self::Range(_) => Some(DisconnectReason::ProtocolBreach),
            Self::Network { .. } | Self::Genesis { .. } | Self::Fork { .. } => {
                Some(DisconnectReason::SubprotocolSpecific)
            }
        }
    }
}

/// A fork hash in hex.
struct Hash<'a>(&'a ForkId);

impl fmt::Display for Hash<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hash.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
