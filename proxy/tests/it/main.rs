//! The appliance's rooms, in process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod config;
mod p2p;
mod rpc;
mod support;
mod sync;
