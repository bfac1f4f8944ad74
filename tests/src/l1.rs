//! Ethereum as Polygon's checkpoints need it: a real Anvil with a contract that has the interface of RootChain, and
//! endpoints before it that can lie and go away.

mod assembler;
mod contract;
mod endpoint;

pub use contract::{RootChain, root_over};
pub use endpoint::L1Endpoint;
