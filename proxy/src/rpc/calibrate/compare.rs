//! Compares an answer of a node with what is rendered here for the same block.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hypasis_cache::View;
use hypasis_chain::render::diff::{DifferenceKind, first_difference};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Facts, Form};
use crate::rpc::local::{Asked, Mode, Shelf};
use crate::rpc::memory::Memory;
use crate::rpc::methods::Local;
use crate::rpc::metrics;
use crate::rpc::nodes::Nodes;
use crate::rpc::route::Core;

/// Longest time for a rendering in the background.
const LONGEST: Duration = Duration::from_secs(10);

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Equal.
    Equal,
    /// The node writes it otherwise.
    Form(String),
    /// The node says another value where a root of the same block commits to ours: it is wrong.
    Lie(String),
    /// Not the same block, or nothing to compare.
    Incomparable,
}

// === impl Finding ===

impl Finding {
    /// For metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Form(_) => "form",
            Self::Lie(_) => "lie",
            Self::Incomparable => "incomparable",
        }
    }
}

/// What came of a comparison of one answer.
#[derive(Clone, Debug)]
pub(crate) struct Learned {
    /// What was found.
    pub(crate) finding: Finding,
    /// Whether a form is left to the node from now on.
    pub(crate) worse: bool,
    /// The block that the answer is about, or the last of them.
    pub(crate) number: u64,
}

/// Renders the answer here, compares it with the node's `result` and notes what that says of its form.
pub(crate) fn learn(
    shelf: &Shelf,
    view: &View,
    local: Local,
    params: &[u8],
    result: &[u8],
    deadline: Instant,
) -> Learned {
    let render = |state_sync_logs| {
        let mode = Mode::Compare { state_sync_logs };
        let moment = shelf.moment(view, Asked { mode, patient: true, deadline, left: None });
        let hit = moment.answer(local, params).ok()?;
        Some((compare(hit.rendered.result(), result), moment.noted.into_inner(), hit.bound.number))
    };
    let Some((mut finding, mut noted, number)) = render(true) else {
        return Learned { finding: Finding::Incomparable, worse: false, number: 0 };
    };
    let mut worse = false;
    let shown = noted.iter().any(|(form, _)| *form == Form::StateSyncLogs);
    if shown
        && finding != Finding::Equal
        && let Some((without, stands_on, _)) = render(false)
    {
        if without == Finding::Equal {
            let left_out = Some("the logs of state syncs beside blocks are left out");
            worse |= shelf.verdicts.note(Form::StateSyncLogs, Facts::ANY, left_out);
        }
        (finding, noted) = (without, stands_on);
    }
    for (form, facts) in noted {
        match &finding {
            Finding::Equal => worse |= shelf.verdicts.note(form, facts, None),
            Finding::Form(text) => worse |= shelf.verdicts.note(form, facts, Some(text)),
            Finding::Lie(_) | Finding::Incomparable => {}
        }
    }
    Learned { finding, worse, number }
}

/// What a comparison in the background needs.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    shelf: Arc<Shelf>,
    memory: Memory,
    comparing: Arc<Semaphore>,
    shadows: Family<metrics::Finding, Counter>,
    nodes: Nodes,
}

// === impl Tools ===

impl Tools {
    /// Those of the port.
    pub(crate) fn of(core: &Core) -> Self {
        Self {
            shelf: Arc::clone(&core.shelf),
            memory: core.memory.clone(),
            comparing: Arc::clone(&core.comparing),
            shadows: core.metrics.shadow.clone(),
            nodes: core.nodes.clone(),
        }
    }

    /// Whether the verdicts are about nodes of this client version.
    pub(crate) fn speaks_for(&self, version: Option<&str>) -> bool {
        self.shelf.verdicts.of(version)
    }

    fn learn(&self, local: Local, params: &[u8], result: &[u8], from: &str, shadow: bool) {
        let view = self.shelf.store.view();
        let learned = learn(&self.shelf, &view, local, params, result, Instant::now() + LONGEST);
        if learned.worse {
            self.memory.clear();
        }
        report(&learned.finding, local, from, shadow);
        // Above finality a node may have changed its mind between our look and its answer.
        let finalized = view.finalized().is_some_and(|finalized| learned.number <= finalized.number);
        if let Finding::Lie(difference) = &learned.finding
            && finalized
        {
            self.nodes.blame(from, learned.number, difference);
        }
        if shadow {
            self.shadows.get_or_create(&metrics::Finding { finding: learned.finding.name() }).inc();
        }
    }
}

/// Learns off the threads that serve, if not too many comparisons are under way. A mismatch of what was already
/// being served (`shadow`) is an error for the operator.
pub(crate) fn in_background(
    tools: &Tools,
    local: Local,
    params: Vec<u8>,
    result: Bytes,
    from: &Arc<str>,
    shadow: bool,
) {
    let Ok(permit) = Arc::clone(&tools.comparing).try_acquire_owned() else { return };
    let (tools, from) = (tools.clone(), Arc::clone(from));
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        tools.learn(local, &params, &result, &from, shadow);
    });
}

/// Learns off the threads that serve, and waits for it.
pub(crate) async fn now(tools: &Tools, local: Local, params: Vec<u8>, result: Bytes, from: &Arc<str>) {
    let (tools, from) = (tools.clone(), Arc::clone(from));
    // A rendering that panicked is an error for the operator already; there is nothing to learn from it.
    let _ = tokio::task::spawn_blocking(move || tools.learn(local, &params, &result, &from, false)).await;
}

fn report(finding: &Finding, local: Local, from: &str, shadow: bool) {
    match finding {
        Finding::Lie(text) => tracing::error!(
            upstream = from, method = ?local, difference = %text,
            "an upstream answered with a value that a root of the same block refutes"
        ),
        Finding::Form(text) if shadow => tracing::error!(
            upstream = from, method = ?local, difference = %text,
            "an answer from the store differs from the upstream's; this form passes through from now on"
        ),
        Finding::Form(text) => tracing::warn!(
            upstream = from, method = ?local, difference = %text,
            "the upstream writes this form otherwise; it passes through"
        ),
        Finding::Equal | Finding::Incomparable => {}
    }
}

/// Compares two results, ours first.
pub(crate) fn compare(ours: &[u8], theirs: &[u8]) -> Finding {
    if ours == theirs {
        return Finding::Equal;
    }
    let (Ok(ours), Ok(theirs)) = (std::str::from_utf8(ours), std::str::from_utf8(theirs)) else {
        return Finding::Incomparable;
    };
    let parsed = (serde_json::from_str(ours), serde_json::from_str(theirs));
    if !matches!(parsed, (Ok(ours), Ok(theirs)) if same_block(&ours, &theirs)) {
        return Finding::Incomparable;
    }
    match first_difference(ours, theirs) {
        None => Finding::Equal,
        Some(difference) if difference.kind == DifferenceKind::Value => Finding::Lie(difference.to_string()),
        Some(difference) => Finding::Form(difference.to_string()),
    }
}

/// Whether both speak of one block: the hashes that they name agree.
fn same_block(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        // Logs of many blocks: after a reorg the first may be of one block and a later one not.
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.iter().zip(theirs).all(|(ours, theirs)| same_block(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            let key = if ours.contains_key("blockHash") { "blockHash" } else { "hash" };
            ours.get(key) == theirs.get(key)
        }
        _ => false,
    }
}
