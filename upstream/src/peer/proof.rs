//! What a peer claims its head to be, put to the test: the header with that hash, at that height.
//!
//! It shows that the peer has such a block, not that the block is of the chain; what comes from a peer is verified in
//! any case. It keeps a number that somebody made up from being taken for a height.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::fetch::headers_of;
use super::seats::Claim;
use super::source::Room;
use super::{PeerError, Start};

/// Times that a head is asked for where no answer comes.
const TRIES: u32 = 3;
/// Rest between them.
const REST: Duration = Duration::from_secs(1);

/// Has each claim proven in a task of its own.
pub(super) fn prove(room: &Arc<Room>, claims: Vec<Claim>) {
    for claim in claims {
        tokio::spawn(prove_one(Arc::downgrade(room), claim, room.quiet));
    }
}

async fn prove_one(room: Weak<Room>, claim: Claim, quiet: Duration) {
    let Claim { peer, head, since } = claim;
    tokio::time::sleep_until(since + quiet).await;
    let mut proven = false;
    for _ in 0..TRIES {
        match headers_of(peer.clone(), Start::Hash(head.hash), 1, Some(head.number)).await {
            Ok((headers, _)) => {
                proven = !headers.is_empty();
                break;
            }
            Err(PeerError::Wrong(fault)) => {
                peer.condemn(format!("its head: {fault}"));
                break;
            }
            Err(PeerError::Gone) => break,
            Err(PeerError::Busy | PeerError::Late) => tokio::time::sleep(REST).await,
        }
    }
    let Some(room) = room.upgrade() else { return };
    room.seats.lock().proved(peer.id(), head, proven);
    room.publish();
}
