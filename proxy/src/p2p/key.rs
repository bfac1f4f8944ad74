//! The node key: who this node is to its peers, in RLPx, discv4, discv5 and the node record alike.
//!
//! It is made at the first run in `<data_dir>/nodekey` and kept: peers know a node by the public half. The file is
//! Geth's `nodekey`, 64 hex digits, so that operators can bring theirs; or, where `p2p.key_passphrase_file` is given,
//! PKCS#8 in PEM under that passphrase (PBES2: scrypt, AES-256-CBC), which `openssl pkey` reads. A file that others
//! may read is refused. Every write is to a draft that is synced and then takes its place in one step.

mod error;
mod file;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use enr::{CombinedKey, Enr};
use hypasis_wire::node::{NodeRecord, PeerId, own_id, random_key};
use secp256k1::SecretKey;

pub use error::KeyError;
pub use file::KeyFile;

use crate::config::P2pConfig;

/// A node's secret key. Its public half is the node's id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NodeKey(SecretKey);

// === impl NodeKey ===

impl NodeKey {
    /// A new one.
    pub fn random() -> Self {
        Self(random_key())
    }

    /// As handshakes and discovery want it.
    pub fn secret(&self) -> SecretKey {
        self.0
    }

    /// The id that peers know.
    pub fn id(&self) -> PeerId {
        own_id(&self.0)
    }

    /// `enode://…`: who and where this node is.
    pub fn enode(&self, ip: IpAddr, tcp: u16, udp: u16) -> String {
        let mut record = NodeRecord::new(SocketAddr::new(ip, tcp), self.id());
        record.udp_port = udp;
        record.to_string()
    }

    /// `enr:…` of the same content, signed (EIP-778), first of its sequence. A running node publishes one that also
    /// has its fork id.
    pub fn record(&self, ip: IpAddr, tcp: u16, udp: u16) -> Result<Enr<CombinedKey>, KeyError> {
        let key =
            CombinedKey::secp256k1_from_bytes(&mut self.0.secret_bytes()).map_err(|_| KeyError::Curve)?;
        let mut builder = Enr::builder();
        match ip {
            IpAddr::V4(ip) => builder.ip4(ip).tcp4(tcp).udp4(udp),
            IpAddr::V6(ip) => builder.ip6(ip).tcp6(tcp).udp6(udp),
        };
        builder.build(&key).map_err(KeyError::Record)
    }
}

impl fmt::Debug for NodeKey {
    /// The id alone: the key must not come into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeKey").field(&self.id()).finish()
    }
}

/// The address that `enode://` and `enr:` tell: the configured one, else the one listened on, else loopback, since
/// "all interfaces" is no place to dial.
pub fn announced_ip(config: &P2pConfig) -> IpAddr {
    let listen = config.listen.ip();
    config.external_ip.unwrap_or(match listen {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    })
}
