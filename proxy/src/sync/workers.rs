//! Workers: bodies and receipts for heights whose headers are held.
//!
//! A worker claims a batch of heights, fetches it in small requests with the next one under way while the last is
//! verified, and streams it in ascending order into one part of the store. The part closes early when it has taken
//! the byte budget, when everything must end, or when no source has more; what remains is a gap and claimed again.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use hypasis_cache::store::Verified;
use hypasis_cache::{Kind, Kinds, PartWriter, StoreError};
use hypasis_chain::{Block, BlockId, Fault, Level};
use hypasis_upstream::SourceError;

use super::budget::Reservation;
use super::extra::second_opinion;
use super::gaps::{self, Order, Question};
use super::headers::add_source;
use super::shared::{Shared, Way, blocking};
use super::sources::Want;
use super::verify::{Checks, size};

/// Bytes that one request should bring.
const REQUEST_BYTES: u64 = 2 << 20;
/// Most blocks of one request.
const REQUEST_BLOCKS_MAX: u64 = 1_024;
/// How much more than the estimate is reserved until the answer is there: blocks differ from their mean.
const MARGIN: u64 = 2;
/// Requests of one worker that are under way or being verified.
const REQUESTS_IN_FLIGHT: usize = 2;
/// Rest after the store failed, and before heights that no source has are tried again.
const REST: Duration = Duration::from_secs(2);

/// Fills one direction until everything must end.
pub(crate) async fn run(shared: Arc<Shared>, way: Way) {
    while !shared.stopping() {
        let mut changes = shared.changes();
        let Some(claim) = Claim::next(&shared, way) else {
            tokio::select! {
                _ = changes.changed() => continue,
                () = shared.stopped() => return,
            }
        };
        if let Err(error) = fill(&shared, &claim, way).await {
            tracing::error!(%error, from = claim.range.start(), to = claim.range.end(), "Blocks could not be stored");
            drop(claim);
            tokio::select! {
                () = tokio::time::sleep(REST) => {}
                () = shared.stopped() => return,
            }
        }
    }
}

/// Heights that one worker has in hand; dropping gives them back.
#[derive(Debug)]
struct Claim {
    shared: Arc<Shared>,
    range: RangeInclusive<u64>,
    /// What a part of it brings.
    kinds: Kinds,
}

/// Verified blocks of one request, in order.
#[derive(Debug)]
struct Batch {
    blocks: Vec<Verified>,
    sources: Vec<Arc<str>>,
    bytes: u64,
    /// Receipts were to be had for all of them.
    whole: bool,
    reservation: Reservation,
}

/// A part of the store that is being written.
#[derive(Debug)]
struct Part {
    writer: PartWriter,
    from: u64,
    count: u64,
    sources: Vec<Arc<str>>,
    /// Without receipts less can be checked than is asked for.
    checked_at_most: Level,
}

// === impl Claim ===

impl Claim {
    fn next(shared: &Arc<Shared>, way: Way) -> Option<Self> {
        let within = shared.span(way)?;
        if way == Way::Backward && shared.state.lock().full {
            return None;
        }
        let view = shared.store.view();
        let linked = view.ranges(Kind::Header);
        let complete = shared.complete();
        let mut state = shared.state.lock();
        let order = if way == Way::Forward { Order::Ascending } else { Order::Descending };
        let batch = shared.config.backward.batch_size;
        let question =
            Question { linked: &linked, complete: &complete, busy: &state.busy, within, batch, order };
        let range = gaps::next_claim(&question)?;
        // Where bodies came without receipts, only receipts are wanted; a claim is all the one or all the other.
        let (range, kinds) = match view.ranges(Kind::Body).gaps(range.clone()).pop() {
            Some(gap) => (gap, vec![Kind::Body, Kind::Receipts, Kind::Index]),
            None => (range, vec![Kind::Receipts]),
        };
        state.busy.insert(range.clone());
        drop(state);
        Some(Self { shared: shared.clone(), range, kinds })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.state.lock().busy.remove(self.range.clone());
        self.shared.bump();
    }
}

