//! What all tasks of sync share.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::B256;
use hypasis_cache::{Kind, Ranges, Store, StoreError, Trust, View};
use hypasis_chain::bor::HeimdallView;
use hypasis_chain::{BlockId, ChainSpec, Level};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::Parts;
use super::agreement::Opinion;
use super::budget::Budget;
use super::checkpoint::metrics::Metrics as CheckpointMetrics;
use super::checkpoint::{Authorities, Checkpoint};
use super::difficulty::Totals;
use super::kept::Kept;
use super::metrics::{self, Metrics};
use super::publish::Moment;
use super::sources::Sources;
use super::verify::Checks;
use super::{agreement, difficulty, gaps, publish};
use crate::config::{CheckpointConfig, LogConfig, StoreConfig, SyncConfig};
use crate::served::ServedHead;

/// Sections whose hashes are kept after their headers were linked, so that workers need not read them again
/// (262 kB each).
const LINKED_SECTIONS_MAX: usize = 32;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Above the checkpoint.
    Forward,
    /// At the checkpoint and below.
    Backward,
}

/// What stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Halt {
    /// The configured checkpoint contradicts the store.
    Checkpoint,
    /// Sources contradict each other.
    Agreement,
    /// A reorg reaches beyond the tip window.
    Reorg,
    /// A reorg would take back what was final.
    Finality,
    /// The tip window takes no more blocks.
    Window,
    /// Links contradict what is held.
    Links,
    /// A checkpoint's root contradicts what is held.
    Root,
    /// The store only reads.
    Store,
    /// A task ended that never should.
    Defect,
}

/// Everything that the tasks of one running sync have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: SyncConfig,
    pub(crate) checkpoint_config: CheckpointConfig,
    pub(crate) store_config: StoreConfig,
    pub(crate) log: LogConfig,
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) store: Store,
    pub(crate) sources: Sources,
    pub(crate) kept: Kept,
    pub(crate) served: ServedHead,
    pub(crate) metrics: Metrics,
    pub(crate) checkpoint_metrics: CheckpointMetrics,
    pub(crate) authorities: Authorities,
    pub(crate) budget: Budget,
    pub(crate) state: Mutex<State>,
    /// What is known of total difficulties.
    pub(crate) totals: Mutex<Totals>,
    /// What Heimdall says (Polygon); nothing where nobody asks it.
    heimdall: watch::Sender<HeimdallView>,
    /// Counts whatever may give a waiting task something to do.
    changed: watch::Sender<u64>,
    /// Turns true when everything must end.
    stop: watch::Sender<bool>,
    /// Turns true when what is settled was found to contradict those who vouch for it.
    contradicted: watch::Sender<bool>,
    publishing: Mutex<()>,
    block_bytes: AtomicU64,
    linked: Mutex<VecDeque<(u64, Arc<Vec<B256>>)>>,
}

