//! What a block is.
//!
//! Headers, bodies and receipts stay the raw RLP that the chain hashes; everything here reads them where they
//! lie. No I/O and no async: bytes in, bytes or a [`verify::Fault`] out.
//!
//! * [`rlp`], [`header`], [`body`], [`transaction`], [`receipt`]: positional readers
//! * [`roots`], [`verify`], [`sender`]: what the bytes must add up to; [`keccak`]: many hashes at once
//! * [`spec`], [`genesis`], [`fork_id`]: which rules hold at which height
//! * [`bor`]: what differs on Polygon
//! * [`derive`], [`render`]: fields that follow from others, and `eth_*` results written straight from RLP
//! * [`rebuild`]: RLP made again from a node's JSON
//! * [`dev`]: the development chain

pub mod block;
pub mod body;
pub mod bor;
pub mod derive;
pub mod dev;
pub mod fork_id;
pub mod genesis;
pub mod header;
pub mod keccak;
pub mod rebuild;
pub mod receipt;
pub mod render;
pub mod rlp;
pub mod roots;
pub mod sender;
pub mod spec;
pub mod transaction;
pub mod verify;

pub use block::{Block, BlockId};
pub use body::Body;
pub use header::Header;
pub use receipt::{Receipt, Receipts};
pub use spec::ChainSpec;
pub use transaction::Transaction;
pub use verify::{Fault, Level};
