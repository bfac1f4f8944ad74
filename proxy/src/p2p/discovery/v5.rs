//! The discv5 service: the crate `discv5`, and what it leaves to its user.
//!
//! The crate owns the receive loop of the shared socket; what is not discv5 comes as an event and goes to discv4.
//! Events pass a bounded channel, which drops when it is full; so its reader does nothing that waits.
//!
//! Its packet filter stays off: it bans addresses by the rate of packets that *claim* to come from there, so that
//! anyone could have any neighbour banned. Every answer to a stranger is smaller than its question (WHOAREYOU, 63
//! bytes).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use discv5::{ConfigBuilder, Discv5, Enr, Event, ListenConfig};
use enr::{CombinedKey, NodeId};
use secp256k1::SecretKey;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout};

use super::DiscoveryError;
use super::candidates::Candidates;
use super::metrics::{Metrics, Protocol};
use super::record::fork_of;
use super::v4::V4;
use crate::config::record_of;
use crate::p2p::address::{is_public, may_relay, subnet};

/// How often every node of the table is pinged. The crate's 300 s would tell others of nodes that are long gone.
const PING: Duration = Duration::from_secs(30);
/// How often those leave the table who did not answer.
const SWEEP: Duration = Duration::from_secs(5);
/// Nodes that are pinged at once.
const GREETINGS_MAX: usize = 16;
/// How often those by whom the network is entered are pinged, as long as nobody is known.
const SEEDS_REST: Duration = Duration::from_secs(10);
/// Nodes of one public /24 network in the table, as in go-ethereum. The crate's own limit does not exempt LANs.
const SUBNET_MAX: usize = 10;
/// Rest between walks through the network.
const WALK_REST: Duration = Duration::from_secs(2);
/// Rest after a walk that found nobody new; doubled with each, up to [`WALK_REST_MAX`].
const WALK_REST_MAX: Duration = Duration::from_secs(30);

/// The service.
pub(super) struct V5 {
    discv5: Discv5,
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    candidates: Arc<Candidates>,
    metrics: Metrics,
    greetings: Arc<Semaphore>,
    /// A node entered the table.
    inserted: Notify,
    learn_address: bool,
}

impl std::fmt::Debug for V5 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("V5").field("candidates", &self.candidates).finish_non_exhaustive()
    }
}

// === impl V5 ===

impl V5 {
    /// Starts the crate's tasks on the socket.
    pub(super) async fn start(
        key: &SecretKey,
        enr: Enr,
        socket: Arc<UdpSocket>,
        learn_address: bool,
        candidates: Arc<Candidates>,
        metrics: Metrics,
    ) -> Result<Self, DiscoveryError> {
        let failed = |error: String| DiscoveryError::Start(error);
        let address = socket.local_addr().map_err(|error| failed(error.to_string()))?;
        let listen = match address {
            SocketAddr::V4(_) => ListenConfig::FromSockets { ipv4: Some(socket), ipv6: None },
            SocketAddr::V6(_) => ListenConfig::FromSockets { ipv4: None, ipv6: Some(socket) },
        };
        let mut config = ConfigBuilder::new(listen);
        // Whether strangers reach us is the operator's to know: the record is not withdrawn by itself.
        config.ping_interval(PING).auto_nat_listen_duration(None);
        if !learn_address {
            config.disable_enr_update();
        }
        let key = CombinedKey::secp256k1_from_bytes(&mut key.secret_bytes())
            .map_err(|error| failed(error.to_string()))?;
        let mut discv5 = Discv5::new(enr, key, config.build()).map_err(|error| failed(error.to_owned()))?;
        discv5.start().await.map_err(|error| failed(format!("{error:?}")))?;
        let events = discv5.event_stream().await.map_err(|error| failed(format!("{error:?}")))?;
        let greetings = Arc::new(Semaphore::new(GREETINGS_MAX));
        let (events, inserted) = (tokio::sync::Mutex::new(events), Notify::new());
        Ok(Self { discv5, events, candidates, metrics, greetings, inserted, learn_address })
    }

    /// The cell that holds our record.
    pub(super) fn record(&self) -> Arc<parking_lot::RwLock<Enr>> {
        self.discv5.external_enr()
    }

    /// How many nodes the table holds.
    pub(super) fn table_len(&self) -> usize {
        self.discv5.table_entries_id().len()
    }

    /// Nodes that are worth being remembered over a restart.
    pub(super) fn live(&self) -> Vec<Enr> {
        let live = self.discv5.table_entries().into_iter().filter(|(_, _, status)| status.is_connected());
        live.map(|(_, enr, _)| enr).collect()
    }

    /// Runs until it is dropped. Datagrams of the other protocol go to `v4`.
    pub(super) async fn run(self: Arc<Self>, v4: Option<Arc<V4>>, seeds: Vec<Enr>) {
        tokio::join!(self.listen(v4), self.enter(seeds), self.walk(), self.sweep());
    }

