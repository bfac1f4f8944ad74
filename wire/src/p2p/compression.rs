//! From a message to a frame's body and back: the id as an RLP integer, the payload as a snappy block
//! (EIP-706: <https://eips.ethereum.org/EIPS/eip-706>).

use alloy_rlp::{Decodable, Encodable};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::P2PStreamError;
use crate::ecies::FRAME_TAIL;

/// What one compressed byte can grow to at most: a copy of 64 bytes takes three. A block that claims more is
/// a lie that would cost memory.
const GROWTH_MAX: usize = 22;

/// The body of a frame, with room behind it, so that it is sealed where it lies.
pub(super) fn encode(id: u8, payload: &[u8], snappy: bool) -> Result<Bytes, P2PStreamError> {
    let id_length = id.length();
    let room = if snappy { max_compress_len(payload.len()) } else { payload.len() };
    // Zeroed memory is fresh from the system: cheaper than clearing.
    let mut body = BytesMut::zeroed(id_length + room + FRAME_TAIL);
    let (mut id_part, payload_part) = body.split_at_mut(id_length);
    id.encode(&mut id_part);
    let written = if snappy {
        Encoder::new().compress(payload, payload_part)?
    } else {
        let mut rest = payload_part;
        rest.put_slice(payload);
        payload.len()
    };
    body.truncate(id_length + written);
    Ok(body.freeze())
}

/// Takes the id from the front of a frame's body.
pub(super) fn take_id(body: &mut BytesMut) -> Result<u64, P2PStreamError> {
    if body.is_empty() {
        return Err(P2PStreamError::EmptyMessage);
    }
    let mut rest: &[u8] = body;
    let id = u64::decode(&mut rest).map_err(P2PStreamError::MessageId)?;
    let taken = body.len() - rest.len();
    body.advance(taken);
    Ok(id)
}

/// The plain payload of message `id`, if it has at most `max` bytes. Nothing is allocated for one that has
/// more.
pub(super) fn decode(id: u64, body: BytesMut, snappy: bool, max: usize) -> Result<Bytes, P2PStreamError> {
    let size = if snappy { decompress_len(&body)? } else { body.len() };
    if size > max {
        return Err(P2PStreamError::MessageSize { id, size, max });
    }
    if !snappy {
        return Ok(body.freeze());
    }
    if size > body.len().saturating_mul(GROWTH_MAX) {
        return Err(P2PStreamError::Bomb { id, size, compressed: body.len() });
    }
    let mut plain = BytesMut::zeroed(size);
    let written = Decoder::new().decompress(&body, &mut plain)?;
    plain.truncate(written);
    Ok(plain.freeze())
}
