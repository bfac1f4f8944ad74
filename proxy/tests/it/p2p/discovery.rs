//! Discovery among nodes of our own and against strangers, on loopback.

mod dns;
mod hostile;
mod meeting;
mod restart;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alloy_eip2124::{ForkHash, ForkId};
use hypasis_proxy::config::PeerUrl;
use hypasis_proxy::p2p::discovery::{Discovery, Parts, TreeUrl, Versions};
use hypasis_wire::node::{NodeRecord, PeerId, own_id, random_key};
use prometheus_client::registry::Registry;
use secp256k1::SecretKey;
use tempfile::TempDir;
use tokio::sync::watch;

/// No test waits longer for what must happen.
const PATIENCE: Duration = Duration::from_secs(120);
const V4: Versions = Versions { v4: true, v5: false };
const V5: Versions = Versions { v4: false, v5: true };
const BOTH: Versions = Versions { v4: true, v5: true };

/// A node whose discovery runs until it is dropped.
struct Node {
    discovery: Discovery,
    record: NodeRecord,
    fork: watch::Sender<Option<ForkId>>,
    stop: watch::Sender<bool>,
    /// Goes with the node.
    _folder: Option<TempDir>,
}

impl Node {
    /// A node of fork 1, which accepts only its own fork.
    async fn start(versions: Versions, bootnodes: Vec<PeerUrl>) -> Self {
        Self::of_fork(1, versions, bootnodes).await
    }

    async fn of_fork(hash: u8, versions: Versions, bootnodes: Vec<PeerUrl>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = "127.0.0.1:0".parse().unwrap();
        let node = Self::at(at, &random_key(), fork(hash), versions, bootnodes, folder.path()).await;
        Self { _folder: Some(folder), ..node }
    }

    async fn at(
        socket: SocketAddr,
        key: &SecretKey,
        ours: ForkId,
        versions: Versions,
        bootnodes: Vec<PeerUrl>,
        folder: &Path,
    ) -> Self {
        Self::with(socket, key, ours, versions, bootnodes, folder, (Vec::new(), None)).await
    }

    /// The same with lists in DNS, and who serves them.
    async fn with(
        socket: SocketAddr,
        key: &SecretKey,
        ours: ForkId,
        versions: Versions,
        bootnodes: Vec<PeerUrl>,
        folder: &Path,
        (dns, dns_server): (Vec<TreeUrl>, Option<SocketAddr>),
    ) -> Self {
        let (fork, following) = watch::channel(Some(ours));
        let (stop, stopped) = watch::channel(false);
        let parts = Parts {
            key: *key,
            socket,
            external: None,
            // Nobody dials here; the port is what makes a node worth dialling.
            tcp_port: 30303,
            fork: following,
            accepts: Arc::new(move |theirs| *theirs == ours),
            bootnodes,
            dns,
            dns_server,
            versions,
            table_file: folder.join("nodes"),
            stopped,
        };
        let discovery = Discovery::start(parts, &mut Registry::default()).await.unwrap();
        let address = discovery.address();
        let record = NodeRecord { tcp_port: 30303, ..NodeRecord::new(address, own_id(key)) };
        Self { discovery, record, fork, stop, _folder: None }
    }

    fn id(&self) -> PeerId {
        self.record.id
    }

    fn enode(&self) -> PeerUrl {
        PeerUrl::Enode(self.record)
    }

    fn enr(&self) -> PeerUrl {
        self.discovery.record().parse().unwrap()
    }

    /// Takes candidates until `wanted` was offered; tells all that were.
    async fn offered(&self, wanted: PeerId) -> HashSet<PeerId> {
        let mut offered = HashSet::new();
        let found = async {
            while !offered.contains(&wanted) {
                let candidate = self.discovery.next_candidate().await;
                assert!(candidate.fork.is_some());
                offered.insert(candidate.node.id);
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the node was not offered in time");
        assert!(!offered.contains(&self.id()), "a node is not its own candidate");
        offered
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        tokio::time::timeout(PATIENCE, self.discovery.ended()).await.expect("discovery did not end");
    }
}

fn fork(hash: u8) -> ForkId {
    ForkId { hash: ForkHash([hash; 4]), next: 0 }
}

/// Waits for what is told by no event.
async fn until(mut happened: impl FnMut() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it did not happen in time");
}
