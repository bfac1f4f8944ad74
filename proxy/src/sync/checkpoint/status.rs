//! `GET /api/v1/checkpoint`: the trusted checkpoint, its proof, what it covers, and those who vouch for it.

use hypasis_cache::{Kind, Ranges};
use hypasis_chain::bor::Spans;
use serde_json::{Value, json};

use crate::config::CheckpointSource;
use crate::sync::shared::Shared;

/// Spans that are shown.
const SPANS_SHOWN: u64 = 4;

/// The page; `null` in its `number` while no checkpoint is trusted.
pub(crate) fn page(shared: &Shared) -> Value {
    let checkpoint = shared.state.lock().checkpoint.clone();
    let page = match &checkpoint {
        Some(checkpoint) => serde_json::to_value(checkpoint).unwrap_or_default(),
        None => json!({ "source": shared.checkpoint_config.source, "number": null, "hash": null }),
    };
    let Value::Object(mut page) = page else { return page };
    let heard = shared.authorities.heard();
    let covered = match (&heard.record, &checkpoint) {
        (Some(record), _) => record.covered(),
        // Whatever is held at or below it links to it by hashes.
        (None, Some(checkpoint)) if checkpoint.source != CheckpointSource::EthereumL1 => {
            let below: Ranges = std::iter::once(0..=checkpoint.id.number).collect();
            shared.store.view().ranges(Kind::Header).intersection(&below)
        }
        _ => Ranges::default(),
    };
    let covered: Vec<_> = covered.iter().map(|range| json!([range.start(), range.end()])).collect();
    page.insert("covered".into(), covered.into());
    let l1 = match shared.authorities.l1() {
        None => Value::Null,
        Some(l1) => json!({
            "root_chain": l1.root_chain(),
            "latest": heard.record.as_ref().map(|record| &record.latest),
            "seen": heard.record.as_ref().map(|record| record.seen),
            "pending": heard.record.as_ref().map_or(0, |record| record.pending.len()),
            "trouble": heard.trouble,
            "endpoints": l1.status(),
        }),
    };
    page.insert("l1".into(), l1);
    let heimdall = match shared.authorities.heimdall() {
        None => Value::Null,
        Some(heimdall) => json!({
            "spans": spans(&heimdall.views().borrow().spans),
            "milestone": *heimdall.milestones().borrow(),
            "trouble": heimdall.trouble().map(|trouble| trouble.to_string()),
            "endpoints": heimdall.status(),
        }),
    };
    page.insert("heimdall".into(), heimdall);
    page.into()
}

/// The newest spans, lowest first: number, first and last block.
fn spans(spans: &Spans) -> Vec<Value> {
    let latest = spans.latest().map_or(0, |span| span.id);
    let newest = latest.saturating_sub(SPANS_SHOWN - 1)..=latest;
    let one = |id| spans.get(id).map(|span| json!([span.id, span.start_block, span.end_block]));
    newest.filter_map(one).collect()
}
