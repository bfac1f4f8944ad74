//! Following L1: each later checkpoint is compared with the headers that the store holds.
//!
//! One task. It looks at L1 by the clock, and at the store whenever that changes and a checkpoint waits for headers. A
//! range whose root is L1's is final, and recorded as such. One whose root is not, and which is settled here, is a
//! contradiction between this store and Ethereum: sync ends, loudly, and the operator must decide; what is held goes on
//! being served. Above what is settled a reorg may still mend it: it is said, and looked at again.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use hypasis_cache::StoreError;
use hypasis_chain::bor::checkpoint::{Tree, leaf};
use hypasis_chain::{BlockId, Header};
use hypasis_upstream::checkpoint::{L1, L1Checkpoint};
use tokio::time::Instant;

use super::record::{RECORD, Record};
use super::{Proof, put};
use crate::sync::shared::{Halt, Shared, blocking};

/// Shortest time between two looks at the store.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest rest while L1 tells nothing.
const REST_MAX: Duration = Duration::from_secs(300);

/// How a checkpoint and the headers that are held go together.
enum Comparison {
    /// Not all of them are held.
    Missing,
    /// The root is the same; the last block of the range.
    Same(BlockId),
    /// It is another.
    Other(B256),
}

/// Follows L1 until everything must end; nothing to do for other sources.
pub(crate) async fn run(shared: Arc<Shared>) {
    let Some(l1) = shared.authorities.l1().cloned() else { return };
    let Some(mut record) = load(&shared) else { return };
    let mut changes = shared.changes();
    let (mut next_look, mut failures) = (Instant::now(), 0_u32);
    loop {
        if next_look <= Instant::now() {
            let wait =
                if record.has_room() { look(&shared, &l1, &mut record, &mut failures).await } else { PAUSE };
            next_look = Instant::now() + wait;
        }
        if let Err(error) = compare_all(&shared, &mut record).await {
            tracing::error!(%error, "Comparing headers with L1's checkpoints failed in the store");
        }
        tell(&shared, &record);
        tokio::time::sleep(PAUSE).await;
        let changed = async {
            // Without a checkpoint that waits for headers nothing in the store matters here.
            match record.pending.is_empty() {
                true => std::future::pending().await,
                false => changes.changed().await.is_ok(),
            }
        };
        tokio::select! {
            () = tokio::time::sleep_until(next_look) => {}
            _ = changed => {}
        }
    }
}

/// What is remembered, or a new beginning at the block where trust starts.
fn load(shared: &Shared) -> Option<Record> {
    let proof = shared.state.lock().checkpoint.as_ref().and_then(|checkpoint| checkpoint.proof.clone());
    let Some(Proof::EthereumL1 { checkpoint: first, .. }) = proof else { return None };
    let bytes = shared.store.record(RECORD).ok().flatten();
    let held: Option<Record> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    // A record that does not know where trust starts is that of another beginning.
    let held = held.filter(|record| record.covered().contains_all(&(first.start..=first.end)));
    let record = held.unwrap_or_else(|| Record::begin(&first));
    tell(shared, &record);
    Some(record)
}

/// Asks L1 for what is new; returns how long to rest.
async fn look(shared: &Shared, l1: &L1, record: &mut Record, failures: &mut u32) -> Duration {
    let interval = shared.checkpoint_config.poll_interval.duration();
    let looked = l1.since(&record.latest, record.seen).await;
    shared.checkpoint_metrics.l1(l1, looked.is_ok());
    let trouble = looked.as_ref().err().map(ToString::to_string);
    match (&trouble, *failures) {
        (Some(reason), 0) => {
            tracing::warn!(%reason, "L1 tells nothing that can be believed; what is known stays")
        }
        (None, 1..) => tracing::info!("L1 answers again"),
        _ => {}
    }
    *failures = if trouble.is_some() { failures.saturating_add(1) } else { 0 };
    shared.authorities.hear(|heard| heard.trouble = trouble);
    let Ok(news) = looked else {
        return interval.saturating_mul(1 << (*failures).min(10)).min(REST_MAX.max(interval));
    };
    let complete = news.complete;
    for told in &news.checkpoints {
        let L1Checkpoint { header_block, start, end, .. } = told;
        tracing::info!(header_block, start, end, "L1 has a new checkpoint");
    }
    let mut next = record.clone();
    // What is not written down is asked for again.
    match if next.learn(news) { put(shared, RECORD, &next) } else { Ok(()) } {
        Ok(()) => *record = next,
        Err(error) => tracing::error!(%error, "A checkpoint of L1 could not be written down"),
    }
    if complete { interval } else { PAUSE }
}

