//! Our own node record, one for both protocols, and what is read from records of others.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_eip2124::{EnrForkIdEntry, ForkId};
use bytes::{Bytes, BytesMut};
use discv5::Enr;
use enr::CombinedKey;
use hypasis_wire::discv4::Endpoint;
use hypasis_wire::node::{NodeRecord, PeerId, own_id};
use parking_lot::RwLock;
use secp256k1::SecretKey;

use super::DiscoveryError;
use crate::config::record_of;

/// The record's entry that says on which fork of which chain a node is (devp2p `enr-entries/eth.md`).
const FORK_ENTRY: &str = "eth";

/// The record that both protocols give out. discv5 shares the same cell, so that each sees what the other changes.
pub(super) struct LocalRecord {
    enr: Arc<RwLock<Enr>>,
    key: CombinedKey,
    id: PeerId,
}

impl std::fmt::Debug for LocalRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LocalRecord").field(&self.text()).finish()
    }
}

// === impl LocalRecord ===

impl LocalRecord {
    /// A first record. Its number is the time in milliseconds, as in go-ethereum: it grows over restarts without being
    /// kept anywhere.
    pub(super) fn build(
        key: &SecretKey,
        ip: IpAddr,
        udp_port: u16,
        tcp_port: u16,
        fork: Option<ForkId>,
    ) -> Result<Enr, DiscoveryError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut builder = Enr::builder();
        builder.seq(u64::try_from(now.as_millis()).unwrap_or(u64::MAX / 2)).ip(ip);
        match ip {
            IpAddr::V4(_) => builder.udp4(udp_port).tcp4(tcp_port),
            IpAddr::V6(_) => builder.udp6(udp_port).tcp6(tcp_port),
        };
        if let Some(fork) = fork {
            builder.add_value(FORK_ENTRY, &EnrForkIdEntry::from(fork));
        }
        builder.build(&combined(key)?).map_err(|error| DiscoveryError::Record(error.to_string()))
    }

    /// Over the cell that holds the record; `key` signs what is changed.
    pub(super) fn new(enr: Arc<RwLock<Enr>>, key: &SecretKey) -> Result<Self, DiscoveryError> {
        Ok(Self { enr, key: combined(key)?, id: own_id(key) })
    }

    pub(super) fn id(&self) -> PeerId {
        self.id
    }

    /// `enr:…`
    pub(super) fn text(&self) -> String {
        self.enr.read().to_base64()
    }

    pub(super) fn sequence(&self) -> u64 {
        self.enr.read().seq()
    }

    pub(super) fn encoded(&self) -> Bytes {
        let mut out = BytesMut::new();
        alloy_rlp::Encodable::encode(&*self.enr.read(), &mut out);
        out.freeze()
    }

    /// Where the record says that we are.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        let NodeRecord { address, udp_port, tcp_port, .. } = record_of(&self.enr.read())?;
        Some(Endpoint { address, udp_port, tcp_port })
    }

    /// The served head crossed a fork.
    pub(super) fn set_fork(&self, fork: ForkId) {
        let mut enr = self.enr.write();
        if fork_of(&enr) == Some(fork) {
            return;
        }
        if let Err(error) = enr.insert(FORK_ENTRY, &EnrForkIdEntry::from(fork), &self.key) {
            tracing::warn!(%error, "The node record keeps its old fork id");
        }
    }

    /// Others agree on where we are.
    pub(super) fn set_endpoint(&self, udp: SocketAddr) {
        let mut enr = self.enr.write();
        let known = match udp {
            SocketAddr::V4(udp) => enr.udp4_socket() == Some(udp),
            SocketAddr::V6(udp) => enr.udp6_socket() == Some(udp),
        };
        if known {
            return;
        }
        match enr.set_udp_socket(udp, &self.key) {
            Ok(()) => tracing::info!(address = %udp, "Peers say where we are; the node record follows"),
            Err(error) => tracing::warn!(%error, "The node record keeps its old address"),
        }
    }
}

/// The fork id of a record; `None` if it has none, or none that can be read.
pub(super) fn fork_of(enr: &Enr) -> Option<ForkId> {
    enr.get_decodable::<EnrForkIdEntry>(FORK_ENTRY)?.ok().map(ForkId::from)
}

fn combined(key: &SecretKey) -> Result<CombinedKey, DiscoveryError> {
    CombinedKey::secp256k1_from_bytes(&mut key.secret_bytes())
        .map_err(|error| DiscoveryError::Record(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fork(hash: u8, next: u64) -> ForkId {
        ForkId { hash: alloy_eip2124::ForkHash([hash; 4]), next }
    }

    #[test]
    fn the_record_follows_the_fork_and_the_address_with_a_growing_number() {
        let key = SecretKey::from_byte_array([7; 32]).unwrap();
        let ip = "127.0.0.1".parse().unwrap();
        let enr = LocalRecord::build(&key, ip, 30304, 30303, None).unwrap();
        let record = LocalRecord::new(Arc::new(RwLock::new(enr)), &key).unwrap();
        let first = record.sequence();
        record.set_fork(fork(1, 9));
        assert!(record.sequence() > first);
        record.set_endpoint("8.8.4.4:99".parse().unwrap());
        let last = record.sequence();
        record.set_fork(fork(1, 9));
        record.set_endpoint("8.8.4.4:99".parse().unwrap());
        assert_eq!(record.sequence(), last, "nothing changed");

        let read: Enr = record.text().parse().unwrap();
        assert!(read.verify());
        assert_eq!(fork_of(&read), Some(fork(1, 9)));
        let address = "8.8.4.4".parse().unwrap();
        let expected = NodeRecord { id: own_id(&key), address, tcp_port: 30303, udp_port: 99 };
        assert_eq!(record_of(&read), Some(expected));
        // The entry is a list in a list: [[hash, next]].
        assert_eq!(read.get_raw_rlp("eth").unwrap(), [0xc7, 0xc6, 0x84, 1, 1, 1, 1, 9]);
    }
}
