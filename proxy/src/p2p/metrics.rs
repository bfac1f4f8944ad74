//! What the devp2p port tells Prometheus.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Handles of everything that is counted here; clone freely.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    /// Peers now.
    pub(super) peers: Gauge<i64, AtomicI64>,
    /// Connections that shake hands now.
    pub(super) handshakes: Gauge<i64, AtomicI64>,
    /// Connections that began, by direction and how they began.
    pub(super) sessions: Family<Session, Counter<u64, AtomicU64>>,
    /// Peers banned.
    pub(super) bans: Counter<u64, AtomicU64>,
    /// Requests of peers, by what they ask.
    pub(super) requests: Family<Request, Counter<u64, AtomicU64>>,
    /// Headers, bodies and receipt lists given to peers.
    pub(super) items: Family<Request, Counter<u64, AtomicU64>>,
    /// Of those, what was fetched elsewhere first.
    pub(super) forwarded: Family<Request, Counter<u64, AtomicU64>>,
    /// Announcements of blocks, by direction and form.
    pub(super) announcements: Family<Announcements, Counter<u64, AtomicU64>>,
    /// Bytes of messages sent to peers, before compression.
    pub(super) sent_bytes: Counter<u64, AtomicU64>,
    /// Bytes of messages from peers, after decompression.
    pub(super) received_bytes: Counter<u64, AtomicU64>,
    /// Bytes of messages from peers that are not whole yet.
    pub(super) unfinished_bytes: Gauge<i64, AtomicI64>,
}

/// How a connection began.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Session {
    pub(super) direction: &'static str,
    pub(super) outcome: &'static str,
}

/// What a peer asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    pub(super) request: &'static str,
}

/// Which announcements of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Announcements {
    pub(super) direction: &'static str,
    pub(super) form: &'static str,
}

// === impl Metrics ===

impl Metrics {
    /// Makes the handles and registers them.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let m = metrics.clone();
        registry.register("hypasis_p2p_peers", "Peers connected", m.peers);
        registry.register("hypasis_p2p_handshakes", "Connections that shake hands", m.handshakes);
        registry.register(
            "hypasis_p2p_sessions",
            "Connections by direction and outcome of the handshake",
            m.sessions,
        );
        registry.register("hypasis_p2p_bans", "Peers banned", m.bans);
        registry.register("hypasis_p2p_requests", "Requests of peers", m.requests);
        registry.register("hypasis_p2p_items", "Headers, bodies and receipt lists given to peers", m.items);
        registry.register(
            "hypasis_p2p_forwarded",
            "Items given to peers that were fetched elsewhere",
            m.forwarded,
        );
        registry.register(
            "hypasis_p2p_announcements",
            "Announcements of blocks, by direction and form",
            m.announcements,
        );
        registry.register("hypasis_p2p_sent_bytes", "Bytes of messages to peers, uncompressed", m.sent_bytes);
        registry.register(
            "hypasis_p2p_received_bytes",
            "Bytes of messages from peers, uncompressed",
            m.received_bytes,
        );
        registry.register(
            "hypasis_p2p_unfinished_bytes",
            "Memory that holds what peers began to say and did not finish yet",
            m.unfinished_bytes,
        );
        metrics
    }
}
