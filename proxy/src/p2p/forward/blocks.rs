//! Bodies and receipts that are not held, and blocks of which only a hash is known.
//!
//! An answer is a prefix of what is asked, so the blocks are had in that order, a few at a time, until there is enough
//! or one is missing. Receipts come along only where they are asked for, or where sync wants the whole block.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alloy_primitives::B256;
use bytes::Bytes;
use futures_util::StreamExt;
use hypasis_cache::store::Verified;
use hypasis_chain::{Block, BlockId};
use hypasis_upstream::Source;
use hypasis_wire::eth::SOFT_RESPONSE_LIMIT;
use tokio::time::timeout_at;

use super::ask::{Asked, Asking, Verdict};
use super::flights::{Flight, Terms, Wait};
use super::{BlockKey, Desk, Forward, Missing};
use crate::p2p::serve::Asker;
use crate::sync::blocking;

/// Most blocks of one question, and the least.
const BATCH: usize = 32;
const BATCH_MIN: usize = 4;
/// Questions for one answer that are under way at once.
const SIDE_BY_SIDE: usize = 2;
/// Questions about hashes of unknown blocks for one answer.
const UNKNOWN_MAX: usize = 8;

/// Blocks to bring, each for whoever waits for it.
type Duties = Vec<(BlockId, Flight<BlockKey, Verified>)>;

/// What is asked for together.
#[derive(Debug)]
enum Batch {
    Known(Vec<BlockId>),
    Unknown(B256),
}

// === impl Forward ===

impl Forward {
    /// What can be had in time of the missing blocks, by hash; with receipts if `receipts`. Behind the first that
    /// cannot be had there is none, nor behind what fills an answer.
    pub(crate) async fn blocks(
        &self,
        missing: Vec<Missing>,
        receipts: bool,
        asker: Asker<'_>,
    ) -> HashMap<B256, Verified> {
        let (mut blocks, mut bytes) = (HashMap::new(), 0_usize);
        let mut batches = self.batches(missing);
        // Whoever makes up the first hash gets nothing else asked either.
        if let Some(Batch::Unknown(first)) = batches.first() {
            let Some(block) = self.block_by_hash(*first, receipts, asker).await else { return blocks };
            bytes = weight(&block, receipts);
            blocks.insert(*first, block);
            batches.remove(0);
        }
        let asked = futures_util::stream::iter(batches).map(|batch| self.batch(batch, receipts, asker));
        let mut asked = std::pin::pin!(asked.buffered(SIDE_BY_SIDE));
        while bytes < SOFT_RESPONSE_LIMIT
            && let Some((came, whole)) = asked.next().await
        {
            for block in came {
                bytes = bytes.saturating_add(weight(&block, receipts));
                blocks.insert(block.block.id.hash, block);
            }
            if !whole {
                break;
            }
        }
        blocks
    }

    /// Cuts what is missing into questions, in the order in which it is wanted.
    fn batches(&self, missing: Vec<Missing>) -> Vec<Batch> {
        let desk = &self.desk;
        let fit = SOFT_RESPONSE_LIMIT as u64 / SIDE_BY_SIDE as u64 / desk.block_bytes();
        let most = usize::try_from(fit).unwrap_or(BATCH).clamp(BATCH_MIN, BATCH);
        let (mut batches, mut unknown) = (Vec::new(), 0);
        for Missing { hash, id } in missing {
            let kept = || Some(desk.kept.get(&hash, desk.checks.level)?.0.block.id);
            let known = || Some(BlockId { number: desk.known.get(&hash)?.0, hash });
            match (id.or_else(kept).or_else(known), batches.last_mut()) {
                (Some(id), Some(Batch::Known(batch))) if batch.len() < most => batch.push(id),
                (Some(id), _) => batches.push(Batch::Known(vec![id])),
                (None, _) if unknown >= UNKNOWN_MAX => break,
                (None, _) => {
                    unknown += 1;
                    batches.push(Batch::Unknown(hash));
                }
            }
        }
        batches
    }

