//! Who vouches for blocks, beside those that give them.
//!
//! * [`l1`]: the checkpoints of Polygon's validators in the RootChain contract on Ethereum
//! * [`heimdall`]: spans and milestones of Polygon's consensus layer
//! * [`signed`]: a checkpoint in a file, signed by people
//! * [`agree`]: when several endpoints are believed
//! * `endpoint`, `abi`: one endpoint over HTTP; the words of contract calls
//!
//! No answer of one endpoint is believed where several are configured. An endpoint that contradicts the others is
//! counted and named, and everything goes on with the rest. Nothing here decides what a node does with what it learns.

mod abi;
pub mod agree;
mod endpoint;
pub mod heimdall;
pub mod l1;
pub mod signed;

pub use agree::{Disagreement, Verdict};
pub use endpoint::EndpointStatus;
pub use heimdall::{Heimdall, HeimdallOptions, Milestone};
pub use l1::{L1, L1Checkpoint, L1Error, L1Options};
pub use signed::{SignedCheckpoint, SignedError};
