//! Transactions passed on between peers; a relay without state.
//!
//! A node that knows only us can send and hear transactions: what a peer announces is fetched (once, from one
//! peer at a time), what comes is held against the chain's rules as far as they need no state, kept as bytes
//! in a bounded pool, and told to all other peers: announced, or sent whole to a few. Nonces and balances are
//! not known here.
//!
//! The relay moves no bytes itself. A session calls [`Gossip::connected`], then [`Gossip::announced`],
//! [`Gossip::received`] and [`Gossip::pooled`] for the messages that come; whenever its [`Notify`] wakes it,
//! it sends what [`Gossip::for_peer`] gives, again and again while there is `more`; and calls
//! [`Gossip::disconnected`] at the end. One task runs [`Gossip::run`].
//!
//! Sources: devp2p `caps/eth.md` (transaction exchange), go-ethereum `eth/fetcher/tx_fetcher.go`,
//! `eth/handler.go`, `core/txpool`.

mod fetch;
mod follow;
mod gas;
pub mod limits;
mod metrics;
mod peers;
mod pool;
mod pooled;
mod rules;
mod settled;
mod sidecar;
mod slots;
mod state;
mod verdict;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use bytes::Bytes;
use hypasis_cache::Store;
use hypasis_chain::ChainSpec;
use hypasis_wire::eth::{GetPooledTransactions, NewPooledTransactionHashes68};
use hypasis_wire::node::PeerId;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use self::rules::Rules;
use self::state::State;
use self::verify::Verifier;
use crate::served::ServedHead;

pub use fetch::FETCH_TIMEOUT;
pub use limits::Limits;
pub use metrics::Metrics;
pub use rules::Head;
pub use verdict::{Rejection, Violation};

/// Sessions are woken at most this often for new transactions, so that a stream of single ones becomes few
/// messages.
const BROADCAST_PAUSE: Duration = Duration::from_millis(50);
/// How often requests are looked through for those whose time has run out.
const EXPIRY_PERIOD: Duration = Duration::from_millis(250);

/// The relay. Clone freely.
#[derive(Clone, Debug)]
pub struct Gossip {
    inner: Arc<Inner>,
}

/// What the relay needs.
#[derive(Debug)]
pub struct Parts {
    /// The chain.
    pub spec: Arc<ChainSpec>,
    /// Bounds of the pool.
    pub limits: Limits,
    /// Where it counts.
    pub metrics: Metrics,
}

/// What became of transactions that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// New and taken in.
    pub accepted: usize,
    /// Here already, or dealt with.
    pub known: usize,
    /// Not valid at the head, too cheap, or without room. Not the peer's fault, but a measure of its use.
    pub refused: usize,
    /// What to ask the peer for next: one request at most.
    pub requests: Vec<GetPooledTransactions>,
}

/// What to send to a peer now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// One `Transactions` message, some 100 KiB at most; none if empty.
    pub transactions: Vec<Bytes>,
    /// One announcement of 4,096 hashes at most.
    pub announce: Option<NewPooledTransactionHashes68>,
    /// What to ask the peer for: one request at most.
    pub requests: Vec<GetPooledTransactions>,
    /// Whether to call again once this is sent.
    pub more: bool,
}

/// Figures for status pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions in the pool.
    pub transactions: usize,
    /// Bytes that they take.
    pub bytes: usize,
    /// Announced transactions that are not here yet.
    pub wanted: usize,
    /// Connected peers.
    pub peers: usize,
}

#[derive(Debug)]
struct Inner {
    spec: Arc<ChainSpec>,
    state: Mutex<State>,
    verifier: Verifier,
    /// Something new is in the pool.
    news: Notify,
    metrics: Metrics,
}

// === impl Gossip ===

impl Gossip {
    /// An empty relay. It takes nothing until it is told of a head.
    pub fn new(parts: Parts) -> Self {
        let Parts { spec, limits, metrics } = parts;
        let state = Mutex::new(State { limits, ..State::default() });
        let verifier = Verifier::default();
        Self { inner: Arc::new(Inner { spec, state, verifier, news: Notify::new(), metrics }) }
    }

    /// A session has begun. What it gets is notified whenever [`Self::for_peer`] has something, the first
    /// time for the pool so far.
    pub fn connected(&self, peer: PeerId) -> Arc<Notify> {
        self.inner.state.lock().connect(peer)
    }

    /// A session has ended: what the peer still owes is asked of others.
    pub fn disconnected(&self, peer: PeerId) {
        self.inner.state.lock().disconnect(&peer);
    }

