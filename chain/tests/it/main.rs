//! What a block is: readers, roots, specs, rendering, the development chain.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod bor;
mod dev_chain;
mod readers;
mod rebuild;
mod render;
mod sender;
mod spec;
mod support;
mod verify;
