//! User traffic over all JSON-RPC nodes.
//!
//! A call goes to the node that is likely to answer first among those that may be asked: up, on the right chain, high
//! enough, primary before backup, its method allowed, its breaker closed (`choose`, `score`, `breaker`). Failures of
//! transport, of HTTP and of limits go elsewhere within a budget (`retry`); errors of the application never do: they
//! are answers. Reads that take longer than usual are asked of a second node as well (`hedge`). Where everybody fails
//! and one of them said something, its own words are passed on.
//!
//! Sends go to one primary. They fail over only while nothing has left; after that whatever happens is the answer.
//! Dropping a call abandons it everywhere.

mod attempts;
pub(crate) mod breaker;
mod choose;
mod filters;
mod forward;
mod heads;
mod hedge;
mod in_flight;
pub(crate) mod limits;
mod retry;
pub(crate) mod score;
mod verdict;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hypasis_chain::ChainSpec;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::rpc::fetch::RpcSource;
use crate::rpc::node::Node;
use crate::rpc::options::{ExpectedChain, FollowOptions, NodeOptions, OptionsError};
use crate::rpc::{NodeStatus, follow};
use crate::source::Source;
use choose::Chooser;
use filters::Filters;
use hedge::Delays;
use retry::Budget;

pub use breaker::BreakerState;
pub use heads::PoolHeads;
pub use in_flight::{Charge, InFlight};

/// What kind of call this is: decides who may get it and what may be done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Idempotent: may be retried elsewhere and hedged.
    Read,
    /// Belongs to the one primary (nonces, `pending`, `txpool_*`), may be retried.
    Primary,
    /// Changes something (`eth_send*`, unknown methods that may): to the primary, never again once bytes have left.
    Send,
    /// Makes a filter: the id in the answer is bound to whoever gave it.
    NewFilter,
    /// Uses the filter with this id: only who gave it can answer.
    Filter(String),
}

/// What the node must have to be asked at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Its head must be at least here. A height that no node is known to have reached makes the call fail: what may
    /// lie above every head (a future block, for which nodes answer `null`) is sent without a need.
    pub height: Option<u64>,
}

/// One call, or a whole batch that goes to one node.
#[derive(Clone, Debug)]
pub struct Call {
    /// The JSON to post, ids included.
    pub body: Bytes,
    /// What kind of call it is.
    pub class: Class,
    /// What a node must have.
    pub need: Need,
    /// For metrics and logs: an allow-listed method name or `other`.
    pub method: &'static str,
}

/// A node's answer, byte for byte.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `content-type` as the node sent it.
    pub content_type: Option<String>,
    /// Body.
    pub body: Bytes,
    /// Id of the node.
    pub upstream: Arc<str>,
}

/// Why no node answered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ForwardError {
    /// No node is up that could answer.
    #[error("no upstream is available")]
    NoUpstream,
    /// Those that could answer failed or were too slow.
    #[error("upstream {id} failed: {reason}")]
    Failed {
        /// Id of the last one asked.
        id: Arc<str>,
        /// What happened; holds no URL.
        reason: String,
    },
    /// All are at their limits of parallel calls or rate.
    #[error("all upstreams are at their limits")]
    Busy,
    /// The filter's node is unknown or gone.
    #[error("filter not found")]
    UnknownFilter,
    /// The node gives filter ids that lead to other nodes' filters; a retry may help.
    #[error("no filter id is free, try again")]
    FilterTaken,
    /// The answer is larger than the limit.
    #[error("the upstream's answer is larger than {0} bytes")]
    TooLarge(u64),
    /// Answers to all clients together have used up what may be in flight.
    #[error("too many bytes in flight")]
    NoRoom,
}

/// How calls are treated; the same for all nodes.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// Longest time for a call over all tries.
    pub deadline: Duration,
    /// Longest wait for a place at a node that is at its limits.
    pub queue_wait: Duration,
    /// Largest answer.
    pub response_bytes_max: u64,
    /// Extra requests by retries, as a share of all requests.
    pub retry_share: f64,
    /// Extra requests by hedges, as a share of all reads; 0 turns hedging off.
    pub hedge_share: f64,
    /// How often nodes are looked at.
    pub follow: FollowOptions,
}

/// All JSON-RPC nodes. Clone freely.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    nodes: Vec<Arc<Node>>,
    expected: ExpectedChain,
    options: PoolOptions,
    chooser: Chooser,
    filters: Filters,
    retries: Budget,
    hedges: Budget,
    delays: Delays,
    counts: Counts,
    heads: watch::Sender<PoolHeads>,
    in_flight: OnceLock<InFlight>,
}

/// Extra requests since start, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PoolCounts {
    /// Requests sent again to another node.
    pub retries: u64,
    /// Requests sent to a second node because the first took long.
    pub hedges: u64,
    /// Hedges whose answer came first.
    pub hedges_won: u64,
}

#[derive(Debug, Default)]
struct Counts {
    retries: AtomicU64,
    hedges: AtomicU64,
    hedges_won: AtomicU64,
}

// === impl Pool ===

