//! RLPx: published handshake vectors, frames, hello, and two of our own ends talking.

mod disconnect;
mod ends;
mod hello;
mod hostile;
mod node;
mod shared;
mod status;
mod vectors;
