//! What goes wrong in handshakes and frames.

use std::io;

use super::{MAX_FRAME_SIZE, MAX_HANDSHAKE_SIZE};

/// An error of the encrypted transport. After any of them the connection is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ECIESError {
    /// The transport failed, or ended in the middle of something. Another attempt may succeed.
    #[error("the transport failed: {0}")]
    Io(#[from] io::Error),
    /// The first two bytes are no plausible length: the other side does not speak RLPx of EIP-8.
    #[error("a handshake packet of {size} bytes: 1 to {MAX_HANDSHAKE_SIZE} are possible; not an RLPx peer?")]
    HandshakeSize {
        /// The length read.
        size: usize,
    },
    /// The packet does not open with our key: damaged, or meant for another node.
    #[error("a handshake packet does not open with this node's key: damaged, or meant for another node")]
    Envelope,
    /// A key or a signature in the handshake is none.
    #[error("a key or signature in the handshake is invalid: {0}")]
    Key(#[from] secp256k1::Error),
    /// The handshake packet opens but does not hold what it must.
    #[error("a handshake packet without a readable {field}: {source}")]
    Handshake {
        /// The field that was read.
        field: &'static str,
        /// What the RLP reader found.
        source: alloy_rlp::Error,
    },
    /// A frame's header is not from the peer that shook hands.
    #[error("the MAC of a frame's header is wrong")]
    HeaderMac,
    /// A frame's body is not from the peer that shook hands.
    #[error("the MAC of a frame's body is wrong")]
    BodyMac,
    /// The peer's frame is over the bound.
    #[error("a frame of {size} bytes: at most {max} are possible (RLPx: {MAX_FRAME_SIZE})")]
    FrameSize {
        /// Its length.
        size: usize,
        /// The bound in force.
        max: usize,
    },
    /// A frame of our own is over the bound: the caller's mistake.
    #[error("a frame of {size} bytes is not sent: at most {max} are possible (RLPx: {MAX_FRAME_SIZE})")]
    OwnFrameSize {
        /// Its length.
        size: usize,
        /// The bound in force.
        max: usize,
    },
}

impl ECIESError {
    /// Whether the other side broke the protocol. Otherwise the network failed, which a wrong MAC shows too (whoever
    /// stands between two peers can damage what they send), or the caller made a mistake.
    pub const fn is_peer_fault(&self) -> bool {
        !matches!(self, Self::Io(_) | Self::HeaderMac | Self::BodyMac | Self::OwnFrameSize { .. })
    }
}
