//! Node ids, the keys behind them, and `enode://` records.
//!
//! A node's id is its secp256k1 public key without the leading format byte: 64 bytes, `x ‖ y`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::LazyLock;

use alloy_primitives::B512;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey};

/// A node's id: its public key, uncompressed, without the leading `04`.
pub type PeerId = B512;

/// Bytes of a recoverable signature as devp2p writes it: `r ‖ s ‖ parity`.
pub const SIGNATURE_LEN: usize = 65;

/// Longest `enode://` URL that is looked at: the id, an IPv6 address, two ports, and slack.
pub const ENODE_LEN_MAX: usize = 256;

/// Where a node is and who it is, as `enode://id@host:port?discport=port` says it
/// (<https://ethereum.org/en/developers/docs/networking-layer/network-addresses>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeRecord {
    /// Who it is.
    pub id: PeerId,
    /// Where it is; an IPv4-mapped IPv6 address is kept as IPv4.
    pub address: IpAddr,
    /// TCP port of RLPx; 0 if it only takes part in discovery.
    pub tcp_port: u16,
    /// UDP port of discovery; equal to `tcp_port` unless `discport` says otherwise.
    pub udp_port: u16,
}

impl NodeRecord {
    /// A record with one port for both protocols.
    pub fn new(address: SocketAddr, id: PeerId) -> Self {
        let port = address.port();
        Self { id, address: address.ip().to_canonical(), tcp_port: port, udp_port: port }
    }

    /// The record of the node that holds `key` and listens at `address`.
    pub fn from_secret_key(address: SocketAddr, key: &SecretKey) -> Self {
        Self::new(address, own_id(key))
    }

    /// Where RLPx is spoken.
    pub fn tcp_addr(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.tcp_port)
    }

    /// Where discovery is spoken.
    pub fn udp_addr(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.udp_port)
    }
}

impl fmt::Display for NodeRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "enode://{:x}@{}", self.id, self.tcp_addr())?;
        if self.udp_port != self.tcp_port {
            write!(f, "?discport={}", self.udp_port)?;
        }
        Ok(())
    }
}

impl FromStr for NodeRecord {
    type Err = NodeRecordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > ENODE_LEN_MAX {
            return Err(NodeRecordError::TooLong(text.len()));
        }
        let rest = text.strip_prefix("enode://").ok_or(NodeRecordError::Scheme)?;
        let (id, place) = rest.split_once('@').ok_or(NodeRecordError::NoHost)?;
        if id.len() != 2 * PeerId::len_bytes() {
            return Err(NodeRecordError::IdLength(id.len()));
        }
        let id = PeerId::from_str(id).map_err(|_| NodeRecordError::IdHex)?;
        id2pk(id).map_err(|_| NodeRecordError::NotOnCurve)?;
        let (host, query) = place.split_once('?').map_or((place, None), |(host, query)| (host, Some(query)));
        let host = host.strip_suffix('/').unwrap_or(host);
        let address = SocketAddr::from_str(host).map_err(|_| NodeRecordError::Address(host.to_owned()))?;
        let mut record = Self::new(address, id);
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            // Other parameters are for others: ignored, as in Geth.
            if let Some(port) = pair.strip_prefix("discport=") {
                record.udp_port =
                    port.parse().map_err(|_| NodeRecordError::DiscoveryPort(port.to_owned()))?;
            }
        }
        Ok(record)
    }
}

/// Why a text is no `enode://` record; each says what would be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeRecordError {
    /// Longer than any record.
    #[error("an enode URL of {0} characters is longer than {ENODE_LEN_MAX}")]
    TooLong(usize),
    /// Another scheme.
    #[error("a node record begins with enode://")]
    Scheme,
    /// No `@`.
    #[error("an enode URL needs @host:port behind the node id")]
    NoHost,
    /// Not 128 digits.
    #[error("a node id has 128 hex digits, this one has {0}")]
    IdLength(usize),
    /// Not hex.
    #[error("a node id is hexadecimal")]
    IdHex,
    /// Hex, but nobody's key.
    #[error("the node id is not a public key: no such point on the curve")]
    NotOnCurve,
    /// Host and port do not parse; names are not resolved here.
    #[error("{0:?} is not ip:port (write an IPv6 address in brackets; host names are not resolved)")]
    Address(String),
    /// `discport` is not a port.
    #[error("discport {0:?} is not a port number")]
    DiscoveryPort(String),
}

/// The id of the node that holds `key`.
pub fn own_id(key: &SecretKey) -> PeerId {
    pk2id(&PublicKey::from_secret_key(&CURVE, key))
}

/// A public key as a node id.
pub fn pk2id(key: &PublicKey) -> PeerId {
    let [_format, point @ ..] = key.serialize_uncompressed();
    PeerId::new(point)
}

/// A node id as a public key; an error if it is no point of the curve.
pub fn id2pk(id: PeerId) -> Result<PublicKey, secp256k1::Error> {
    let mut uncompressed = [0x04; 65];
    if let Some((_format, point)) = uncompressed.split_first_mut() {
        point.copy_from_slice(id.as_slice());
    }
    PublicKey::from_byte_array_uncompressed(uncompressed)
}

/// A new secret key from the thread's cryptographic generator.
pub fn random_key() -> SecretKey {
    loop {
        // One in 2^128 draws is no scalar of the curve.
        if let Ok(key) = SecretKey::from_byte_array(rand::random()) {
            return key;
        }
    }
}

/// Signs a 32-byte digest the devp2p way: `r ‖ s ‖ parity`.
pub fn sign_recoverable(key: &SecretKey, digest: [u8; 32]) -> [u8; SIGNATURE_LEN] {
    let signature = CURVE.sign_ecdsa_recoverable(Message::from_digest(digest), key);
    let (parity, compact) = signature.serialize_compact();
    let mut bytes = [0; SIGNATURE_LEN];
    if let Some((last, body)) = bytes.split_last_mut() {
        body.copy_from_slice(&compact);
        *last = match parity {
            RecoveryId::Zero => 0,
            RecoveryId::One => 1,
            RecoveryId::Two => 2,
            RecoveryId::Three => 3,
        };
    }
    bytes
}

/// Whose signature this is over `digest`; an error if it is nobody's.
pub fn recover(digest: [u8; 32], signature: &[u8; SIGNATURE_LEN]) -> Result<PublicKey, secp256k1::Error> {
    let [compact @ .., parity] = signature;
    let parity = RecoveryId::try_from(i32::from(*parity))?;
    let signature = RecoverableSignature::from_compact(compact, parity)?;
    CURVE.recover_ecdsa(Message::from_digest(digest), &signature)
}

/// The curve's tables, made once.
pub(crate) static CURVE: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);
