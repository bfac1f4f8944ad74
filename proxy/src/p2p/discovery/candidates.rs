//! Nodes worth dialling, in the order they were found.

use std::collections::VecDeque;
use std::time::Duration;

use alloy_eip2124::ForkId;
use hypasis_wire::node::{NodeRecord, PeerId};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Accepts, Candidate};
use crate::p2p::generations::Generations;

/// Candidates that wait; beyond, new ones are dropped: they will be found again.
const QUEUE_MAX: usize = 256;
/// A node is offered again, and asked for its record again, only after this while; go-ethereum redials after 35 s.
const OFFER_REST: Duration = Duration::from_secs(45);
/// Nodes that are remembered to have been asked, and to have been offered.
const REMEMBERED_MAX: usize = 16_384;

/// A bounded queue that each node enters seldom.
pub(super) struct Candidates {
    own: PeerId,
    accepts: Accepts,
    state: Mutex<State>,
    came: Notify,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Candidate>,
    /// When a node was asked for its record.
    asked: Generations<PeerId, Option<Instant>>,
    /// When a node was offered.
    offered: Generations<PeerId, Option<Instant>>,
}

impl std::fmt::Debug for Candidates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidates").field("state", &self.state).finish_non_exhaustive()
    }
}

// === impl Candidates ===

impl Candidates {
    pub(super) fn new(own: PeerId, accepts: Accepts) -> Self {
        let (asked, offered) = (Generations::new(REMEMBERED_MAX), Generations::new(REMEMBERED_MAX));
        let state = State { queue: VecDeque::new(), asked, offered };
        Self { own, accepts, state: Mutex::new(state), came: Notify::new() }
    }

    /// Whether a node whose record is not known is worth being asked for it. Says so once in a while only.
    pub(super) fn worth_asking(&self, node: &NodeRecord) -> bool {
        let mut state = self.state.lock();
        let State { queue, asked, offered } = &mut *state;
        let possible = self.possible(node) && queue.len() < QUEUE_MAX;
        possible && rested(offered.get(&node.id)) && take_turn(asked.entry(node.id))
    }

    /// A node with the fork that its record says. Tells whether it was taken.
    pub(super) fn offer(&self, node: NodeRecord, fork: ForkId) -> bool {
        if !self.possible(&node) || !(self.accepts)(&fork) {
            return false;
        }
        let mut state = self.state.lock();
        if state.queue.len() >= QUEUE_MAX || !take_turn(state.offered.entry(node.id)) {
            return false;
        }
        state.queue.push_back(Candidate { node, fork: Some(fork) });
        drop(state);
        self.came.notify_one();
        true
    }

    /// The next one, when there is one. Cancel-safe.
    pub(super) async fn next(&self) -> Candidate {
        loop {
            let came = self.came.notified();
            if let Some(candidate) = self.take() {
                return candidate;
            }
            came.await;
        }
    }

    /// Whether so few wait that searching is worth its packets.
    pub(super) fn hungry(&self) -> bool {
        self.state.lock().queue.len() < QUEUE_MAX / 4
    }

    fn possible(&self, node: &NodeRecord) -> bool {
        node.id != self.own && node.tcp_port != 0 && !node.address.is_unspecified()
    }

    fn take(&self) -> Option<Candidate> {
        let mut state = self.state.lock();
        let candidate = state.queue.pop_front();
        if !state.queue.is_empty() {
            // One permit may stand for several candidates.
            self.came.notify_one();
        }
        candidate
    }
}

fn rested(last: Option<&Option<Instant>>) -> bool {
    last.copied().flatten().is_none_or(|last| last.elapsed() >= OFFER_REST)
}

fn take_turn(last: &mut Option<Instant>) -> bool {
    let turn = rested(Some(&*last));
    if turn {
        *last = Some(Instant::now());
    }
    turn
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alloy_eip2124::ForkHash;

    use super::*;

    const OURS: ForkId = ForkId { hash: ForkHash([1; 4]), next: 0 };

    fn node(n: u32) -> NodeRecord {
        let mut id = PeerId::ZERO;
        id[..4].copy_from_slice(&n.to_be_bytes());
        NodeRecord { id, address: "127.0.0.1".parse().unwrap(), tcp_port: 1, udp_port: 1 }
    }

    fn candidates() -> Candidates {
        Candidates::new(node(0).id, Arc::new(|fork| *fork == OURS))
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_offered_again_only_after_a_while() {
        let candidates = candidates();
        assert!(candidates.worth_asking(&node(1)) && candidates.offer(node(1), OURS));
        assert_eq!(candidates.next().await.node, node(1));
        assert!(!candidates.worth_asking(&node(1)) && !candidates.offer(node(1), OURS));
        tokio::time::advance(OFFER_REST).await;
        assert!(candidates.worth_asking(&node(1)) && !candidates.worth_asking(&node(1)));
        assert!(candidates.offer(node(1), OURS));
    }

    #[tokio::test]
    async fn other_forks_ourselves_and_nodes_without_a_port_are_never_offered() {
        let candidates = candidates();
        assert!(!candidates.offer(node(1), ForkId { hash: ForkHash([2; 4]), next: 0 }));
        for node in [node(0), NodeRecord { tcp_port: 0, ..node(2) }] {
            assert!(!candidates.worth_asking(&node) && !candidates.offer(node, OURS));
        }
        assert!(candidates.take().is_none());
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let candidates = candidates();
        let taken = (1..100_000).filter(|n| candidates.offer(node(*n), OURS));
        assert_eq!(taken.count(), QUEUE_MAX);
        assert!(!candidates.hungry());
    }
}
