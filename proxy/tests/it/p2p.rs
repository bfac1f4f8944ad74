//! The devp2p port.

mod announce;
mod bor;
mod configuration;
mod discovery;
mod forward;
mod forward_faults;
mod forward_limits;
mod forward_peers;
mod gossip;
mod key;
mod library;
pub(crate) mod players;
mod range;
mod serve;
mod serve_headers;
mod serve_receipts;
