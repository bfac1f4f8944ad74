//! Where blocks come from: archives, nodes, the pool.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod archive;
mod beside;
mod checkpoint;
mod connections;
mod dev;
mod fake;
mod node;
mod peers;
mod pool;
mod sends;
mod support;