    /// Brings a batch, and says whether that is all of it.
    async fn batch(&self, batch: Batch, receipts: bool, asker: Asker<'_>) -> (Vec<Verified>, bool) {
        let ids = match batch {
            Batch::Known(ids) => ids,
            Batch::Unknown(hash) => {
                let block = self.block_by_hash(hash, receipts, asker).await;
                let whole = block.is_some();
                return (block.into_iter().collect(), whole);
            }
        };
        let share = timeout_at(asker.deadline, self.desk.shares.turn(asker.who.peer));
        let Ok(_share) = share.await else { return (Vec::new(), false) };
        let count = ids.len();
        let (mut came, ours) = self.known(&ids, receipts, None, asker).await;
        if came.len() < count && !ours && asker.who.peer.is_some() && asker.is_waiting() {
            // Others were not asked that this asker could be given by: those who wait with it.
            came = self.known(&ids, receipts, asker.who.peer, asker).await.0;
        }
        let whole = came.len() == count;
        (came, whole)
    }

    /// What comes of `ids`, and whether all that did not come was asked for on this asker's terms.
    async fn known(
        &self,
        ids: &[BlockId],
        receipts: bool,
        asked_for: Option<hypasis_upstream::peer::PeerId>,
        asker: Asker<'_>,
    ) -> (Vec<Verified>, bool) {
        let desk = &self.desk;
        let terms = Terms::of(asker);
        let (mut came, mut waits, mut duties, mut ours) = (Vec::new(), Vec::new(), Duties::new(), true);
        for id in ids {
            if let Some((block, _)) = desk.kept.get(&id.hash, desk.checks.level) {
                came.push(block);
                continue;
            }
            let (wait, flight): (Wait<Verified>, _) =
                desk.blocks.join((id.hash, receipts, asked_for), asker, &terms);
            ours &= flight.is_some();
            duties.extend(flight.map(|flight| (*id, flight)));
            waits.push(wait);
        }
        if !duties.is_empty() {
            tokio::spawn(terms.clone().run(desk.clone().fetch_blocks(duties, receipts, terms)));
        }
        for wait in waits {
            came.extend(wait.until(asker.deadline).await);
        }
        (came, ours)
    }

    /// The block with that hash, of any fork. Whoever makes up hashes gets no more than a few questions through.
    pub(super) async fn block_by_hash(
        &self,
        hash: B256,
        receipts: bool,
        asker: Asker<'_>,
    ) -> Option<Verified> {
        let desk = &self.desk;
        let share = timeout_at(asker.deadline, desk.unknown_shares.turn(asker.who.peer));
        let _share = share.await.ok()?;
        let mut asked_for = None;
        loop {
            if let Some((block, _)) = desk.kept.get(&hash, desk.checks.level) {
                return Some(block);
            }
            if desk.absent.contains_key(&hash) {
                return None;
            }
            let terms = Terms::of(asker);
            let (wait, flight) = desk.blocks.join((hash, receipts, asked_for), asker, &terms);
            let ours = flight.is_some();
            if let Some(flight) = flight {
                tokio::spawn(terms.clone().run(desk.clone().fetch_by_hash(flight, hash, receipts, terms)));
            }
            let came = wait.until(asker.deadline).await;
            let again = came.is_none() && !ours && asked_for.is_none() && asker.is_waiting();
            if !again || asker.who.peer.is_none() {
                return came;
            }
            asked_for = asker.who.peer;
        }
    }
}

// === impl Desk ===

