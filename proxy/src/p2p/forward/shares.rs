//! A share of the turns for each peer, so that one who asks for much does not leave the others waiting.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use hypasis_upstream::peer::PeerId;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Peers remembered before those who left are forgotten.
const REMEMBERED: usize = 1_024;

/// Turns of each peer.
#[derive(Debug)]
pub(super) struct Shares {
    each: usize,
    peers: Mutex<HashMap<PeerId, Weak<Semaphore>>>,
}

// === impl Shares ===

impl Shares {
    /// `each` turns at once for a peer.
    pub(super) fn new(each: usize) -> Self {
        Self { each, peers: Mutex::default() }
    }

    /// Waits for a turn of `peer`; who is no peer needs none.
    pub(super) async fn turn(&self, peer: Option<PeerId>) -> Option<OwnedSemaphorePermit> {
        let share = self.of(peer?);
        // The semaphore is never closed.
        share.acquire_owned().await.ok()
    }

    fn of(&self, peer: PeerId) -> Arc<Semaphore> {
        let mut peers = self.peers.lock();
        if let Some(share) = peers.get(&peer).and_then(Weak::upgrade) {
            return share;
        }
        if peers.len() >= REMEMBERED {
            peers.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(self.each));
        peers.insert(peer, Arc::downgrade(&share));
        share
    }
}
