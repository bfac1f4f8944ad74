//! What this peer asks, answered in the order in which it asked: nodes work so, and some peers count on it.
//!
//! Few of its requests are worked on at once, the next ones wait, and when too many wait nothing more is read: a flood
//! slows down its sender alone.

use std::collections::VecDeque;
use std::future::{pending, ready};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use hypasis_upstream::peer::PeerId;
use hypasis_wire::eth::{
    EthMessage, EthVersion, GetBlockBodies, GetBlockHeaders, GetPooledTransactions, GetReceipts,
    GetReceipts70, PooledTransactions, RequestPair, SOFT_RESPONSE_LIMIT,
};

use super::super::serve::{Answer, Request};
use super::super::{Room, metrics};

/// Requests worked on at once for one peer.
const SERVED_AT_ONCE: usize = 3;
/// Requests that may wait.
const PARKED_MAX: usize = 64;
/// Hashes of a request that are looked at (Geth: the same); the others are dropped at once.
const HASHES_MAX: usize = 1_024;
/// While so many bytes of answers wait for the peer to read them, none is begun.
const UNREAD_BYTES_MAX: usize = 6 << 20;
/// The same over all peers together. Each has an equal share of it, so that those who read slowly take nothing from the
/// others; one answer each has always.
const UNREAD_BYTES_ALL: usize = 256 << 20;

/// Requests of one peer.
pub(super) struct Inbox {
    room: Arc<Room>,
    peer: PeerId,
    version: EthVersion,
    parked: VecDeque<Wish>,
    serving: FuturesOrdered<BoxFuture<'static, Outgoing>>,
}

/// What a peer asks for.
#[derive(Debug)]
enum Wish {
    Blocks(Request),
    Transactions(RequestPair<GetPooledTransactions>),
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) id: u8,
    pub(super) payload: Bytes,
}

// === impl Inbox ===

impl Inbox {
    pub(super) fn new(room: Arc<Room>, peer: PeerId, version: EthVersion) -> Self {
        Self { room, peer, version, parked: VecDeque::new(), serving: FuturesOrdered::new() }
    }

    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        self.parked.len() < PARKED_MAX
    }

    pub(super) fn headers(&mut self, pair: RequestPair<GetBlockHeaders>) {
        self.park(Wish::Blocks(Request::Headers(pair)));
    }

    pub(super) fn bodies(&mut self, mut pair: RequestPair<GetBlockBodies>) {
        cut(&mut pair.message.0);
        self.park(Wish::Blocks(Request::Bodies(pair)));
    }

    pub(super) fn receipts(&mut self, mut pair: RequestPair<GetReceipts>) {
        cut(&mut pair.message.0);
        self.park(Wish::Blocks(Request::Receipts(pair)));
    }

    pub(super) fn receipts70(&mut self, mut pair: RequestPair<GetReceipts70>) {
        cut(&mut pair.message.hashes);
        self.park(Wish::Blocks(Request::Receipts70(pair)));
    }

    pub(super) fn transactions(&mut self, mut pair: RequestPair<GetPooledTransactions>) {
        cut(&mut pair.message.0);
        self.park(Wish::Transactions(pair));
    }

    fn park(&mut self, wish: Wish) {
        self.parked.push_back(wish);
    }

    /// The next answer; begins what waits as long as the peer reads. Safe to drop: what was begun goes on.
    pub(super) async fn next_answer(&mut self, unread: usize) -> Outgoing {
        let peers = self.room.peers.seated();
        while may_begin(self.serving.len(), unread, peers) {
            let Some(wish) = self.parked.pop_front() else { break };
            self.serving.push_back(match wish {
                Wish::Blocks(request) => {
                    Box::pin(blocks(self.room.clone(), self.version, request, self.peer))
                }
                Wish::Transactions(pair) => Box::pin(ready(transactions(&self.room, &pair))),
            });
        }
        match self.serving.next().await {
            Some(answer) => answer,
            None => pending().await,
        }
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox")
            .field("parked", &self.parked)
            .field("serving", &self.serving.len())
            .finish_non_exhaustive()
    }
}

/// Whether one more answer may be begun for a peer, one of so many, which has not read `unread` bytes yet. Answers that
/// are being made count as 2 MiB, where all but rows of very large headers and single blocks of that size end.
fn may_begin(serving: usize, unread: usize, peers: usize) -> bool {
    let share = UNREAD_BYTES_MAX.min(UNREAD_BYTES_ALL / peers.max(1));
    let held = unread.saturating_add(serving.saturating_mul(SOFT_RESPONSE_LIMIT));
    serving < SERVED_AT_ONCE && (held == 0 || held < share)
}

async fn blocks(room: Arc<Room>, version: EthVersion, request: Request, peer: PeerId) -> Outgoing {
    let label = metrics::Request { request: name(&request) };
    room.metrics.requests.get_or_create(&label).inc();
    let Answer { id, payload, items, forwarded } =
        room.library.answer(version, request, &room.sources_of(&peer)).await;
    room.metrics.items.get_or_create(&label).inc_by(items as u64);
    room.metrics.forwarded.get_or_create(&label).inc_by(forwarded as u64);
    Outgoing { id: id.into(), payload }
}

fn transactions(room: &Room, pair: &RequestPair<GetPooledTransactions>) -> Outgoing {
    let found = room.gossip.as_ref().map(|gossip| gossip.pooled(&pair.message.0)).unwrap_or_default();
    let label = metrics::Request { request: "transactions" };
    room.metrics.requests.get_or_create(&label).inc();
    room.metrics.items.get_or_create(&label).inc_by(found.len() as u64);
    let answer = EthMessage::PooledTransactions(RequestPair::new(pair.request_id, PooledTransactions(found)));
    Outgoing { id: answer.message_id().into(), payload: answer.encoded() }
}

fn cut(hashes: &mut Vec<alloy_primitives::B256>) {
    hashes.truncate(HASHES_MAX);
    hashes.shrink_to_fit();
}

/// For metrics.
fn name(request: &Request) -> &'static str {
    match request {
        Request::Headers(_) => "headers",
        Request::Bodies(_) => "bodies",
        Request::Receipts(_) | Request::Receipts70(_) => "receipts",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a peer holds that asks for all it can get and reads nothing.
    fn held_at_most(peers: usize) -> usize {
        let (mut serving, mut unread) = (0, 0);
        loop {
            while may_begin(serving, unread, peers) {
                serving += 1;
            }
            if serving == 0 {
                return unread;
            }
            (serving, unread) = (0, unread + serving * SOFT_RESPONSE_LIMIT);
        }
    }

    #[test]
    fn peers_that_read_nothing_hold_their_common_share_and_one_answer_each() {
        for peers in 1..=2_000 {
            let held = held_at_most(peers);
            assert!(held >= SOFT_RESPONSE_LIMIT, "{peers} peers: each gets an answer");
            assert!(held <= UNREAD_BYTES_MAX + SOFT_RESPONSE_LIMIT, "{peers} peers: {held}");
            assert!(peers * held <= UNREAD_BYTES_ALL + peers * SOFT_RESPONSE_LIMIT, "{peers} peers: {held}");
        }
    }
}
