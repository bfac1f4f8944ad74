//! What has come in of messages that are not whole yet.
//!
//! A message may have 10 MiB (16 MiB of receipts on Polygon), and nothing can be said of it before its last byte is
//! there. So each peer can make us hold that much, and all of them together what no machine has. They have a bound in
//! common: while it is passed, whoever holds more than an equal share of it has to go. Sound peers end their answers at
//! 2 MiB and go on at once; and those that the operator names never have to go, whatever strangers hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use prometheus_client::metrics::gauge::Gauge;

/// Bytes of unfinished messages over all peers together; beyond it no peer may hold more than an equal share.
const UNFINISHED_BYTES_ALL: usize = 256 << 20;

/// What all peers hold. Clones count together.
#[derive(Clone, Debug)]
pub(in super::super) struct Incoming {
    bytes: Gauge<i64, AtomicI64>,
    peers: Arc<AtomicUsize>,
}

/// What one of them holds, until it is dropped.
#[derive(Debug)]
pub(super) struct Unfinished {
    all: Incoming,
    bytes: usize,
    /// Whether the operator names the peer.
    named: bool,
}

// === impl Incoming ===

impl Incoming {
    /// No peers yet; the gauge shows their bytes.
    pub(in super::super) fn new(bytes: Gauge<i64, AtomicI64>) -> Self {
        Self { bytes, peers: Arc::default() }
    }

    /// One more peer; whether the operator names it.
    pub(super) fn join(&self, named: bool) -> Unfinished {
        self.peers.fetch_add(1, Ordering::Relaxed);
        Unfinished { all: self.clone(), bytes: 0, named }
    }

    fn bytes(&self) -> usize {
        usize::try_from(self.bytes.get()).unwrap_or(0)
    }
}

// === impl Unfinished ===

impl Unfinished {
    /// The peer holds so many bytes now; whether it may.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        if bytes != self.bytes {
            // Counted before it is looked at: of those who pass the bound together one at least sees it.
            self.all.bytes.inc_by(signed(bytes).saturating_sub(signed(self.bytes)));
            self.bytes = bytes;
        }
        let share = UNFINISHED_BYTES_ALL / self.all.peers.load(Ordering::Relaxed).max(1);
        self.named || bytes <= share || self.all.bytes() <= UNFINISHED_BYTES_ALL
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.all.bytes.dec_by(signed(self.bytes));
        self.all.peers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a peer brings at once, and the largest message.
    const STEP: usize = 512 << 10;
    const MESSAGE: usize = 16 << 20;

    #[test]
    fn peers_that_never_finish_hold_the_common_bound_at_most() {
        for count in [1, 3, 16, 17, 50, 500] {
            let all = Incoming::new(Gauge::default());
            let mut peers: Vec<_> = (0..count).map(|_| Some(all.join(false))).collect();
            for held in (STEP..=MESSAGE).step_by(STEP) {
                for peer in &mut peers {
                    if peer.as_mut().is_some_and(|peer| !peer.hold(held)) {
                        *peer = None;
                    }
                    assert!(all.bytes() <= UNFINISHED_BYTES_ALL + STEP, "{count} peers: {}", all.bytes());
                }
            }
            let left = peers.iter().flatten().count();
            assert!(left >= count.min(UNFINISHED_BYTES_ALL / MESSAGE - 1), "{left} of {count} are left");
        }
    }

    #[test]
    fn who_holds_its_share_or_is_named_stays_whatever_the_others_hold() {
        let all = Incoming::new(Gauge::default());
        let mut greedy: Vec<_> = (0..30).map(|_| all.join(false)).collect();
        let (mut modest, mut named) = (all.join(false), all.join(true));
        for peer in &mut greedy {
            peer.hold(MESSAGE);
        }
        assert!(modest.hold(UNFINISHED_BYTES_ALL / 32));
        assert!(!modest.hold(UNFINISHED_BYTES_ALL / 32 + 1));
        assert!(named.hold(MESSAGE));
        drop(greedy);
        assert!(modest.hold(MESSAGE));
        drop((modest, named));
        assert_eq!(all.bytes(), 0);
    }
}