/// Fills a claim with as many parts as it takes.
async fn fill(shared: &Arc<Shared>, claim: &Claim, way: Way) -> Result<(), StoreError> {
    let (reader, range) = (shared.clone(), claim.range.clone());
    let ids: Arc<[BlockId]> = blocking(move || reader.ids(&range)).await?.into();
    let requests = requests(shared.clone(), ids);
    let mut batches =
        requests.map(|wanted| request(shared.clone(), wanted, way)).buffered(REQUESTS_IN_FLIGHT);
    let mut part: Option<Part> = None;
    loop {
        let batch = tokio::select! {
            biased;
            () = shared.stopped() => None,
            batch = batches.next() => batch.flatten(),
        };
        let Some(batch) = batch else { break };
        shared.learn_block_bytes(batch.bytes, batch.blocks.len() as u64);
        if !batch.whole {
            if let Some(open) = part.take() {
                finish(shared, open, way).await?;
            }
            bodies_alone(shared, batch, claim, way).await?;
            continue;
        }
        let open = match part.take() {
            Some(open) => open,
            None => begin(shared, first_of(&batch)..=*claim.range.end(), claim.kinds.clone()).await?,
        };
        let open = append(open, batch).await?;
        if open.writer.bytes() >= shared.budget.total() {
            finish(shared, open, way).await?;
        } else {
            part = Some(open);
        }
    }
    match part {
        Some(open) => finish(shared, open, way).await,
        None => Ok(()),
    }
}

/// No source has the receipts of this batch: the bodies are worth keeping, the receipts rest until sources change.
async fn bodies_alone(shared: &Arc<Shared>, batch: Batch, claim: &Claim, way: Way) -> Result<(), StoreError> {
    let from = first_of(&batch);
    let to = batch.blocks.last().map_or(from, |block| block.block.id.number);
    if claim.kinds.contains(&Kind::Body) {
        let part = begin(shared, from..=to, vec![Kind::Body, Kind::Index]).await?;
        let part = Part { checked_at_most: Level::Light, ..append(part, batch).await? };
        finish(shared, part, way).await?;
    }
    shared.state.lock().unavailable.insert(from..=to);
    Ok(())
}

/// Cuts the ids into requests; each is sized when it is about to be sent, by what blocks weigh by then.
fn requests(shared: Arc<Shared>, ids: Arc<[BlockId]>) -> impl futures_util::Stream<Item = Vec<BlockId>> {
    let mut next = 0_usize;
    futures_util::stream::iter(std::iter::from_fn(move || {
        let bytes = REQUEST_BYTES.min(shared.budget.total() / 4);
        let count = (bytes / shared.block_bytes()).clamp(1, REQUEST_BLOCKS_MAX);
        let wanted: Vec<BlockId> =
            ids.iter().skip(next).take(usize::try_from(count).unwrap_or(1)).copied().collect();
        next = next.saturating_add(wanted.len());
        (!wanted.is_empty()).then_some(wanted)
    }))
}

/// Fetches and verifies the wanted blocks, asking elsewhere as often as it takes. `None` if no source has them.
async fn request(shared: Arc<Shared>, wanted: Vec<BlockId>, way: Way) -> Option<Batch> {
    let estimate = shared.block_bytes().saturating_mul(wanted.len() as u64).saturating_mul(MARGIN);
    let reservation = shared.budget.reserve(estimate).await;
    let mut batch = Batch { blocks: Vec::new(), sources: Vec::new(), bytes: 0, whole: true, reservation };
    let mut rest: VecDeque<BlockId> = wanted.into();
    let mut absent: Vec<Arc<str>> = Vec::new();
    if let Some(genesis) = shared.spec.genesis.as_ref().filter(|genesis| rest.front() == Some(&genesis.id)) {
        rest.pop_front();
        batch.blocks.push(own_genesis(genesis.clone(), shared.checks(way)).await?);
    }
    let mut lacking: Vec<Arc<str>> = Vec::new();
    let mut bodies_alone = false;
    let level = shared.level(way);
    while take_kept(&shared, level, &mut rest, &mut batch) {
        let kept = |id: &BlockId| shared.kept.holds(&id.hash, level);
        let asked: Vec<BlockId> = rest.iter().copied().take_while(|id| !kept(id)).collect();
        let (Some(first), Some(last)) = (asked.first(), asked.last()) else { continue };
        let range = first.number..=last.number;
        if !shared.sources.any_has(&Want::blocks(range.clone()).except(&absent)) {
            if bodies_alone || lacking.is_empty() {
                return give_up(&shared, batch, range, &absent);
            }
            bodies_alone = true;
            absent.retain(|id| !lacking.contains(id));
        }
        let lease = shared.sources.lease(&Want::blocks(range).except(&absent)).await;
        let fetched = match lease.source().blocks(&asked, true).await {
            Ok(fetched) if fetched.is_empty() => {
                absent.push(lease.id().clone());
                continue;
            }
            Ok(fetched) => fetched,
            Err(error) => {
                if matches!(error, SourceError::Absent(_)) {
                    absent.push(lease.id().clone());
                }
                lease.failed(&error);
                continue;
            }
        };
        if !bodies_alone && fetched.iter().any(|block| block.receipts.is_none()) {
            lacking.push(lease.id().clone());
            absent.push(lease.id().clone());
            continue;
        }
        let bytes: u64 = fetched.iter().map(size).sum();
        batch.reservation.at_least(batch.bytes.saturating_add(bytes));
        let checks = shared.checks(way);
        let (mut verified, fault) = blocking(move || verify_all(fetched, &asked, &checks)).await;
        second_opinion(&shared, lease.id(), &mut verified).await;
        rest.drain(..verified.len().min(rest.len()));
        add_source(&mut batch.sources, lease.id());
        batch.bytes = batch.bytes.saturating_add(bytes);
        batch.whole &= verified.iter().all(|block| block.block.receipts.is_some());
        batch.blocks.extend(verified);
        match fault {
            Some((number, fault)) => lease.blame(number, &fault),
            None => lease.good(),
        }
    }
    batch.reservation.settle(batch.bytes);
    Some(batch)
}

