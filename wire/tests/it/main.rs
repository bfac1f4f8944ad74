//! The wire: handshakes, frames, messages, packets, and what hostile bytes do to them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod discv4;
mod hostile;
mod messages;
mod rlpx;
