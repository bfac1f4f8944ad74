//! Headers that are not held.
//!
//! Ranges are cut at fixed heights, so that askers of overlapping ranges share, and the pieces are asked for side by
//! side. Whether a piece links to the next is seen when the answer is put together.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use futures_util::StreamExt;
use hypasis_cache::{Tier, View};
use hypasis_chain::{BlockId, Fault};
use hypasis_upstream::Source;
use tokio::time::timeout_at;

use super::ask::{Asked, Asking, Verdict};
use super::flights::{Flight, Terms};
use super::{Desk, Forward, HeadersKey};
use crate::p2p::serve::Asker;
use crate::sync::blocking;
use crate::sync::links::{close_down, parent_of};
use crate::sync::sources::Want;

/// Headers of one question. Geth's skeleton asks for twice as many, so it is had from two sources in half the time.
const PIECE: u64 = 256;
/// Questions for one answer that are under way at once.
const SIDE_BY_SIDE: usize = 4;
/// Questions for one answer up to which two sources are asked each; headers in a row take five.
const FEW: usize = 8;

// === impl Forward ===

impl Forward {
    /// What can be had in time of the headers in `ranges`.
    pub(crate) async fn headers(
        &self,
        ranges: &[RangeInclusive<u64>],
        asker: Asker<'_>,
    ) -> HashMap<u64, Bytes> {
        let mut wanted: Vec<RangeInclusive<u64>> = ranges.iter().flat_map(pieces).collect();
        // What strangers give is proven by what lies above it, so that must be there first.
        wanted.reverse();
        let named =
            |piece: &RangeInclusive<u64>| self.desk.sources.any_named_has(&Want::headers(piece.clone()));
        let side_by_side = if wanted.iter().all(named) { SIDE_BY_SIDE } else { 1 };
        // Far from each other they are many questions for few headers.
        let alone = wanted.len() > FEW;
        let asked = futures_util::stream::iter(wanted)
            .map(|piece| async move { (*piece.start(), self.piece(piece, alone, asker).await) });
        let mut asked = std::pin::pin!(asked.buffered(side_by_side));
        let mut headers = HashMap::new();
        while let Some((from, came)) = asked.next().await {
            headers.extend((from..).zip(came.iter().flat_map(|headers| headers.iter().cloned())));
        }
        headers
    }

    async fn piece(&self, piece: RangeInclusive<u64>, alone: bool, asker: Asker<'_>) -> Option<Arc<[Bytes]>> {
        let share = timeout_at(asker.deadline, self.desk.shares.turn(asker.who.peer));
        let _share = share.await.ok()?;
        let mut asked_for = None;
        loop {
            let key = (*piece.start(), *piece.end(), asked_for);
            let terms = Terms::of(asker);
            let (wait, flight) = self.desk.headers.join(key, asker, &terms);
            let ours = flight.is_some();
            if let Some(flight) = flight {
                let asking = Asking { range: piece.clone(), headers: true, alone, terms: terms.clone() };
                tokio::spawn(terms.run(self.desk.clone().fetch_headers(flight, asking)));
            }
            let came = wait.until(asker.deadline).await;
            // Others were not asked that this asker could be given by: those who wait with it.
            let again = came.is_none() && !ours && asked_for.is_none() && asker.is_waiting();
            if !again || asker.who.peer.is_none() {
                return came;
            }
            asked_for = asker.who.peer;
        }
    }

    /// The header with that hash, and its height: remembered, or from a source that knows it.
    pub(crate) async fn header_by_hash(&self, hash: B256, asker: Asker<'_>) -> Option<(u64, Bytes)> {
        if let Some(known) = self.desk.known.get(&hash) {
            return Some(known);
        }
        let came = self.block_by_hash(hash, false, asker).await?;
        Some((came.block.id.number, came.block.header))
    }
}

// === impl Desk ===

