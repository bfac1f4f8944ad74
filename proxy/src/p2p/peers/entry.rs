//! One peer that has a seat: what is known of it, and what it has been good for.

use std::net::SocketAddr;

use hypasis_upstream::peer::PeerHandle;
use hypasis_wire::p2p::DisconnectReason;
use tokio::sync::watch;
use tokio::time::Instant;

use super::limits::Limits;

/// Which side began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::p2p) enum Direction {
    /// They dialled.
    Inbound,
    /// We dialled.
    Outbound,
}

/// What is known of a peer when it takes its seat.
#[derive(Clone, Debug)]
pub(in crate::p2p) struct Facts {
    pub(in crate::p2p) handle: PeerHandle,
    pub(in crate::p2p) address: SocketAddr,
    pub(in crate::p2p) direction: Direction,
    pub(in crate::p2p) client: String,
    pub(in crate::p2p) since: Instant,
}

/// A peer as status and REST show it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PeerView {
    /// Node id, hex.
    pub id: String,
    /// Where it is.
    pub address: SocketAddr,
    direction: Direction,
    /// What it calls itself.
    pub client: String,
    /// `eth/69` and so on.
    pub protocol: String,
    /// Lowest height whose bodies and receipts it says to have.
    pub earliest: u64,
    /// Its head, as last announced.
    pub latest: Option<hypasis_chain::BlockId>,
    /// Seconds since it was admitted.
    pub connected_seconds: u64,
    /// Its requests that were answered.
    pub served: u64,
    /// Our requests that it answered.
    pub answered: u64,
    /// Configured to be let in always.
    pub trusted: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) facts: Facts,
    /// Turns into the reason when the session must end.
    pub(super) end: watch::Sender<Option<DisconnectReason>>,
    pub(super) active: Instant,
    pub(super) served: u64,
    pub(super) asked: u64,
}

// === impl Direction ===

impl Direction {
    /// For metrics.
    pub(in crate::p2p) fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

// === impl Entry ===

impl Entry {
    /// Its answers to us, and ours to it.
    pub(super) fn use_by_the_second(&self) -> (f64, f64) {
        let seconds = self.facts.since.elapsed().as_secs_f64().max(1.0);
        (self.asked as f64 / seconds, self.served as f64 / seconds)
    }

    pub(super) fn view(&self, limits: &Limits) -> PeerView {
        let (id, heads) = (self.facts.handle.id(), self.facts.handle.heads());
        PeerView {
            id: const_hex::encode(id),
            address: self.facts.address,
            direction: self.facts.direction,
            client: self.facts.client.clone(),
            protocol: format!("eth/{}", self.facts.handle.version()),
            earliest: heads.earliest,
            latest: heads.latest,
            connected_seconds: self.facts.since.elapsed().as_secs(),
            served: self.served,
            answered: self.asked,
            trusted: limits.is_known(&id),
        }
    }
}
