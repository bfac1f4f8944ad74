//! The devp2p port: peers are served from the store as RPC callers are, and are one more source of blocks.
//!
//! * [`key`]: who this node is; [`discovery`]: how it is found and finds others
//! * [`listener`], [`dialer`]: connections; [`peers`]: who has a seat; [`session`]: one peer from hello to farewell
//! * [`status`]: what this node says of itself; [`serve`]: headers, bodies and receipts from the store;
//!   [`forward`]: what the store lacks
//! * [`announce`]: new blocks told of; [`gossip`]: transactions passed on

mod address;
pub mod announce;
mod dialer;
pub mod discovery;
pub mod forward;
mod generations;
pub mod gossip;
pub mod key;
mod listener;
mod metrics;
mod peers;
mod rate;
pub mod serve;
mod session;
pub mod status;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alloy_eip2124::ForkId;
use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_cache::Store;
use hypasis_chain::{ChainSpec, Level};
use hypasis_upstream::Source;
use hypasis_upstream::peer::{PeerHandle, PeerId, PeerSource};
use hypasis_wire::eth::Dialect;
use hypasis_wire::node::NodeRecord;
use prometheus_client::registry::Registry;
use secp256k1::SecretKey;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::announce::Herald;
use self::discovery::Discovery;
use self::forward::Forward;
use self::gossip::Gossip;
use self::key::NodeKey;
use self::metrics::Metrics;
pub use self::peers::PeerView;
use self::peers::{Limits, Peers};
use self::serve::{Library, Who};
use self::session::Incoming;
use self::status::Presence;
use crate::config::{DiscoveryVersion, P2pConfig, PeerUrl};
use crate::served::ServedHead;
use crate::sync::Sync;
use crate::sync::verify::Checks;

/// Id of the source that all peers are together, those apart that are upstreams of their own.
const EVERYONE: &str = "peers";
/// A peer is asked nothing unasked in its first seconds: probes take what comes first for the answer to theirs.
const QUIET: Duration = Duration::from_secs(5);

/// Peers as sources of blocks, made before sync, which takes them as it takes the others.
#[derive(Clone, Debug)]
pub struct PeerSources {
    /// `enode://` upstreams: where each is, and its source.
    upstreams: Vec<(NodeRecord, Arc<PeerSource>)>,
    everyone: Arc<PeerSource>,
}

/// What the room needs of the others.
#[derive(Debug)]
pub struct Parts {
    /// Its section of the configuration.
    pub config: P2pConfig,
    /// Who we are.
    pub key: NodeKey,
    /// The chain's rules.
    pub spec: Arc<ChainSpec>,
    /// The store.
    pub store: Store,
    /// The one served head.
    pub served: ServedHead,
    /// Where blocks come from, and what is checked of them.
    pub sync: Sync,
    /// Peers as sources.
    pub sources: PeerSources,
    /// Folder for the table of known nodes.
    pub data_dir: PathBuf,
}

/// The devp2p port, ready to run.
#[derive(Debug)]
pub struct P2p {
    room: Arc<Room>,
    listener: TcpListener,
    configured: Vec<NodeRecord>,
}

/// What all connections share.
#[derive(Debug)]
struct Room {
    key: SecretKey,
    me: PeerId,
    port: u16,
    peers: Peers,
    incoming: Incoming,
    presence: Presence,
    library: Library,
    gossip: Option<Gossip>,
    /// Where the chain is followed by announcements.
    herald: Option<Herald>,
    discovery: Option<Discovery>,
    sources: HashMap<PeerId, Arc<PeerSource>>,
    everyone: Arc<PeerSource>,
    metrics: Metrics,
}

/// What others may know of a running port. Clone freely.
#[derive(Clone, Debug)]
pub struct P2pView {
    room: Arc<Room>,
}

// === impl PeerSources ===

impl PeerSources {
    /// Sources for the `enode://` upstreams, with their ids, and one for all other peers.
    pub fn new(upstreams: impl IntoIterator<Item = (Arc<str>, NodeRecord)>) -> Self {
        let source = |(id, node): (Arc<str>, NodeRecord)| (node, Arc::new(PeerSource::new(id)));
        Self {
            upstreams: upstreams.into_iter().map(source).collect(),
            everyone: Arc::new(PeerSource::of_many(EVERYONE.into(), QUIET)),
        }
    }

