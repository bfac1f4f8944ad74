//! Auth and ack of EIP-8, and what both sides draw from them
//! (<https://github.com/ethereum/devp2p/blob/master/rlpx.md#initial-handshake>).
//!
//! A packet is its length in two bytes, authenticated with it, and an envelope. In the envelope is an RLP
//! list; more items, another version and bytes behind the list are ignored (EIP-8).

use std::fmt;

use alloy_primitives::{B256, Keccak256};
use alloy_rlp::{Decodable, Encodable, Header};
use bytes::{BufMut, BytesMut};
use secp256k1::{PublicKey, SecretKey};

use super::ECIESError;
use super::envelope::{self, agree};
use super::mac::RunningMac;
use crate::node::{PeerId, SIGNATURE_LEN, id2pk, own_id, random_key, recover, sign_recoverable};

/// Longest auth or ack, without its two bytes of length; Geth's bound (`p2p/rlpx/rlpx.go`, `readMsg`).
/// EIP-8's own packets are under 700 bytes.
pub const MAX_HANDSHAKE_SIZE: usize = 2048;

/// Bytes of the length in front of a packet.
pub(super) const PREFIX_LEN: usize = 2;

/// Version that auth and ack carry; receivers ignore it.
const VERSION: u8 = 4;

/// Padding behind the list: at least 100 bytes, a random number more, so that the packets are not told by
/// their length.
const PADDING: std::ops::Range<usize> = 100..250;

/// One side's part of a handshake: its node key, a fresh key and a nonce.
pub struct Handshake {
    key: SecretKey,
    ephemeral: SecretKey,
    nonce: B256,
}

impl Handshake {
    /// The part of the node that holds `key`.
    pub fn new(key: SecretKey) -> Self {
        Self::with_ephemeral(key, random_key(), B256::new(rand::random()))
    }

    /// The same with a given ephemeral key and nonce; for published vectors only, since both must be fresh.
    pub fn with_ephemeral(key: SecretKey, ephemeral: SecretKey, nonce: B256) -> Self {
        Self { key, ephemeral, nonce }
    }

    /// The first packet, for the node `remote`.
    pub fn auth(&self, remote: &PublicKey) -> BytesMut {
        let digest = agree(remote, &self.key) ^ self.nonce;
        let signature = sign_recoverable(&self.ephemeral, digest.0);
        packet(remote, &Auth { signature, initiator_id: own_id(&self.key), nonce: self.nonce }.encode())
    }

    /// The answer to the node `initiator`.
    pub fn ack(&self, initiator: &PublicKey) -> BytesMut {
        packet(initiator, &Ack { ephemeral_id: own_id(&self.ephemeral), nonce: self.nonce }.encode())
    }

    /// What the side that dialled draws from both packets as they were on the wire.
    pub fn initiator_secrets(
        &self,
        remote_id: PeerId,
        auth_packet: &[u8],
        ack: &Ack,
        ack_packet: &[u8],
    ) -> Result<Secrets, ECIESError> {
        let ephemeral = id2pk(ack.ephemeral_id)?;
        let (aes, mac) = self.shared(&ephemeral, ack.nonce, self.nonce);
        let egress = RunningMac::new(&mac, &(mac ^ ack.nonce), auth_packet);
        let ingress = RunningMac::new(&mac, &(mac ^ self.nonce), ack_packet);
        Ok(Secrets { remote_id, aes, mac, egress, ingress })
    }

    /// What the side that was dialled draws from both packets as they were on the wire.
    pub fn recipient_secrets(
        &self,
        auth: &Auth,
        auth_packet: &[u8],
        ack_packet: &[u8],
    ) -> Result<Secrets, ECIESError> {
        let initiator = id2pk(auth.initiator_id)?;
        let digest = agree(&initiator, &self.key) ^ auth.nonce;
        let ephemeral = recover(digest.0, &auth.signature)?;
        let (aes, mac) = self.shared(&ephemeral, self.nonce, auth.nonce);
        let egress = RunningMac::new(&mac, &(mac ^ auth.nonce), ack_packet);
        let ingress = RunningMac::new(&mac, &(mac ^ self.nonce), auth_packet);
        Ok(Secrets { remote_id: auth.initiator_id, aes, mac, egress, ingress })
    }

    fn shared(&self, ephemeral: &PublicKey, recipient_nonce: B256, initiator_nonce: B256) -> (B256, B256) {
        let agreed = agree(ephemeral, &self.ephemeral);
        let shared = keccak([agreed, keccak([recipient_nonce, initiator_nonce])]);
        let aes = keccak([agreed, shared]);
        (aes, keccak([agreed, aes]))
    }
}

impl fmt::Debug for Handshake {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").finish_non_exhaustive()
    }
}

/// What a connection is encrypted and authenticated with.
pub struct Secrets {
    pub(super) remote_id: PeerId,
    pub(super) aes: B256,
    pub(super) mac: B256,
    pub(super) egress: RunningMac,
    pub(super) ingress: RunningMac,
}

