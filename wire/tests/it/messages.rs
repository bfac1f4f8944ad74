//! The messages of the `eth` protocol: vectors, round trips, bounds, raw answers, handshake.

pub(crate) mod arbitrary;
mod bor;
mod bounds;
mod forms;
mod handshake;
mod raw;
mod round_trip;
mod vectors;
