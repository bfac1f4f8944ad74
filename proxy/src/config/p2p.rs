//! `[p2p]`: its settings, what they mean together, and the nodes that they name.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fmt, fs, io};

use enr::{CombinedKey, Enr};
use hypasis_chain::ChainSpec;
use hypasis_chain::spec::Entrance;
use hypasis_wire::node::{NodeRecord, PeerId};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Rules;
use super::{Config, ConfigError};
use crate::p2p::discovery::TreeUrl;

/// Most peers that can be configured; each costs two sockets' worth of kernel memory and some buffers.
const PEERS_MAX: usize = 100_000;

/// Most nodes or networks of a list.
const LIST_MAX: usize = 10_000;

/// Of so many peers, all but one may have come to us; the rest is for those we dial. Geth's ratio.
const DIAL_RATIO: usize = 3;

/// Longest `enr:` text that is looked at: a record of 300 bytes in base64, its prefix, and slack.
const ENR_TEXT_MAX: usize = 512;

/// Largest file of a passphrase.
const PASSPHRASE_BYTES_MAX: usize = 1 << 10;

/// `[p2p]`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct P2pConfig {
    /// Whether to speak devp2p. On a chain whose forks or genesis are not known it stays off in any case.
    pub enabled: bool,
    /// Address of the devp2p port, TCP and UDP. Loopback by default: name another address to be found by others.
    pub listen: SocketAddr,
    /// Address that others reach this node at, if it is not the one listened on (NAT); otherwise learned from peers.
    pub external_ip: Option<IpAddr>,
    /// Most peers.
    pub max_peers: usize,
    /// Most peers that have dialled us, so that some places are left for those we dial; two thirds of `max_peers` if
    /// absent.
    pub max_inbound: Option<usize>,
    /// Most connections from one host (an IPv4 address, a /64 network of IPv6), which may begin as many at once and
    /// then one each 30 seconds. Loopback, private networks and the hosts of configured peers are not counted.
    pub max_per_ip: usize,
    /// At least so many places (`max_peers`, if that is less) are for peers that we dial; with fewer peers the log says
    /// so.
    pub min_peers: usize,
    /// Discovery protocols, `v4` and `v5`; none: only static peers and upstreams are dialled.
    pub discovery: Vec<DiscoveryVersion>,
    /// Nodes to start discovery from, `enode://…` or `enr:…`. If absent, those that the chain's clients have built in,
    /// where `listen` is no loopback address; an empty list: none.
    pub bootnodes: Option<Vec<String>>,
    /// Lists of nodes in DNS (EIP-1459), `enrtree://…`, from which peers are taken. If absent, the chain's public one,
    /// where `listen` is no loopback address; an empty list: none. Not used without `discovery`.
    pub dns: Option<Vec<String>>,
    /// Peers to stay connected with, `enode://…` or `enr:…`.
    pub static_peers: Vec<String>,
    /// Peers that are let in though all places are taken, `enode://…`, `enr:…` or a node id.
    pub trusted_peers: Vec<String>,
    /// Who is never talked to: node ids, `enode://…`, IP addresses or networks such as `192.0.2.0/24`.
    pub block_list: Vec<String>,
    /// File of the node key, made at the first run; `<store.data_dir>/nodekey` if absent. 64 hex digits, as Geth's.
    pub key_file: Option<PathBuf>,
    /// File with the passphrase that encrypts the node key on disk; without it the key lies there plain, mode 0600.
    pub key_passphrase_file: Option<PathBuf>,
    /// Whether transactions of peers are passed on to other peers.
    pub relay_transactions: bool,
    /// Whether what `eth_sendRawTransaction` brings also goes to the peers, once a node has accepted it.
    pub submit_transactions: bool,
}

/// A discovery protocol.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DiscoveryVersion {
    /// Node discovery v4, of Kademlia and signed packets.
    V4,
    /// Node discovery v5.1, encrypted.
    V5,
}

/// A node as configurations and the table of known nodes name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerUrl {
    /// `enode://…`
    Enode(NodeRecord),
    /// `enr:…`, and what it says of the node. discv5 needs such a one.
    Enr(Box<Enr<CombinedKey>>, NodeRecord),
}

/// Who is kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// A node, wherever it is.
    Id(PeerId),
    /// Whoever is there.
    Network(IpNet),
}

// === impl P2pConfig ===

impl Default for P2pConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 30303)),
            external_ip: None,
            max_peers: 500,
            max_inbound: None,
            max_per_ip: 16,
            min_peers: 5,
            discovery: vec![DiscoveryVersion::V4, DiscoveryVersion::V5],
            bootnodes: None,
            dns: None,
            static_peers: Vec::new(),
            trusted_peers: Vec::new(),
            block_list: Vec::new(),
            key_file: None,
            key_passphrase_file: None,
            relay_transactions: true,
            submit_transactions: false,
        }
    }
}

