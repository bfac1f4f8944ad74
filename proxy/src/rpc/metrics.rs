//! What the RPC port counts. A series begins with its first call, and its handle is kept: the hot path adds to relaxed
//! atomics, and a scrape shows no zeros for methods that nobody calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;

use super::methods::TABLE;
use super::source::Source;

/// Upper ends of the duration buckets.
const BUCKETS_US: [u64; 12] =
    [25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000, 10_000_000];
const SOURCES: [&str; 6] = ["store", "memory", "local", "coalesced", "upstream", "store+upstream"];
const OUTCOMES: [&str; 2] = ["success", "error"];

/// The port's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    methods: Vec<OfMethod>,
    requests: Family<RequestLabels, Counter>,
    durations: Family<MethodLabel, Durations>,
    /// Bytes of requests and of answers.
    received: Gauge,
    sent: Gauge,
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Shadow checks by finding.
    pub(crate) shadow: Family<Finding, Counter>,
    /// Local answers and all answers, for the ratio.
    ratio: Ratio,
}

/// A method's series that have begun.
#[derive(Debug, Default)]
struct OfMethod {
    /// By source, then outcome.
    requests: [[OnceLock<Counter>; OUTCOMES.len()]; SOURCES.len()],
    duration: OnceLock<Durations>,
}

/// Label of a shadow check.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Finding {
    /// `equal`, `form`, `lie` or `incomparable`.
    pub(crate) finding: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    source: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabel {
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabel {
    direction: &'static str,
}

// === impl Metrics ===

impl Metrics {
    /// Registers everything.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let durations = Family::<MethodLabel, Durations>::default();
        // A gauge by form alone: the name has no `_total`.
        let bytes = Family::<DirectionLabel, Gauge>::default();
        let (connections, shadow, ratio) = (Gauge::default(), Family::default(), Ratio::default());
        registry.register("hypasis_rpc_requests", "Calls by method, source and outcome", requests.clone());
        registry.register("hypasis_rpc_duration_seconds", "Time to an answer", durations.clone());
        registry.register("hypasis_bandwidth_usage_bytes", "Bytes on the RPC port", bytes.clone());
        registry.register("hypasis_rpc_connections", "Open connections", connections.clone());
        registry.register(
            "hypasis_rpc_shadow_checks",
            "Local answers compared with a node's",
            shadow.clone(),
        );
        registry.register("hypasis_cache_hit_ratio", "Share of calls answered without a node", ratio.clone());
        Self {
            methods: (0..=TABLE.len()).map(|_| OfMethod::default()).collect(),
            requests,
            durations,
            received: bytes.get_or_create_owned(&DirectionLabel { direction: "received" }),
            sent: bytes.get_or_create_owned(&DirectionLabel { direction: "sent" }),
            connections,
            shadow,
            ratio,
        }
    }

    /// Counts a call.
    pub(crate) fn answered(&self, method: usize, source: &Source, failed: bool, took: Duration) {
        let place = place(source);
        let Some(series) = self.methods.get(method) else { return };
        let slot = series.requests.get(place).and_then(|outcomes| outcomes.get(usize::from(failed)));
        if let Some(slot) = slot {
            slot.get_or_init(|| self.counter(method, place, failed)).inc();
        }
        let begin = || self.durations.get_or_create_owned(&MethodLabel { method: label(method) });
        series.duration.get_or_init(begin).observe(took);
        self.ratio.count(place < 3);
    }

    fn counter(&self, method: usize, source: usize, failed: bool) -> Counter {
        let [success, error] = OUTCOMES;
        let source = SOURCES.get(source).copied().unwrap_or_default();
        let outcome = if failed { error } else { success };
        self.requests.get_or_create_owned(&RequestLabels { method: label(method), source, outcome })
    }

    /// Counts bytes of an exchange.
    pub(crate) fn exchanged(&self, received: usize, sent: usize) {
        self.received.inc_by(i64::try_from(received).unwrap_or(0));
        self.sent.inc_by(i64::try_from(sent).unwrap_or(0));
    }

    /// Calls by source, for status.
    pub(crate) fn by_source(&self) -> Vec<(&'static str, u64)> {
        let count = |place: usize| {
            let outcomes = self.methods.iter().filter_map(|method| method.requests.get(place));
            outcomes.flatten().filter_map(OnceLock::get).map(Counter::get).sum()
        };
        SOURCES.iter().enumerate().map(|(place, source)| (*source, count(place))).collect()
    }
}

fn label(method: usize) -> &'static str {
    TABLE.get(method).map_or("other", |(name, _)| *name)
}

fn place(source: &Source) -> usize {
    match source {
        Source::Store => 0,
        Source::Memory => 1,
        Source::Local => 2,
        Source::Coalesced => 3,
        Source::Upstream(_) => 4,
        Source::Both(_) => 5,
    }
}

/// A histogram of durations without a lock.
#[derive(Clone, Debug, Default)]
struct Durations(Arc<DurationCounts>);

#[derive(Debug, Default)]
struct DurationCounts {
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

// === impl Durations ===

impl Durations {
    fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BUCKETS_US.iter().position(|end| us <= *end).unwrap_or(BUCKETS_US.len());
        if let Some(bucket) = self.0.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.0.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let ends = BUCKETS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::MAX]);
        let counts = self.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = ends.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        encoder.encode_histogram::<prometheus_client::encoding::NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Share of calls that needed no node.
#[derive(Clone, Debug, Default)]
struct Ratio(Arc<[AtomicU64; 2]>);

// === impl Ratio ===

impl Ratio {
    fn count(&self, hit: bool) {
        let [all, hits] = &*self.0;
        all.fetch_add(1, Ordering::Relaxed);
        hits.fetch_add(u64::from(hit), Ordering::Relaxed);
    }
}

impl EncodeMetric for Ratio {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let [all, hits] = &*self.0;
        let (all, hits) = (all.load(Ordering::Relaxed), hits.load(Ordering::Relaxed));
        let ratio = if all == 0 { 0.0 } else { hits as f64 / all as f64 };
        encoder.encode_gauge(&ratio)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}
