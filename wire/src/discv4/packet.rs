//! The envelope: hash, signature, type.

use alloy_primitives::{B256, keccak256};
use bytes::{Bytes, BytesMut};
use secp256k1::SecretKey;

use super::message::MessageId;
use super::{MAX_PACKET_SIZE, MIN_PACKET_SIZE, Message};
use crate::node::{PeerId, SIGNATURE_LEN, pk2id, recover, sign_recoverable};
use crate::rlp::RlpError;

/// A packet whose hash and signature are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Who signed it.
    pub node_id: PeerId,
    /// Its hash, which a Pong or record echoes.
    pub hash: B256,
    /// What it says.
    pub message: Message,
}

/// Why a datagram is no packet. On a socket that is shared with discv5 the datagram may be one of those;
/// otherwise it is dropped without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Shorter than any packet, or longer.
    #[error("a datagram of {length} bytes is no packet: {MIN_PACKET_SIZE} to {MAX_PACKET_SIZE} are")]
    Size {
        /// Its length.
        length: usize,
    },
    /// The hash is not that of the rest.
    #[error("the packet's hash is wrong")]
    Hash,
    /// The signature is nobody's.
    #[error("the packet's signature is nobody's")]
    Signature,
    /// A type that we do not know.
    #[error("packets of type {0} are not known")]
    UnknownType(u8),
    /// The content is not what its type demands.
    #[error("{id:?}: {source}")]
    Malformed {
        /// The type.
        id: MessageId,
        /// What is wrong.
        source: RlpError,
    },
}

// === impl Packet ===

impl Packet {
    /// Reads a datagram.
    pub fn decode(datagram: &[u8]) -> Result<Self, PacketError> {
        let size = PacketError::Size { length: datagram.len() };
        if !(MIN_PACKET_SIZE..=MAX_PACKET_SIZE).contains(&datagram.len()) {
            return Err(size);
        }
        let (hash, signed) = datagram.split_first_chunk::<32>().ok_or(size.clone())?;
        if keccak256(signed) != *hash {
            return Err(PacketError::Hash);
        }
        let (signature, content) = signed.split_first_chunk::<SIGNATURE_LEN>().ok_or(size.clone())?;
        let key = recover(keccak256(content).0, signature).map_err(|_| PacketError::Signature)?;
        let (&kind, rlp) = content.split_first().ok_or(size)?;
        let id = MessageId::from_byte(kind).ok_or(PacketError::UnknownType(kind))?;
        let message = Message::read(id, rlp).map_err(|source| PacketError::Malformed { id, source })?;
        Ok(Self { node_id: pk2id(&key), hash: hash.into(), message })
    }
}

// === impl Message ===

impl Message {
    /// The datagram that says this, signed, and its hash, which the answer will echo.
    pub fn encode(&self, key: &SecretKey) -> (Bytes, B256) {
        let mut content = BytesMut::new();
        content.extend_from_slice(&[self.id() as u8]);
        self.write(&mut content);
        let signature = sign_recoverable(key, keccak256(&content).0);

        let mut signed = BytesMut::with_capacity(SIGNATURE_LEN + content.len());
        signed.extend_from_slice(&signature);
        signed.extend_from_slice(&content);
        let hash = keccak256(&signed);

        let mut datagram = BytesMut::with_capacity(hash.len() + signed.len());
        datagram.extend_from_slice(hash.as_slice());
        datagram.extend_from_slice(&signed);
        (datagram.freeze(), hash)
    }
}