impl Desk {
    async fn fetch_headers(self: Arc<Self>, flight: Flight<HeadersKey, Arc<[Bytes]>>, asking: Asking) {
        let piece = asking.range.clone();
        let (from, count) = (*piece.start(), (piece.end() - piece.start()).saturating_add(1));
        let ask = |source: Arc<dyn Source>| -> Asked<Vec<Bytes>> {
            Box::pin(async move { source.headers(from, count).await })
        };
        let check = |headers: Vec<Bytes>, named| {
            let (desk, piece) = (self.clone(), piece.clone());
            blocking(move || desk.check_headers(&piece, headers, named))
        };
        if let Some((headers, _)) = self.ask(&asking, ask, check).await {
            flight.land(headers);
        }
    }

    /// Checks that `headers` are all of `piece`, linked to each other and to what is held beside them; where nothing is
    /// held above, those of a source that the operator did not `name` to what is known to be above.
    fn check_headers(
        &self,
        piece: &RangeInclusive<u64>,
        mut headers: Vec<Bytes>,
        named: bool,
    ) -> Verdict<Arc<[Bytes]>> {
        let (from, to) = (*piece.start(), *piece.end());
        headers.truncate(usize::try_from((to - from).saturating_add(1)).unwrap_or(usize::MAX));
        // Fewer are no lie: the source's head may have gone back.
        let Some(last) = headers.last().filter(|_| headers.len() as u64 == (to - from).saturating_add(1))
        else {
            return Verdict::Useless;
        };
        let settled = self.settled();
        let neighbours = Neighbours::of(&self.store.view(), piece, settled);
        // Headers that only link to each other, or to what lies below them, can be made by anybody.
        let known = neighbours.above.or_else(|| if named { None } else { self.anchor(to) });
        if known.is_none() && !named {
            return Verdict::Useless;
        }
        let top = BlockId { number: to, hash: known.unwrap_or_else(|| keccak256(last)) };
        let linked = match close_down(top, &headers, &self.checks) {
            Ok(linked) => linked,
            Err(broken) => return verdict(broken.number, broken.fault, settled),
        };
        let parent = linked.first().map(|first| first.parent);
        if let (Some(found), Some(expected)) = (parent, neighbours.below)
            && found != expected
        {
            return verdict(from, Fault::Mismatch { field: "parentHash", found, expected }, settled);
        }
        if let Some((below, parent)) = from.checked_sub(1).zip(parent) {
            self.anchors.insert(below, parent);
        }
        for header in &linked {
            self.remember(header.id.hash, header.id.number, &header.raw);
        }
        Verdict::Good(headers.into())
    }
}

/// Near the head a source may have changed its branch while it answered. Only what can be no reorg is a lie there.
fn verdict<T>(number: u64, fault: Fault, settled: u64) -> Verdict<T> {
    let of_a_branch = matches!(fault, Fault::Mismatch { field: "hash" | "parentHash", .. });
    if of_a_branch && number > settled { Verdict::Useless } else { Verdict::Lie(number, fault) }
}

/// Settled blocks that are held on either side of a range.
#[derive(Debug)]
struct Neighbours {
    /// Hash of the block below.
    below: Option<B256>,
    /// Hash of the range's last block, as the block above has it.
    above: Option<B256>,
}

// === impl Neighbours ===

impl Neighbours {
    fn of(view: &View, range: &RangeInclusive<u64>, settled: u64) -> Self {
        let held = |number: u64| {
            let block = view.by_number(number).ok().flatten();
            block.filter(|block| block.tier == Tier::History || number <= settled)
        };
        let above = range.end().checked_add(1).and_then(held);
        let header = above.and_then(|above| view.header(&above).ok().flatten());
        Self {
            below: range.start().checked_sub(1).and_then(held).map(|below| below.id.hash),
            above: header.and_then(|header| parent_of(&header)),
        }
    }
}

/// Cuts a range at multiples of [`PIECE`].
fn pieces(range: &RangeInclusive<u64>) -> impl Iterator<Item = RangeInclusive<u64>> + use<> {
    let (mut next, end) = (Some(*range.start()), *range.end());
    std::iter::from_fn(move || {
        let from = next.filter(|from| *from <= end)?;
        let to = (from - from % PIECE).saturating_add(PIECE - 1).min(end);
        next = to.checked_add(1);
        Some(from..=to)
    })
}
