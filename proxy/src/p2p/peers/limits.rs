//! How many peers, and which never.

use std::collections::HashSet;
use std::net::IpAddr;

use hypasis_upstream::peer::PeerId;
use hypasis_wire::node::NodeRecord;

use crate::config::{Blocked, P2pConfig};
use crate::p2p::address;

/// Handshakes under way at once. One that says nothing costs a socket and a timer until it is cut off.
const KNOCKING_MAX: usize = 12_288;
/// Of all file descriptors, one in so many may be a connection that nobody has said a word on: the store's files, RPC
/// callers and peers take theirs from the rest.
const KNOCKING_SHARE: usize = 2;

/// Limits of the port.
#[derive(Clone, Debug)]
pub(in crate::p2p) struct Limits {
    /// Most peers.
    pub(super) peers: usize,
    /// Most peers that dialled us.
    pub(super) inbound: usize,
    /// Fewest peers that are looked for.
    pub(in crate::p2p) least: usize,
    /// How many peers are dialled by ourselves.
    pub(in crate::p2p) outbound: usize,
    /// Most connections from one host that is not of the local network.
    pub(super) per_ip: usize,
    /// Most handshakes under way.
    pub(super) knocking: usize,
    /// Configured peers: let in whatever is full, never banned.
    known: HashSet<PeerId>,
    /// Where those are, as far as the configuration says so.
    known_hosts: HashSet<IpAddr>,
    blocked: Vec<Blocked>,
}

// === impl Limits ===

impl Limits {
    /// Those of the configuration; `upstreams` are peers by being upstreams. `descriptors`: how many files and
    /// connections the process may have open.
    pub(in crate::p2p) fn new(
        config: &P2pConfig,
        upstreams: impl Iterator<Item = NodeRecord>,
        descriptors: usize,
    ) -> Self {
        let placed: Vec<_> =
            config.static_peers().into_iter().chain(config.trusted_nodes()).chain(upstreams).collect();
        let least = config.min_peers.min(config.max_peers);
        Self {
            peers: config.max_peers,
            inbound: config.inbound_max(),
            least,
            outbound: config.outbound_share().max(least),
            per_ip: config.max_per_ip,
            knocking: KNOCKING_MAX.min(descriptors / KNOCKING_SHARE),
            known: config.trusted_ids().into_iter().chain(placed.iter().map(|node| node.id)).collect(),
            known_hosts: placed.iter().map(|node| address::host(node.address)).collect(),
            blocked: config.blocked(),
        }
    }

    pub(super) fn is_known(&self, id: &PeerId) -> bool {
        self.known.contains(id)
    }

    /// Whether limits on one host are for this one: not for the local network, where one address stands for many
    /// honest peers, nor for a host that the operator named.
    pub(super) fn counts(&self, ip: IpAddr) -> bool {
        !address::is_lan(ip) && !self.known_hosts.contains(&address::host(ip))
    }

    pub(super) fn is_blocked(&self, id: Option<PeerId>, ip: IpAddr) -> bool {
        self.blocked.iter().any(|blocked| blocked.covers(id, ip))
    }
}