/// Moves blocks that were fetched for others into the batch. Whether there is still something to be fetched.
fn take_kept(shared: &Shared, level: Level, rest: &mut VecDeque<BlockId>, batch: &mut Batch) -> bool {
    while let Some((block, source)) = rest.front().and_then(|id| shared.kept.get(&id.hash, level)) {
        rest.pop_front();
        batch.bytes = batch.bytes.saturating_add(size(&block.block));
        batch.reservation.at_least(batch.bytes);
        add_source(&mut batch.sources, &source);
        batch.blocks.push(block);
    }
    !rest.is_empty()
}

/// Block 0 is made from the chain's spec: archives may start at 1, and some nodes do not give it raw.
async fn own_genesis(genesis: Block, checks: Checks) -> Option<Verified> {
    let receipts = genesis.receipts.clone().or(Some(Bytes::from_static(&[0xc0])));
    let verified =
        blocking(move || checks.block(Block { receipts, ..genesis.clone() }, genesis.id, false)).await;
    verified.inspect_err(|fault| tracing::error!(%fault, "The chain's own block 0 is wrong")).ok()
}

/// No source has `range`: what was got is kept, the rest rests until sources change.
fn give_up(shared: &Shared, batch: Batch, range: RangeInclusive<u64>, asked: &[Arc<str>]) -> Option<Batch> {
    tracing::debug!(from = range.start(), to = range.end(), ?asked, "No source has these blocks now");
    shared.state.lock().unavailable.insert(range);
    (!batch.blocks.is_empty()).then_some(batch)
}

/// Verifies a prefix; stops at the first lie.
pub(super) fn verify_all(
    fetched: Vec<Block>,
    wanted: &[BlockId],
    checks: &Checks,
) -> (Vec<Verified>, Option<(u64, Fault)>) {
    let mut verified = Vec::with_capacity(fetched.len());
    for (block, wanted) in fetched.into_iter().zip(wanted) {
        match checks.block(block, *wanted, false) {
            Ok(block) => verified.push(block),
            Err(fault) => return (verified, Some((wanted.number, fault))),
        }
    }
    (verified, None)
}

async fn begin(shared: &Arc<Shared>, range: RangeInclusive<u64>, kinds: Kinds) -> Result<Part, StoreError> {
    let (shared, from) = (shared.clone(), *range.start());
    let writer = blocking(move || shared.store.begin_part(range, kinds)).await?;
    Ok(Part { writer, from, count: 0, sources: Vec::new(), checked_at_most: Level::Full })
}

fn first_of(batch: &Batch) -> u64 {
    batch.blocks.first().map_or(0, |block| block.block.id.number)
}

async fn append(mut part: Part, batch: Batch) -> Result<Part, StoreError> {
    for source in &batch.sources {
        add_source(&mut part.sources, source);
    }
    blocking(move || {
        let Batch { blocks, reservation, .. } = batch;
        for block in &blocks {
            part.writer.append(block)?;
        }
        part.count = part.count.saturating_add(blocks.len() as u64);
        drop(reservation);
        Ok(part)
    })
    .await
}

async fn finish(shared: &Arc<Shared>, part: Part, way: Way) -> Result<(), StoreError> {
    let (count, from) = (part.count, part.from);
    let mut trust = shared.trust(way, &part.sources);
    trust.level = trust.level.min(part.checked_at_most);
    blocking(move || part.writer.finish(&trust)).await?;
    match way {
        Way::Forward => shared.metrics.forward_blocks.inc_by(count),
        Way::Backward => shared.metrics.backward_blocks.inc_by(count),
    };
    tracing::debug!(from, count, ?way, "Stored a part");
    shared.bump();
    shared.publish(false);
    Ok(())
}
