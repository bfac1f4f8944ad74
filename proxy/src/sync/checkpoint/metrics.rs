//! What checkpoints tell Prometheus.

use std::sync::atomic::{AtomicI64, AtomicU64};

use hypasis_upstream::checkpoint::{EndpointStatus, Heimdall, L1};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::record::Record;
use crate::sync::metrics::level_of;

type Level = Gauge<i64, AtomicI64>;
type Count = Counter<u64, AtomicU64>;

/// Handles of everything that is counted here; clone freely.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Height where trust starts.
    pub number: Level,
    /// Highest height whose root is L1's.
    pub covered_number: Level,
    /// Heights whose roots are L1's.
    pub covered_blocks: Level,
    /// Checkpoints of L1 whose headers are not all held.
    pub pending: Level,
    /// Ranges whose root was L1's.
    pub ranges_matched: Count,
    /// Ranges whose root was not.
    pub ranges_mismatched: Count,
    /// 1 while enough L1 endpoints say the same.
    pub l1_up: Level,
    /// End of the latest milestone.
    pub milestone_number: Level,
    endpoint_up: Family<EndpointLabel, Level>,
    endpoint_height: Family<EndpointLabel, Level>,
    endpoint_errors: Family<EndpointLabel, Count>,
    endpoint_dissents: Family<EndpointLabel, Count>,
}

/// Which endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabel {
    endpoint: String,
}

// === impl Metrics ===

impl Metrics {
    /// Makes the handles and registers them.
    pub fn new(registry: &mut Registry) -> Self {
        let m = Self::default();
        let registry = registry.sub_registry_with_prefix("hypasis_checkpoint");
        registry.register("number", "Height where trust starts", m.number.clone());
        registry.register("covered_number", "Highest height whose root L1 has", m.covered_number.clone());
        registry.register("covered_blocks", "Heights whose roots L1 has", m.covered_blocks.clone());
        registry.register("pending", "Checkpoints of L1 that wait for headers", m.pending.clone());
        registry.register("ranges_matched", "Ranges whose root L1 has", m.ranges_matched.clone());
        registry.register("ranges_mismatched", "Ranges with another root", m.ranges_mismatched.clone());
        registry.register("l1_up", "1 while enough L1 endpoints say the same", m.l1_up.clone());
        registry.register("milestone_number", "End of the latest milestone", m.milestone_number.clone());
        registry.register("endpoint_up", "1 if it answered last time", m.endpoint_up.clone());
        registry.register("endpoint_height", "Height it told last", m.endpoint_height.clone());
        registry.register("endpoint_errors", "Questions not answered", m.endpoint_errors.clone());
        registry.register("endpoint_dissents", "Answers that others contradict", m.endpoint_dissents.clone());
        m
    }

    /// After a look at L1.
    pub(super) fn l1(&self, l1: &L1, up: bool) {
        self.l1_up.set(i64::from(up));
        self.endpoints(&l1.status());
    }

    /// After a change of what L1 told.
    pub(super) fn record(&self, record: &Record) {
        let covered = record.covered();
        self.covered_number.set(level_of(covered.last().unwrap_or(0)));
        self.covered_blocks.set(level_of(covered.len()));
        self.pending.set(level_of(record.pending.len() as u64));
    }

    /// As Heimdall is now.
    pub(super) fn heimdall(&self, heimdall: &Heimdall) {
        let end = heimdall.milestones().borrow().map_or(0, |milestone| milestone.end_block);
        self.milestone_number.set(level_of(end));
        self.endpoints(&heimdall.status());
    }

    fn endpoints(&self, endpoints: &[EndpointStatus]) {
        for status in endpoints {
            let label = EndpointLabel { endpoint: status.id.clone() };
            self.endpoint_up.get_or_create(&label).set(i64::from(status.up));
            self.endpoint_height.get_or_create(&label).set(level_of(status.height.unwrap_or(0)));
            let raise = |counter: &Count, to: u64| {
                counter.inc_by(to.saturating_sub(counter.get()));
            };
            raise(&self.endpoint_errors.get_or_create(&label), status.errors);
            raise(&self.endpoint_dissents.get_or_create(&label), status.dissents);
        }
    }
}
