//! Who hears of a new block, and in which form. No I/O: queues are filled, sessions send.

use std::collections::HashMap;
use std::time::Duration;

use alloy_primitives::B256;
use hypasis_chain::BlockId;
use hypasis_upstream::peer::{PeerHandle, PeerId};
use hypasis_wire::eth::{BlockHashNumber, EthMessage, EthMessageID, NewBlockHashes};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Announcement;
use super::news::News;
use crate::p2p::generations::Generations;

/// Announcements that wait for a session; Bor has four of each form.
const QUEUE: usize = 8;
/// Hashes of blocks that are remembered of each peer (Bor: the same).
const KNOWN_MAX: usize = 1_024;
/// A peer whose head lies further below is syncing, or did not say that it no longer is. It takes no new block, so it
/// gets hashes, which Bor fetches as soon as it can use them.
const NEAR: u64 = 128;
/// How often such a one gets a whole block all the same: by its total difficulty alone Bor learns that there is more to
/// sync. It looks for a better peer as often.
const REMIND: Duration = Duration::from_secs(10);

/// Everybody who listens.
#[derive(Debug, Default)]
pub(super) struct Audience {
    listeners: HashMap<PeerId, Listener>,
    /// What was told last, for those who come between their status and the next block.
    last: Option<News>,
}

/// A session that listens.
#[derive(Debug)]
pub(super) struct Listener {
    peer: PeerHandle,
    favoured: bool,
    queue: mpsc::Sender<Announcement>,
    /// Blocks that it has, or was told of.
    known: Generations<B256, bool>,
    /// Highest block that it was told of as one that keeps up.
    reached: u64,
    /// When it got a whole block last.
    served: Option<Instant>,
}

/// Messages that were queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) blocks: usize,
    pub(super) hashes: usize,
}

// === impl Audience ===

impl Audience {
    /// A session began; its peer was told of one block by our status.
    pub(super) fn add(&mut self, mut listener: Listener, told: B256, now: Instant) {
        listener.knows(told);
        if let Some(last) = self.last.as_ref().filter(|last| listener.misses(last, |_| true)) {
            listener.tell(std::slice::from_ref(last), true, now);
        }
        self.listeners.insert(listener.peer.id(), listener);
    }

    /// A session ended.
    pub(super) fn leave(&mut self, peer: &PeerId) {
        if self.listeners.get(peer).is_some_and(|listener| listener.queue.is_closed()) {
            self.listeners.remove(peer);
        }
    }

    /// This peer has that block.
    pub(super) fn has(&mut self, peer: &PeerId, hash: B256) {
        if let Some(listener) = self.listeners.get_mut(peer) {
            listener.knows(hash);
        }
    }

    /// Tells of `news`, ascending. Who has a block `is_canonical` has all below it.
    pub(super) fn tell(
        &mut self,
        news: Vec<News>,
        is_canonical: impl Fn(&BlockId) -> bool,
        now: Instant,
    ) -> Sent {
        let Some(last) = news.last().cloned() else { return Sent::default() };
        let mut sent = Sent::default();
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for listener in self.listeners.values_mut() {
            if news.iter().any(|news| listener.misses(news, &is_canonical)) {
                if listener.keeps_up(last.id.number) { near.push(listener) } else { far.push(listener) }
            }
        }
        // Who has waited longest for a whole block comes first: whole blocks show a peer what it has missed.
        near.sort_by_key(|listener| listener.served);
        let whole = near.len().isqrt().max(1);
        for (place, listener) in near.into_iter().enumerate() {
            sent += listener.tell(&news, place < whole || listener.favoured, now);
            listener.reached = listener.reached.max(last.id.number);
        }
        for listener in far {
            let due = listener.served.is_none_or(|at| now.duration_since(at) >= REMIND);
            let due = due && last.whole.is_some();
            sent += listener.tell(if due { std::slice::from_ref(&last) } else { &news }, due, now);
        }
        self.last = Some(last);
        sent
    }
}

// === impl Listener ===

impl Listener {
    /// A listener and what it hears.
    pub(super) fn new(peer: PeerHandle, favoured: bool) -> (Self, mpsc::Receiver<Announcement>) {
        let (queue, news) = mpsc::channel(QUEUE);
        let known = Generations::new(KNOWN_MAX);
        (Self { peer, favoured, queue, known, reached: 0, served: None }, news)
    }

    fn knows(&mut self, hash: B256) {
        *self.known.entry(hash) = true;
    }

    /// Whether it lacks a block, as far as can be told.
    fn misses(&self, news: &News, is_canonical: impl Fn(&BlockId) -> bool) -> bool {
        let has_descendant = || {
            self.peer
                .heads()
                .latest
                .is_some_and(|head| head == news.id || head.number > news.id.number && is_canonical(&head))
        };
        self.known.get(&news.id.hash).is_none() && !has_descendant()
    }

    /// Whether it is so near to `head` that it takes new blocks.
    fn keeps_up(&self, head: u64) -> bool {
        let claimed = self.peer.heads().latest.map_or(0, |head| head.number);
        head.saturating_sub(claimed.max(self.reached)) <= NEAR
    }

    /// Queues what it does not know of `news`: `whole` blocks where there are such, else hashes.
    fn tell(&mut self, news: &[News], whole: bool, now: Instant) -> Sent {
        let (mut sent, mut hashes) = (Sent::default(), Vec::new());
        let missed: Vec<&News> = news.iter().filter(|news| self.known.get(&news.id.hash).is_none()).collect();
        // Where not all find room, the newest do.
        let crowded = if whole { missed.len().saturating_sub(self.queue.capacity()) } else { 0 };
        for news in missed.into_iter().skip(crowded) {
            match news.whole.clone().filter(|_| whole) {
                Some(payload) => {
                    if self.queue(EthMessageID::NewBlock, payload) {
                        self.knows(news.id.hash);
                        self.served = Some(now);
                        sent.blocks += 1;
                    }
                }
                None => hashes.push(BlockHashNumber { hash: news.id.hash, number: news.id.number }),
            }
        }
        if !hashes.is_empty() {
            let message = EthMessage::NewBlockHashes(NewBlockHashes(hashes.clone()));
            if self.queue(EthMessageID::NewBlockHashes, message.encoded()) {
                hashes.iter().for_each(|block| self.knows(block.hash));
                sent.hashes += 1;
            }
        }
        sent
    }

    fn queue(&self, id: EthMessageID, payload: bytes::Bytes) -> bool {
        self.queue.try_send(Announcement { id: id.into(), payload }).is_ok()
    }
}

// === impl Sent ===

impl std::ops::AddAssign for Sent {
    fn add_assign(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.hashes += other.hashes;
    }
}
