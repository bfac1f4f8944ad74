//! Figures that are read at the time of a scrape: the store, the served head, the nodes.

use hypasis_cache::{Kind, Store};
use hypasis_upstream::Pool;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::served::ServedHead;

/// Registers the collector and the build information.
pub(super) fn register(registry: &mut Registry, store: Store, pool: Pool, served: ServedHead) {
    let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("hypasis_build", "Which program this is", build);
    registry.register_collector(Box::new(Gauges { store, pool, served }));
}

#[derive(Debug)]
struct Gauges {
    store: Store,
    pool: Pool,
    served: ServedHead,
}

// === impl Gauges ===

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut gauge = |name, help, unit: Option<Unit>, value: u64| {
            let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let kind = metric.metric_type();
            metric.encode(encoder.encode_descriptor(name, help, unit.as_ref(), kind)?)
        };
        let stats = self.store.stats();
        let bytes = || Some(Unit::Bytes);
        gauge("hypasis_store_disk", "Size of the store on disk", bytes(), stats.disk_bytes)?;
        gauge("hypasis_store_free", "Free space of the store's file system", bytes(), stats.free_bytes)?;
        gauge(
            "hypasis_store_memory",
            "Memory of the store's caches and buffers",
            bytes(),
            stats.memory_bytes,
        )?;
        gauge("hypasis_store_history_blocks", "Blocks of finalized history", None, stats.history_blocks)?;
        gauge("hypasis_store_tip_blocks", "Blocks of the tip window, all forks", None, stats.tip_blocks)?;
        let read_only = self.store.read_only().is_some();
        gauge("hypasis_store_read_only", "1 while the store has stopped writing", None, read_only.into())?;
        let view = self.store.view();
        for (name, help, kind) in [
            ("hypasis_store_headers", "Headers held", Kind::Header),
            ("hypasis_store_bodies", "Bodies held", Kind::Body),
            ("hypasis_store_receipts", "Receipt lists held", Kind::Receipts),
        ] {
            gauge(name, help, None, view.ranges(kind).len())?;
        }
        let served = self.served.now();
        let number = |id: Option<hypasis_chain::BlockId>| id.map_or(0, |id| id.number);
        gauge("hypasis_head_height", "Height of the served head", None, number(served.latest))?;
        gauge("hypasis_finalized_height", "Height of the finalized block", None, number(served.finalized))?;
        gauge("hypasis_head_held", "1 while the served head is held locally", None, served.local.into())?;
        gauge("hypasis_upstream_up", "1 while any upstream is up", None, served.upstream.into())?;
        let nodes = u64::try_from(self.pool.status().len()).unwrap_or(u64::MAX);
        gauge("hypasis_upstream_nodes", "JSON-RPC nodes configured", None, nodes)
    }
}
