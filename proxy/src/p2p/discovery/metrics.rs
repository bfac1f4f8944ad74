//! What discovery tells Prometheus.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Handles of everything that is counted here; clone freely.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    /// Nodes in the table, by protocol.
    pub(super) nodes: Family<ProtocolLabel, Gauge<i64, AtomicI64>>,
    /// discv4 packets, by what became of them.
    pub(super) packets: Family<PacketLabel, Counter<u64, AtomicU64>>,
    /// Nodes offered to the dialer, by the protocol that found them.
    pub(super) candidates: Family<ProtocolLabel, Counter<u64, AtomicU64>>,
}

/// Which protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProtocolLabel {
    pub(super) protocol: Protocol,
}

/// A version of node discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Protocol {
    V4,
    V5,
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PacketLabel {
    pub(super) result: PacketResult,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum PacketResult {
    /// It was acted on.
    Accepted,
    /// Its address sends too many.
    Flood,
    /// It is no packet of discv4.
    Foreign,
    /// It was too old when it came.
    Expired,
    /// Its sender has not proven its address.
    Unbonded,
    /// It answers nothing that was asked.
    Unsolicited,
}

// === impl Metrics ===

impl Metrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let m = metrics.clone();
        registry.register("hypasis_discovery_nodes", "Nodes in the discovery table", m.nodes);
        registry.register(
            "hypasis_discovery_v4_packets",
            "discv4 packets, by what became of them",
            m.packets,
        );
        registry.register("hypasis_discovery_candidates", "Nodes offered to the dialer", m.candidates);
        metrics
    }

    pub(super) fn packet(&self, result: PacketResult) {
        self.packets.get_or_create(&PacketLabel { result }).inc();
    }

    pub(super) fn table(&self, protocol: Protocol, nodes: usize) {
        let nodes = i64::try_from(nodes).unwrap_or(i64::MAX);
        self.nodes.get_or_create(&ProtocolLabel { protocol }).set(nodes);
    }

    pub(super) fn candidate(&self, protocol: Protocol) {
        self.candidates.get_or_create(&ProtocolLabel { protocol }).inc();
    }
}