impl P2pConfig {
    /// Most peers that have dialled us.
    pub fn inbound_max(&self) -> usize {
        self.max_inbound.unwrap_or_else(|| self.max_peers - self.outbound_share())
    }

    /// Peers that are dialled, of all.
    pub fn outbound_share(&self) -> usize {
        self.max_peers / DIAL_RATIO
    }

    /// The bootnodes that are configured; they were checked, so that none is lost here.
    pub fn bootnodes(&self) -> Vec<PeerUrl> {
        parsed(self.bootnodes.as_deref().unwrap_or_default())
    }

    /// Where discovery begins on that chain: the configured bootnodes, else the chain's own.
    pub fn bootnodes_of(&self, spec: &ChainSpec) -> Vec<PeerUrl> {
        if self.bootnodes.is_some() { self.bootnodes() } else { parsed(self.entrance(spec).bootnodes) }
    }

    /// The lists of nodes in DNS for that chain: the configured ones, else the chain's own.
    pub fn dns_of(&self, spec: &ChainSpec) -> Vec<TreeUrl> {
        match &self.dns {
            Some(urls) => parsed(urls),
            None => parsed(self.entrance(spec).dns),
        }
    }

    /// Where the chain's clients begin. Who listens on loopback alone has not joined the network.
    fn entrance(&self, spec: &ChainSpec) -> Entrance {
        if self.listen.ip().is_loopback() { Entrance::default() } else { spec.entrance() }
    }

    /// The static peers.
    pub fn static_peers(&self) -> Vec<NodeRecord> {
        parsed::<PeerUrl>(&self.static_peers).iter().map(PeerUrl::record).collect()
    }

    /// The ids of the trusted peers.
    pub fn trusted_ids(&self) -> Vec<PeerId> {
        self.trusted_peers.iter().filter_map(|text| node_id(text).ok()).collect()
    }

    /// Those of the trusted peers that are named with their address.
    pub fn trusted_nodes(&self) -> Vec<NodeRecord> {
        parsed::<PeerUrl>(&self.trusted_peers).iter().map(PeerUrl::record).collect()
    }

    /// Who is kept out.
    pub fn blocked(&self) -> Vec<Blocked> {
        parsed(&self.block_list)
    }
}

// === impl PeerUrl ===

impl PeerUrl {
    /// By a signed record; `None` if that does not say where the node is.
    pub fn of(enr: Enr<CombinedKey>) -> Option<Self> {
        record_of(&enr).map(|record| Self::Enr(Box::new(enr), record))
    }

    /// Who and where it is.
    pub fn record(&self) -> NodeRecord {
        match self {
            Self::Enode(record) | Self::Enr(_, record) => *record,
        }
    }

    /// The signed record, if it was named by one.
    pub fn enr(&self) -> Option<&Enr<CombinedKey>> {
        match self {
            Self::Enode(_) => None,
            Self::Enr(enr, _) => Some(enr),
        }
    }
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enode(record) => record.fmt(f),
            Self::Enr(enr, _) => f.write_str(&enr.to_base64()),
        }
    }
}

impl FromStr for PeerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with("enr:") {
            return text
                .parse()
                .map(Self::Enode)
                .map_err(|error: hypasis_wire::node::NodeRecordError| error.to_string());
        }
        if text.len() > ENR_TEXT_MAX {
            return Err(format!("the record has {} characters, more than any can have", text.len()));
        }
        let enr = text.parse().map_err(|error| format!("the record cannot be read: {error}"))?;
        Self::of(enr)
            .ok_or_else(|| "the record has no secp256k1 key with an IP address and a port".to_owned())
    }
}

// === impl Blocked ===

impl Blocked {
    /// Whether this peer is meant.
    pub fn covers(&self, id: Option<PeerId>, ip: IpAddr) -> bool {
        match self {
            Self::Id(blocked) => id == Some(*blocked),
            Self::Network(network) => network.contains(&ip.to_canonical()),
        }
    }
}

impl FromStr for Blocked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Network(ip.to_canonical().into()));
        }
        if text.contains('/') && !text.starts_with("enode:") && !text.starts_with("enr:") {
            return text
                .parse()
                .map(|network: IpNet| Self::Network(network.trunc()))
                .map_err(|_| "this is no network; write it like 192.0.2.0/24 or 2001:db8::/32".to_owned());
        }
        node_id(text).map(Self::Id)
    }
}

