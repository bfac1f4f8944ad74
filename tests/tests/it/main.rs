//! The promises of the whole system, each shown on the binary that is shipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod anvil;
mod archives;
mod bor;
mod checkpoint_files;
mod command_line;
mod crash;
mod data_folder;
mod development;
mod draining;
mod geth;
mod l1;
mod liars;
mod many_connections;
mod metrics;
mod p2p;
mod tidy;
mod upstream_loss;
mod vectors;