/// What changes while sync runs. Each lock is held for a few instructions only.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Where trust starts, once that is known.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// The highest block of settled history: the tip window stands on it.
    pub(crate) base: Option<BlockId>,
    /// Heights that workers have in hand.
    pub(crate) busy: Ranges,
    /// Heights whose receipts no source has at the moment.
    pub(crate) unavailable: Ranges,
    /// Heights of which no named source tells at the moment what stands beside the blocks.
    pub(crate) lacking_extra: Ranges,
    /// Lowest height that pruning to a size left.
    pub(crate) floor: u64,
    /// Whether history takes no more blocks because the store has its largest size.
    pub(crate) full: bool,
    /// Why parts of sync stopped.
    pub(crate) halted: BTreeMap<Halt, String>,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(parts: Parts, metrics: Metrics, checkpoint_metrics: CheckpointMetrics) -> Self {
        Self {
            authorities: Authorities::new(&parts.checkpoint, &parts.spec),
            checkpoint_metrics,
            budget: Budget::new(parts.config.memory.0.bytes()),
            sources: Sources::new(parts.sources, metrics.clone()),
            kept: Kept::default(),
            config: parts.config,
            checkpoint_config: parts.checkpoint,
            store_config: parts.store_config,
            log: parts.log,
            spec: parts.spec,
            store: parts.store,
            served: parts.served,
            metrics,
            state: Mutex::default(),
            totals: Mutex::default(),
            heimdall: watch::Sender::default(),
            changed: watch::Sender::new(0),
            stop: watch::Sender::new(false),
            contradicted: watch::Sender::new(false),
            publishing: Mutex::default(),
            block_bytes: AtomicU64::new(BLOCK_BYTES_FIRST),
            linked: Mutex::default(),
        }
    }

    /// Tells every waiting task to look again.
    pub(crate) fn bump(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Follows [`Shared::bump`]; subscribe before looking, so that nothing is missed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Tells every task to end.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether everything must end.
    pub(crate) fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until everything must end.
    pub(crate) async fn stopped(&self) {
        // The sender lives in `self`, so this ends only by the value.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Ends all filling: it would go on building on what is wrong. Serving goes on.
    pub(crate) fn contradict(&self) {
        self.contradicted.send_replace(true);
    }

    /// Waits until all filling must end for that.
    pub(crate) async fn contradicted(&self) {
        let _ = self.contradicted.subscribe().wait_for(|contradicted| *contradicted).await;
    }

    /// Records why a part of sync stopped; `None` when the reason is gone. Says so once.
    pub(crate) fn halt(&self, what: Halt, reason: Option<String>) {
        let mut state = self.state.lock();
        if state.halted.get(&what) == reason.as_ref() {
            return;
        }
        match reason {
            Some(reason) => {
                tracing::error!(?what, %reason, "Sync is halted; what is held goes on being served");
                state.halted.insert(what, reason);
            }
            None => {
                tracing::info!(?what, "Sync goes on");
                state.halted.remove(&what);
            }
        }
        self.metrics.halted.set(i64::from(!state.halted.is_empty()));
        drop(state);
        self.bump();
    }

    /// Why sync stopped, if it did.
    pub(crate) fn halted(&self) -> Option<String> {
        let state = self.state.lock();
        let reasons: Vec<&str> = state.halted.values().map(String::as_str).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Computes and publishes the served head from what is held and what the sources say at this moment.
    pub(crate) fn publish(&self, reorg: bool) {
        let _one_at_a_time = self.publishing.lock();
        // An archive is no upstream that anything could be forwarded to.
        let opinions = self.sources.live_opinions();
        let view = self.store.view();
        let checkpoint = self.checkpoint();
        let moment = Moment {
            held: view.head(),
            upstream: agreement::head(&opinions),
            upstream_finalized: self.finalized(&view, &opinions),
            bodies: view.top_with_body(),
            own_finalized: view.finalized().max(checkpoint),
            reorg,
            halted: self.halted().is_some(),
        };
        self.kept.set_oldest(match self.config.backward.enabled {
            true => self.oldest(),
            false => checkpoint.map_or(0, |id| id.number),
        });
        let lag =
            moment.upstream.map_or(0, |up| up.number.saturating_sub(moment.held.map_or(0, |id| id.number)));
        self.metrics.head_lag_blocks.set(metrics::level_of(lag));
        let (before, mut after) = (self.served.now(), publish::next(&self.served.now(), &moment));
        after.total_difficulty = after.latest.and_then(|latest| difficulty::of(self, latest, &opinions));
        if before != after {
            self.served.publish(after);
            self.bump();
        }
    }

    /// Where trust starts.
    pub(crate) fn checkpoint(&self) -> Option<BlockId> {
        self.state.lock().checkpoint.as_ref().map(|checkpoint| checkpoint.id)
    }

    /// What is checked in a direction.
    pub(crate) fn checks(&self, way: Way) -> Checks {
        let checks = Checks::new(self.level(way), self.spec.clone());
        match way {
            Way::Forward => checks.with_producers(self.heimdall.borrow().spans.clone()),
            Way::Backward => checks,
        }
    }

    /// Where whoever asks Heimdall puts its answers.
    pub(crate) fn heimdall(&self) -> &watch::Sender<HeimdallView> {
        &self.heimdall
    }

    /// The latest block that nothing may take back on a chain whose branches are chosen by difficulty: the end of the
    /// latest milestone, or, where nobody asks Heimdall, what the sources say of it by calling it final.
    pub(crate) fn last_final(&self, opinions: &[Opinion]) -> Option<BlockId> {
        let milestone = self.heimdall.borrow().milestone.map(|milestone| milestone.end);
        milestone.or_else(|| agreement::finalized_block(opinions))
    }

    /// The finalized block to be served: the sources', or the latest milestone's end as far as it is held.
    fn finalized(&self, view: &View, opinions: &[Opinion]) -> Option<BlockId> {
        let Some(milestone) = self.heimdall.borrow().milestone else {
            return agreement::finalized_block(opinions);
        };
        let held = view.by_number(milestone.end.number).ok().flatten().map(|block| block.id);
        if held == Some(milestone.end) { held } else { view.finalized() }
    }

    /// The level of a direction.
    pub(crate) fn level(&self, way: Way) -> Level {
        match way {
            Way::Forward => self.config.forward.validation,
            Way::Backward => self.config.backward.validation,
        }
    }

    /// What is recorded with a range that came from `sources`.
    pub(crate) fn trust(&self, way: Way, sources: &[Arc<str>]) -> Trust {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Trust {
            level: self.level(way),
            source: sources.iter().map(|id| &**id).collect::<Vec<_>>().join(","),
            checkpoint: self.checkpoint(),
            verified_at: now.map_or(0, |age| age.as_secs()),
        }
    }

    /// Heights that a direction is about, up to the settled history's top.
    pub(crate) fn span(&self, way: Way) -> Option<RangeInclusive<u64>> {
        let checkpoint = self.checkpoint()?.number;
        let oldest = self.oldest();
        let (from, to) = match way {
            Way::Backward => (oldest, checkpoint),
            Way::Forward => {
                let base = self.state.lock().base?.number;
                (checkpoint.checked_add(1)?.max(oldest), base)
            }
        };
        (from <= to).then_some(from..=to)
    }

    /// The lowest height that is wanted now.
    pub(crate) fn oldest(&self) -> u64 {
        let head = self.served.now().latest.map_or(0, |id| id.number);
        let head = head.max(self.checkpoint().map_or(0, |id| id.number));
        gaps::oldest(self.config.backward.oldest, head).max(self.state.lock().floor)
    }

    /// Heights that need nothing any more.
    pub(crate) fn complete(&self) -> Ranges {
        let view = self.store.view();
        let held = view.ranges(Kind::Body).intersection(&view.ranges(Kind::Receipts));
        held.union(&self.state.lock().unavailable)
    }

    /// Mean bytes of a block lately.
    pub(crate) fn block_bytes(&self) -> u64 {
        self.block_bytes.load(Ordering::Relaxed).max(1)
    }

    /// Lets the mean follow what arrived.
    pub(crate) fn learn_block_bytes(&self, bytes: u64, blocks: u64) {
        if let Some(mean) = bytes.checked_div(blocks) {
            let old = self.block_bytes();
            let next = if mean > old { mean } else { (old.saturating_mul(3).saturating_add(mean)) / 4 };
            self.block_bytes.store(next.max(1), Ordering::Relaxed);
        }
    }

    /// Keeps the hashes of a range that was just linked.
    pub(crate) fn remember_linked(&self, from: u64, hashes: Vec<B256>) {
        let mut linked = self.linked.lock();
        if linked.len() >= LINKED_SECTIONS_MAX {
            linked.pop_front();
        }
        linked.push_back((from, Arc::new(hashes)));
    }

    /// The ids of `range`, whose headers are held. Reads the store where the hashes are not kept: not for the
    /// threads that serve.
    pub(crate) fn ids(&self, range: &RangeInclusive<u64>) -> Result<Vec<BlockId>, StoreError> {
        let view = self.store.view();
        let kept = self.kept_ids(range);
        if let Some(ids) = kept
            && ids.first().is_some_and(|id| view.covers(Kind::Header, id.number))
        {
            return Ok(ids);
        }
        let mut ids = Vec::new();
        for number in range.clone() {
            match view.by_number(number)? {
                Some(block) => ids.push(block.id),
                None => break,
            }
        }
        Ok(ids)
    }

    fn kept_ids(&self, range: &RangeInclusive<u64>) -> Option<Vec<BlockId>> {
        let linked = self.linked.lock();
        linked.iter().rev().find_map(|(from, hashes)| {
            let start = usize::try_from(range.start().checked_sub(*from)?).ok()?;
            let end = usize::try_from(range.end().checked_sub(*from)?).ok()?;
            let hashes = hashes.get(start..=end)?;
            let id = |(number, hash): (u64, &B256)| BlockId { number, hash: *hash };
            Some(range.clone().zip(hashes).map(id).collect())
        })
    }
}

/// Assumed size of a block before any was seen: a busy one, so that the first requests are small.
const BLOCK_BYTES_FIRST: u64 = 64 << 10;

/// Runs `work` where blocking is allowed. A panic there is a defect of ours; it ends the task that asked.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends: nothing will be asked of this task any more.
            Err(_) => std::future::pending().await,
        },
    }
}