impl Pool {
    /// Checks the options; no node needs to run, and nothing is asked before [`Self::spawn`].
    pub fn new(
        nodes: &[NodeOptions],
        options: PoolOptions,
        expected: ExpectedChain,
    ) -> Result<Self, OptionsError> {
        let mut ids = HashSet::new();
        if let Some(twice) = nodes.iter().find(|node| !ids.insert(node.id.as_str())) {
            return Err(OptionsError { id: twice.id.clone(), reason: "its id is used twice" });
        }
        let nodes = nodes.iter().map(|node| Node::new(node).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let hedges_max = if options.hedge_share > 0.0 { HEDGE_TOKENS_MAX } else { 0.0 };
        let shared = Shared {
            chooser: Chooser::new(&nodes),
            nodes,
            expected,
            options,
            filters: Filters::new(),
            retries: Budget::new(options.retry_share, RETRY_TOKENS_PER_SECOND, RETRY_TOKENS_MAX),
            hedges: Budget::new(options.hedge_share, 0.0, hedges_max),
            delays: Delays::new(),
            counts: Counts::default(),
            heads: watch::Sender::new(PoolHeads::default()),
            in_flight: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Starts to follow all nodes. They are followed until the set is dropped or aborted.
    #[must_use = "dropping the set stops following"]
    pub fn spawn(&self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for node in &self.shared.nodes {
            tasks.spawn(follow::follow(Arc::clone(node), self.shared.expected, self.shared.options.follow));
        }
        tasks.spawn(heads::aggregate(Arc::clone(&self.shared)));
        tasks
    }

    /// Sends a call to a node that can answer it.
    pub async fn forward(&self, call: Call) -> Result<Reply, ForwardError> {
        self.shared.forward(call).await
    }

    /// From now on the bytes of answers to users are charged to `in_flight` while they come and while they are kept.
    /// Only the first call counts.
    pub fn charge_to(&self, in_flight: InFlight) {
        let _ = self.shared.in_flight.set(in_flight);
    }

    /// The node with this id gave an answer about the block at `number` that a root of that block refutes.
    pub fn blame(&self, id: &str, number: u64, fault: &(dyn fmt::Display + Sync)) {
        if let Some(node) = self.shared.nodes.iter().find(|node| &*node.id == id) {
            node.blame(number, fault);
        }
    }

    /// What the nodes together say of the chain, followed live.
    pub fn heads(&self) -> watch::Receiver<PoolHeads> {
        self.shared.heads.subscribe()
    }

    /// The nodes as sources of history, one each.
    pub fn sources(&self) -> Vec<Arc<dyn Source>> {
        self.sources_by(None)
    }

    /// The nodes as sources of history, one each, of a chain with these rules: beside blocks that may have one, they
    /// are asked for state syncs too.
    pub fn sources_of(&self, spec: &Arc<ChainSpec>) -> Vec<Arc<dyn Source>> {
        self.sources_by(Some(spec))
    }

    fn sources_by(&self, spec: Option<&Arc<ChainSpec>>) -> Vec<Arc<dyn Source>> {
        let source =
            |node: &Arc<Node>| Arc::new(RpcSource::new(Arc::clone(node), spec.cloned())) as Arc<dyn Source>;
        self.shared.nodes.iter().map(source).collect()
    }

    /// All that is known of each node, in the order of the configuration.
    pub fn status(&self) -> Vec<NodeStatus> {
        self.shared.nodes.iter().map(|node| node.status()).collect()
    }

    /// `web3_clientVersion` of each node that is up, without repetition.
    pub fn client_versions(&self) -> Vec<String> {
        let mut versions: Vec<_> = self
            .shared
            .nodes
            .iter()
            .filter(|node| node.height().is_some())
            .filter_map(|node| node.view().client_version)
            .collect();
        versions.sort();
        versions.dedup();
        versions
    }

    /// `web3_clientVersion` of the node with this id, to tell by whose form an answer is.
    pub fn client_version(&self, id: &str) -> Option<String> {
        self.shared.nodes.iter().find(|node| &*node.id == id)?.view().client_version
    }

    /// Extra requests since start.
    pub fn counts(&self) -> PoolCounts {
        self.shared.counts.now()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.shared.nodes.iter().map(|node| &node.id).collect();
        f.debug_struct("Pool").field("nodes", &ids).finish_non_exhaustive()
    }
}

/// Retries that are saved up at most.
const RETRY_TOKENS_MAX: f64 = 20.0;
/// Retries that time alone allows.
const RETRY_TOKENS_PER_SECOND: f64 = 1.0;
/// Hedges that are saved up at most.
const HEDGE_TOKENS_MAX: f64 = 10.0;

// === impl PoolOptions ===

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(60),
            queue_wait: Duration::from_secs(5),
            response_bytes_max: 25 << 20,
            retry_share: 0.2,
            hedge_share: 0.05,
            follow: FollowOptions::default(),
        }
    }
}

// === impl Counts ===

impl Counts {
    fn now(&self) -> PoolCounts {
        PoolCounts {
            retries: self.retries.load(Ordering::Relaxed),
            hedges: self.hedges.load(Ordering::Relaxed),
            hedges_won: self.hedges_won.load(Ordering::Relaxed),
        }
    }
}
