//! Transactions of one session: what comes is handed to the relay of all sessions, what the peer lacks is passed on.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use hypasis_upstream::peer::PeerId;
use hypasis_wire::eth::{
    EthMessage, GetPooledTransactions, NewPooledTransactionHashes68, PooledTransactions, RequestPair,
    Transactions,
};
use tokio::sync::Notify;

use super::super::gossip::{Accepted, Gossip, Violation};
use super::line::Line;

/// Messages of transactions that may wait for their verification; then nothing more is read.
const UNVERIFIED_MAX: usize = 4;
/// While so many bytes wait for the peer to read them, nothing is passed on.
const UNREAD_BYTES_MAX: usize = 1 << 20;
/// Messages sent in one go.
const ROUNDS: usize = 8;
/// Requests whose answers are still taken.
const REQUESTS_MAX: usize = 64;

/// The session's end of the relay.
pub(super) struct Relay {
    gossip: Option<Gossip>,
    peer: PeerId,
    news: Arc<Notify>,
    verifying: FuturesUnordered<BoxFuture<'static, Result<Accepted, Violation>>>,
    requests: VecDeque<u64>,
    next: u64,
    /// There is more to pass on than what was sent last.
    more: bool,
}

// === impl Relay ===

impl Relay {
    /// Without a relay transactions are ignored.
    pub(super) fn new(gossip: Option<Gossip>, peer: PeerId) -> Self {
        let news = gossip.as_ref().map(|gossip| gossip.connected(peer)).unwrap_or_default();
        let verifying = FuturesUnordered::new();
        Self { gossip, peer, news, verifying, requests: VecDeque::new(), next: 0, more: false }
    }

    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        self.verifying.len() < UNVERIFIED_MAX
    }

    /// The peer announced transactions.
    pub(super) fn announced(
        &mut self,
        announcement: &NewPooledTransactionHashes68,
        line: &mut Line,
    ) -> Result<(), Violation> {
        if let Some(gossip) = &self.gossip {
            let requests = gossip.announced(self.peer, announcement)?;
            self.ask(requests, line);
        }
        Ok(())
    }

    /// The peer sent transactions unasked.
    pub(super) fn pushed(&mut self, transactions: Transactions) {
        self.verify(transactions.0, false);
    }

    /// The peer sent transactions that it was asked for. Those that nobody asked for are ignored.
    pub(super) fn answered(&mut self, pair: RequestPair<PooledTransactions>) {
        let Some(place) = self.requests.iter().position(|id| *id == pair.request_id) else { return };
        self.requests.remove(place);
        self.verify(pair.message.0, true);
    }

    /// Waits until some of what came is verified, or there is something to pass on. Safe to drop.
    pub(super) async fn next(&mut self, unread: usize) -> Option<Result<Accepted, Violation>> {
        let (verifying, news, more) = (&mut self.verifying, &self.news, self.more);
        let verified = async {
            match verifying.next().await {
                Some(verified) => verified,
                None => pending().await,
            }
        };
        let wanted = async {
            if unread >= UNREAD_BYTES_MAX {
                pending::<()>().await;
            }
            if !more {
                news.notified().await;
            }
        };
        tokio::select! {
            verified = verified => Some(verified),
            () = wanted => {
                self.more = true;
                None
            }
        }
    }

    /// Asks for what a verified message left to be asked for.
    pub(super) fn ask(&mut self, requests: Vec<GetPooledTransactions>, line: &mut Line) {
        for request in requests {
            self.next = self.next.wrapping_add(1);
            if self.requests.len() >= REQUESTS_MAX {
                self.requests.pop_front();
            }
            self.requests.push_back(self.next);
            line.send(&EthMessage::GetPooledTransactions(RequestPair::new(self.next, request)));
        }
    }

    /// Sends what the peer has not seen.
    pub(super) fn pass_on(&mut self, line: &mut Line) {
        let Some(gossip) = self.gossip.clone() else { return };
        for _ in 0..ROUNDS {
            let outgoing = gossip.for_peer(self.peer);
            self.more = outgoing.more;
            if !outgoing.transactions.is_empty() {
                line.send(&EthMessage::Transactions(Transactions(outgoing.transactions)));
            }
            if let Some(announce) = outgoing.announce {
                line.send(&EthMessage::NewPooledTransactionHashes68(announce));
            }
            self.ask(outgoing.requests, line);
            if !self.more || line.waiting_bytes() >= UNREAD_BYTES_MAX {
                break;
            }
        }
    }

    /// The session ends.
    pub(super) fn end(&self) {
        if let Some(gossip) = &self.gossip {
            gossip.disconnected(self.peer);
        }
    }

    fn verify(&mut self, transactions: Vec<Bytes>, asked: bool) {
        if let Some(gossip) = self.gossip.clone() {
            let peer = self.peer;
            self.verifying.push(Box::pin(async move { gossip.received(peer, transactions, asked).await }));
        }
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("verifying", &self.verifying.len()).finish_non_exhaustive()
    }
}
