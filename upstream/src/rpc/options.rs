//! What an operator says of a node, checked once at start.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use alloy_primitives::B256;
use serde::Serialize;

/// Parallel calls to one node unless the operator says otherwise.
pub const CONCURRENCY_DEFAULT: usize = 64;
/// Longest wait for one answer unless the operator says otherwise.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// One JSON-RPC node.
#[derive(Clone)]
pub struct NodeOptions {
    /// Name in headers, logs and metrics; never a URL.
    pub id: String,
    /// `http(s)://[user:password@]host[:port][/path]`. It may hold secrets, so nothing ever prints it.
    pub url: String,
    /// Who is asked first.
    pub role: Role,
    /// Headers sent with each request; values are secrets.
    pub headers: BTreeMap<String, String>,
    /// Calls a second over all traffic.
    pub rate_limit: Option<u32>,
    /// Blocks a second taken for history.
    pub fill_rate: Option<u32>,
    /// Parallel requests over all traffic.
    pub concurrency: usize,
    /// Longest wait for one answer, from the first byte sent to the last received.
    pub timeout: Duration,
    /// Method globs (`eth_*`) that users' calls to this node must match; empty: all.
    pub methods: Vec<String>,
}

/// Who is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Asked first.
    #[default]
    Primary,
    /// Asked when no primary can answer.
    Backup,
}

/// The chain that all nodes must be on; what is `None` is not checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpectedChain {
    /// EIP-155 chain id.
    pub chain_id: Option<u64>,
    /// Hash of block 0.
    pub genesis_hash: Option<B256>,
}

/// How often a node is looked at.
#[derive(Clone, Copy, Debug)]
pub struct FollowOptions {
    /// Shortest time between two looks at a head.
    pub poll_min: Duration,
    /// Longest time between two looks at a head; the chain's own pace decides in between.
    pub poll_max: Duration,
    /// Time between two probes of a node that is on the wrong chain.
    pub reprobe: Duration,
    /// Longest wait for the answer to a look.
    pub timeout: Duration,
}

/// The operator's words make no node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("upstream {id}: {reason}")]
pub struct OptionsError {
    /// Id of the node.
    pub id: String,
    /// What is wrong; never holds the URL or a header's value.
    pub reason: &'static str,
}

// === impl NodeOptions ===

impl NodeOptions {
    /// A primary with the defaults.
    pub fn new(id: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            url: url.into(),
            role: Role::Primary,
            headers: BTreeMap::new(),
            rate_limit: None,
            fill_rate: None,
            concurrency: CONCURRENCY_DEFAULT,
            timeout: TIMEOUT_DEFAULT,
            methods: Vec::new(),
        }
    }
}

impl fmt::Debug for NodeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeOptions").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

// === impl FollowOptions ===

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            poll_min: Duration::from_millis(250),
            poll_max: Duration::from_secs(1),
            reprobe: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
        }
    }
}
