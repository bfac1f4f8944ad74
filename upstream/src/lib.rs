//! Where blocks come from.
//!
//! * [`source`]: the one trait through which sync takes headers and blocks, whatever is behind
//! * [`rpc`]: JSON-RPC nodes: probing, head tracking, fetching, and the client below both
//! * [`pool`]: user traffic over all nodes: choice, retry, hedge, breaker, limits
//! * [`archive`]: folders of era1, ere and plain chain files
//! * [`dev`]: the development chain as a source
//! * [`peer`]: devp2p peers as a source
//! * [`checkpoint`]: who vouches for blocks: Polygon's root chain on Ethereum, Heimdall, signed files

pub mod archive;
pub mod checkpoint;
pub mod dev;
pub mod peer;
pub mod pool;
pub mod rpc;
pub mod source;

pub use pool::{Call, Charge, Class, ForwardError, InFlight, Need, Pool, PoolHeads, PoolOptions, Reply};
pub use rpc::{ExpectedChain, FollowOptions, NodeOptions, NodeStatus, Role, probe_chain};
pub use source::{Fetched, Heads, Source, SourceError, Wanted};
