//! JSON-RPC nodes.
//!
//! * [`options`]: what the operator says of a node
//! * `client`, `message`: HTTP and JSON-RPC of one node
//! * `node`: one node's state, shared by users' calls, head following and filling
//! * `probe`, `follow`: is it the right chain, what can it do, where is its head
//! * [`fetch`]: the node as a [`crate::Source`] of history
//! * [`status`]: all that is known of a node, for people and metrics

pub(crate) mod client;
pub mod fetch;
pub(crate) mod follow;
pub(crate) mod message;
pub(crate) mod node;
pub mod options;
pub(crate) mod probe;
pub mod status;

pub use fetch::RpcSource;
pub use options::{ExpectedChain, FollowOptions, NodeOptions, OptionsError, Role};
pub use probe::{ProbeError, ProbedChain, probe_chain};
pub use status::NodeStatus;
