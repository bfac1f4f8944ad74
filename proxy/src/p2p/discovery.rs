//! Discovery: discv4 and discv5 on one UDP socket, with one record and one table on disk.
//!
//! * [`v4`] is a service of our own over the packets of `hypasis_wire::discv4`; [`v5`] is the crate `discv5`
//! * [`record`]: the one node record, whose `eth` entry follows the served head's fork
//! * [`dns`]: lists of nodes in DNS
//! * [`candidates`]: nodes of both protocols that are on our fork, for the dialer
//! * [`file`]: known nodes over a restart
//!
//! Tasks: one reads the socket (discv5's, if it is on; what is not discv5 it hands to discv4), one walks and checks for
//! each protocol, one follows the fork and writes the file. All end with `stopped`. Strangers' packets can make nothing
//! grow beyond a constant of its module.

mod candidates;
mod dns;
mod file;
mod metrics;
mod pending;
mod record;
mod table;
mod v4;
mod v5;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use alloy_eip2124::ForkId;
use hypasis_wire::discv4::MAX_PACKET_SIZE;
use hypasis_wire::node::{NodeRecord, own_id};
use parking_lot::RwLock;
use prometheus_client::registry::Registry;
use secp256k1::SecretKey;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use self::candidates::Candidates;
pub use self::dns::TreeUrl;
use self::dns::{Dns, Resolver};
use self::metrics::Metrics;
use self::record::LocalRecord;
use self::v4::V4;
use self::v5::V5;
use crate::config::PeerUrl;

/// How often the known nodes are written to disk.
const WRITE: Duration = Duration::from_secs(5 * 60);
/// When they are written first, so that a node which is killed young has learned something.
const WRITE_FIRST: Duration = Duration::from_secs(30);

/// Whether a fork is one that we can serve and sync.
pub type Accepts = Arc<dyn Fn(&ForkId) -> bool + Send + Sync>;

/// What discovery needs of the others.
pub struct Parts {
    /// The node key; the same for RLPx, discv4 and discv5.
    pub key: SecretKey,
    /// UDP is bound here. Port 0 takes any; the record then says which.
    pub socket: SocketAddr,
    /// What the record says of where we are. `None`: the address listened on, if it is a certain one, else what pongs
    /// of others agree on; until they do, loopback, as in go-ethereum.
    pub external: Option<IpAddr>,
    /// Where RLPx listens.
    pub tcp_port: u16,
    /// The fork of the served head; the record's `eth` entry follows it.
    pub fork: watch::Receiver<Option<ForkId>>,
    /// The fork filter of the served head.
    pub accepts: Accepts,
    /// Where to begin.
    pub bootnodes: Vec<PeerUrl>,
    /// Lists of nodes in DNS (EIP-1459).
    pub dns: Vec<TreeUrl>,
    /// The DNS server that is asked for them; `None`: those of the system.
    pub dns_server: Option<SocketAddr>,
    /// Which protocols are spoken.
    pub versions: Versions,
    /// Known nodes over a restart.
    pub table_file: PathBuf,
    /// Turns true when everything must end.
    pub stopped: watch::Receiver<bool>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("socket", &self.socket)
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

/// Which protocols are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// discv4.
    pub v4: bool,
    /// discv5.
    pub v5: bool,
}

/// A node worth dialling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who and where it is.
    pub node: NodeRecord,
    /// The fork that its record says.
    pub fork: Option<ForkId>,
}

/// Why discovery did not start.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The port is taken, or the address is not ours. Another port or the end of the other program helps.
    #[error("discovery cannot listen on udp {address}: {source}")]
    Bind {
        /// `[p2p] listen`.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Our own record is too large or cannot be signed.
    #[error("the node record cannot be made: {0}")]
    Record(String),
    /// discv5 refuses.
    #[error("discv5 cannot start: {0}")]
    Start(String),
}

/// Running discovery; clone freely.
#[derive(Clone, Debug)]
pub struct Discovery {
    local: Arc<LocalRecord>,
    candidates: Arc<Candidates>,
    address: SocketAddr,
    v4: Weak<V4>,
    v5: Weak<V5>,
    ended: watch::Receiver<()>,
}

