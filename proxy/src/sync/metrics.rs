//! What sync tells Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Handles of everything that is counted here; clone freely.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Blocks stored above the checkpoint.
    pub forward_blocks: Counter<u64, AtomicU64>,
    /// Blocks stored at or below the checkpoint.
    pub backward_blocks: Counter<u64, AtomicU64>,
    /// Blocks that the held head lies behind the upstream's.
    pub head_lag_blocks: Gauge<i64, AtomicI64>,
    /// Switches of the canonical branch.
    pub reorgs: Counter<u64, AtomicU64>,
    /// Blocks that the last switch took back.
    pub reorg_depth_blocks: Gauge<i64, AtomicI64>,
    /// Switches refused because they reach beyond the tip window or finality.
    pub reorgs_refused: Counter<u64, AtomicU64>,
    /// Data that a source gave and that cannot be right, by source.
    pub lies: Family<SourceLabel, Counter<u64, AtomicU64>>,
    /// Heights between `oldest` and the head that are not held whole.
    pub missing_blocks: Gauge<i64, AtomicI64>,
    /// 1 while sync is halted.
    pub halted: Gauge<i64, AtomicI64>,
    /// Blocks of the tip window over all forks.
    pub tip_blocks: Gauge<i64, AtomicI64>,
    /// Bytes of blocks that workers hold.
    pub in_flight_bytes: Gauge<i64, AtomicI64>,
    /// Blocks whose senders were recovered in the background.
    pub senders_blocks: Counter<u64, AtomicU64>,
}

/// Which source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabel {
    /// Id from the configuration.
    pub source: String,
}

// === impl Metrics ===

impl Metrics {
    /// Makes the handles and registers them.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let m = metrics.clone();
        let mut add = |name: &str, help: &str, metric: Boxed| match metric {
            Boxed::Counter(counter) => registry.register(name, help, counter),
            Boxed::Gauge(gauge) => registry.register(name, help, gauge),
        };
        add("hypasis_forward_sync_blocks", "Blocks stored above the checkpoint", m.forward_blocks.into());
        add(
            "hypasis_backward_sync_blocks",
            "Blocks stored at or below the checkpoint",
            m.backward_blocks.into(),
        );
        add("hypasis_sync_head_lag_blocks", "Blocks behind the upstream's head", m.head_lag_blocks.into());
        add("hypasis_sync_reorgs", "Switches of the canonical branch", m.reorgs.into());
        add(
            "hypasis_sync_reorg_depth_blocks",
            "Blocks taken back by the last switch",
            m.reorg_depth_blocks.into(),
        );
        add("hypasis_sync_reorgs_refused", "Switches beyond the window or finality", m.reorgs_refused.into());
        add(
            "hypasis_sync_missing_blocks",
            "Heights between oldest and head not held",
            m.missing_blocks.into(),
        );
        add("hypasis_sync_halted", "1 while sync is halted", m.halted.into());
        add("hypasis_sync_tip_blocks", "Blocks of the tip window over all forks", m.tip_blocks.into());
        add(
            "hypasis_sync_in_flight_bytes",
            "Bytes of blocks in the hands of workers",
            m.in_flight_bytes.into(),
        );
        add("hypasis_sync_senders_blocks", "Blocks whose senders were recovered", m.senders_blocks.into());
        registry.register("hypasis_sync_lies", "Wrong data by source", m.lies);
        metrics
    }

    /// Counts wrong data of a source.
    pub fn lie(&self, source: &Arc<str>) {
        self.lies.get_or_create(&SourceLabel { source: source.to_string() }).inc();
    }
}

/// A handle of either kind, so that one line registers one metric.
enum Boxed {
    Counter(Counter<u64, AtomicU64>),
    Gauge(Gauge<i64, AtomicI64>),
}

impl From<Counter<u64, AtomicU64>> for Boxed {
    fn from(counter: Counter<u64, AtomicU64>) -> Self {
        Self::Counter(counter)
    }
}

impl From<Gauge<i64, AtomicI64>> for Boxed {
    fn from(gauge: Gauge<i64, AtomicI64>) -> Self {
        Self::Gauge(gauge)
    }
}

/// A number for a gauge; what does not fit is the largest that does.
pub fn level_of(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
