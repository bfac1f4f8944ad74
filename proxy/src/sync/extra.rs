//! What stands beside blocks: Polygon's state syncs before Madhugiri, which no root covers
//! ([`hypasis_chain::bor::state_sync`]).
//!
//! It comes with the blocks where their source tells it, and is stored with them. Where it was not told (eth/68, an
//! archive, a node without `eth_getBlockReceipts`), the height stays a gap of its own kind, and this task fetches it
//! later, newest first. Only sources that the operator named are asked. Where a second one of them can be asked at
//! once, it is; if the two disagree, neither is believed, and the log says who said what.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hypasis_cache::store::{SECTION, Verified};
use hypasis_cache::{Kind, Ranges, StoreError};
use hypasis_chain::BlockId;
use hypasis_chain::bor::state_sync::{NONE, settle};
use hypasis_upstream::{Fetched, SourceError};

use super::shared::{Shared, Way, blocking};
use super::sources::Want;

/// Blocks asked for at once.
const FETCH: usize = 32;
/// Longest sleep with nothing to do.
const IDLE: Duration = Duration::from_secs(5);

/// Fills until everything must end; on chains without such transactions there is nothing to do.
pub(crate) async fn run(shared: Arc<Shared>) {
    if !shared.store.keeps_extra() {
        return;
    }
    while !shared.stopping() {
        let mut changes = shared.changes();
        let Some(claim) = Claim::next(&shared) else {
            let _ = tokio::time::timeout(IDLE, changes.changed()).await;
            continue;
        };
        if let Err(error) = fill(&shared, &claim.range).await {
            tracing::error!(%error, from = claim.range.start(), to = claim.range.end(), "State syncs could not be stored");
            shared.state.lock().lacking_extra.insert(claim.range.clone());
            tokio::time::sleep(IDLE).await;
        }
    }
}

/// Heights that this task has in hand; dropping gives them back.
#[derive(Debug)]
struct Claim {
    shared: Arc<Shared>,
    range: RangeInclusive<u64>,
}

// === impl Claim ===

impl Claim {
    /// The newest gap of history whose blocks are held, cut at its section.
    fn next(shared: &Arc<Shared>) -> Option<Self> {
        let top = shared.state.lock().base?.number;
        let oldest = shared.oldest();
        let view = shared.store.view();
        let held = view.ranges(Kind::Body).intersection(&view.ranges(Kind::Receipts));
        let wanted: Ranges = (oldest <= top).then_some(oldest..=top).into_iter().collect();
        let held = held.intersection(&view.ranges(Kind::Header)).intersection(&wanted);
        let missing = held.difference(&view.ranges(Kind::Extra));
        let mut state = shared.state.lock();
        let missing = missing.difference(&state.lacking_extra).difference(&state.busy);
        let gap = missing.iter().next_back()?;
        let section = gap.end() - gap.end() % SECTION;
        let range = section.max(*gap.start())..=*gap.end();
        state.busy.insert(range.clone());
        Some(Self { shared: shared.clone(), range })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.state.lock().busy.remove(self.range.clone());
        self.shared.bump();
    }
}

/// Fetches and stores what stands beside the blocks of `range`.
async fn fill(shared: &Arc<Shared>, range: &RangeInclusive<u64>) -> Result<(), StoreError> {
    let (task, heights) = (shared.clone(), range.clone());
    let ids = blocking(move || missing_in(&task, heights)).await?;
    let mut extras = Vec::with_capacity(ids.len());
    let mut unknown = 0_usize;
    for wanted in ids.chunks(FETCH) {
        if shared.stopping() {
            return Ok(());
        }
        let found = fetch(shared, wanted).await;
        unknown = unknown.saturating_add(wanted.len().saturating_sub(found.len()));
        extras.extend(found);
    }
    let (task, heights, stored) = (shared.clone(), range.clone(), extras.len());
    blocking(move || task.store.put_extra(heights, &extras)).await?;
    if unknown > 0 {
        shared.state.lock().lacking_extra.insert(range.clone());
    }
    tracing::debug!(from = range.start(), to = range.end(), stored, unknown, "Stored state syncs");
    Ok(())
}

fn missing_in(shared: &Shared, range: RangeInclusive<u64>) -> Result<Vec<BlockId>, StoreError> {
    let view = shared.store.view();
    let mut ids = Vec::new();
    for number in range.filter(|number| shared.store.may_have_extra(*number)) {
        ids.extend(view.by_number(number)?.map(|block| block.id));
    }
    Ok(ids)
}

