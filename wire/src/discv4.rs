//! Packets of the node discovery protocol, version 4.
//!
//! A packet is `keccak(rest) ‖ signature ‖ type ‖ RLP`, at most 1,280 bytes. Decoding checks the hash and
//! recovers who signed; the sender is proven to hold its key, not to be at its address. Expiry is data here:
//! whether a packet is too old, whether its sender is bonded, and whether it was asked for, is the caller's
//! to judge.
//!
//! Items after the known ones, bytes after the list, and the version in a ping are ignored (EIP-8).
//!
//! Sources: devp2p `discv4.md`, EIP-8, EIP-868 (records), go-ethereum `p2p/discover/v4wire`.

mod endpoint;
mod message;
mod packet;

pub use endpoint::Endpoint;
pub use message::{EnrRequest, EnrResponse, FindNode, Message, MessageId, Neighbors, Ping, Pong};
pub use packet::{Packet, PacketError};

pub use crate::rlp::RlpError;

/// Largest packet (devp2p `discv4.md`): what every path carries unfragmented over IPv6.
pub const MAX_PACKET_SIZE: usize = 1280;
/// Hash, signature and type: a packet is longer.
pub const MIN_PACKET_SIZE: usize = 32 + 65 + 1;
/// Nodes in one packet, so that it fits with IPv6 addresses (go-ethereum `MaxNeighbors`).
pub const MAX_NEIGHBORS_PER_PACKET: usize = 12;
/// Nodes in the answer to one question, over all its packets: the size of a bucket.
pub const MAX_NEIGHBORS: usize = 16;
/// Largest node record (EIP-778).
pub const MAX_RECORD_SIZE: usize = 300;
/// The version that our pings say; the version of others is ignored.
pub const VERSION: u8 = 4;