    /// Whether a node on a chain that devp2p cannot be spoken on does without them. An operator who names a peer as
    /// upstream means it: starting without it would fill nothing and say nothing.
    fn spare(&self, chain: &str) -> anyhow::Result<()> {
        let named: Vec<_> = self.upstreams.iter().map(|(_, source)| &**source.id()).collect();
        anyhow::ensure!(
            named.is_empty(),
            "upstream {}: a peer needs devp2p, which cannot be spoken on the chain `{chain}`, whose forks or genesis are \
             not known; name its RPC port instead, or the chain's genesis.json in `chain.genesis`",
            named.join(", ")
        );
        Ok(())
    }

    /// All of them, for sync.
    pub fn sources(&self) -> Vec<Arc<dyn Source>> {
        let upstreams = self.upstreams.iter().map(|(_, source)| source.clone() as Arc<dyn Source>);
        upstreams.chain([self.everyone.clone() as Arc<dyn Source>]).collect()
    }
}

// === impl P2p ===

impl P2p {
    /// Builds the room on a bound listener. `None` on a chain whose forks or genesis are not known: such a node could
    /// not say who it is.
    pub async fn new(
        parts: Parts,
        listener: TcpListener,
        registry: &mut Registry,
        stopped: watch::Receiver<bool>,
    ) -> anyhow::Result<Option<Self>> {
        let Parts { config, key, spec, store, served, sync, sources, data_dir } = parts;
        let presence = Presence::new(spec.clone(), store.clone(), served.clone(), sync.sources());
        let Some(presence) = presence else {
            sources.spare(&spec.name)?;
            tracing::warn!(
                chain = spec.name,
                "devp2p stays off: the forks, the genesis or the dialect of this chain are not known"
            );
            return Ok(None);
        };
        let address = listener.local_addr()?;
        let metrics = Metrics::new(registry);
        let upstreams = sources.upstreams.iter().map(|(node, _)| *node);
        let limits = Limits::new(&config, upstreams, descriptors());
        let peers = Peers::new(key.id(), limits, metrics.clone());
        let discovery = discover(&config, &key, address, &presence, data_dir, registry, stopped).await?;
        let forward = Forward::new(forward::Parts {
            sources: sync.sources(),
            checks: Checks::new(Level::Full, spec.clone()),
            kept: sync.kept(),
            store: store.clone(),
            served: served.clone(),
        });
        let library = Library::new(store, served, forward);
        let gossip = config.relay_transactions.then(|| relay(spec, registry));
        let herald = (presence.dialect == Dialect::Bor).then(|| Herald::new(metrics.clone()));
        let configured = configured(&config, sources.upstreams.iter().map(|(node, _)| *node));
        let room = Room {
            key: key.secret(),
            me: key.id(),
            port: address.port(),
            peers,
            incoming: Incoming::new(metrics.unfinished_bytes.clone()),
            presence,
            library,
            gossip,
            herald,
            discovery,
            sources: sources.upstreams.into_iter().map(|(node, source)| (node.id, source)).collect(),
            everyone: sources.everyone,
            metrics,
        };
        Ok(Some(Self { room: Arc::new(room), listener, configured }))
    }

    /// For status and REST, and for `eth_sendRawTransaction`.
    pub fn view(&self) -> P2pView {
        P2pView { room: self.room.clone() }
    }

    /// Serves until `stopped` turns true; then every peer is told, and known nodes are written to disk.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        let Self { room, listener, configured } = self;
        let mut tasks = JoinSet::new();
        tasks.spawn(listener::run(room.clone(), listener, stopped.clone()));
        tasks.spawn(dialer::run(room.clone(), configured, stopped.clone()));
        if let Some(gossip) = room.gossip.clone() {
            let (served, store) = (room.presence.served().clone(), room.presence.store().clone());
            tasks.spawn(gossip.run(served, store, stopped.clone()));
        }
        if let Some(herald) = room.herald.clone() {
            let (served, store) = (room.presence.served().clone(), room.presence.store().clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = herald.run(store, served) => {}
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            });
        }
        while tasks.join_next().await.is_some() {}
        if let Some(discovery) = &room.discovery {
            discovery.ended().await;
        }
    }
}

// === impl Room ===

