//! Frames: a header with the length, the body, a MAC behind each
//! (<https://github.com/ethereum/devp2p/blob/master/rlpx.md#framing>).
//!
//! Bodies are encrypted, decrypted and authenticated in the buffer in which they lie.

use std::fmt;
use std::io;

use aes::Aes256;
use aes::cipher::{KeyIvInit, StreamCipher};
use alloy_primitives::B128;
use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::mac::{MAC_LEN, RunningMac, equal};
use super::{ECIESError, Secrets};

/// Largest body that the 24 bits of a header can announce.
pub const MAX_FRAME_SIZE: usize = (1 << 24) - 1;

/// What a frame adds to its body at most: header, its MAC, padding, the body's MAC. A body handed over with
/// [`FRAME_TAIL`] bytes of spare capacity is never copied.
pub const FRAME_OVERHEAD: usize = HEADER_LEN + FRAME_TAIL;

/// Padding and MAC behind a body, at most.
pub const FRAME_TAIL: usize = 15 + MAC_LEN;

/// A header and its MAC.
pub(super) const HEADER_LEN: usize = 16 + MAC_LEN;

/// Room made in advance for a body that is only announced. What is behind it must arrive first; then the room
/// doubles. So an announcement alone costs no more than this.
pub(super) const READ_AHEAD: usize = 64 * 1024;

/// Capability id and context id of the header: both 0, unused since the first version.
const HEADER_DATA: [u8; 3] = [0xc2, 0x80, 0x80];

/// Both directions of a connection after its handshake.
pub struct ECIESCodec {
    encrypt: Ctr,
    decrypt: Ctr,
    egress: RunningMac,
    ingress: RunningMac,
    /// Length of the body whose header has been read.
    announced: Option<usize>,
    max_frame_size: usize,
}

/// One counter over the whole connection; the key is fresh, so the vector is zero, and the upper half of the
/// specification's 128 bits never counts: a counter of 64 bits gives the same stream, half as fast again.
type Ctr = ctr::Ctr64BE<Aes256>;

impl ECIESCodec {
    /// The codec that `secrets` key.
    pub fn new(secrets: Secrets) -> Self {
        let Secrets { aes, egress, ingress, .. } = secrets;
        let stream = || Ctr::new(&aes.0.into(), &[0; 16].into());
        Self {
            encrypt: stream(),
            decrypt: stream(),
            egress,
            ingress,
            announced: None,
            max_frame_size: MAX_FRAME_SIZE,
        }
    }

    /// Accepts and sends no body over `size` bytes; the bound of RLPx stays above it.
    pub fn set_max_frame_size(&mut self, size: usize) {
        self.max_frame_size = size.min(MAX_FRAME_SIZE);
    }

    /// Turns `body` into the rest of a frame (ciphertext, padding, MAC) in place and gives the header that
    /// goes in front of it.
    pub(super) fn seal(&mut self, body: &mut BytesMut) -> Result<[u8; HEADER_LEN], ECIESError> {
        let size = body.len();
        let max = self.max_frame_size;
        if size > max {
            return Err(ECIESError::OwnFrameSize { size, max });
        }
        body.resize(size.next_multiple_of(16), 0);
        let [_, high, middle, low] = u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes();
        let mut header = [0; 16];
        for (at, byte) in header.iter_mut().zip([high, middle, low].into_iter().chain(HEADER_DATA)) {
            *at = byte;
        }
        self.encrypt.apply_keystream(&mut header);
        let header_mac = self.egress.header(header);
        self.encrypt.apply_keystream(body);
        let body_mac = self.egress.body(body);
        body.extend_from_slice(body_mac.as_slice());
        let mut sealed = [0; HEADER_LEN];
        for (at, byte) in sealed.iter_mut().zip(header.iter().chain(&header_mac)) {
            *at = *byte;
        }
        Ok(sealed)
    }

    fn read_header(&mut self, header: &[u8; 16], mac: &[u8; MAC_LEN]) -> Result<usize, ECIESError> {
        if !equal(&self.ingress.header(*header), &B128::new(*mac)) {
            return Err(ECIESError::HeaderMac);
        }
        let mut plain = *header;
        self.decrypt.apply_keystream(&mut plain);
        let [high, middle, low, ..] = plain;
        let size = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let max = self.max_frame_size;
        if size > max { Err(ECIESError::FrameSize { size, max }) } else { Ok(size) }
    }
}

impl Decoder for ECIESCodec {
    type Item = BytesMut;
    type Error = ECIESError;

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, ECIESError> {
        let size = match self.announced {
            Some(size) => size,
            None => {
                let Some((header, rest)) = input.split_first_chunk::<16>() else { return Ok(None) };
                let Some(mac) = rest.first_chunk::<MAC_LEN>() else { return Ok(None) };
                let size = self.read_header(header, mac)?;
                input.advance(HEADER_LEN);
                *self.announced.insert(size)
            }
        };
        let padded = size.next_multiple_of(16);
        let whole = padded + MAC_LEN;
        if let Some(missing) = whole.checked_sub(input.len()).filter(|missing| *missing > 0) {
            input.reserve(missing.min(input.len().max(READ_AHEAD)));
            return Ok(None);
        }
        let mut body = input.split_to(whole);
        let mac = body.split_off(padded);
        if !equal(&self.ingress.body(&body), &mac.first_chunk().copied().map(B128::new).unwrap_or_default()) {
            return Err(ECIESError::BodyMac);
        }
        self.decrypt.apply_keystream(&mut body);
        body.truncate(size);
        self.announced = None;
        Ok(Some(body))
    }

    fn decode_eof(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, ECIESError> {
        let frame = self.decode(input)?;
        if frame.is_none() && (self.announced.is_some() || !input.is_empty()) {
            return Err(
                io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended inside a frame").into()
            );
        }
        Ok(frame)
    }
}

impl Encoder<Bytes> for ECIESCodec {
    type Error = ECIESError;

    fn encode(&mut self, body: Bytes, out: &mut BytesMut) -> Result<(), ECIESError> {
        let mut body = BytesMut::from(body);
        let header = self.seal(&mut body)?;
        out.reserve(HEADER_LEN + body.len());
        out.extend_from_slice(&header);
        out.extend_from_slice(&body);
        Ok(())
    }
}

impl fmt::Debug for ECIESCodec {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ECIESCodec").field("announced", &self.announced).finish_non_exhaustive()
    }
}
