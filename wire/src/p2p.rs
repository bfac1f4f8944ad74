//! The base protocol: hello, capabilities, snappy, ping, disconnect
//! (<https://github.com/ethereum/devp2p/blob/master/rlpx.md#p2p-capability>).
//!
//! * [`UnauthedP2PStream::handshake`] exchanges hello over an encrypted transport
//! * [`P2PStream`] carries the capabilities' messages, compressed, and answers pings by itself
//! * [`HelloMessage`], [`Capability`], [`SharedCapabilities`]: what was agreed
//! * [`DisconnectReason`]: why somebody hangs up
//!
//! No timers here: the caller bounds the handshake in time, says when to ping and how long to wait for the
//! pong.

mod capability;
mod compression;
mod disconnect;
mod error;
mod handshake;
mod hello;
mod message;
mod stream;

pub use capability::{Capability, Protocol, SharedCapabilities, SharedCapability};
pub use disconnect::DisconnectReason;
pub use error::P2PStreamError;
pub use handshake::{Frames, UnauthedP2PStream};
pub use hello::{HelloMessage, HelloMessageBuilder, HelloMessageWithProtocols, ProtocolVersion};
pub use message::P2PMessage;
pub use stream::{P2PEvent, P2PStream, PONGS_OWED_MAX};

/// Message ids of the base protocol end here; capabilities follow.
pub const MAX_RESERVED_MESSAGE_ID: u8 = 0x0f;

/// Largest message of the base protocol, compressed and plain; Geth's bound (`p2p/peer.go`,
/// `baseProtocolMaxMsgSize`).
pub const MAX_BASE_MESSAGE_SIZE: usize = 2 * 1024;

/// Largest plain message of a capability, unless set otherwise: that of `eth`
/// (<https://github.com/ethereum/devp2p/blob/master/caps/eth.md>: 10 MiB is a hard limit).
pub const MAX_MESSAGE_SIZE: usize = 10 * 1024 * 1024;

/// What [`P2PStream::set_max_message_size`] can raise the bound to: that of RLPx itself.
pub const MAX_PAYLOAD_SIZE: usize = (1 << 24) - 1;
