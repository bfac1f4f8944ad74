//! What the service does by itself: it checks its table and looks for nodes.

use std::sync::Arc;
use std::time::Duration;

use hypasis_wire::node::{NodeRecord, PeerId};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::V4;
use crate::p2p::discovery::metrics::Protocol;

/// Longest wait before another node that is not live is pinged (go-ethereum `PingInterval`); half of it on average.
const CHECK_UNPROVEN: Duration = Duration::from_secs(3);
/// The same for live nodes.
const CHECK_LIVE: Duration = Duration::from_secs(9);
/// How often unanswered questions are given up.
const EXPIRE: Duration = Duration::from_millis(100);
/// Rest between walks that found somebody.
const WALK_REST: Duration = Duration::from_secs(2);
/// Rest after a walk that found nobody new; doubled with each, up to [`WALK_REST_MAX`].
const WALK_REST_MAX: Duration = Duration::from_secs(30);

impl V4 {
    /// Runs until it is dropped.
    pub(in crate::p2p::discovery) async fn run(
        self: Arc<Self>,
        considered: mpsc::Receiver<NodeRecord>,
        seeds: Vec<NodeRecord>,
    ) {
        tokio::join!(
            self.clone().resolve(considered),
            self.expire(),
            self.check(false, CHECK_UNPROVEN),
            self.check(true, CHECK_LIVE),
            self.walk(seeds),
        );
    }

    async fn expire(&self) {
        loop {
            sleep(EXPIRE).await;
            let mut state = self.state.lock();
            state.pending.expire(tokio::time::Instant::now());
            self.metrics.table(Protocol::V4, state.table.len());
        }
    }

    /// Pings one node after the other, so that only those are told who answer.
    async fn check(&self, live: bool, longest: Duration) {
        loop {
            sleep(longest.mul_f64(rand::random_range(0.05..1.0))).await;
            let node = self.state.lock().table.to_check(live);
            let Some(node) = node else { continue };
            // A pong has already told the table.
            if !self.ask_ping(node).await {
                self.state.lock().table.silent(node.id);
            }
        }
    }

    /// Walks towards ourselves, so that neighbours know us, then to random places, as long as candidates are wanted.
    async fn walk(&self, seeds: Vec<NodeRecord>) {
        {
            let mut state = self.state.lock();
            for seed in seeds {
                state.table.add(seed, false);
            }
        }
        let mut rest = WALK_REST;
        self.greet_bootnodes().await;
        self.lookup(self.local.id()).await;
        loop {
            sleep(rest).await;
            if self.table_len() == 0 {
                self.greet_bootnodes().await;
            }
            let new = if self.candidates.hungry() {
                self.lookup(PeerId::from(rand::random::<[u8; 64]>())).await
            } else {
                0
            };
            rest = if new > 0 { WALK_REST } else { (rest * 2).min(WALK_REST_MAX) };
        }
    }

    async fn greet_bootnodes(&self) {
        for bootnode in &self.bootnodes {
            // Its answer bonds us; its record leads into discv5.
            self.ask_record(*bootnode).await;
        }
    }
}
