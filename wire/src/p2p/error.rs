//! What goes wrong between two peers below the capabilities.

use super::{DisconnectReason, MAX_BASE_MESSAGE_SIZE, PONGS_OWED_MAX};
use crate::ecies::ECIESError;

/// An error of the base protocol. After any of them the connection is of no use; what to tell the peer is
/// [`P2PStreamError::disconnect_reason`].
#[derive(Debug, thiserror::Error)]
pub enum P2PStreamError {
    /// The encrypted transport failed.
    #[error(transparent)]
    Transport(#[from] ECIESError),
    /// The peer hung up and said why.
    #[error("the peer disconnected: {0}")]
    Disconnected(DisconnectReason),
    /// The peer hung up before its hello.
    #[error("the peer closed the connection before its hello")]
    NoHello,
    /// Something else came instead of hello.
    #[error("message {0:#04x} came where hello was due")]
    NotHello(u64),
    /// Hello does not hold what it must.
    #[error("hello without a readable {field}: {source}")]
    Hello {
        /// The field that was read.
        field: &'static str,
        /// What the RLP reader found.
        source: alloy_rlp::Error,
    },
    /// The id in hello has not 64 bytes, or is all zeros.
    #[error("the node id in hello is null or has not 64 bytes")]
    NullIdentity,
    /// The id in hello is not that of the key that shook hands.
    #[error("the node id in hello is not that of the handshake")]
    UnexpectedIdentity,
    /// Nothing in common; what the peer offers.
    #[error("no capability in common with the peer, which offers: {0}")]
    NoSharedCapabilities(String),
    /// Our capabilities together have more messages than ids exist.
    #[error("the shared capabilities have more message ids than there are")]
    TooManyMessageIds,
    /// A frame without a message.
    #[error("a frame without a message id")]
    EmptyMessage,
    /// The id is no RLP integer.
    #[error("a message id is no RLP integer: {0}")]
    MessageId(alloy_rlp::Error),
    /// An id of no shared capability.
    #[error("message {0:#x} belongs to no shared capability")]
    UnknownMessage(u64),
    /// A capability of ours that is not shared, or an id that it does not have: the caller's mistake.
    #[error("capability {capability} has no message {id:#x}: not sent")]
    NotOurs {
        /// Index of the capability.
        capability: usize,
        /// The id within it.
        id: u8,
    },
    /// A message of our own over the bound: the caller's mistake.
    #[error("message {id:#x} has {size} bytes and is not sent: at most {max} are possible")]
    OwnMessageSize {
        /// Its id.
        id: u64,
        /// Its plain length.
        size: usize,
        /// The bound in force.
        max: usize,
    },
    /// The peer's message is over the bound.
    #[error("message {id:#x} has {size} bytes: at most {max} are possible")]
    MessageSize {
        /// Its id.
        id: u64,
        /// Its plain length.
        size: usize,
        /// The bound in force; [`MAX_BASE_MESSAGE_SIZE`] for the base protocol.
        max: usize,
    },
    /// The compressed bytes cannot hold what they claim.
    #[error("message {id:#x} claims {size} bytes in {compressed} compressed ones: impossible")]
    Bomb {
        /// Its id.
        id: u64,
        /// The claimed length.
        size: usize,
        /// Its length on the wire.
        compressed: usize,
    },
    /// The compressed bytes are damaged.
    #[error("a message does not decompress: {0}")]
    Snappy(#[from] snap::Error),
    /// The peer pings and does not read our pongs.
    #[error("the peer has sent {PONGS_OWED_MAX} pings without reading a pong")]
    PingFlood,
}

impl P2PStreamError {
    /// What to tell the peer before hanging up; `None` if there is nobody to tell.
    pub const fn disconnect_reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Transport(ECIESError::Io(_)) | Self::Disconnected(_) | Self::NoHello => None,
            Self::NullIdentity => Some(DisconnectReason::NullNodeIdentity),
            Self::UnexpectedIdentity => Some(DisconnectReason::UnexpectedHandshakeIdentity),
            Self::NoSharedCapabilities(_) => Some(DisconnectReason::UselessPeer),
            Self::TooManyMessageIds | Self::NotOurs { .. } | Self::OwnMessageSize { .. } => {
                Some(DisconnectReason::DisconnectRequested)
            }
            Self::Transport(ECIESError::OwnFrameSize { .. }) => Some(DisconnectReason::DisconnectRequested),
            _ => Some(DisconnectReason::ProtocolBreach),
        }
    }

    /// Whether the peer broke the protocol, which nobody else can have done in its name: reason enough for a ban.
    /// Otherwise the network failed, the peer hung up, we have nothing in common, or the caller made a mistake.
    pub const fn is_peer_fault(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_peer_fault(),
            Self::Disconnected(_) | Self::NoHello | Self::NoSharedCapabilities(_) => false,
            Self::TooManyMessageIds | Self::NotOurs { .. } | Self::OwnMessageSize { .. } => false,
            _ => true,
        }
    }

    /// A message of the base protocol over its bound.
    pub(super) const fn base_size(id: u64, size: usize) -> Self {
        Self::MessageSize { id, size, max: MAX_BASE_MESSAGE_SIZE }
    }
}
