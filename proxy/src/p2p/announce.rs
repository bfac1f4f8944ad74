//! New blocks, told to peers where the chain is followed by announcements: Polygon.
//!
//! As Bor does (`eth/handler.go`, `BroadcastBlock`): whole to the square root of the peers and to all that are
//! configured, by hash to the others; each block to each peer once, and never to one that has it. A block is told of
//! when it is held and verified ([`news`]), who hears what is decided for all peers together ([`audience`]), and each
//! session has a short queue of what waits for it: who does not read misses news, and learns by the next of them that
//! there is more.
//!
//! What peers announce to us is the session's part (`session/announced`).

mod audience;
mod news;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_cache::Store;
use hypasis_chain::BlockId;
use hypasis_upstream::peer::{PeerHandle, PeerId};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use self::audience::{Audience, Listener};
use self::news::News;
use super::metrics::{Announcements, Metrics};
use crate::served::ServedHead;
use crate::sync::blocking;

/// Blocks that are told of when the head moves by more than one; of a longer step its end alone is (Bor too tells of
/// none that it syncs, but the last).
const STEP_MAX: usize = 8;
/// Blocks that are remembered to have been told of.
const TOLD_MAX: usize = 64;
/// Nothing is announced in a session's first moments: a probe takes what comes first for the answer to its question.
const QUIET: Duration = Duration::from_secs(1);
/// When to look again for a head that is served and could not be read.
const RETRY: Duration = Duration::from_secs(1);

/// Tells peers of new blocks. Clone freely.
#[derive(Clone, Debug, Default)]
pub struct Herald {
    hall: Arc<Hall>,
}

#[derive(Debug, Default)]
struct Hall {
    audience: Mutex<Audience>,
    metrics: Metrics,
}

/// An encoded message for one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its id, relative to where `eth` begins.
    pub id: u8,
    /// Its payload.
    pub payload: Bytes,
}

/// A session's end; dropping it ends the announcements.
#[derive(Debug)]
pub struct Ear {
    herald: Herald,
    peer: PeerId,
    news: mpsc::Receiver<Announcement>,
    from: Instant,
}

// === impl Herald ===

impl Herald {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { hall: Arc::new(Hall { audience: Mutex::default(), metrics }) }
    }

    /// A session began, whose status named the block `told`. Configured peers (`favoured`) get every block whole.
    pub fn connected(&self, peer: &PeerHandle, favoured: bool, told: B256) -> Ear {
        let (listener, news) = Listener::new(peer.clone(), favoured);
        self.hall.audience.lock().add(listener, told, Instant::now());
        Ear { herald: self.clone(), peer: peer.id(), news, from: Instant::now() + QUIET }
    }

    /// This peer has the block.
    pub fn has(&self, peer: &PeerId, hash: B256) {
        self.hall.audience.lock().has(peer, hash);
    }

    /// Counts what peers announced.
    pub(super) fn heard(&self, form: &'static str, count: usize) {
        let label = Announcements { direction: "in", form };
        self.hall.metrics.announcements.get_or_create(&label).inc_by(count as u64);
    }

    /// Follows the served head for ever.
    pub async fn run(self, store: Store, served: ServedHead) {
        let mut heads = served.subscribe();
        let mut told: VecDeque<BlockId> = VecDeque::new();
        loop {
            let now = *heads.borrow_and_update();
            let head = now.latest.filter(|head| now.local && told.back() != Some(head));
            let mut held = true;
            if let Some(head) = head {
                let (view, known) = (store.view(), told.clone());
                let read = move || news::read(&view, head, now.total_difficulty, &known);
                match blocking(read).await {
                    Ok(Some(news)) => {
                        told.extend(news.iter().map(|news| news.id));
                        self.tell(news, &store);
                        while told.len() > TOLD_MAX {
                            told.pop_front();
                        }
                    }
                    Ok(None) => held = false,
                    Err(error) => {
                        tracing::warn!(block = head.number, %error, "A new block cannot be read to be announced");
                        held = false;
                    }
                }
            }
            let changed = heads.changed();
            let gone = match held {
                true => changed.await.is_err(),
                false => timeout(RETRY, changed).await.is_ok_and(|changed| changed.is_err()),
            };
            if gone {
                return;
            }
        }
    }

    /// Tells all who do not know it.
    fn tell(&self, news: Vec<News>, store: &Store) {
        let view = store.view();
        let is_canonical =
            |id: &BlockId| view.by_number(id.number).ok().flatten().is_some_and(|block| block.id == *id);
        let sent = self.hall.audience.lock().tell(news, is_canonical, Instant::now());
        for (form, count) in [("block", sent.blocks), ("hashes", sent.hashes)] {
            let label = Announcements { direction: "out", form };
            self.hall.metrics.announcements.get_or_create(&label).inc_by(count as u64);
        }
    }
}

// === impl Ear ===

impl Ear {
    /// The next message for the peer. Safe to drop.
    pub async fn next(&mut self) -> Announcement {
        sleep_until(self.from).await;
        match self.news.recv().await {
            Some(announcement) => announcement,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut audience = self.herald.hall.audience.lock();
        // The peer may have come again already: then the place is another session's.
        self.news.close();
        audience.leave(&self.peer);
    }
}
