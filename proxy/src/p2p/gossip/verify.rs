//! From bytes to a verdict, off the async threads.
//!
//! First what costs next to nothing, for the whole message: hashes, what was announced, whether blobs belong
//! to their transaction. A liar is found before anything is verified for it. Then signatures in batches, and
//! proofs of blobs one transaction at a time; both wait for a place among those of all peers.

use std::collections::HashSet;
use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use hypasis_chain::transaction::kind;
use tokio::sync::Semaphore;

use super::limits::{MAX_BLOB_JOBS, MAX_SIGNATURE_JOBS, VERIFY_BATCH};
use super::pool::{Candidate, Origin};
use super::pooled::Pooled;
use super::rules::Rules;
use super::slots::Slot;
use super::state::Arrival;
use super::verdict::{Rejection, Violation};
use super::{Accepted, Inner};

/// Places for verification, over all peers; whoever waits longest is next.
#[derive(Debug)]
pub(super) struct Verifier {
    signatures: Semaphore,
    blobs: Semaphore,
}

/// A transaction of a message, and whether there is anything to do about it.
#[derive(Debug)]
struct Fresh {
    raw: Bytes,
    hash: B256,
    kind: u8,
}

// === impl Verifier ===

impl Default for Verifier {
    fn default() -> Self {
        Self { signatures: Semaphore::new(MAX_SIGNATURE_JOBS), blobs: Semaphore::new(MAX_BLOB_JOBS) }
    }
}

impl Verifier {
    /// Runs `job` on a thread that may block, once it has a place. `None` only if the runtime is going down.
    async fn run<T: Send + 'static>(
        &self,
        blobs: bool,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let places = if blobs { &self.blobs } else { &self.signatures };
        let _place = places.acquire().await.ok()?;
        tokio::task::spawn_blocking(job).await.ok()
    }
}

/// Takes in what a peer sent.
pub(super) async fn take(
    inner: &Arc<Inner>,
    slot: Slot,
    transactions: Vec<Bytes>,
    asked: bool,
) -> Result<Accepted, Violation> {
    let Some(rules) = inner.state.lock().rules else { return Ok(Accepted::default()) };
    let mut accepted = Accepted::default();
    let job = {
        let inner = Arc::clone(inner);
        move || sort(&inner, &rules, slot, transactions, asked)
    };
    let Some(sorted) = inner.verifier.run(false, job).await else { return Ok(accepted) };
    let Sorted { plain, blobs, known, refused } = sorted?;
    (accepted.known, accepted.refused) = (known, refused);
    let plain = batches(plain, VERIFY_BATCH).into_iter().map(|batch| (false, batch));
    for (is_blob, batch) in plain.chain(batches(blobs, 1).into_iter().map(|batch| (true, batch))) {
        let job = {
            let inner = Arc::clone(inner);
            move || admit(&inner, &rules, slot, &batch)
        };
        let Some(counts) = inner.verifier.run(is_blob, job).await else { return Ok(accepted) };
        let (taken, refused) = counts?;
        accepted.accepted += taken;
        accepted.refused += refused;
        if taken > 0 {
            inner.news.notify_one();
        }
    }
    Ok(accepted)
}

/// Takes in what a caller of this program sent.
pub(super) async fn submit(inner: &Arc<Inner>, raw: Bytes) -> Result<B256, Rejection> {
    let rules = inner.state.lock().rules.ok_or(Rejection::NoHead)?;
    let blobs = raw.first() == Some(&kind::BLOB);
    let job = {
        let inner = Arc::clone(inner);
        move || {
            let pooled = Pooled::read(&raw)?;
            if inner.state.lock().pool.get(&pooled.hash).is_some() {
                return Ok(pooled.hash);
            }
            rules.check_form(&pooled)?;
            let checked = rules.check(&pooled)?;
            pooled.check_proofs()?;
            let candidate = Candidate {
                hash: pooled.hash,
                kind: pooled.kind,
                raw: &raw,
                checked,
                origin: Origin::Local,
                height: rules.head.number,
            };
            inner.state.lock().admit(candidate).map(|()| pooled.hash)
        }
    };
    let hash = inner.verifier.run(blobs, job).await.ok_or(Rejection::NoHead)??;
    inner.news.notify_one();
    Ok(hash)
}