impl Desk {
    async fn fetch_blocks(self: Arc<Self>, mut duties: Duties, receipts: bool, terms: Terms) {
        // Sources give a prefix, so the heights that are asked for together should lie together.
        duties.sort_by_key(|(id, _)| id.number);
        // What sync will want is fetched whole, and then of one source: it is large.
        let alone = !receipts && duties.iter().any(|(id, _)| self.kept.wants(id.number));
        while let (Some((first, _)), Some((last, _))) = (duties.first(), duties.last()) {
            let wanted: Arc<[BlockId]> = duties.iter().map(|(id, _)| *id).collect();
            let range = first.number..=last.number;
            let ask = |source: Arc<dyn Source>| -> Asked<Vec<Block>> {
                let wanted = wanted.clone();
                Box::pin(async move { source.blocks(&wanted, receipts || alone).await })
            };
            let check = |blocks: Vec<Block>, _| {
                let (desk, wanted) = (self.clone(), wanted.clone());
                blocking(move || desk.check_blocks(blocks, &wanted, receipts))
            };
            let asking = Asking { range, headers: false, alone, terms: terms.clone() };
            let Some((came, lease)) = self.ask(&asking, ask, check).await else { return };
            for block in came {
                if duties.is_empty() {
                    break;
                }
                let (_, flight) = duties.remove(0);
                self.learn_block_bytes(weight(&block, receipts) as u64);
                self.take(&block, lease.id());
                flight.land(block);
            }
        }
    }

    async fn fetch_by_hash(
        self: Arc<Self>,
        flight: Flight<BlockKey, Verified>,
        hash: B256,
        receipts: bool,
        terms: Terms,
    ) {
        // The semaphore is never closed.
        let _turn = self.unknown_turns.acquire().await;
        let head = self.served.now().latest.or_else(|| self.sources.named_head());
        // Any source that follows the chain may know it.
        let height = head.map_or(0, |head| head.number);
        let ask = |source: Arc<dyn Source>| -> Asked<Option<Block>> {
            Box::pin(async move { source.block_by_hash(hash).await })
        };
        let nobody_has_it = Arc::new(AtomicBool::new(false));
        let check = |block: Option<Block>, _| {
            let (desk, nobody_has_it) = (self.clone(), nobody_has_it.clone());
            blocking(move || match block {
                None => {
                    nobody_has_it.store(true, Ordering::Relaxed);
                    Verdict::Useless
                }
                Some(block) => desk.check_by_hash(block, hash, receipts),
            })
        };
        let asking = Asking { range: height..=height, headers: true, alone: false, terms };
        let Some((block, lease)) = self.ask(&asking, ask, check).await else {
            // Where sources only failed, the next who asks may have more luck.
            if nobody_has_it.load(Ordering::Relaxed) {
                self.absent.insert(hash, ());
            }
            return;
        };
        self.take(&block, lease.id());
        flight.land(block);
    }

    fn take(&self, block: &Verified, source: &Arc<str>) {
        let id = block.block.id;
        self.remember(id.hash, id.number, &block.block.header);
        self.kept.put(block.clone(), self.checks.level, source.clone());
    }

    /// Verifies a prefix of what was asked for.
    fn check_blocks(&self, blocks: Vec<Block>, wanted: &[BlockId], receipts: bool) -> Verdict<Vec<Verified>> {
        let mut came = Vec::with_capacity(blocks.len());
        for (block, wanted) in blocks.into_iter().zip(wanted) {
            if receipts && block.receipts.is_none() {
                break;
            }
            match self.checks.block(block, *wanted, false) {
                Ok(block) => came.push(block),
                Err(fault) if came.is_empty() => return Verdict::Lie(wanted.number, fault),
                Err(fault) => return Verdict::Partly(came, wanted.number, fault),
            }
        }
        if came.is_empty() { Verdict::Useless } else { Verdict::Good(came) }
    }

    fn check_by_hash(&self, block: Block, hash: B256, receipts: bool) -> Verdict<Verified> {
        let number = block.id.number;
        if receipts && block.receipts.is_none() {
            return Verdict::Useless;
        }
        match self.checks.block(block, BlockId { number, hash }, false) {
            Ok(block) => Verdict::Good(block),
            Err(fault) => Verdict::Lie(number, fault),
        }
    }
}

/// Bytes that an answer has of it.
fn weight(block: &Verified, receipts: bool) -> usize {
    let Block { body, receipts: list, .. } = &block.block;
    if receipts { list.as_ref().map_or(0, Bytes::len) } else { body.len() }
}
