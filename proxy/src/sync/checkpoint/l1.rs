//! Source `ethereum-l1`: the first checkpoint, proven from headers.
//!
//! L1 has a root over the headers of a range: it covers each one's number, time, transactions root and receipts root.
//! The headers come from the sources, all that have them. What adds up to the root, links inside, keeps the chain's
//! header rules with its seals, and is what the sources agree on, makes the range's last block the checkpoint. (The
//! root alone does not cover parent hashes, state roots and extra data, so a source could change those; seals, spans
//! and agreement are there for them.)

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256, keccak256};
use bytes::Bytes;
use hypasis_chain::bor::checkpoint::{Tree, leaf};
use hypasis_chain::{BlockId, Fault, Header, Level};
use hypasis_upstream::checkpoint::{L1, L1Checkpoint};
use hypasis_upstream::{Source, SourceError};

use super::first_use::split;
use super::{Checkpoint, Proof, now};
use crate::config::CheckpointSource;
use crate::sync::agreement::{self, Verdict};
use crate::sync::links::{Broken, close_up};
use crate::sync::shared::{Halt, Shared, Way, blocking};
use crate::sync::verify::Checks;

/// Headers asked for at once.
const CHUNK: u64 = 512;
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// First rest before everything is tried again; doubles up to the last.
const REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);

