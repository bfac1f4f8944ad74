//! The development chain as an upstream.
//!
//! * [`source`]: as a source of blocks, in the same process
//! * [`answer`], [`methods`], [`params`]: as a node's JSON-RPC answers
//! * [`node`]: those answers over HTTP, with switches for misbehaviour, for tests

pub mod answer;
mod methods;
pub mod node;
mod params;
pub mod source;

pub use answer::Responder;
pub use node::{DevNode, Lie};
pub use source::DevSource;

/// Blocks from the head to the one that a development node calls finalized, and safe.
pub const FINALITY_DEPTH: u64 = 64;

/// What `web3_clientVersion` answers.
pub const CLIENT_VERSION: &str = concat!("hypasis-dev/v", env!("CARGO_PKG_VERSION"));
