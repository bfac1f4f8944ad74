//! The tip window: blocks younger than what is settled, by hash, with their forks.
//!
//! A head that a source announces is walked back by parent hashes until a known block, fetched, verified, and made
//! durable on whatever fork it is. Then the branch that sources agree on becomes canonical in one step of the store.
//! A branch that does not stand on the settled history is refused.

use std::collections::HashMap;
use std::sync::Arc;

use alloy_primitives::{B256, U256};
use hypasis_cache::StoreError;
use hypasis_cache::store::Verified;
use hypasis_chain::{Block, BlockId, Fault, Header, Level};
use hypasis_upstream::{Source, SourceError};

use super::difficulty;
use super::links::{close_down, difficulty_of, parent_of};
use super::shared::{Shared, Way, blocking};
use super::tree::Tree;
use super::verify::{Checks, size};

/// Headers asked for at once while walking back.
const WALK: u64 = 64;
/// Blocks asked for at once.
const FETCH: usize = 16;
/// Up to so many new blocks get their senders at once: an answer about the newest block should not recover them.
const SENDERS_AT_ONCE: usize = 8;

/// The window in memory (hashes only) beside the store's.
#[derive(Debug)]
pub(crate) struct Tip {
    shared: Arc<Shared>,
    pub(crate) tree: Tree,
}

