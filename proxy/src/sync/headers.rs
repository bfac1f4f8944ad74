//! Fetching headers, closing their links, and writing them down.
//!
//! Headers of a section are fetched in chunks side by side and closed in order from the trusted end, so that a lie
//! is pinned on who told it. They become header parts of the store at once; bodies and receipts are filled against
//! stored headers. So the links need no memory beyond the section in hand, however long the chain is.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use bytes::Bytes;
use futures_util::StreamExt;
use hypasis_cache::{Kind, StoreError};
use hypasis_chain::BlockId;
use hypasis_upstream::{Source, SourceError};

use super::links::{Linked, close_down, close_up, difficulty_of, parent_of};
use super::shared::{Shared, Way, blocking};
use super::sources::{Lease, Want};

/// Headers asked for at once.
const CHUNK: u64 = 512;
/// Chunks in flight for one section.
const CHUNKS_IN_FLIGHT: usize = 4;
/// Bytes of headers in hand at which a part closes early (Polygon's may carry 100 KiB each).
const PART_BYTES_MAX: u64 = 32 << 20;
/// How long a source is waited for that has headers, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Bytes assumed for a header when reserving.
const HEADER_BYTES: u64 = 700;

/// Why a section's headers could not be linked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadersError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Links closed from above do not meet what is held below, or a trusted block. Nothing was written.
    #[error(
        "the chain below the checkpoint does not meet what is held: block {number} is {found}, linked is {linked}"
    )]
    Contradiction {
        /// Height at which they should meet.
        number: u64,
        /// The hash that is held or trusted.
        found: B256,
        /// The hash that the links lead to.
        linked: B256,
    },
}

/// Links `range` downward from what is trusted above it and writes its header parts, the highest first.
pub(crate) async fn link_down(
    shared: &Arc<Shared>,
    range: RangeInclusive<u64>,
    way: Way,
) -> Result<(), HeadersError> {
    let Some(anchor) = anchor_above(shared, *range.end())? else { return Ok(()) };
    let count = (range.end() - range.start()).saturating_add(1);
    let mut reservation = shared.budget.reserve(count.saturating_mul(HEADER_BYTES)).await;
    let genesis = shared.spec.genesis.as_ref().filter(|_| *range.start() == 0);
    let lowest = if genesis.is_some() { 1 } else { *range.start() };

    let mut linked: Vec<Linked> = Vec::new();
    let mut sources: Vec<Arc<str>> = Vec::new();
    let mut bytes = 0_u64;
    let mut expected = anchor;
    let ranges = chunks_down(lowest..=*range.end());
    let mut chunks =
        futures_util::stream::iter(ranges).map(|chunk| fetch(shared, chunk)).buffered(CHUNKS_IN_FLIGHT);
    while let Some((chunk, mut fetched)) = chunks.next().await {
        let mut closed = None;
        while let Some((headers, lease)) = fetched {
            let checks = shared.checks(way);
            match blocking(move || close_down(expected, &headers, &checks)).await {
                Ok(linked) => {
                    closed = Some((linked, lease));
                    break;
                }
                Err(broken) => lease.blame(broken.number, &broken.fault),
            }
            drop(lease);
            (_, fetched) = fetch(shared, chunk.clone()).await;
        }
        // Nobody has the next ones now. What is linked by now is worth keeping.
        let Some((closed, lease)) = closed else { break };
        lease.good();
        add_source(&mut sources, lease.id());
        drop(lease);
        bytes = bytes.saturating_add(closed.iter().map(|header| header.raw.len() as u64).sum());
        reservation.at_least(bytes);
        expected = below(&closed).unwrap_or(expected);
        linked.splice(0..0, closed);
        if bytes >= PART_BYTES_MAX {
            break;
        }
    }
    drop(chunks);
    if let Some(genesis) = genesis
        && expected.number == 0
    {
        meet(0, genesis.id.hash, expected.hash)?;
        let (raw, difficulty) = (genesis.header.clone(), difficulty_of(&genesis.header));
        linked.insert(0, Linked { id: genesis.id, parent: B256::ZERO, difficulty, raw });
    }
    check_trusted(shared, &linked)?;
    check_below(shared, &linked)?;
    write(shared, linked, sources, way).await?;
    drop(reservation);
    Ok(())
}

/// Links `range` upward from `parent` by the headers of one source, without writing them: the caller asks other
/// sources about the last one first. `None` where no source has them (any more).
pub(crate) async fn link_up(
    shared: &Arc<Shared>,
    parent: BlockId,
    range: RangeInclusive<u64>,
) -> Result<Option<(Vec<Linked>, Lease)>, StoreError> {
    loop {
        let Some((headers, lease)) = fetch(shared, range.clone()).await.1 else { return Ok(None) };
        let checks = shared.checks(Way::Forward);
        let parent_header = header_at(shared, parent)?;
        let closed = blocking(move || close_up(parent, parent_header.as_deref(), &headers, &checks)).await;
        match closed {
            Ok(closed) => return Ok(Some((closed, lease))),
            Err(broken) if broken.fault.may_be_a_new_span() => {
                tracing::warn!(source = %lease.id(), %broken, "Headers wait for Heimdall's spans");
                return Ok(None);
            }
            Err(broken) => lease.blame(broken.number, &broken.fault),
        }
    }
}

