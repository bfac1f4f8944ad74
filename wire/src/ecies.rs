//! RLPx: the EIP-8 handshake, then encrypted and authenticated frames
//! (<https://github.com/ethereum/devp2p/blob/master/rlpx.md>).
//!
//! * `envelope`: ECIES: a handshake packet sealed for one public key
//! * `handshake`: auth and ack, and the secrets that both sides draw from them
//! * `mac`: the running hash that authenticates frames
//! * [`ECIESCodec`]: frames, encrypted and authenticated where they lie
//! * [`ECIESStream`]: both over a transport
//!
//! There are no timers here: the caller bounds [`ECIESStream::connect`] and [`ECIESStream::incoming`] in
//! time.

mod codec;
mod envelope;
mod error;
mod handshake;
mod mac;
mod outbox;
mod stream;

pub use codec::{ECIESCodec, FRAME_OVERHEAD, FRAME_TAIL, MAX_FRAME_SIZE};
pub use error::ECIESError;
pub use handshake::{Ack, Auth, Handshake, MAX_HANDSHAKE_SIZE, Secrets};
pub use outbox::OUTBOX_BYTES_MAX;
pub use stream::ECIESStream;