/// Compares each pending checkpoint with the store.
async fn compare_all(shared: &Arc<Shared>, record: &mut Record) -> Result<(), StoreError> {
    let mut contradiction = None;
    for pending in record.pending.clone() {
        let (of, with) = (shared.clone(), pending.clone());
        match blocking(move || compare(&of, &with)).await? {
            Comparison::Missing => {}
            Comparison::Same(last) => {
                // Ethereum has made it final; a reorg across it is refused from here on.
                let (store, finalized) = (shared.store.clone(), shared.store.view().finalized());
                if finalized.is_none_or(|held| held.number < last.number) {
                    blocking(move || store.set_finalized(last)).await?;
                }
                let mut next = record.clone();
                next.cover(pending.header_block);
                put(shared, RECORD, &next)?;
                *record = next;
                shared.checkpoint_metrics.ranges_matched.inc();
                let (start, end) = (pending.start, pending.end);
                tracing::info!(
                    header_block = pending.header_block,
                    start,
                    end,
                    "Blocks have the root that L1 has"
                );
            }
            Comparison::Other(found) => {
                let settled = is_settled(shared, pending.end);
                contradiction = contradiction.or(Some((pending, found, settled)));
            }
        }
    }
    let Some((checkpoint, found, settled)) = contradiction else {
        shared.halt(Halt::Root, None);
        return Ok(());
    };
    let L1Checkpoint { header_block, start, end, root, l1_block, endpoints } = checkpoint;
    let (l1_block, endpoints) = (l1_block.number, endpoints.join(", "));
    let what = format!(
        "L1 contradicts the store: header block {header_block} has root {root} for blocks {start} to {end} (at L1 \
         block {l1_block}, as {endpoints} say), the headers held have {found}"
    );
    if !settled {
        shared
            .halt(Halt::Root, Some(format!("{what}; a reorg may mend it, since they are not settled here")));
        return Ok(());
    }
    shared.checkpoint_metrics.ranges_mismatched.inc();
    shared.halt(
        Halt::Root,
        Some(format!(
            "{what}. Find out who is wrong; if it is this store, start with an empty data directory"
        )),
    );
    shared.contradict();
    std::future::pending().await
}

/// Recomputes the root of a range from the canonical headers that are held.
fn compare(shared: &Shared, checkpoint: &L1Checkpoint) -> Result<Comparison, StoreError> {
    let view = shared.store.view();
    let (first, last) = (view.by_number(checkpoint.start)?, view.by_number(checkpoint.end)?);
    let (Some(_), Some(last)) = (first, last) else { return Ok(Comparison::Missing) };
    let mut tree = Tree::default();
    for number in checkpoint.start..=checkpoint.end {
        let Some(raw) = view.header_at(number)? else { return Ok(Comparison::Missing) };
        match Header::parse(&raw) {
            Ok(header) if header.number() == number => {
                let _ = tree.push(leaf(&header));
            }
            _ => return Ok(Comparison::Missing),
        }
    }
    match tree.root() {
        Ok(root) if root == checkpoint.root => Ok(Comparison::Same(last.id)),
        Ok(root) => Ok(Comparison::Other(root)),
        Err(_) => Ok(Comparison::Missing),
    }
}

/// Whether no reorg can change that height any more.
fn is_settled(shared: &Shared, height: u64) -> bool {
    let base = shared.state.lock().base;
    let finalized = shared.store.view().finalized();
    [base, finalized].into_iter().flatten().any(|id| id.number >= height)
}

fn tell(shared: &Shared, record: &Record) {
    shared.checkpoint_metrics.record(record);
    shared.authorities.hear(|heard| heard.record = Some(record.clone()));
}