impl Secrets {
    /// Who the other side has proved to be.
    pub const fn remote_id(&self) -> PeerId {
        self.remote_id
    }

    /// Key of the frames' cipher.
    pub const fn aes(&self) -> B256 {
        self.aes
    }

    /// Key of the frames' MAC.
    pub const fn mac(&self) -> B256 {
        self.mac
    }
}

impl fmt::Debug for Secrets {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("remote_id", &self.remote_id).finish_non_exhaustive()
    }
}

/// The body of the first packet: `[signature, initiator id, nonce, version, …]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth {
    /// By the ephemeral key, over the shared static secret and the nonce: proves the static key, gives the
    /// ephemeral.
    pub signature: [u8; SIGNATURE_LEN],
    /// Who dials.
    pub initiator_id: PeerId,
    /// The initiator's nonce.
    pub nonce: B256,
}

impl Auth {
    /// Opens a whole packet, length and all, with the recipient's key.
    pub fn open(key: &SecretKey, packet: &[u8]) -> Result<Self, ECIESError> {
        open(key, packet, Self::decode)
    }

    /// Reads the plain body.
    pub fn decode(mut body: &[u8]) -> Result<Self, ECIESError> {
        let mut list = field("list", Header::decode_bytes(&mut body, true))?;
        Ok(Self {
            signature: field("signature", Decodable::decode(&mut list))?,
            initiator_id: field("initiator id", Decodable::decode(&mut list))?,
            nonce: field("nonce", Decodable::decode(&mut list))?,
        })
    }

    fn encode(&self) -> Vec<u8> {
        list(&[&self.signature, &self.initiator_id, &self.nonce, &VERSION])
    }
}

/// The body of the answer: `[ephemeral id, nonce, version, …]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The recipient's ephemeral public key.
    pub ephemeral_id: PeerId,
    /// The recipient's nonce.
    pub nonce: B256,
}

impl Ack {
    /// Opens a whole packet, length and all, with the initiator's key.
    pub fn open(key: &SecretKey, packet: &[u8]) -> Result<Self, ECIESError> {
        open(key, packet, Self::decode)
    }

    /// Reads the plain body.
    pub fn decode(mut body: &[u8]) -> Result<Self, ECIESError> {
        let mut list = field("list", Header::decode_bytes(&mut body, true))?;
        Ok(Self {
            ephemeral_id: field("ephemeral key", Decodable::decode(&mut list))?,
            nonce: field("nonce", Decodable::decode(&mut list))?,
        })
    }

    fn encode(&self) -> Vec<u8> {
        list(&[&self.ephemeral_id, &self.nonce, &VERSION])
    }
}

/// The length of a packet as its first two bytes say; an error before anything is allocated for it.
pub(super) fn packet_len(prefix: [u8; PREFIX_LEN]) -> Result<usize, ECIESError> {
    let size = usize::from(u16::from_be_bytes(prefix));
    if (1..=MAX_HANDSHAKE_SIZE).contains(&size) { Ok(size) } else { Err(ECIESError::HandshakeSize { size }) }
}

fn open<T>(
    key: &SecretKey,
    packet: &[u8],
    decode: fn(&[u8]) -> Result<T, ECIESError>,
) -> Result<T, ECIESError> {
    let (prefix, envelope) = packet.split_first_chunk().ok_or(ECIESError::Envelope)?;
    if packet_len(*prefix)? != envelope.len() {
        return Err(ECIESError::Envelope);
    }
    let mut envelope = envelope.to_vec();
    decode(envelope::open(key, &mut envelope, prefix)?)
}

fn packet(recipient: &PublicKey, body: &[u8]) -> BytesMut {
    let mut plain = vec![0; body.len() + rand::random_range(PADDING)];
    let (list, padding) = plain.split_at_mut(body.len());
    list.copy_from_slice(body);
    rand::fill(padding);
    let size = plain.len() + envelope::OVERHEAD;
    // A body has less than 200 bytes, so this is far from the end of 16 bits.
    let prefix = u16::try_from(size).unwrap_or(u16::MAX).to_be_bytes();
    let mut packet = BytesMut::with_capacity(PREFIX_LEN + size);
    packet.put_slice(&prefix);
    envelope::seal(recipient, plain, &prefix, &mut packet);
    packet
}

fn list(items: &[&dyn Encodable]) -> Vec<u8> {
    let payload_length = items.iter().map(|item| item.length()).sum();
    let mut out = Vec::new();
    Header { list: true, payload_length }.encode(&mut out);
    items.iter().for_each(|item| item.encode(&mut out));
    out
}

fn field<T>(field: &'static str, read: alloy_rlp::Result<T>) -> Result<T, ECIESError> {
    read.map_err(|source| ECIESError::Handshake { field, source })
}

fn keccak(parts: [B256; 2]) -> B256 {
    let mut hash = Keccak256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize()
}
