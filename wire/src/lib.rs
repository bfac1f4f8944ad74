//! devp2p as a pure codec: what two nodes say to each other, and how they hide it.
//!
//! Generic over any `AsyncRead + AsyncWrite`; no sockets, no timers, no policy. Names are those of
//! `reth-eth-wire` and its sisters, which are empty placeholders on the registry, so that they could take
//! this crate's place one day.
//!
//! * [`ecies`]: the RLPx handshake of EIP-8, then encrypted and authenticated frames
//! * [`p2p`]: the base protocol: hello, capabilities, snappy, ping, disconnect
//! * [`multiplex`]: which capability a message id belongs to
//! * [`node`]: `enode://` records and node ids
//! * [`eth`]: the `eth` protocol, versions 68 to 70
//! * [`discv4`]: packets of node discovery
//!
//! Every length is bounded before anything is allocated for it; the bounds are public constants beside their
//! reader.

pub mod discv4;
pub mod ecies;
pub mod eth;
pub mod multiplex;
pub mod node;
pub mod p2p;
mod rlp;
