//! The RPC port: what it answers itself, and how the rest passes through.
//!
//! A request goes through [`stack`] (one readable function), is framed without a JSON tree ([`framing`]), routed
//! ([`route`]), and answered from [`memory`], from the store ([`local`]) or by [`nodes`]. [`calibrate`] watches that
//! what is said here is what the node behind would have said.
//!
//! Limits: bodies, batches, answers, connections and bytes in flight are bounded by the configuration; work that
//! takes its time runs on a few blocking threads ([`PATIENCE_MAX`]); memory is bounded by bytes.

mod body;
mod calibrate;
mod framing;
mod gate;
mod local;
mod memory;
mod methods;
mod metrics;
mod nodes;
mod params;
mod route;
mod server;
mod source;
mod stack;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use hypasis_cache::Store;
use hypasis_chain::ChainSpec;
use hypasis_chain::render::Profile;
use hypasis_upstream::{InFlight, Pool};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::config::RpcConfig;
use crate::served::ServedHead;

use calibrate::Verdicts;
use framing::Rendered;
use local::Shelf;
use memory::Memory;
use metrics::Metrics;
use nodes::Nodes;
pub use nodes::Submit;
use route::{Constants, Core, Rules};
use stack::{Limits, Stack};

/// Searches and renderings off the serving threads at once.
const PATIENCE_MAX: usize = 4;
/// Background comparisons at once.
const COMPARING_MAX: usize = 2;

/// What the RPC room needs of the others.
#[derive(Debug)]
pub struct Parts {
    /// Its section of the configuration.
    pub config: RpcConfig,
    /// Bytes for hot blocks and rendered answers together.
    pub memory: u64,
    /// The chain's rules.
    pub spec: Arc<ChainSpec>,
    /// The store.
    pub store: Store,
    /// The nodes behind.
    pub pool: Pool,
    /// The one served head.
    pub served: ServedHead,
    /// Where transactions go that a node has accepted, beside that node.
    pub submit: Option<Submit>,
}

/// The RPC service; clone freely.
#[derive(Clone, Debug)]
pub struct Rpc {
    stack: Arc<Stack>,
    times: server::Times,
    connections_max: usize,
}

// === impl Rpc ===

impl Rpc {
    /// Builds the stack and registers its metrics.
    pub fn new(parts: Parts, registry: &mut Registry) -> Self {
        let Parts { config, memory, spec, store, pool, served, submit } = parts;
        let timeout = config.timeout.duration();
        let response_max = bytes(config.max_response.bytes());
        let budget = InFlight::new(bytes(config.max_in_flight.bytes()));
        pool.charge_to(budget.clone());
        let constants = Constants {
            chain_id: Rendered::of(format!("\"{:#x}\"", spec.chain_id).as_bytes()),
            network_id: Rendered::of(format!("\"{}\"", spec.chain_id).as_bytes()),
        };
        // Until a node says what it is, the form of the chain's family is what there is.
        let profile = ArcSwap::from_pointee(Profile::for_family(spec.family));
        let shelf = Shelf {
            spec,
            store,
            served,
            profile,
            verdicts: Verdicts::default(),
            response_max,
            logs_range_max: config.logs_range_max,
            failures: AtomicU64::new(0),
        };
        let core = Core {
            shelf: Arc::new(shelf),
            memory: Memory::new(memory),
            nodes: Nodes::new(pool, timeout, submit),
            metrics: Metrics::new(registry),
            constants,
            rules: Rules {
                guarded: !config.listen.ip().is_loopback(),
                allow: config.allow,
                timeout,
                pin_tags: config.pin_tags,
            },
            patience: Arc::new(Semaphore::new(PATIENCE_MAX)),
            comparing: Arc::new(Semaphore::new(COMPARING_MAX)),
            shadow_every: every(config.shadow_share),
        };
        let limits = Limits {
            body: bytes(config.max_body.bytes()),
            batch: config.max_batch,
            response: response_max,
            read_timeout: config.read_timeout.duration(),
            cors: config.cors,
            hosts: config.hosts,
        };
        let times = server::Times { read: limits.read_timeout, idle: config.idle_timeout.duration() };
        Self {
            stack: Arc::new(Stack { core, limits, budget }),
            times,
            connections_max: config.max_connections,
        }
    }

    /// Serves until `shutdown` turns true, then lets open requests end.
    pub async fn serve(self, listener: TcpListener, shutdown: watch::Receiver<bool>) {
        let probe = tokio::spawn(calibrate::probe::run(Arc::clone(&self.stack), shutdown.clone()));
        server::serve(self.stack, listener, self.connections_max, self.times, shutdown).await;
        probe.abort();
    }

    /// For status: counts by source, how far calibration has come, and what it
    /// switched to pass-through with the first difference.
    pub fn status(&self) -> serde_json::Value {
        let core = &self.stack.core;
        let sources: serde_json::Map<_, _> = core
            .metrics
            .by_source()
            .into_iter()
            .map(|(source, count)| (source.into(), count.into()))
            .collect();
        serde_json::json!({
            "answers": sources,
            "memory_bytes": core.memory.bytes(),
            "store_failures": core.shelf.failures.load(Ordering::Relaxed),
            "calibration": core.shelf.verdicts.progress(&core.shelf.store.view()),
            "passed_through_forms": core.shelf.verdicts.differing(),
        })
    }
}

/// A configured size in this machine's words.
fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// Of how many hits one is checked, for a share of 0 to 1; 0: none.
fn every(share: f64) -> u64 {
    if share <= 0.0 { 0 } else { (1.0 / share.min(1.0)).round() as u64 }
}
