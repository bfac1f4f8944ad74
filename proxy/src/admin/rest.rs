//! Status, gaps and upstreams as JSON.

use bytes::Bytes;
use http_body_util::Full;
use hypasis_cache::{Kind, Ranges, Store, View};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::Parts;
use crate::sync::Direction;

/// The whole state on one page.
pub(super) fn status(parts: &Parts) -> Value {
    let sync = parts.sync.status();
    let served = parts.served.now();
    let view = parts.store.view();
    let stats = parts.store.stats();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "chain": { "name": parts.spec.name, "id": parts.spec.chain_id },
        "uptime": parts.started.elapsed().as_secs(),
        "validator_ready": served.latest.is_some() && sync.halted.is_none(),
        "head": served.latest,
        "safe": served.safe,
        "finalized": served.finalized,
        "served_locally": served.local,
        "forward_sync": direction(&sync.forward),
        "backward_sync": direction(&sync.backward),
        "halted": sync.halted,
        "checkpoint": sync.checkpoint,
        "coverage": coverage(&parts.store, &view, sync.oldest),
        "store": {
            "disk_bytes": stats.disk_bytes,
            "free_bytes": stats.free_bytes,
            "memory_bytes": stats.memory_bytes,
            "history_blocks": stats.history_blocks,
            "tip_blocks": stats.tip_blocks,
            "read_only": parts.store.read_only().as_deref(),
        },
        "rpc": parts.rpc.status(),
        "upstreams": upstreams(parts),
        "p2p": parts.p2p.as_ref().map(|p2p| {
            let (v4, v5) = p2p.known_nodes();
            json!({ "enode": parts.enode, "enr": p2p.record(), "known_nodes": { "v4": v4, "v5": v5 } })
        }),
        "peers": peers(parts),
    })
}

/// Where trust starts, why, and what it covers. While nothing is trusted yet this is 404, and says what is missing.
pub(super) fn checkpoint(parts: &Parts) -> Response<Full<Bytes>> {
    let mut page = parts.sync.checkpoint();
    if page.get("number").is_some_and(Value::is_u64) {
        return super::json(&page);
    }
    if let Value::Object(page) = &mut page {
        let halted = parts.sync.status().halted;
        let why = halted.unwrap_or_else(|| "no checkpoint is trusted yet".to_owned());
        page.insert("error".into(), why.into());
    }
    super::json_with(StatusCode::NOT_FOUND, &page)
}

/// Missing heights between `oldest` and the head, inclusive, for each kind that is kept.
pub(super) fn gaps(parts: &Parts) -> Value {
    let view = parts.store.view();
    let oldest = parts.sync.status().oldest;
    let head = parts.served.now().latest.or(view.head()).map(|id| id.number);
    let mut kinds = Map::new();
    for (name, kind) in kept(&parts.store) {
        let missing = match head {
            Some(head) if head >= oldest => view.ranges(kind).gaps(oldest..=head),
            _ => Vec::new(),
        };
        let pairs = missing.into_iter().map(|gap| json!([gap.start(), gap.end()])).collect();
        kinds.insert(name.to_owned(), Value::Array(pairs));
    }
    Value::Object(kinds)
}

/// Each upstream with its state, head and figures: nodes first, then archives and peers, of which less is known.
pub(super) fn upstreams(parts: &Parts) -> Value {
    let nodes = parts.pool.status();
    let mut others = parts.sync.sources().status();
    others.retain(|source| nodes.iter().all(|node| node.id != source.id));
    let all = nodes.iter().map(serde_json::to_value).chain(others.iter().map(serde_json::to_value));
    all.filter_map(Result::ok).collect()
}

/// Each connected peer, with what it says to have.
pub(super) fn peers(parts: &Parts) -> Value {
    let peers = parts.p2p.as_ref().map(|p2p| p2p.peers()).unwrap_or_default();
    serde_json::to_value(peers).unwrap_or_default()
}

/// Kinds that every store keeps (the log index comes later).
const KEPT: [(&str, Kind); 3] =
    [("header", Kind::Header), ("body", Kind::Body), ("receipts", Kind::Receipts)];

/// Those, and on chains that have it what stands beside blocks.
fn kept(store: &Store) -> impl Iterator<Item = (&'static str, Kind)> {
    KEPT.into_iter().chain(store.keeps_extra().then_some(("extra", Kind::Extra)))
}

fn coverage(store: &Store, view: &View, oldest: u64) -> Value {
    let kinds = kept(store).map(|(name, kind)| (name.to_owned(), intervals(&view.ranges(kind))));
    let mut coverage: Map<String, Value> = kinds.collect();
    coverage.insert("oldest".into(), oldest.into());
    Value::Object(coverage)
}

fn intervals(ranges: &Ranges) -> Value {
    Value::Array(ranges.iter().map(|range| json!([range.start(), range.end()])).collect())
}

fn direction(direction: &Direction) -> Value {
    serde_json::to_value(direction).unwrap_or_default()
}
