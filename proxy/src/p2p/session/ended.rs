//! Why a session ends, and what is said to the peer about it.

use hypasis_wire::eth::EthMessageError;
use hypasis_wire::p2p::{DisconnectReason, P2PStreamError};

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The connection did.
    #[error("{0}")]
    Connection(#[from] P2PStreamError),
    /// The peer closed it without a word.
    #[error("closed")]
    Closed,
    /// We had enough; the reason is told, and whether it is a lie or a breach that bans.
    #[error("{why}")]
    Ours { reason: DisconnectReason, why: String, ban: bool },
}

// === impl Ended ===

impl Ended {
    pub(super) fn ours(reason: DisconnectReason, why: impl Into<String>) -> Self {
        Self::Ours { reason, why: why.into(), ban: false }
    }

    pub(super) fn quitting() -> Self {
        Self::ours(DisconnectReason::ClientQuitting, "this node stops")
    }

    pub(super) fn lied(why: String) -> Self {
        Self::Ours { reason: DisconnectReason::SubprotocolSpecific, why, ban: true }
    }

    pub(super) fn breach(why: impl std::fmt::Display) -> Self {
        Self::Ours { reason: DisconnectReason::ProtocolBreach, why: why.to_string(), ban: true }
    }

    /// What it did that sound ones never do.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::Connection(error) if error.is_peer_fault() => Some(error.to_string()),
            Self::Ours { why, ban: true, .. } => Some(why.clone()),
            _ => None,
        }
    }

    /// What to tell the peer; `None` if it is not there to hear it.
    pub(super) fn reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Connection(error) => error.disconnect_reason(),
            Self::Closed => None,
            Self::Ours { reason, .. } => Some(*reason),
        }
    }
}

impl From<EthMessageError> for Ended {
    fn from(error: EthMessageError) -> Self {
        Self::Ours { reason: error.disconnect_reason(), why: error.to_string(), ban: true }
    }
}