/// Why a head could not be reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TipError {
    /// The branch leaves the settled history at or below this height.
    #[error("the branch of {} at {} leaves the settled history below {root}", .head.hash, .head.number)]
    Crosses {
        /// The head that was followed.
        head: BlockId,
        /// Highest settled height.
        root: u64,
    },
    /// The head is further ahead than the window is wide.
    #[error("{ahead} blocks lie between the settled history and the head; the tip window takes {room}")]
    Window {
        /// Blocks between.
        ahead: u64,
        /// Blocks that the window takes.
        room: u64,
    },
    /// The source did not give what it announced.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source gave wrong data.
    #[error("block {number}: {fault}")]
    Lie {
        /// Height.
        number: u64,
        /// What is wrong.
        fault: Fault,
    },
    /// It is not known yet who may seal this block.
    #[error("block {number}: {fault}; a span that is not known here yet may tell otherwise")]
    Span {
        /// Height.
        number: u64,
        /// What is wrong by the spans that are known.
        fault: Fault,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

// === impl TipError ===

impl TipError {
    fn of_fault(number: u64, fault: Fault) -> Self {
        if fault.may_be_a_new_span() { Self::Span { number, fault } } else { Self::Lie { number, fault } }
    }
}

// === impl Tip ===

impl Tip {
    /// The window as the store holds it.
    pub(crate) fn load(shared: &Arc<Shared>, checkpoint: BlockId) -> Result<Self, StoreError> {
        let view = shared.store.view();
        let mut blocks = Vec::new();
        for block in view.tip_blocks() {
            let raw = view.header(&block)?;
            let parent = raw.as_ref().and_then(|raw| Some((parent_of(raw)?, difficulty_of(raw))));
            blocks.extend(parent.map(|(parent, difficulty)| (block, parent, difficulty)));
        }
        blocks.sort_by_key(|(block, _, _)| block.id);
        let lowest = blocks.iter().find(|(block, _, _)| block.canonical && block.id.number > 0);
        let root = match lowest {
            Some((block, parent, _)) if block.id.number > checkpoint.number => {
                BlockId { number: block.id.number.saturating_sub(1), hash: *parent }
            }
            _ => top_of_history(shared, checkpoint)?,
        };
        let mut tree = Tree::new(root);
        let mut canonical = Vec::new();
        for (block, parent, difficulty) in blocks {
            if tree.insert(block.id, parent, difficulty) && block.canonical {
                canonical.push(block.id);
            }
        }
        tree.set_canonical(&canonical);
        shared.state.lock().base = Some(root);
        difficulty::load(shared, root)?;
        let tip = Self { shared: shared.clone(), tree };
        tip.weigh();
        Ok(tip)
    }

    /// Makes the branch up to `head` part of the window, canonical or not.
    pub(crate) async fn reach(&mut self, head: BlockId, source: &Arc<dyn Source>) -> Result<(), TipError> {
        let root = self.tree.root();
        if self.tree.contains(&head) {
            return Ok(());
        }
        if head.number <= root.number {
            return self.below_root(head);
        }
        let (ahead, room) = (head.number - root.number, self.shared.store_config.tip_blocks_max as u64);
        if ahead > room {
            return Err(TipError::Window { ahead, room });
        }
        let mut fetched = HashMap::new();
        let path = self.walk(head, source, &mut fetched).await?;
        for ids in path.chunks(FETCH) {
            let blocks = self.fetch(ids, source, &mut fetched).await?;
            let blocks = self.check_links(blocks).await?;
            self.insert(blocks, source.id()).await?;
        }
        Ok(())
    }

    /// Makes `branch` canonical; returns how many blocks that took back.
    pub(crate) async fn switch(&mut self, branch: Vec<BlockId>) -> Result<u64, StoreError> {
        let Some(first) = branch.first().copied() else { return Ok(0) };
        let old = self.tree.head();
        let shared = self.shared.clone();
        let branch = blocking(move || shared.store.set_canonical(&branch).map(|()| branch)).await?;
        self.tree.set_canonical(&branch);
        self.weigh();
        self.shared.metrics.forward_blocks.inc_by(branch.len() as u64);
        Ok(old.number.saturating_add(1).saturating_sub(first.number))
    }

    /// Moves canonical blocks up to `number` into history.
    pub(crate) async fn promote(&mut self, number: u64) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        blocking(move || shared.store.promote(number)).await?;
        let (from, to) = (self.tree.root(), self.tree.canonical(number));
        let settled = to.and_then(|to| self.tree.above_root(to)).unwrap_or_default();
        self.tree.settle(number);
        self.shared.totals.lock().settled(from, self.tree.root(), settled);
        self.shared.state.lock().base = Some(self.tree.root());
        self.weigh();
        difficulty::persist(&self.shared).await;
        self.shared.bump();
        Ok(())
    }

    /// Stands the empty window on a block of history that was just linked, `difficulty` above the old one.
    pub(crate) async fn stand_on(&mut self, root: BlockId, difficulty: U256) {
        self.shared.totals.lock().settled(self.tree.root(), root, difficulty);
        self.tree = Tree::new(root);
        self.shared.state.lock().base = Some(root);
        self.weigh();
        difficulty::persist(&self.shared).await;
    }

    /// Says what the canonical branch of the window weighs.
    fn weigh(&self) {
        let (root, head) = (self.tree.root(), self.tree.head());
        let above = self.tree.above_root(head).unwrap_or_default();
        self.shared.totals.lock().weigh(root, head, above);
    }

    /// Checks each block towards its parent, which is the one before it or held; at level `none` nothing.
    async fn check_links(&self, blocks: Vec<Verified>) -> Result<Vec<Verified>, TipError> {
        let checks = self.shared.checks(Way::Forward);
        let shared = self.shared.clone();
        blocking(move || {
            if checks.level >= Level::Header {
                let mut below = parent_header(&shared, blocks.first())?;
                for block in blocks.iter().map(|block| &block.block) {
                    if let Some((hash, raw)) = &below {
                        check_link(&checks, *hash, raw, &block.header)
                            .map_err(|fault| TipError::of_fault(block.id.number, fault))?;
                    }
                    below = Some((block.id.hash, block.header.clone()));
                }
            }
            Ok(blocks)
        })
        .await
    }

    /// A head that is settled here is no news; one that is not contradicts.
    fn below_root(&self, head: BlockId) -> Result<(), TipError> {
        let held = self.shared.store.view().by_number(head.number)?;
        match held {
            Some(held) if held.id != head => Err(TipError::Crosses { head, root: self.tree.root().number }),
            None if head.number == self.tree.root().number => {
                Err(TipError::Crosses { head, root: self.tree.root().number })
            }
            _ => Ok(()),
        }
    }

    /// The ids from just above a known block up to `head`, ascending.
    async fn walk(
        &self,
        head: BlockId,
        source: &Arc<dyn Source>,
        fetched: &mut HashMap<B256, Verified>,
    ) -> Result<Vec<BlockId>, TipError> {
        let root = self.tree.root();
        let mut path: Vec<BlockId> = Vec::new();
        let mut at = head;
        while !self.tree.contains(&at) {
            if at.number <= root.number {
                return Err(TipError::Crosses { head, root: root.number });
            }
            // The next block of the head that is followed is the ordinary case: one request brings all of it.
            let near = at.number.saturating_sub(1) <= self.tree.head().number && path.is_empty();
            let steps = if near { Vec::new() } else { self.headers_down(at, source).await };
            if steps.is_empty() {
                let (block, parent) = self.by_hash(at, source).await?;
                fetched.insert(at.hash, block);
                path.push(at);
                at = BlockId { number: at.number.saturating_sub(1), hash: parent };
                continue;
            }
            for (id, parent) in steps {
                if self.tree.contains(&id) {
                    break;
                }
                path.push(id);
                at = BlockId { number: id.number.saturating_sub(1), hash: parent };
            }
        }
        path.reverse();
        Ok(path)
    }

    /// Ids with their parents from `at` downward, by number; empty where the source has moved to another branch
    /// meanwhile or does not answer, which is no lie.
    async fn headers_down(&self, at: BlockId, source: &Arc<dyn Source>) -> Vec<(BlockId, B256)> {
        let known = self.tree.head().number.max(self.tree.root().number);
        let far = at.number.saturating_sub(known).clamp(8, WALK);
        let from = at.number.saturating_sub(far - 1).max(self.tree.root().number.saturating_add(1));
        let Ok(headers) = source.headers(from, at.number.saturating_sub(from).saturating_add(1)).await else {
            return Vec::new();
        };
        if headers.len() as u64 != at.number.saturating_sub(from).saturating_add(1) {
            return Vec::new();
        }
        match close_down(at, &headers, &self.shared.checks(Way::Forward)) {
            Ok(linked) => linked.into_iter().rev().map(|header| (header.id, header.parent)).collect(),
            Err(_) => Vec::new(),
        }
    }

    async fn by_hash(&self, id: BlockId, source: &Arc<dyn Source>) -> Result<(Verified, B256), TipError> {
        let absent = || SourceError::Absent(source.id().clone());
        let block = source.block_by_hash(id.hash).await?.ok_or_else(absent)?;
        if block.receipts.is_none() {
            return Err(absent().into());
        }
        let parent = parent_of(&block.header);
        let checks = self.shared.checks(Way::Forward);
        let verified = blocking(move || checks.block(block, id, true)).await;
        let verified = verified.map_err(|fault| TipError::Lie { number: id.number, fault })?;
        Ok((verified, parent.unwrap_or_default()))
    }

    /// Verified blocks for `ids`, from what was fetched already, in bulk, or one by one by hash.
    async fn fetch(
        &self,
        ids: &[BlockId],
        source: &Arc<dyn Source>,
        fetched: &mut HashMap<B256, Verified>,
    ) -> Result<Vec<Verified>, TipError> {
        let mut blocks = Vec::with_capacity(ids.len());
        let mut rest = ids;
        while let Some(id) = rest.first() {
            if let Some(block) = fetched.remove(&id.hash) {
                blocks.push(block);
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let wanted: Vec<BlockId> =
                rest.iter().take_while(|id| !fetched.contains_key(&id.hash)).copied().collect();
            let checks = self.shared.checks(Way::Forward);
            let bulk = if wanted.len() > 1 {
                source.blocks(&wanted, true).await.unwrap_or_default()
            } else {
                Vec::new()
            };
            let senders = wanted.len() <= SENDERS_AT_ONCE;
            let (more, lie) = blocking(move || verify_bulk(bulk, &wanted, &checks, senders)).await;
            if let Some((number, fault)) = lie {
                return Err(TipError::Lie { number, fault });
            }
            if more.is_empty() {
                let (block, _) = self.by_hash(*id, source).await?;
                blocks.push(block);
                rest = rest.get(1..).unwrap_or_default();
            } else {
                rest = rest.get(more.len()..).unwrap_or_default();
                blocks.extend(more);
            }
        }
        Ok(blocks)
    }

    async fn insert(&mut self, blocks: Vec<Verified>, source: &Arc<str>) -> Result<(), StoreError> {
        let bytes = blocks.iter().map(|block| size(&block.block)).sum();
        let link = |block: &Block| (block.id, parent_of(&block.header), difficulty_of(&block.header));
        let links: Vec<(BlockId, Option<B256>, U256)> =
            blocks.iter().map(|block| link(&block.block)).collect();
        let shared = self.shared.clone();
        let source = source.clone();
        let reservation = self.shared.budget.reserve(bytes).await;
        blocking(move || {
            let done = shared.store.insert_tip(&blocks, &shared.trust(Way::Forward, &[source]));
            drop(reservation);
            done
        })
        .await?;
        for (id, parent, difficulty) in links {
            self.tree.insert(id, parent.unwrap_or_default(), difficulty);
        }
        Ok(())
    }
}

/// Hash and header of the parent of `block`, where it is held.
fn parent_header(
    shared: &Shared,
    block: Option<&Verified>,
) -> Result<Option<(B256, bytes::Bytes)>, StoreError> {
    let Some(hash) = block.and_then(|block| parent_of(&block.block.header)) else { return Ok(None) };
    let view = shared.store.view();
    let Some(parent) = view.by_hash(&hash)? else { return Ok(None) };
    Ok(view.header(&parent)?.map(|raw| (hash, raw)))
}

fn check_link(checks: &Checks, parent_hash: B256, parent: &[u8], child: &[u8]) -> Result<(), Fault> {
    let parse = |raw| Header::parse(raw).map_err(|error| Fault::Malformed { part: "header", error });
    checks.link(&parse(parent)?, parent_hash, &parse(child)?)
}

/// The top of history. Whatever was stored above the checkpoint was linked to it then, so holes that removal left
/// below the top are closed downward from it like any other.
fn top_of_history(shared: &Shared, checkpoint: BlockId) -> Result<BlockId, StoreError> {
    let view = shared.store.view();
    let top = view.ranges(hypasis_cache::Kind::Header).iter().next_back().map(|range| *range.end());
    match top.filter(|top| *top > checkpoint.number) {
        Some(top) => Ok(view.by_number(top)?.map_or(checkpoint, |block| block.id)),
        None => Ok(checkpoint),
    }
}

/// Verifies a prefix. A block with another hash than was asked for means that the source reorganised meanwhile; it
/// ends the prefix without being a lie.
fn verify_bulk(
    bulk: Vec<Block>,
    wanted: &[BlockId],
    checks: &Checks,
    senders: bool,
) -> (Vec<Verified>, Option<(u64, Fault)>) {
    let mut verified = Vec::with_capacity(bulk.len());
    for (block, wanted) in bulk.into_iter().zip(wanted) {
        if block.receipts.is_none() {
            break;
        }
        match checks.block(block, *wanted, senders) {
            Ok(block) => verified.push(block),
            Err(Fault::Mismatch { field: "hash", .. } | Fault::Number { field: "number", .. }) => break,
            Err(fault) => return (verified, Some((wanted.number, fault))),
        }
    }
    (verified, None)
}
