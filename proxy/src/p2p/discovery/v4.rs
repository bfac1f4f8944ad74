//! The discv4 service: answers packets, keeps the table, asks others.
//!
//! Sources: devp2p `discv4.md`, EIP-868, go-ethereum `p2p/discover/v4_udp.go`; limits are go-ethereum's where it has
//! one.
//!
//! * A node is *bonded* at an IP address for a day after it answered a ping sent there. Only bonded nodes get
//!   neighbours and records: those answers are larger than their questions, and a stranger's source address may be a
//!   victim's.
//! * A ping of a node that is not bonded is answered and returned, once at a time.
//! * What nobody asked for is ignored, and so is what comes too often, too late, or is no packet.
//!
//! Everything that packets can make grow is bounded by a constant of its module: addresses counted, bonds, open
//! questions, the table. Nothing is queued for sending: a full socket drops a packet, as the network may.

mod bonds;
mod gate;
mod lookup;
mod packets;
mod requests;
mod resolve;
mod tasks;
mod votes;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::B256;
use hypasis_wire::discv4::Message;
use hypasis_wire::node::NodeRecord;
use parking_lot::Mutex;
use secp256k1::SecretKey;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc};

use self::bonds::Bonds;
use self::gate::Gate;
use self::votes::Votes;
use super::candidates::Candidates;
use super::metrics::Metrics;
use super::pending::Pending;
use super::record::LocalRecord;
use super::table::Table;
use super::v5::V5;

/// How long our packets are valid (go-ethereum `expiration`).
const EXPIRATION: Duration = Duration::from_secs(20);
/// Nodes that wait to be asked for their record; beyond, they are found again later.
const RESOLVE_QUEUE: usize = 512;

/// The service. All its tasks and the reader of the socket share it.
#[derive(Debug)]
pub(super) struct V4 {
    key: SecretKey,
    socket: Arc<UdpSocket>,
    local: Arc<LocalRecord>,
    metrics: Metrics,
    candidates: Arc<Candidates>,
    bootnodes: Vec<NodeRecord>,
    /// Records that we get are of use there too: so an `enode://` bootnode leads into discv5.
    v5: Option<Arc<V5>>,
    /// The socket is of IPv6: IPv4 addresses are written as mapped ones.
    mapped: bool,
    /// Where our address is learned from pongs; `None` if it is configured.
    votes: Option<Mutex<Votes>>,
    state: Mutex<State>,
    /// A node that we are bonded with pinged us.
    pinged: Notify,
    /// Nodes to be asked for their record, for the dialer's sake.
    to_resolve: mpsc::Sender<NodeRecord>,
}

#[derive(Debug)]
struct State {
    gate: Gate,
    bonds: Bonds,
    pending: Pending,
    table: Table,
}

/// What the service needs of the room.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) key: SecretKey,
    pub(super) socket: Arc<UdpSocket>,
    pub(super) local: Arc<LocalRecord>,
    pub(super) metrics: Metrics,
    pub(super) candidates: Arc<Candidates>,
    /// Asked first, and whenever the table is empty.
    pub(super) bootnodes: Vec<NodeRecord>,
    /// Where records go that we get.
    pub(super) v5: Option<Arc<V5>>,
    /// Whether our address is to be learned from pongs.
    pub(super) learn_address: bool,
}

// === impl V4 ===

impl V4 {
    /// The service, and the queue that [`V4::run`] works off.
    pub(super) fn new(parts: Parts) -> (Arc<Self>, mpsc::Receiver<NodeRecord>) {
        let Parts { key, socket, local, metrics, candidates, bootnodes, v5, learn_address } = parts;
        let mapped = socket.local_addr().is_ok_and(|address| address.is_ipv6());
        let (to_resolve, resolving) = mpsc::channel(RESOLVE_QUEUE);
        let state = State {
            gate: Gate::new(),
            bonds: Bonds::new(),
            pending: Pending::default(),
            table: Table::new(local.id()),
        };
        let votes = learn_address.then(|| Mutex::new(Votes::default()));
        let (state, pinged) = (Mutex::new(state), Notify::new());
        let v4 = Self {
            key,
            socket,
            local,
            metrics,
            candidates,
            bootnodes,
            v5,
            mapped,
            votes,
            state,
            pinged,
            to_resolve,
        };
        (Arc::new(v4), resolving)
    }

    /// How many nodes the table holds.
    pub(super) fn table_len(&self) -> usize {
        self.state.lock().table.len()
    }

    /// Nodes that are worth being remembered over a restart.
    pub(super) fn live(&self) -> Vec<NodeRecord> {
        self.state.lock().table.live()
    }

    /// Sends a packet and tells its hash. A socket that cannot take it now loses it.
    fn send(&self, to: SocketAddr, message: &Message) -> B256 {
        let (datagram, hash) = message.encode(&self.key);
        let to = match to.ip() {
            IpAddr::V4(ip) if self.mapped => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        };
        if let Err(error) = self.socket.try_send_to(&datagram, to) {
            tracing::trace!(%to, %error, "A discovery packet was not sent");
        }
        hash
    }
}

/// When a packet that is sent now expires.
fn expiry() -> u64 {
    unix_seconds() + EXPIRATION.as_secs()
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
