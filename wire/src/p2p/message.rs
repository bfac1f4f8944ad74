//! Messages of the base protocol.

use bytes::{Bytes, BytesMut};

use super::{
    DisconnectReason, HelloMessage, MAX_BASE_MESSAGE_SIZE, MAX_RESERVED_MESSAGE_ID, P2PStreamError,
    compression,
};

/// A message of the base protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum P2PMessage {
    /// 0x00
    Hello(HelloMessage),
    /// 0x01
    Disconnect(DisconnectReason),
    /// 0x02
    Ping,
    /// 0x03
    Pong,
    /// 0x04 to 0x0f: reserved; ignored, as in Geth.
    Reserved(u8),
}

impl P2PMessage {
    /// Its id.
    pub const fn id(&self) -> u8 {
        match self {
            Self::Hello(_) => 0x00,
            Self::Disconnect(_) => 0x01,
            Self::Ping => 0x02,
            Self::Pong => 0x03,
            Self::Reserved(id) => *id,
        }
    }

    /// The body of a frame that carries it.
    pub(super) fn encode(&self, snappy: bool) -> Result<Bytes, P2PStreamError> {
        let mut body = BytesMut::new();
        match self {
            Self::Hello(hello) => body = hello.encode(),
            Self::Disconnect(reason) => reason.encode(&mut body),
            Self::Ping | Self::Pong | Self::Reserved(_) => {
                body.extend_from_slice(&[alloy_rlp::EMPTY_LIST_CODE])
            }
        }
        compression::encode(self.id(), &body, snappy)
    }

    /// Reads message `id` from the rest of a frame's body; both its lengths are bounded by
    /// [`MAX_BASE_MESSAGE_SIZE`]. `None` if the id is not of the base protocol.
    ///
    /// # Errors
    ///
    /// What the peer did wrong. Disconnect is taken in any form that clients use, compressed or not; a reason
    /// that cannot be read is [`DisconnectReason::Unknown`].
    pub fn decode(id: u64, body: BytesMut, snappy: bool) -> Result<Option<Self>, P2PStreamError> {
        let Some(id) = u8::try_from(id).ok().filter(|id| *id <= MAX_RESERVED_MESSAGE_ID) else {
            return Ok(None);
        };
        if body.len() > MAX_BASE_MESSAGE_SIZE {
            return Err(P2PStreamError::base_size(id.into(), body.len()));
        }
        Ok(Some(match id {
            // Never compressed: it comes before compression is agreed. Another one later is ignored, as in
            // Geth.
            0x00 if !snappy => Self::Hello(HelloMessage::decode(&body)?),
            0x01 => Self::Disconnect(reason(&body, snappy)),
            // What pings and pongs carry does not matter; some compress it, some do not.
            0x02 => Self::Ping,
            0x03 => Self::Pong,
            reserved => Self::Reserved(reserved),
        }))
    }
}

/// Reads the form that was agreed, then the other one.
fn reason(body: &BytesMut, snappy: bool) -> DisconnectReason {
    let plain = DisconnectReason::decode(body);
    let unpacked = compression::decode(0x01, body.clone(), true, MAX_BASE_MESSAGE_SIZE).ok();
    let unpacked = unpacked.and_then(|unpacked| DisconnectReason::decode(&unpacked));
    let (first, second) = if snappy { (unpacked, plain) } else { (plain, unpacked) };
    first.or(second).unwrap_or(DisconnectReason::Unknown(u8::MAX))
}
