//! The appliance: the only place that knows everything.
//!
//! * [`config`]: file, environment and flags become one checked [`config::Config`]
//! * [`served`]: the one served head
//! * [`rpc`]: the RPC port: framing, local answers, pass-through
//! * [`sync`]: filling the store, forward and backward
//! * [`p2p`]: the devp2p port: peers, discovery, serving, relaying
//! * [`admin`]: health, metrics, REST
//! * [`app`]: puts it together; [`cli`]: the commands

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod p2p;
pub mod rpc;
pub mod served;
pub mod sync;