// === impl Discovery ===

impl Discovery {
    /// Binds the socket and spawns the tasks.
    pub async fn start(parts: Parts, registry: &mut Registry) -> Result<Self, DiscoveryError> {
        let metrics = Metrics::new(registry);
        let Parts { key, versions, accepts, tcp_port, .. } = parts;
        let bind = |source| DiscoveryError::Bind { address: parts.socket, source };
        let socket = Arc::new(UdpSocket::bind(parts.socket).await.map_err(bind)?);
        socket.writable().await.map_err(bind)?;
        let address = socket.local_addr().map_err(bind)?;

        let learn_address = parts.external.is_none() && address.ip().is_unspecified();
        let ip = parts.external.unwrap_or_else(|| certain(address.ip()));
        let enr = LocalRecord::build(&key, ip, address.port(), tcp_port, *parts.fork.borrow())?;
        let candidates = Arc::new(Candidates::new(own_id(&key), accepts));
        let (mut cell, mut v5) = (Arc::new(RwLock::new(enr.clone())), None);
        if versions.v5 {
            let (candidates, metrics) = (candidates.clone(), metrics.clone());
            let service = V5::start(&key, enr, socket.clone(), learn_address, candidates, metrics).await?;
            cell = service.record();
            v5 = Some(Arc::new(service));
        }
        let local = Arc::new(LocalRecord::new(cell, &key)?);
        let (mut v4, mut considered) = (None, None);
        if versions.v4 {
            let (service, queue) = V4::new(v4::Parts {
                key,
                socket: socket.clone(),
                local: local.clone(),
                metrics,
                candidates: candidates.clone(),
                bootnodes: parts.bootnodes.iter().map(PeerUrl::record).collect(),
                v5: v5.clone(),
                learn_address,
            });
            (v4, considered) = (Some(service), Some(queue));
        }

        let (ending, ended) = watch::channel(());
        let (weak_v4, weak_v5) = (
            v4.as_ref().map(Arc::downgrade).unwrap_or_default(),
            v5.as_ref().map(Arc::downgrade).unwrap_or_default(),
        );
        let dns = lists(parts.dns, parts.dns_server, candidates.clone());
        let room = Room {
            dns,
            socket,
            local: local.clone(),
            v4,
            v5,
            fork: parts.fork,
            bootnodes: parts.bootnodes,
            table_file: parts.table_file,
        };
        tokio::spawn(room.run(considered, parts.stopped, ending));
        Ok(Self { local, candidates, address, v4: weak_v4, v5: weak_v5, ended })
    }

    /// Our record now, `enr:…`.
    pub fn record(&self) -> String {
        self.local.text()
    }

    /// Where the socket is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next node worth dialling, once there is one. Each call gets another; a node comes again after a while.
    /// Cancel-safe.
    pub async fn next_candidate(&self) -> Candidate {
        self.candidates.next().await
    }

    /// How many nodes the tables of discv4 and discv5 hold.
    pub fn nodes(&self) -> (usize, usize) {
        let v4 = self.v4.upgrade().map_or(0, |v4| v4.table_len());
        let v5 = self.v5.upgrade().map_or(0, |v5| v5.table_len());
        (v4, v5)
    }

    /// Returns when, after `stopped`, known nodes are on disk and every task has ended.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        // Nothing is ever sent: the sender's end is the news.
        while ended.changed().await.is_ok() {}
    }
}

/// What the tasks share.
struct Room {
    dns: Option<Dns>,
    socket: Arc<UdpSocket>,
    local: Arc<LocalRecord>,
    v4: Option<Arc<V4>>,
    v5: Option<Arc<V5>>,
    fork: watch::Receiver<Option<ForkId>>,
    bootnodes: Vec<PeerUrl>,
    table_file: PathBuf,
}

// === impl Room ===

