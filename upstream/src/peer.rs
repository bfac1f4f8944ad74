//! devp2p peers as sources of blocks.
//!
//! A session, which is the proxy's, makes a [`PeerHandle`] when both sides have shaken hands, answers what is asked
//! through it, and attaches it to the [`PeerSource`]s it belongs to: that of the `enode://` upstream with its id, and
//! the one of all peers together. When the session ends, the handle says so to whoever still waits.
//!
//! Many peers are one source, but each answers for itself: who fails rests alone, who lies is banned alone, and the
//! next one is asked the same (`round`). What a peer says to have counts once it has shown it (`seats`, `proof`).

mod beside;
mod fetch;
mod handle;
mod proof;
mod receipts;
mod round;
mod seats;
mod source;

use std::sync::Arc;

use parking_lot::Mutex;

pub use handle::{Answer, PeerError, PeerHandle, Question, Request, Start};
pub use source::PeerSource;

/// Peers that want something and are not asked for it themselves. All clones are one list, so that who joins those who
/// wait is left out from then on.
#[derive(Clone, Debug, Default)]
pub struct Askers {
    peers: Arc<Mutex<Vec<PeerId>>>,
}

// === impl Askers ===

impl Askers {
    /// One more wants it.
    pub fn add(&self, peer: PeerId) {
        let mut peers = self.peers.lock();
        if !peers.contains(&peer) {
            peers.push(peer);
        }
    }

    /// Who wants it now.
    pub fn list(&self) -> Vec<PeerId> {
        self.peers.lock().clone()
    }
}

/// A node id: the uncompressed secp256k1 public key without its first byte.
pub type PeerId = alloy_primitives::B512;