    /// A peer announced transactions: what to ask it for now, one request at most. Further requests come with
    /// its answer and by [`Self::for_peer`].
    pub fn announced(
        &self,
        peer: PeerId,
        announcement: &NewPooledTransactionHashes68,
    ) -> Result<Vec<GetPooledTransactions>, Violation> {
        let NewPooledTransactionHashes68 { types, sizes, hashes } = announcement;
        let (hashes, types, sizes) = (hashes.len(), types.len(), sizes.len());
        if hashes != types || hashes != sizes {
            return Err(Violation::Uneven { hashes, types, sizes });
        }
        let mut state = self.inner.state.lock();
        let Some(slot) = state.peers.slot(&peer) else { return Ok(Vec::new()) };
        state.announced(slot, announcement);
        Ok(next_request(&mut state, slot))
    }

    /// Transactions came: asked for (`PooledTransactions`), or not (`Transactions`). Whoever sends what a
    /// sound peer never sends is to be disconnected; the rest of such a message is lost.
    ///
    /// Signatures and proofs are verified on threads of their own, a few batches at a time over all peers. A
    /// session that awaits this before it reads on is slowed to what can be verified; one that must not wait
    /// calls it in a task of its own, with a bound on how many messages wait.
    pub async fn received(
        &self,
        peer: PeerId,
        transactions: Vec<Bytes>,
        asked: bool,
    ) -> Result<Accepted, Violation> {
        let slot = {
            let mut state = self.inner.state.lock();
            let Some(slot) = state.peers.slot(&peer) else { return Ok(Accepted::default()) };
            if asked {
                state.fetch.in_time(slot);
            }
            slot
        };
        let count = transactions.len();
        let result = verify::take(&self.inner, slot, transactions, asked).await;
        self.inner.metrics.tell_received(count, &result);
        match result {
            Ok(mut accepted) => {
                accepted.requests = next_request(&mut self.inner.state.lock(), slot);
                Ok(accepted)
            }
            Err(violation) => {
                self.inner.state.lock().abandon(slot);
                Err(violation)
            }
        }
    }

    /// What is here of the transactions that a peer asks for, in its order, in the form of the network (with
    /// blobs); 2 MiB and one more transaction at most.
    pub fn pooled(&self, hashes: &[B256]) -> Vec<Bytes> {
        self.inner.state.lock().pooled(hashes)
    }

    /// What to send to a peer now. What it gives counts as sent.
    pub fn for_peer(&self, peer: PeerId) -> Outgoing {
        let mut state = self.inner.state.lock();
        let Some(slot) = state.peers.slot(&peer) else { return Outgoing::default() };
        let mut outgoing = state.outgoing(slot);
        outgoing.requests = next_request(&mut state, slot);
        outgoing
    }

    /// A caller of this program sends a transaction (`eth_sendRawTransaction`), in the form of the network.
    /// Its hash, or why it is not passed on.
    pub async fn submit(&self, raw: Bytes) -> Result<B256, Rejection> {
        verify::submit(&self.inner, raw).await
    }

    /// The served head has moved: rules and gas limit follow it, and what is too old is dropped.
    pub fn advance(&self, head: Head) {
        self.inner.state.lock().advance(Rules::at(&self.inner.spec, head));
    }

    /// Transactions were seen in a block: they are dropped and not fetched again.
    pub fn included(&self, hashes: &[B256]) {
        self.inner.state.lock().included(hashes);
    }

    /// Accounts were seen to use a nonce in a block: what they sent with that nonce or a lower one is
    /// dropped.
    pub fn spent(&self, accounts: &[(Address, u64)]) {
        self.inner.state.lock().spent(accounts);
    }

    /// A block was taken back: its transactions may be fetched and passed on again.
    pub fn reopened(&self, hashes: &[B256]) {
        let mut state = self.inner.state.lock();
        hashes.iter().for_each(|hash| state.settled.remove(hash));
    }

    /// Figures of this moment.
    pub fn stats(&self) -> Stats {
        self.inner.state.lock().stats()
    }

    /// Follows the served head, wakes sessions for what is new, and gives up on peers that do not answer,
    /// until `stopped` is true.
    pub async fn run(self, served: ServedHead, store: Store, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            () = follow::follow(&self, served, store) => {}
            () = self.tell_sessions() => {}
            () = self.expire_requests() => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }

    async fn tell_sessions(&self) {
        loop {
            self.inner.news.notified().await;
            self.inner.state.lock().peers.wake_all();
            sleep(BROADCAST_PAUSE).await;
        }
    }

    async fn expire_requests(&self) {
        let mut ticks = interval(EXPIRY_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let stats = {
                let mut state = self.inner.state.lock();
                state.expire_requests(Instant::now());
                state.stats()
            };
            self.inner.metrics.tell_stats(&stats);
        }
    }
}

fn next_request(state: &mut State, slot: slots::Slot) -> Vec<GetPooledTransactions> {
    state.fetch.request(slot, Instant::now()).map(GetPooledTransactions).into_iter().collect()
}
