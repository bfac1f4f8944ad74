//! Why a peer hangs up.

use alloy_rlp::{Decodable, Encodable, Header};
use bytes::{BufMut, BytesMut};

/// The reason in a Disconnect message
/// (<https://github.com/ethereum/devp2p/blob/master/rlpx.md#disconnect-0x01>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DisconnectReason {
    /// 0x00
    #[error("disconnect requested")]
    DisconnectRequested,
    /// 0x01
    #[error("TCP subsystem error")]
    TcpSubsystemError,
    /// 0x02: a malformed message, a bad MAC.
    #[error("breach of protocol")]
    ProtocolBreach,
    /// 0x03: no capability in common, another chain, nothing to give.
    #[error("useless peer")]
    UselessPeer,
    /// 0x04
    #[error("too many peers")]
    TooManyPeers,
    /// 0x05
    #[error("already connected")]
    AlreadyConnected,
    /// 0x06
    #[error("incompatible version of the base protocol")]
    IncompatibleP2PProtocolVersion,
    /// 0x07
    #[error("null or malformed node identity")]
    NullNodeIdentity,
    /// 0x08
    #[error("client is quitting")]
    ClientQuitting,
    /// 0x09: the id in hello is not that of the handshake.
    #[error("unexpected identity in the handshake")]
    UnexpectedHandshakeIdentity,
    /// 0x0a
    #[error("connected to itself")]
    ConnectedToSelf,
    /// 0x0b
    #[error("ping or read timed out")]
    PingTimeout,
    /// 0x10: what a capability complains of.
    #[error("error of a capability")]
    SubprotocolSpecific,
    /// Any other number.
    #[error("unknown reason {0:#04x}")]
    Unknown(u8),
}

impl DisconnectReason {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::DisconnectRequested => 0x00,
            Self::TcpSubsystemError => 0x01,
            Self::ProtocolBreach => 0x02,
            Self::UselessPeer => 0x03,
            Self::TooManyPeers => 0x04,
            Self::AlreadyConnected => 0x05,
            Self::IncompatibleP2PProtocolVersion => 0x06,
            Self::NullNodeIdentity => 0x07,
            Self::ClientQuitting => 0x08,
            Self::UnexpectedHandshakeIdentity => 0x09,
            Self::ConnectedToSelf => 0x0a,
            Self::PingTimeout => 0x0b,
            Self::SubprotocolSpecific => 0x10,
            Self::Unknown(code) => code,
        }
    }

    /// The plain body of the Disconnect message: a list of the one number.
    pub(crate) fn encode(self, out: &mut BytesMut) {
        out.put_u8(alloy_rlp::EMPTY_LIST_CODE + u8::try_from(self.code().length()).unwrap_or(1));
        self.code().encode(out);
    }

    /// Reads the plain body: a list with the number first, or the number alone, as some clients write it; an
    /// empty body or list counts as "requested". `None` if it is neither.
    pub(crate) fn decode(mut body: &[u8]) -> Option<Self> {
        let is_list = body.first().is_some_and(|first| *first >= alloy_rlp::EMPTY_LIST_CODE);
        let mut number = if is_list { Header::decode_bytes(&mut body, true).ok()? } else { body };
        // A zero byte is no canonical zero, but clear enough.
        if matches!(number, [] | [0]) {
            return Some(Self::DisconnectRequested);
        }
        let code = u8::decode(&mut number).ok()?;
        // A list may grow more items one day; bytes behind a bare number say that it is none.
        (is_list || number.is_empty()).then(|| Self::from(code))
    }
}

impl From<u8> for DisconnectReason {
    fn from(code: u8) -> Self {
        match code {
            0x00 => Self::DisconnectRequested,
            0x01 => Self::TcpSubsystemError,
            0x02 => Self::ProtocolBreach,
            0x03 => Self::UselessPeer,
            0x04 => Self::TooManyPeers,
            0x05 => Self::AlreadyConnected,
            0x06 => Self::IncompatibleP2PProtocolVersion,
            0x07 => Self::NullNodeIdentity,
            0x08 => Self::ClientQuitting,
            0x09 => Self::UnexpectedHandshakeIdentity,
            0x0a => Self::ConnectedToSelf,
            0x0b => Self::PingTimeout,
            0x10 => Self::SubprotocolSpecific,
            other => Self::Unknown(other),
        }
    }
}
