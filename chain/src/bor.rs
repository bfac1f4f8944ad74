//! Polygon's Bor: what differs from Ethereum, all of it in one room.
//!
//! * [`config`]: sprints, periods and Bor's own forks, which are in no fork id
//! * [`extra`], [`seal`], [`base_fee`]: what its headers carry beside Ethereum's
//! * [`span`], [`milestone`]: what Heimdall says of producers and finality
//! * [`producers`]: whose turn a block was
//! * [`fork_choice`]: which branch is the chain
//! * [`checkpoint`]: the roots that validators sign onto Ethereum
//! * [`state_sync`]: the transactions that carry events from the root chain
//!
//! [`crate::verify`] applies the rules of headers.

pub mod base_fee;
pub mod checkpoint;
pub mod config;
pub mod extra;
pub mod fork_choice;
pub mod milestone;
pub mod producers;
pub(crate) mod rules;
pub mod seal;
pub mod span;
pub mod state_sync;

pub use config::{BorConfig, BorFork, OverrideValidators, Schedule};
pub use milestone::{HeimdallView, Milestone};
pub use span::{Producer, Span, Spans};