    async fn listen(self: &Arc<Self>, v4: Option<Arc<V4>>) {
        let mut events = self.events.lock().await;
        while let Some(event) = events.recv().await {
            match event {
                Event::UnrecognizedFrame(frame) => {
                    if let Some(v4) = &v4 {
                        v4.received(frame.src_address, &frame.packet);
                    }
                }
                Event::Discovered(enr) => self.consider(&enr, None),
                Event::SessionEstablished(enr, from) => self.met(enr, from),
                // We speak no protocol over it: an unknown one is answered with nothing.
                Event::TalkRequest(request) => {
                    if let Err(error) = request.respond(Vec::new()) {
                        tracing::debug!(?error, "A discv5 talk request was not answered");
                    }
                }
                Event::NodeInserted { .. } => {
                    self.trim();
                    self.inserted.notify_one();
                }
                _ => {}
            }
        }
    }

    /// A session proves key and address, and has brought the node into the table.
    fn met(self: &Arc<Self>, enr: Enr, from: SocketAddr) {
        tracing::trace!(node = %enr.node_id(), %from, "A discv5 session was established");
        self.consider(&enr, Some(from.ip()));
        self.admit(enr);
    }

    /// A node is asked whether it is where its record says: the session that this takes brings it into the table.
    /// Nobody enters by hearsay, since the crate tells others of whoever is in there, live or not. Who comes while many
    /// are asked is met again.
    pub(super) fn admit(self: &Arc<Self>, enr: Enr) {
        if let Ok(permit) = self.greetings.clone().try_acquire_owned() {
            self.greet(enr, permit);
        }
    }

    /// Pings a node; who does not answer leaves the table.
    fn greet(self: &Arc<Self>, enr: Enr, permit: OwnedSemaphorePermit) {
        let (id, ping, v5) = (enr.node_id(), self.discv5.send_ping(enr), Arc::downgrade(self));
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = ping.await
                && let Some(v5) = v5.upgrade()
            {
                tracing::trace!(node = %id, ?error, "A discv5 node does not answer");
                v5.discv5.remove_node(&id);
            }
        });
    }

    async fn greet_all(self: &Arc<Self>, nodes: impl IntoIterator<Item = Enr>) {
        for node in nodes {
            let Ok(permit) = self.greetings.clone().acquire_owned().await else { return };
            self.greet(node, permit);
        }
    }

    /// Asks those that were named, as long as nobody is known.
    async fn enter(self: &Arc<Self>, seeds: Vec<Enr>) {
        loop {
            if self.table_len() == 0 {
                self.greet_all(seeds.iter().cloned()).await;
            }
            sleep(SEEDS_REST).await;
        }
    }

    /// Removes those that have left a question unanswered, and asks all others now and then: the crate itself pings
    /// only those that entered by a session, not those that had waited for a place.
    async fn sweep(self: &Arc<Self>) {
        let mut asked = Instant::now();
        loop {
            sleep(SWEEP).await;
            for (id, _, status) in self.discv5.table_entries() {
                if !status.is_connected() {
                    self.discv5.remove_node(&id);
                }
            }
            if asked.elapsed() >= 2 * PING {
                asked = Instant::now();
                self.greet_all(self.discv5.table_entries_enr()).await;
            }
        }
    }

    /// Records carry the fork id, so nobody needs to be asked. Who told us of a node is known only where it spoke
    /// itself; else it is taken for our like: a public node is never sent to addresses of its own LAN. As long as it is
    /// not known where we are, we are public.
    fn consider(&self, enr: &Enr, teller: Option<IpAddr>) {
        let (Some(node), Some(fork)) = (record_of(enr), fork_of(enr)) else { return };
        let may = match teller.or_else(|| self.place()) {
            Some(teller) => may_relay(teller, node.address),
            None => is_public(node.address),
        };
        if may && self.candidates.offer(node, fork) {
            self.metrics.candidate(Protocol::V5);
        }
    }

    /// Where we are, if that is known: until others have told us, the record says loopback.
    fn place(&self) -> Option<IpAddr> {
        let own = record_of(&self.discv5.local_enr())?.address;
        (!self.learn_address || !own.is_loopback()).then_some(own)
    }

    /// Removes those that exceed their network's share, the last of the table first.
    fn trim(&self) {
        let mut counts: HashMap<u128, usize> = HashMap::new();
        for enr in self.discv5.table_entries_enr() {
            let Some(network) = record_of(&enr).and_then(|node| subnet(node.address)) else { continue };
            let count = counts.entry(network).or_default();
            *count += 1;
            if *count > SUBNET_MAX {
                self.discv5.remove_node(&enr.node_id());
            }
        }
    }

    /// Walks to random places, as long as candidates are wanted.
    async fn walk(&self) {
        let mut rest = WALK_REST;
        loop {
            let before = self.table_len();
            self.metrics.table(Protocol::V5, before);
            if before == 0 {
                // There is nobody to begin with.
                let _ = timeout(WALK_REST, self.inserted.notified()).await;
                continue;
            }
            if self.candidates.hungry() {
                match self.discv5.find_node(NodeId::random()).await {
                    Ok(found) => found.iter().for_each(|enr| self.consider(enr, None)),
                    Err(error) => tracing::debug!(?error, "A discv5 walk failed"),
                }
            }
            sleep(rest).await;
            let anew = self.table_len() > before;
            rest = if anew { WALK_REST } else { (rest * 2).min(WALK_REST_MAX) };
        }
    }
}

#[cfg(test)]
mod tests;
