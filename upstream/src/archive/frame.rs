//! Snappy frames (`framing_format.txt`), unpacked into a bounded buffer.

use std::cell::RefCell;
use std::io::{self, Cursor, Read, Write};

use snap::read::FrameDecoder;
use snap::write::FrameEncoder;

/// What every framed stream begins with.
const STREAM_IDENTIFIER: &[u8] = b"\xff\x06\x00\x00sNaPpY";

/// Why framed bytes were not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// They are no framed stream, are cut off, or a checksum does not hold.
    #[error("bad Snappy frame: {0}")]
    Malformed(#[from] io::Error),
    /// They unpack to more than is allowed.
    #[error("unpacks to more than {0} bytes")]
    TooLarge(u64),
}

thread_local! {
    // A decoder owns 140 KiB of buffers, a small entry a few hundred bytes: making one for each entry would cost
    // more than unpacking it. After any error it is dropped, so that no state survives.
    static DECODER: RefCell<Option<FrameDecoder<Cursor<Vec<u8>>>>> = const { RefCell::new(None) };
}

/// Unpacks one framed stream of at most `limit` bytes.
pub fn unpack(packed: Vec<u8>, limit: u64) -> Result<Vec<u8>, FrameError> {
    if !packed.starts_with(STREAM_IDENTIFIER) {
        return Err(io::Error::from(io::ErrorKind::InvalidData).into());
    }
    DECODER.with_borrow_mut(|slot| {
        let mut decoder = match slot.take() {
            Some(mut decoder) => {
                *decoder.get_mut() = Cursor::new(packed);
                decoder
            }
            None => FrameDecoder::new(Cursor::new(packed)),
        };
        let mut bytes = Vec::new();
        (&mut decoder).take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(FrameError::TooLarge(limit));
        }
        *slot = Some(decoder);
        Ok(bytes)
    })
}

/// Packs bytes into one framed stream.
pub fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = FrameEncoder::new(Vec::with_capacity(bytes.len() / 2 + STREAM_IDENTIFIER.len()));
    encoder.write_all(bytes)?;
    encoder.into_inner().map_err(|error| error.error().kind().into())
}
