//! The store's promises.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests, of which some speak to their parent process"
)]
mod coverage;
mod damage;
mod disk;
mod disk_full;
mod extra;
mod history;
mod kill;
mod memory;
mod mending;
mod model;
mod pruning;
mod scan;
mod steps;
mod support;
mod tip;
