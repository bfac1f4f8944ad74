//! Peers as a [`Source`].

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use async_trait::async_trait;
use bytes::Bytes;
use hypasis_chain::Fault;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::fetch::{block_of, blocks_of, headers_of};
use super::proof::prove;
use super::round::{Found, HEDGE, short};
use super::seats::{Seats, Want};
use super::{Askers, PeerHandle, Start};
use crate::source::{Fetched, Heads, Source, SourceError, Wanted};

/// Headers of one request: what Geth serves at most.
const HEADERS_MAX: u64 = 1_024;
/// Blocks of one request; Geth asks its peers for as many bodies.
const BLOCKS_MAX: usize = 128;
/// Headers, and blocks, for which one peer is given twice the time before another is asked beside it.
const HEADERS_LONG: u64 = 512;
const BLOCKS_LONG: u64 = 64;
/// Answers whose givers are remembered, so that a lie that is found later has an author.
const GIVEN_MAX: usize = 512;

/// One peer, or all of them, as a source. Sessions attach and detach themselves; without any it is down.
#[derive(Debug)]
pub struct PeerSource {
    pub(super) room: Arc<Room>,
    /// Who is never asked.
    pub(super) askers: Askers,
    /// Who gave what through this value, the last behind.
    given: Mutex<VecDeque<(RangeInclusive<u64>, PeerHandle)>>,
}

/// What all leases of a source share.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) id: Arc<str>,
    many: bool,
    pub(super) quiet: Duration,
    pub(super) seats: Mutex<Seats>,
    heads: watch::Sender<Heads>,
}

// === impl PeerSource ===

impl PeerSource {
    /// A source for the one peer that an upstream names, without a session yet.
    pub fn new(id: Arc<str>) -> Self {
        Self::with(id, false, Duration::ZERO)
    }

    /// A source for whoever comes, without any peer yet. Nobody is asked for its head in its first `quiet` moments.
    pub fn of_many(id: Arc<str>, quiet: Duration) -> Self {
        Self::with(id, true, quiet)
    }

    fn with(id: Arc<str>, many: bool, quiet: Duration) -> Self {
        let room = Room { id, many, quiet, seats: Mutex::default(), heads: watch::Sender::default() };
        Self { room: Arc::new(room), askers: Askers::default(), given: Mutex::default() }
    }

    /// A session began.
    pub fn attach(&self, peer: PeerHandle) {
        self.room.seats.lock().add(peer);
        self.refresh();
    }

    /// Peers with a session now.
    pub fn peers(&self) -> usize {
        self.room.seats.lock().len()
    }

    /// A session ended, or a peer said that it has other blocks now.
    pub fn refresh(&self) {
        let claims = self.room.seats.lock().look_again();
        prove(&self.room, claims);
        self.room.publish();
    }

    /// What no root covers is a stranger's word: it is not taken.
    fn believe(&self, block: &mut Fetched) {
        if self.room.many {
            block.extra = None;
        }
    }

    /// `peer` gave the blocks of `range`.
    fn gave(&self, range: RangeInclusive<u64>, peer: PeerHandle) {
        let mut given = self.given.lock();
        if given.len() >= GIVEN_MAX {
            given.pop_front();
        }
        given.push_back((range, peer));
    }
}

// === impl Room ===

impl Room {
    /// Tells what the peers have together, if that is news.
    pub(super) fn publish(&self) {
        // Under the lock: an older state must not follow a newer one.
        let seats = self.seats.lock();
        let heads = seats.heads();
        self.heads.send_if_modified(|old| std::mem::replace(old, heads.clone()) != heads);
    }
}

#[async_trait]
impl Source for PeerSource {
    fn id(&self) -> &Arc<str> {
        &self.room.id
    }

    fn heads(&self) -> watch::Receiver<Heads> {
        self.room.heads.subscribe()
    }

    /// After the merge peers say at most every 32 blocks how far they are, so nodes are heard first.
    fn follows_head(&self) -> bool {
        false
    }

    fn parallel(&self) -> usize {
        self.room.seats.lock().parallel()
    }

    fn score(&self) -> u64 {
        self.room.seats.lock().speed()
    }

    async fn headers(&self, from: u64, count: u64) -> Result<Vec<Bytes>, SourceError> {
        let mut headers: Vec<Bytes> = Vec::new();
        while (headers.len() as u64) < count {
            let next = from.saturating_add(headers.len() as u64);
            let limit = (count - headers.len() as u64).min(HEADERS_MAX);
            let ask = |peer: PeerHandle, _| async move {
                let (found, bytes) = headers_of(peer, Start::Number(next), limit, None).await?;
                Ok(if found.is_empty() { Found::NoHeader } else { Found::All(found, bytes) })
            };
            match self.round(Want::Headers(next), longer(limit, HEADERS_LONG), ask).await {
                Ok(Some((found, peer))) => {
                    self.gave(next..=next.saturating_add(found.len() as u64 - 1), peer);
                    headers.extend(found);
                }
                Ok(None) => break,
                Err(error) if headers.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        if headers.is_empty() && count > 0 {
            return Err(SourceError::Absent(self.room.id.clone()));
        }
        Ok(headers)
    }

    async fn blocks(&self, wanted: &[Wanted], receipts: bool) -> Result<Vec<Fetched>, SourceError> {
        let wanted = wanted.get(..wanted.len().min(BLOCKS_MAX)).unwrap_or_default();
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(Vec::new()) };
        let want = Want::Blocks(first.number, last.number.max(first.number));
        let ask = |peer: PeerHandle, reach: u64| {
            // Who skips what it does not have would give bodies in other places than they were asked for.
            let has = wanted.iter().take_while(|id| id.number <= reach).count();
            blocks_of(peer, wanted.get(..has).unwrap_or_default(), receipts)
        };
        let found = self.round(want, longer(wanted.len() as u64, BLOCKS_LONG), ask).await?;
        let (mut blocks, peer) = found.ok_or_else(|| SourceError::Absent(self.room.id.clone()))?;
        blocks.iter_mut().for_each(|block| self.believe(block));
        if let (Some(first), Some(last)) = (blocks.first(), blocks.last()) {
            self.gave(first.id.number..=last.id.number, peer);
        }
        Ok(blocks)
    }

    async fn block_by_hash(&self, hash: B256) -> Result<Option<Fetched>, SourceError> {
        let found = self.round(Want::Any, HEDGE, |peer, _| block_of(peer, hash)).await?;
        Ok(found.map(|(mut block, peer)| {
            self.believe(&mut block);
            self.gave(block.id.number..=block.id.number, peer);
            block
        }))
    }

    fn blame(&self, number: u64, fault: &Fault) {
        let giver = {
            let given = self.given.lock();
            given.iter().rev().find(|(range, _)| range.contains(&number)).map(|(_, peer)| peer.clone())
        };
        if let Some(peer) = giver {
            let name = short(&peer);
            tracing::warn!(source = %self.room.id, peer = name, number, %fault, "A peer gave wrong data; it is banned");
            peer.condemn(format!("block {number}: {fault}"));
            self.refresh();
        }
    }

    fn is_many(&self) -> bool {
        self.room.many
    }

    fn has_old_headers(&self) -> bool {
        true
    }

    fn leased(&self, askers: &Askers, _: bool) -> Option<Arc<dyn Source>> {
        Some(Arc::new(Self { room: self.room.clone(), askers: askers.clone(), given: Mutex::default() }))
    }
}

/// How long one peer is waited for that gives `count` of something.
fn longer(count: u64, long: u64) -> Duration {
    HEDGE.saturating_mul(1 + u32::try_from(count / long).unwrap_or(u32::MAX))
}
