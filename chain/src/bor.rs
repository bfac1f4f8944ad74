//! Polygon's Bor: what differs from Ethereum, all of it in one room.
//!
//! * [`config`]: sprints, periods and Bor's own forks, which are in no fork id
//! * [`checkpoint`]: the roots that validators sign onto Ethereum
//! * [`state_sync`]: the transactions that carry events from the root chain

pub mod checkpoint;
pub mod config;
pub mod state_sync;

pub use config::{BorConfig, BorFork, Schedule};