/// A message, sorted by what there is to do.
struct Sorted {
    plain: Vec<Fresh>,
    blobs: Vec<Fresh>,
    known: usize,
    refused: usize,
}

fn sort(
    inner: &Inner,
    rules: &Rules,
    slot: Slot,
    transactions: Vec<Bytes>,
    asked: bool,
) -> Result<Sorted, Violation> {
    let mut sorted = Sorted { plain: Vec::new(), blobs: Vec::new(), known: 0, refused: 0 };
    let mut arrivals = Vec::with_capacity(transactions.len());
    let mut bytes = Vec::with_capacity(transactions.len());
    let mut seen = HashSet::with_capacity(transactions.len());
    for raw in transactions {
        let pooled = match Pooled::read(&raw) {
            Ok(pooled) => pooled,
            Err(reason) if reason.is_violation() => {
                return Err(Violation::Transaction { hash: keccak256(&raw), reason });
            }
            Err(reason) => {
                // Too large. Where the hash covers all of it, nobody else need be asked.
                if raw.first() != Some(&kind::BLOB) {
                    inner.state.lock().refuse(keccak256(&raw), slot, &reason);
                }
                sorted.refused += 1;
                continue;
            }
        };
        let Pooled { hash, kind, .. } = pooled;
        if !seen.insert(hash) {
            return Err(Violation::Twice { hash });
        }
        match rules.check_form(&pooled) {
            Err(reason) if reason.is_violation() && asked => {
                return Err(Violation::Transaction { hash, reason });
            }
            _ => arrivals.push(Arrival { hash, kind, size: raw.len() }),
        }
        bytes.push(raw);
    }
    let fresh = inner.state.lock().arrived(slot, &arrivals, asked)?;
    for ((raw, arrival), is_new) in bytes.into_iter().zip(arrivals).zip(fresh) {
        let Arrival { hash, kind, .. } = arrival;
        match (is_new, kind) {
            (false, _) => sorted.known += 1,
            (true, kind::BLOB) => sorted.blobs.push(Fresh { raw, hash, kind }),
            (true, _) => sorted.plain.push(Fresh { raw, hash, kind }),
        }
    }
    Ok(sorted)
}

/// Verifies a batch and takes it in: how many were taken, and how many refused.
fn admit(inner: &Inner, rules: &Rules, slot: Slot, batch: &[Fresh]) -> Result<(usize, usize), Violation> {
    let (mut taken, mut refused) = (0, 0);
    for Fresh { raw, hash, kind } in batch {
        let checked = Pooled::read(raw).and_then(|pooled| {
            let checked = rules.check(&pooled)?;
            pooled.check_proofs()?;
            Ok(checked)
        });
        let mut state = inner.state.lock();
        let result = checked.and_then(|checked| {
            let (hash, kind, origin, height) = (*hash, *kind, Origin::Peer(slot), rules.head.number);
            state.admit(Candidate { hash, kind, raw, checked, origin, height })
        });
        match result {
            Ok(()) => taken += 1,
            Err(reason) => {
                state.refuse(*hash, slot, &reason);
                if reason.is_violation() {
                    return Err(Violation::Transaction { hash: *hash, reason });
                }
                refused += 1;
            }
        }
    }
    Ok((taken, refused))
}

fn batches(mut fresh: Vec<Fresh>, size: usize) -> Vec<Vec<Fresh>> {
    let mut batches = Vec::new();
    while fresh.len() > size {
        let rest = fresh.split_off(size);
        batches.push(std::mem::replace(&mut fresh, rest));
    }
    if !fresh.is_empty() {
        batches.push(fresh);
    }
    batches
}
