//! The total difficulty of the head, on chains whose followers sync from whoever has most of it (Polygon).
//!
//! It is the sum of all difficulties since block 0. One block whose sum is known is enough: what is settled above it
//! is added from its headers, what is not from the window. Such an anchor comes from, in order of preference:
//!
//! * block 0, once headers are held down to it: this proves the number;
//! * the checkpoint, if whoever vouches for it names its total difficulty;
//! * a source that the operator named and that says it of its head. Never a stranger's word: too high a number would
//!   keep followers busy for ever. Of two that differ the lower one counts.
//!
//! Anchors move up with the settled history and are kept in the store, so a start costs nothing.

mod totals;

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::U256;
use hypasis_cache::{Kind, StoreError};
use hypasis_chain::spec::Family;
use hypasis_chain::{BlockId, Header};

use super::agreement::Opinion;
use super::links::difficulty_of;
use super::shared::{Shared, blocking};
use super::tree::Tree;

pub use totals::{Anchor, Origin, Totals};

/// Name of the persisted record.
pub const RECORD: &str = "total-difficulty";
/// Headers whose difficulties are added between two looks at what else is to be done.
const STEP: u64 = 2_048;
/// Steps between two records while an anchor climbs.
const STEPS_A_RECORD: u32 = 64;
/// Rest after the store failed.
const REST: Duration = Duration::from_secs(2);

/// Takes up what was known at the last stop. What does not fit the chain that is held is forgotten.
pub(super) fn load(shared: &Shared, root: BlockId) -> Result<(), StoreError> {
    if !matters(shared) {
        return Ok(());
    }
    let record = shared.store.record(RECORD)?;
    let anchors: Vec<Anchor> =
        record.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let view = shared.store.view();
    let mut kept = Totals::default();
    for anchor in anchors {
        let held = view.by_number(anchor.id.number)?.map(|block| block.id);
        if anchor.id == root || held == Some(anchor.id) {
            kept.tell(anchor);
        }
    }
    *shared.totals.lock() = kept;
    Ok(())
}

/// Adds up the difficulties between anchors and the top of the settled history until everything must end.
pub(super) async fn run(shared: Arc<Shared>) {
    if !matters(&shared) {
        return;
    }
    let mut steps = 0_u32;
    loop {
        let mut changes = shared.changes();
        let worker = shared.clone();
        match blocking(move || step(&worker)).await {
            Ok(true) => {
                steps = steps.saturating_add(1);
                if steps.is_multiple_of(STEPS_A_RECORD) {
                    persist(&shared).await;
                }
            }
            Ok(false) => {
                if std::mem::take(&mut steps) > 0 {
                    persist(&shared).await;
                    shared.publish(false);
                    // Whoever waits for the record may look now.
                    shared.bump();
                }
                let _ = changes.changed().await;
            }
            Err(error) => {
                tracing::error!(%error, "Headers could not be read for their difficulty");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Takes the word of the sources that the operator named for the heads that are in the window.
pub(super) fn learn(shared: &Shared, tree: &Tree, opinions: &[Opinion]) {
    if !matters(shared) {
        return;
    }
    let root = tree.root();
    for (source, head, total) in told(shared, opinions) {
        let above = tree.above_root(head);
        let Some(total_difficulty) = above.and_then(|above| total.checked_sub(above)) else { continue };
        let anchor = Anchor { id: root, total_difficulty, origin: Origin::Source };
        if shared.totals.lock().tell(anchor) {
            tracing::info!(%source, number = root.number, total = %total_difficulty, "Total difficulty is known");
        }
    }
}

/// What `id` has, if it is the head of what is held, or else as the lowest of what sources say of it.
pub(super) fn of(shared: &Shared, id: BlockId, opinions: &[Opinion]) -> Option<U256> {
    if !matters(shared) {
        return None;
    }
    let known = shared.totals.lock().at(id);
    known.or_else(|| {
        let said = told(shared, opinions).filter(|(_, head, _)| *head == id);
        said.map(|(_, _, total)| total).min()
    })
}

/// Writes the anchors down.
pub(super) async fn persist(shared: &Arc<Shared>) {
    if !matters(shared) {
        return;
    }
    let shared = shared.clone();
    let done = blocking(move || {
        let anchors = shared.totals.lock().anchors();
        let bytes = serde_json::to_vec(&anchors).map_err(|error| StoreError::Refused(error.to_string()))?;
        shared.store.put_record(RECORD, &bytes)
    });
    if let Err(error) = done.await {
        tracing::error!(%error, "The total difficulty could not be recorded");
    }
}

/// Whether this chain's fork choice and its followers go by it: Bor's do, where its parameters are known.
pub(super) fn matters(shared: &Shared) -> bool {
    shared.spec.family == Family::Bor && shared.spec.bor.is_some()
}

fn told<'a>(
    shared: &'a Shared,
    opinions: &'a [Opinion],
) -> impl Iterator<Item = (&'a Arc<str>, BlockId, U256)> + 'a {
    opinions.iter().filter_map(|opinion| {
        let named = shared.sources.by_id(&opinion.source).is_some_and(|source| !source.is_many());
        let told = opinion.heads.latest.zip(opinion.heads.total_difficulty).filter(|_| named);
        told.map(|(head, total)| (&opinion.source, head, total))
    })
}

/// Lets each anchor below the top of the settled history climb some way; says whether any did.
fn step(shared: &Shared) -> Result<bool, StoreError> {
    let Some(base) = shared.state.lock().base else { return Ok(false) };
    let mut moved = start_at_genesis(shared, base)?;
    let below = shared.totals.lock().below(base.number);
    for anchor in below {
        let higher = climb(shared, anchor, base.number)?;
        moved |= higher.id != anchor.id;
        shared.totals.lock().climbed(anchor.id.number, higher);
    }
    Ok(moved)
}

/// The anchor some way further up, as far as headers are held without a hole.
fn climb(shared: &Shared, anchor: Anchor, base: u64) -> Result<Anchor, StoreError> {
    let view = shared.store.view();
    let from = anchor.id.number;
    let mut higher = anchor;
    for number in from.saturating_add(1)..=base.min(from.saturating_add(STEP)) {
        let block = view.by_number(number)?.filter(|block| block.canonical);
        let Some(block) = block else { break };
        let Some(raw) = view.header(&block)? else { break };
        let total_difficulty = higher.total_difficulty.saturating_add(difficulty_of(&raw));
        higher = Anchor { id: block.id, total_difficulty, ..anchor };
    }
    Ok(higher)
}

/// Headers that are held down to block 0 prove the number; so does a window that stands on block 0, as on every chain
/// shorter than the finality depth. Says whether that is new.
fn start_at_genesis(shared: &Shared, base: BlockId) -> Result<bool, StoreError> {
    let known = shared.totals.lock().has(Origin::Genesis);
    let view = shared.store.view();
    let whole = || view.ranges(Kind::Header).iter().next().is_some_and(|first| *first.start() <= 1);
    if known || base.number > 0 && !whole() {
        return Ok(false);
    }
    let Some(genesis) = &shared.spec.genesis else { return Ok(false) };
    let Ok(header) = Header::parse(&genesis.header) else { return Ok(false) };
    let anchor = Anchor { id: genesis.id, total_difficulty: header.difficulty(), origin: Origin::Genesis };
    Ok(shared.totals.lock().tell(anchor))
}
