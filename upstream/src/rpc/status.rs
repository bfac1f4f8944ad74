//! All that is known of a node, for people and metrics. Holds no URL.

use std::sync::atomic::Ordering;

use hypasis_chain::BlockId;
use serde::Serialize;

use super::node::{Node, State};
use super::options::Role;
use crate::pool::breaker::BreakerState;

pub use super::node::Capabilities;

/// A node at this moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeStatus {
    /// Id from the configuration.
    pub id: String,
    /// `primary` or `backup`.
    pub role: Role,
    /// `starting`, `up`, `down: …`, `wrong chain: …` or `shut out for wrong data`.
    pub state: String,
    /// Whether users' calls may go there.
    pub up: bool,
    /// Its head when it was last looked at.
    pub head: Option<BlockId>,
    /// What it calls finalized.
    pub finalized: Option<BlockId>,
    /// What it calls safe.
    pub safe: Option<BlockId>,
    /// The lowest height it has bodies and receipts of.
    pub earliest: u64,
    /// `web3_clientVersion`.
    pub client_version: Option<String>,
    /// Moving average of its latency in milliseconds.
    pub latency_ms: f64,
    /// Moving average of its failures, 0 to 1.
    pub error_ratio: f64,
    /// Circuit breaker.
    pub breaker: BreakerState,
    /// Requests at it now.
    pub in_flight: usize,
    /// Requests since start, probes and filling included.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Bytes of answers since start.
    pub bytes_in: u64,
    /// Bytes of requests since start.
    pub bytes_out: u64,
    /// What it offers.
    pub capabilities: Capabilities,
    /// Times it was found lying.
    pub blamed: u64,
    /// The last lie.
    pub last_fault: Option<String>,
}

// === impl Node ===

impl Node {
    /// All that is known of it now.
    pub(crate) fn status(&self) -> NodeStatus {
        let view = self.view();
        let (blamed, last_fault) = self.lies();
        NodeStatus {
            id: self.id.to_string(),
            role: self.role,
            state: if view.state == State::Up && self.is_shut_out() {
                "shut out for wrong data".to_owned()
            } else {
                view.state.to_string()
            },
            up: view.state == State::Up,
            head: view.latest,
            finalized: view.finalized,
            safe: view.safe,
            earliest: view.earliest,
            client_version: view.client_version,
            latency_ms: self.score.latency().as_secs_f64() * 1_000.0,
            error_ratio: self.score.error_ratio(),
            breaker: self.breaker.state(),
            in_flight: self.gate.in_flight(),
            requests: self.traffic.requests.load(Ordering::Relaxed),
            errors: self.traffic.errors.load(Ordering::Relaxed),
            bytes_in: self.traffic.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.traffic.bytes_out.load(Ordering::Relaxed),
            capabilities: self.abilities.known(),
            blamed,
            last_fault,
        }
    }
}

// === impl State ===

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Up => f.write_str("up"),
            Self::Down(reason) => write!(f, "down: {reason}"),
            Self::WrongChain(reason) => write!(f, "wrong chain: {reason}"),
        }
    }
}
