//! What the relay tells Prometheus.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Accepted, Stats, Violation};
use crate::sync::metrics::level_of;

/// Handles of everything that is counted here; clone freely.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Transactions that peers sent.
    pub received: Counter<u64, AtomicU64>,
    /// Of these, new and taken in.
    pub accepted: Counter<u64, AtomicU64>,
    /// Of these, not valid at the head, too cheap, or without room.
    pub refused: Counter<u64, AtomicU64>,
    /// Messages that cost their sender the session.
    pub violations: Counter<u64, AtomicU64>,
    /// Transactions in the pool.
    pub pool_transactions: Gauge<i64, AtomicI64>,
    /// Bytes that they take.
    pub pool_bytes: Gauge<i64, AtomicI64>,
    /// Announced transactions that are not here yet.
    pub wanted: Gauge<i64, AtomicI64>,
}

// === impl Metrics ===

impl Metrics {
    /// Makes the handles and registers them.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let m = metrics.clone();
        registry.register("hypasis_gossip_received", "Transactions that peers sent", m.received);
        registry.register("hypasis_gossip_accepted", "Transactions of peers taken in", m.accepted);
        registry.register("hypasis_gossip_refused", "Transactions of peers not taken", m.refused);
        registry.register(
            "hypasis_gossip_violations",
            "Messages that cost their sender the session",
            m.violations,
        );
        registry.register(
            "hypasis_gossip_pool_transactions",
            "Transactions in the pool",
            m.pool_transactions,
        );
        registry.register("hypasis_gossip_pool_bytes", "Bytes that the pool takes", m.pool_bytes);
        registry.register("hypasis_gossip_wanted", "Announced transactions not here yet", m.wanted);
        metrics
    }

    pub(super) fn tell_received(&self, count: usize, result: &Result<Accepted, Violation>) {
        self.received.inc_by(count as u64);
        match result {
            Ok(accepted) => {
                self.accepted.inc_by(accepted.accepted as u64);
                self.refused.inc_by(accepted.refused as u64);
            }
            Err(_) => {
                self.violations.inc();
            }
        }
    }

    pub(super) fn tell_stats(&self, stats: &Stats) {
        self.pool_transactions.set(level_of(stats.transactions as u64));
        self.pool_bytes.set(level_of(stats.bytes as u64));
        self.wanted.set(level_of(stats.wanted as u64));
    }
}