impl Room {
    /// A session began: its peer is a source now.
    fn attach(&self, peer: &PeerHandle) {
        self.sources.get(&peer.id()).unwrap_or(&self.everyone).attach(peer.clone());
    }

    /// A session ended, or a peer has other blocks than before.
    fn refresh(&self) {
        self.everyone.refresh();
        self.sources.values().for_each(|source| source.refresh());
    }

    /// Who this peer is when it asks: it is never asked for what it asks, alone or among others.
    fn sources_of(&self, peer: &PeerId) -> Who {
        let sources = match self.sources.get(peer) {
            Some(source) => vec![source.id().clone()],
            None if self.everyone.peers() <= 1 => vec![self.everyone.id().clone()],
            None => Vec::new(),
        };
        Who { peer: Some(*peer), sources }
    }
}

// === impl P2pView ===

impl P2pView {
    /// Everybody connected.
    pub fn peers(&self) -> Vec<PeerView> {
        self.room.peers.list()
    }

    /// Our record, `enr:…`, if discovery is on.
    pub fn record(&self) -> Option<String> {
        self.room.discovery.as_ref().map(Discovery::record)
    }

    /// Nodes that discovery knows, v4 and v5.
    pub fn known_nodes(&self) -> (usize, usize) {
        self.room.discovery.as_ref().map_or((0, 0), Discovery::nodes)
    }

    /// Hands a transaction in the form of the network to the peers; `None` where none are relayed.
    pub async fn submit(&self, raw: Bytes) -> Option<Result<B256, gossip::Rejection>> {
        Some(self.room.gossip.clone()?.submit(raw).await)
    }
}

/// Whom to stay connected with. Without discovery that is everybody who is named at all: nobody else leads to others.
fn configured(config: &P2pConfig, upstreams: impl Iterator<Item = NodeRecord>) -> Vec<NodeRecord> {
    let bootnodes = if config.discovery.is_empty() { config.bootnodes() } else { Vec::new() };
    let bootnodes = bootnodes.iter().map(PeerUrl::record).filter(|node| node.tcp_port != 0);
    let mut named = HashSet::new();
    let all = config.static_peers().into_iter().chain(upstreams).chain(bootnodes);
    all.filter(|node| named.insert(node.id)).collect()
}

/// Files and connections that the process may have open.
fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// Starts discovery, if any version of it is configured.
async fn discover(
    config: &P2pConfig,
    key: &NodeKey,
    address: SocketAddr,
    presence: &Presence,
    data_dir: PathBuf,
    registry: &mut Registry,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<Option<Discovery>> {
    let has = |version| config.discovery.contains(&version);
    let versions = discovery::Versions { v4: has(DiscoveryVersion::V4), v5: has(DiscoveryVersion::V5) };
    if config.discovery.is_empty() {
        return Ok(None);
    }
    let judge = presence.clone();
    let parts = discovery::Parts {
        key: key.secret(),
        socket: address,
        external: config.external_ip,
        tcp_port: address.port(),
        fork: followed_fork(presence.clone(), stopped.clone()),
        accepts: Arc::new(move |fork: &ForkId| {
            judge.fork_filter().is_some_and(|filter| filter.validate(*fork).is_ok())
        }),
        bootnodes: config.bootnodes_of(presence.spec()),
        dns: config.dns_of(presence.spec()),
        dns_server: None,
        versions,
        table_file: data_dir.join("nodes"),
        stopped,
    };
    Ok(Some(Discovery::start(parts, registry).await?))
}

/// The fork id of the served head, followed.
fn followed_fork(presence: Presence, mut stopped: watch::Receiver<bool>) -> watch::Receiver<Option<ForkId>> {
    let (sender, receiver) = watch::channel(presence.fork_id());
    let mut served = presence.served().subscribe();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = served.changed() => if changed.is_err() { return },
                _ = stopped.wait_for(|stop| *stop) => return,
            }
            let now = presence.fork_id();
            sender.send_if_modified(|fork| std::mem::replace(fork, now) != now);
        }
    });
    receiver
}

fn relay(spec: Arc<ChainSpec>, registry: &mut Registry) -> Gossip {
    let metrics = gossip::Metrics::new(registry);
    Gossip::new(gossip::Parts { spec, limits: gossip::Limits::default(), metrics })
}

#[cfg(test)]
mod tests;