/// Checks `[p2p]` against itself and the other ports.
pub(super) fn check(config: &Config, rules: &Rules<'_>) -> Result<(), ConfigError> {
    let p2p = &config.p2p;
    rules.within("p2p.max_peers", p2p.max_peers, 1, PEERS_MAX)?;
    rules.within("p2p.max_inbound", p2p.inbound_max(), 0, p2p.max_peers)?;
    rules.within("p2p.max_per_ip", p2p.max_per_ip, 1, PEERS_MAX)?;
    for (key, listed) in [
        ("bootnodes", p2p.bootnodes.as_deref().unwrap_or_default()),
        ("dns", p2p.dns.as_deref().unwrap_or_default()),
        ("static_peers", &p2p.static_peers),
        ("trusted_peers", &p2p.trusted_peers),
        ("block_list", &p2p.block_list),
    ] {
        rules.ensure(listed.len() <= LIST_MAX, &format!("p2p.{key}"), || {
            format!("`p2p.{key}` has {} entries; at most {LIST_MAX} can be", listed.len())
        })?;
        for (place, text) in listed.iter().enumerate() {
            let problem = match key {
                "bootnodes" => text.parse::<PeerUrl>().map(drop),
                "dns" => text.parse::<TreeUrl>().map(drop),
                "static_peers" => dialable(text).map(drop),
                "trusted_peers" => node_id(text).map(drop),
                _ => text.parse::<Blocked>().map(drop),
            };
            rules.ensure(problem.is_ok(), &format!("p2p.{key}.{place}"), || {
                format!("`p2p.{key}`: {text:?}: {}", problem.err().unwrap_or_default())
            })?;
        }
    }
    let reachable = |ip: IpAddr| !ip.is_unspecified() && !ip.is_multicast();
    rules.ensure(p2p.external_ip.is_none_or(reachable), "p2p.external_ip", || {
        "`p2p.external_ip` is no address that a peer could dial; remove it to learn it from peers".to_owned()
    })?;
    rules.ensure(p2p.relay_transactions || !p2p.submit_transactions, "p2p.submit_transactions", || {
        "`p2p.submit_transactions` is true, which needs `p2p.relay_transactions`".to_owned()
    })?;
    for (name, address) in [("RPC", config.rpc.listen), ("admin", config.admin.listen)] {
        rules.ensure(!p2p.enabled || p2p.listen != address || address.port() == 0, "p2p.listen", || {
            format!("`p2p.listen` is {address}, where the {name} port is; give it another port")
        })?;
    }
    let secret = p2p.key_passphrase_file.as_deref().map(passphrase).transpose();
    rules.ensure(secret.is_ok(), "p2p.key_passphrase_file", || {
        let path = p2p.key_passphrase_file.as_deref().unwrap_or(Path::new(""));
        let error = secret.err().map(|error| error.to_string()).unwrap_or_default();
        format!("`p2p.key_passphrase_file`: {}: {error}", path.display())
    })
}

/// A peer that can be dialled over TCP.
pub(super) fn dialable(text: &str) -> Result<NodeRecord, String> {
    let record = text.parse::<PeerUrl>()?.record();
    match record.tcp_port {
        0 => Err("the node has no TCP port, so that nobody can dial it".to_owned()),
        _ => Ok(record),
    }
}

/// What a passphrase file holds, without the line's end.
pub(crate) fn passphrase(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    let invalid = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    if size > PASSPHRASE_BYTES_MAX as u64 {
        return invalid(format!("it has more than {PASSPHRASE_BYTES_MAX} bytes"));
    }
    let text = fs::read_to_string(path)?.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() { invalid("it is empty".to_owned()) } else { Ok(text) }
}

/// The id in any form that names a node.
fn node_id(text: &str) -> Result<PeerId, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.len() == 2 * PeerId::len_bytes() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return digits.parse().map_err(|_| "a node id is hexadecimal".to_owned());
    }
    if text.starts_with("enode:") || text.starts_with("enr:") {
        return text.parse::<PeerUrl>().map(|peer| peer.record().id);
    }
    Err("this is neither enode://…, enr:… nor a node id of 128 hex digits".to_owned())
}

/// Who and where a record's node is: IPv4 first, as most peers have it. `None` if it says no address or no port, or its
/// key is of another kind.
pub(crate) fn record_of(enr: &Enr<CombinedKey>) -> Option<NodeRecord> {
    let four = enr.ip4().map(|ip| (IpAddr::from(ip), enr.tcp4(), enr.udp4()));
    let six = || enr.ip6().map(|ip| (IpAddr::from(ip), enr.tcp6().or(enr.tcp4()), enr.udp6().or(enr.udp4())));
    let (ip, tcp, udp) = four.or_else(six).filter(|(_, tcp, udp)| tcp.is_some() || udp.is_some())?;
    let enr::CombinedPublicKey::Secp256k1(key) = enr.public_key() else { return None };
    let id = PeerId::try_from(key.to_sec1_point(false).as_bytes().get(1..)?).ok()?;
    let mut record = NodeRecord::new(SocketAddr::new(ip, tcp.unwrap_or_default()), id);
    record.udp_port = udp.unwrap_or_default();
    Some(record)
}

fn parsed<T: FromStr>(texts: &[impl AsRef<str>]) -> Vec<T> {
    texts.iter().filter_map(|text| text.as_ref().parse().ok()).collect()
}