/// Why a source's headers prove nothing.
#[derive(Debug, thiserror::Error)]
enum Unproven {
    /// It does not have them now.
    #[error("{0}")]
    Unavailable(#[from] SourceError),
    /// It took too long.
    #[error("no answer within {ANSWER:?}")]
    Late,
    /// They do not follow each other, or break the chain's rules.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// They have another root.
    #[error("they add up to {0}")]
    Root(B256),
}

/// Whether a persisted checkpoint was proven by that contract: then nobody needs to be asked.
pub(super) fn is_proven_by(persisted: &Checkpoint, contract: Address) -> bool {
    matches!(&persisted.proof, Some(Proof::EthereumL1 { root_chain, .. }) if *root_chain == contract)
}

/// Asks L1 and the sources until they give a checkpoint; says meanwhile what is missing.
pub(super) async fn first(shared: &Arc<Shared>, l1: &L1) -> Checkpoint {
    let mut rest = REST;
    loop {
        let looked = l1.latest().await;
        shared.checkpoint_metrics.l1(l1, looked.is_ok());
        let missing = match looked {
            Ok(Some(found)) => match prove(shared, &found).await {
                Ok((id, named_by)) => {
                    shared.halt(Halt::Checkpoint, None);
                    let root_chain = l1.root_chain();
                    return Checkpoint {
                        id,
                        source: CheckpointSource::EthereumL1,
                        named_by,
                        trusted_at: now(),
                        total_difficulty: None,
                        proof: Some(Proof::EthereumL1 { root_chain, checkpoint: found }),
                    };
                }
                Err(reason) => reason,
            },
            Ok(None) => {
                format!("the contract {} has no checkpoint at the finalized block of L1 yet", l1.root_chain())
            }
            Err(error) => error.to_string(),
        };
        shared.halt(Halt::Checkpoint, Some(format!("no checkpoint from L1 yet: {missing}")));
        tokio::time::sleep(rest).await;
        rest = rest.saturating_mul(2).min(REST_MAX);
    }
}

/// The last block of the range, and those whose headers add up to L1's root; or what is missing.
async fn prove(shared: &Arc<Shared>, l1: &L1Checkpoint) -> Result<(BlockId, Vec<String>), String> {
    let L1Checkpoint { header_block, start, end, root, .. } = l1;
    let name = format!("header block {header_block} (blocks {start} to {end}, root {root})");
    let checks = checks(shared, *start).await?;
    let (mut proven, mut failed) = (Vec::new(), Vec::new());
    for opinion in shared.sources.opinions() {
        let reaches = opinion.heads.latest.is_some_and(|head| head.number >= *end);
        let Some(source) = shared.sources.by_id(&opinion.source).filter(|_| reaches) else { continue };
        match last_of(&checks, &source, *start..=*end, *root).await {
            Ok(id) => proven.push((opinion.source, id.hash)),
            Err(why) => failed.push((opinion.source, why)),
        }
    }
    if proven.is_empty() {
        // Nobody is blamed: it may as well be the contract that is the wrong one.
        let said: Vec<_> = failed.iter().map(|(source, why)| format!("{source}: {why}")).collect();
        let said = if said.is_empty() { "none reaches them yet".to_owned() } else { said.join("; ") };
        return Err(format!("no source has the headers of {name}: {said}"));
    }
    for (source, why) in &failed {
        match why {
            Unproven::Root(found) => {
                let fault = Fault::Mismatch { field: "checkpoint root", found: *found, expected: *root };
                shared.sources.blame(source, *end, &fault);
            }
            Unproven::Broken(broken) => shared.sources.blame(source, broken.number, &broken.fault),
            Unproven::Unavailable(_) | Unproven::Late => {}
        }
    }
    match agreement::weigh(&proven) {
        Verdict::Agreed(hash, others) => {
            let named = proven.iter().filter(|(source, _)| !others.contains(source));
            let named = named.map(|(source, _)| source.to_string()).collect();
            Ok((BlockId { number: *end, hash }, named))
        }
        _ => Err(format!("the headers of {name} have its root, but {}", split(*end, &proven))),
    }
}

/// What is checked of headers beside the root, seals among it: at least what the level `header` checks, and with
/// Heimdall's spans where it is configured.
async fn checks(shared: &Shared, start: u64) -> Result<Checks, String> {
    let mut checks = shared.checks(Way::Forward);
    checks.level = checks.level.max(Level::Header);
    match shared.authorities.heimdall() {
        None => Ok(checks),
        Some(heimdall) => match heimdall.spans_from(start).await {
            Ok(spans) => Ok(checks.with_producers(Arc::new(spans))),
            Err(error) => Err(format!("Heimdall's spans cannot be had: {error}")),
        },
    }
}

/// Reads a range from one source and closes it; the last block, if the root is right.
async fn last_of(
    checks: &Checks,
    source: &Arc<dyn Source>,
    range: RangeInclusive<u64>,
    root: B256,
) -> Result<BlockId, Unproven> {
    let mut walk = Walk { first: *range.start(), tree: Tree::default(), last: None };
    let mut from = *range.start();
    while from <= *range.end() {
        let count = (range.end() - from).saturating_add(1).min(CHUNK);
        let answer = tokio::time::timeout(ANSWER, source.headers(from, count)).await;
        let mut headers = answer.map_err(|_| Unproven::Late)??;
        headers.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        if headers.is_empty() {
            return Err(SourceError::Absent(source.id().clone()).into());
        }
        from = from.saturating_add(headers.len() as u64);
        let checks = checks.clone();
        walk = blocking(move || walk.on(&headers, &checks)).await?;
    }
    match (walk.tree.root(), walk.last) {
        (Ok(found), Some((last, _))) if found == root => Ok(last),
        (found, _) => Err(Unproven::Root(found.unwrap_or_default())),
    }
}

/// Headers that follow each other, and the tree over them. Only the last one is kept.
struct Walk {
    first: u64,
    tree: Tree,
    last: Option<(BlockId, Bytes)>,
}

// === impl Walk ===

impl Walk {
    /// Goes on by `headers`, ascending.
    fn on(mut self, headers: &[Bytes], checks: &Checks) -> Result<Self, Broken> {
        let mut rest = headers;
        let (below, raw) = match (self.last.take(), headers) {
            (Some(last), _) => last,
            // Nothing is known of the first one's parent; its own number must be right.
            (None, [first, after @ ..]) => {
                rest = after;
                let id = BlockId { number: self.first, hash: keccak256(first) };
                self.grow(first, id.number)?;
                (id, first.clone())
            }
            (None, []) => return Ok(self),
        };
        let linked = close_up(below, Some(&raw), rest, checks)?;
        for header in &linked {
            self.grow(&header.raw, header.id.number)?;
        }
        self.last = Some(linked.last().map_or((below, raw), |header| (header.id, header.raw.clone())));
        Ok(self)
    }

    fn grow(&mut self, raw: &[u8], number: u64) -> Result<(), Broken> {
        let header = Header::parse(raw)
            .map_err(|error| Broken { number, fault: Fault::Malformed { part: "header", error } })?;
        let found = header.number();
        // L1 named the range, so that a tree that is full cannot be; a wrong number is the source's fault.
        if found != number || self.tree.push(leaf(&header)).is_err() {
            return Err(Broken { number, fault: Fault::Number { field: "number", found, expected: number } });
        }
        Ok(())
    }
}