/// Writes linked headers as one header part.
pub(crate) async fn write(
    shared: &Arc<Shared>,
    linked: Vec<Linked>,
    sources: Vec<Arc<str>>,
    way: Way,
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (linked.first(), linked.last()) else { return Ok(()) };
    let range = first.id.number..=last.id.number;
    let shared = shared.clone();
    blocking(move || {
        let mut part = shared.store.begin_part(range.clone(), vec![Kind::Header])?;
        for header in &linked {
            part.append_header(header.id, &header.raw)?;
        }
        part.finish(&shared.trust(way, &sources))?;
        shared.remember_linked(*range.start(), linked.iter().map(|header| header.id.hash).collect());
        shared.bump();
        Ok(())
    })
    .await
}

/// The hash that the block at `number` must have, from what is trusted or held above it.
fn anchor_above(shared: &Shared, number: u64) -> Result<Option<BlockId>, StoreError> {
    let trusted = {
        let state = shared.state.lock();
        let checkpoint = state.checkpoint.as_ref().map(|checkpoint| checkpoint.id);
        [checkpoint, state.base].into_iter().flatten().find(|id| id.number == number)
    };
    if trusted.is_some() {
        return Ok(trusted);
    }
    let view = shared.store.view();
    let Some(above) = number.checked_add(1).map(|above| view.by_number(above)).transpose()?.flatten() else {
        return Ok(None);
    };
    let parent = view.header(&above)?.and_then(|raw| parent_of(&raw));
    Ok(parent.map(|hash| BlockId { number, hash }))
}

/// Headers of `range` from whoever has all of them; none if nobody does, at once or after a moment. Sources may claim
/// heights that do not exist, so that a caller must look again at what there is.
async fn fetch(
    shared: &Shared,
    range: RangeInclusive<u64>,
) -> (RangeInclusive<u64>, Option<(Vec<Bytes>, Lease)>) {
    let mut absent: Vec<Arc<str>> = Vec::new();
    let mut waited = Duration::ZERO;
    loop {
        let want = Want::headers(range.clone()).except(&absent);
        if !shared.sources.any_has(&want) {
            if waited >= PATIENCE {
                tracing::debug!(from = range.start(), to = range.end(), "No source has these headers now");
                return (range, None);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            waited += LOOK_AGAIN;
            continue;
        }
        let lease = shared.sources.lease(&want).await;
        match collect(lease.source().as_ref(), &range).await {
            Ok(headers) => return (range, Some((headers, lease))),
            Err(error) => {
                if matches!(error, SourceError::Absent(_)) {
                    absent.push(lease.id().clone());
                }
                lease.failed(&error);
            }
        }
    }
}

/// All headers of `range` from one source, which may give fewer at once.
async fn collect(source: &dyn Source, range: &RangeInclusive<u64>) -> Result<Vec<Bytes>, SourceError> {
    let count = (range.end() - range.start()).saturating_add(1);
    let mut headers: Vec<Bytes> = Vec::new();
    while (headers.len() as u64) < count {
        let from = range.start().saturating_add(headers.len() as u64);
        let wanted = (count - headers.len() as u64).min(CHUNK);
        let mut more = source.headers(from, wanted).await?;
        if more.is_empty() {
            tracing::debug!(source = %source.id(), from, "No header although its head is above");
            return Err(SourceError::Absent(source.id().clone()));
        }
        more.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        headers.append(&mut more);
    }
    Ok(headers)
}

fn chunks_down(range: RangeInclusive<u64>) -> impl Iterator<Item = RangeInclusive<u64>> {
    let (lowest, mut end) = (*range.start(), (range.start() <= range.end()).then_some(*range.end()));
    std::iter::from_fn(move || {
        let to = end?;
        let from = to.saturating_sub(CHUNK - 1).max(lowest);
        end = from.checked_sub(1).filter(|end| *end >= lowest);
        Some(from..=to)
    })
}

/// What the block below the lowest of `linked` must be.
fn below(linked: &[Linked]) -> Option<BlockId> {
    let lowest = linked.first()?;
    Some(BlockId { number: lowest.id.number.saturating_sub(1), hash: lowest.parent })
}

/// A trusted block within the range must be the one that the links lead to.
fn check_trusted(shared: &Shared, linked: &[Linked]) -> Result<(), HeadersError> {
    let Some(checkpoint) = shared.checkpoint() else { return Ok(()) };
    match linked.iter().find(|header| header.id.number == checkpoint.number) {
        Some(header) => meet(checkpoint.number, checkpoint.hash, header.id.hash),
        None => Ok(()),
    }
}

/// What is held just below must be the parent of the lowest.
fn check_below(shared: &Shared, linked: &[Linked]) -> Result<(), HeadersError> {
    let Some(expected) = below(linked).filter(|_| linked.first().is_some_and(|header| header.id.number > 0))
    else {
        return Ok(());
    };
    match shared.store.view().by_number(expected.number)? {
        Some(held) => meet(expected.number, held.id.hash, expected.hash),
        None => Ok(()),
    }
}

fn meet(number: u64, found: B256, linked: B256) -> Result<(), HeadersError> {
    if found == linked { Ok(()) } else { Err(HeadersError::Contradiction { number, found, linked }) }
}

fn header_at(shared: &Shared, id: BlockId) -> Result<Option<Bytes>, StoreError> {
    let view = shared.store.view();
    match view.by_number(id.number)?.filter(|block| block.id == id) {
        Some(block) => view.header(&block),
        None => Ok(None),
    }
}

pub(crate) fn add_source(sources: &mut Vec<Arc<str>>, id: &Arc<str>) {
    if !sources.contains(id) {
        sources.push(id.clone());
    }
}