impl Room {
    async fn run(
        mut self,
        considered: Option<mpsc::Receiver<NodeRecord>>,
        mut stopped: watch::Receiver<bool>,
        _ending: watch::Sender<()>,
    ) {
        let dns = self.dns.take();
        let known = self.known().await;
        let seeds_v4 = known.iter().map(PeerUrl::record).collect();
        let seeds_v5 = known.iter().chain(&self.bootnodes).filter_map(PeerUrl::enr).cloned().collect();
        tokio::select! {
            // A sender that is gone means that nobody can ask for the end any more: it has come.
            _ = stopped.wait_for(|stop| *stop) => {}
            () = async { tokio::join!(
                self.run_v4(considered, seeds_v4),
                self.run_v5(seeds_v5),
                async { if let Some(dns) = dns { dns.run().await } },
                self.receive(),
                self.follow_fork(self.fork.clone()),
                self.write_now_and_then(),
            ); } => {}
        }
        self.write().await;
    }

    async fn run_v4(&self, considered: Option<mpsc::Receiver<NodeRecord>>, seeds: Vec<NodeRecord>) {
        if let (Some(v4), Some(considered)) = (&self.v4, considered) {
            v4.clone().run(considered, seeds).await;
        }
    }

    async fn run_v5(&self, seeds: Vec<discv5::Enr>) {
        if let Some(v5) = &self.v5 {
            v5.clone().run(self.v4.clone(), seeds).await;
        }
    }

    /// Reads the socket, unless discv5 does.
    async fn receive(&self) {
        let (Some(v4), None) = (&self.v4, &self.v5) else { return };
        // One byte more than a packet may have: what is cut off must not look like one.
        let mut buffer = [0; MAX_PACKET_SIZE + 1];
        loop {
            match self.socket.recv_from(&mut buffer).await {
                Ok((length, from)) => v4.received(from, buffer.get(..length).unwrap_or_default()),
                // On Linux the refusal of an earlier packet's receiver may be told here.
                Err(error) => tracing::trace!(%error, "Nothing was received"),
            }
        }
    }

    async fn follow_fork(&self, mut fork: watch::Receiver<Option<ForkId>>) {
        loop {
            let now = *fork.borrow_and_update();
            if let Some(now) = now {
                self.local.set_fork(now);
            }
            if fork.changed().await.is_err() {
                return;
            }
        }
    }

    async fn write_now_and_then(&self) {
        sleep(WRITE_FIRST).await;
        loop {
            self.write().await;
            sleep(WRITE).await;
        }
    }

    async fn known(&self) -> Vec<PeerUrl> {
        let path = self.table_file.clone();
        tokio::task::spawn_blocking(move || file::read(&path)).await.unwrap_or_default()
    }

    /// Writes who is live; nobody is no news, and does not replace what was known.
    async fn write(&self) {
        let v4 = self.v4.iter().flat_map(|v4| v4.live()).map(PeerUrl::Enode);
        let v5 = self.v5.iter().flat_map(|v5| v5.live()).filter_map(PeerUrl::of);
        let nodes: Vec<_> = v4.take(file::NODES_MAX).chain(v5.take(file::NODES_MAX)).collect();
        if nodes.is_empty() {
            return;
        }
        let path = self.table_file.clone();
        let written = tokio::task::spawn_blocking(move || file::write(&path, &nodes)).await;
        if let Ok(Err(error)) = written {
            let path = self.table_file.display();
            tracing::warn!(%path, %error, "Known nodes were not written; a restart begins with bootnodes");
        }
    }
}

/// The walker of these lists; without a DNS server there is none, which is said.
fn lists(trees: Vec<TreeUrl>, server: Option<SocketAddr>, candidates: Arc<Candidates>) -> Option<Dns> {
    if trees.is_empty() {
        return None;
    }
    let resolver = server.map_or_else(Resolver::of_system, Resolver::at);
    resolver
        .inspect_err(|error| tracing::warn!(%error, "Lists of nodes in DNS are not used"))
        .ok()
        .map(|resolver| Dns::new(resolver, candidates, trees))
}

/// An address that a record can hold.
fn certain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