/// What named sources say of the wanted blocks; nothing of those of which none of them knows, or on which two of them
/// disagree.
async fn fetch(shared: &Arc<Shared>, wanted: &[BlockId]) -> Vec<(BlockId, Bytes)> {
    let (mut found, mut rest) = (Vec::new(), wanted.to_vec());
    let mut absent: Vec<Arc<str>> = Vec::new();
    while let (Some(first), Some(last)) = (rest.first().copied(), rest.last()) {
        let want = Want::blocks(first.number..=last.number);
        if shared.stopping() || !shared.sources.any_named_has(&want.clone().except(&absent)) {
            break;
        }
        let lease = shared.sources.lease(&want.except(&absent)).await;
        let id = lease.id().clone();
        if lease.source().is_many() {
            absent.push(id);
            continue;
        }
        let fetched = match lease.source().blocks(&rest, true).await {
            Ok(fetched) => fetched,
            Err(error) => {
                if matches!(error, SourceError::Absent(_)) {
                    absent.push(id);
                }
                lease.failed(&error);
                continue;
            }
        };
        let (checks, asked) = (shared.checks(Way::Backward), rest.clone());
        let (mut verified, fault) =
            blocking(move || super::workers::verify_all(fetched, &asked, &checks)).await;
        match fault {
            Some((number, fault)) => lease.blame(number, &fault),
            None => lease.good(),
        }
        if verified.iter().all(|block| block.block.extra.is_none()) {
            absent.push(id.clone());
        }
        drop(lease);
        let doubted = second_opinion(shared, &id, &mut verified).await;
        let told = |block: Verified| block.block.extra.map(|extra| (block.block.id, extra));
        let told: Vec<_> = verified.into_iter().filter_map(told).collect();
        rest.retain(|id| !doubted.contains(id) && told.iter().all(|(other, _)| other != id));
        found.extend(told);
    }
    found.sort_by_key(|(id, _)| *id);
    found
}

/// Asks another named source, if one can be asked at once, what stands beside those of `blocks` that are said to have,
/// or not to have, something there. Where it says otherwise, `blocks` do not tell any more; gives back which those are.
pub(crate) async fn second_opinion(
    shared: &Arc<Shared>,
    first: &Arc<str>,
    blocks: &mut [Verified],
) -> Vec<BlockId> {
    let told = blocks.iter().filter(|block| block.block.extra.is_some());
    let asked: Vec<BlockId> = told.map(|block| block.block.id).collect();
    let (mut said, mut doubted) = (HashMap::new(), Vec::new());
    for asked in asked.chunks(FETCH) {
        let Some((source, fetched)) = other_of(shared, first, asked).await else { break };
        let settled = fetched.into_iter().filter_map(|block| settle(&shared.spec, block).ok());
        said.extend(settled.filter_map(|block| Some((block.id.hash, (source.clone(), block.extra?)))));
    }
    for block in blocks {
        let (id, extra) = (block.block.id, &mut block.block.extra);
        if let (Some(ours), Some((source, theirs))) = (&extra, said.get(&id.hash))
            && ours != theirs
        {
            let state_sync = |extra: &Bytes| if extra.as_ref() == NONE { "none" } else { "one" };
            let (ours, theirs) = (state_sync(ours), state_sync(theirs));
            tracing::warn!(
                number = id.number, first = %first, ours, second = %source, theirs,
                "Two sources disagree on the state sync beside a block; neither is believed"
            );
            *extra = None;
            doubted.push(id);
        }
    }
    doubted
}

/// The blocks as another named source has them.
async fn other_of(
    shared: &Arc<Shared>,
    first: &Arc<str>,
    asked: &[BlockId],
) -> Option<(Arc<str>, Vec<Fetched>)> {
    let range = asked.first()?.number..=asked.last()?.number;
    let mut except = vec![first.clone()];
    while shared.sources.any_named_has(&Want::blocks(range.clone()).except(&except)) {
        let lease = shared.sources.try_lease_urgently(&Want::blocks(range.clone()).except(&except))?;
        if lease.source().is_many() {
            except.push(lease.id().clone());
            continue;
        }
        let fetched = lease.source().blocks(asked, true).await.ok()?;
        return Some((lease.id().clone(), fetched));
    }
    None
}
