//! What packets say.

use alloy_primitives::B256;
use alloy_rlp::Encodable;
use bytes::{Bytes, BytesMut};

use super::endpoint::{read_node, write_node};
use super::{Endpoint, MAX_NEIGHBORS_PER_PACKET, MAX_RECORD_SIZE, VERSION};
use crate::node::{NodeRecord, PeerId};
use crate::rlp::{Reader, RlpError, write_list};

/// The content of a packet. `expire` is a Unix time in seconds after which it must not be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Are you there?
    Ping(Ping),
    /// I am.
    Pong(Pong),
    /// Whom do you know near this id?
    FindNode(FindNode),
    /// These.
    Neighbors(Neighbors),
    /// What does your record say?
    EnrRequest(EnrRequest),
    /// This.
    EnrResponse(EnrResponse),
}

/// The type of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageId {
    /// [`Ping`]
    Ping = 1,
    /// [`Pong`]
    Pong = 2,
    /// [`FindNode`]
    FindNode = 3,
    /// [`Neighbors`]
    Neighbors = 4,
    /// [`EnrRequest`]
    EnrRequest = 5,
    /// [`EnrResponse`]
    EnrResponse = 6,
}

/// `[version, from, to, expire, enr-seq?]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Where the sender believes to be: not to be trusted.
    pub from: Endpoint,
    /// Where the sender sent it.
    pub to: Endpoint,
    /// When it expires.
    pub expire: u64,
    /// The sequence number of the sender's record (EIP-868).
    pub enr_sq: Option<u64>,
}

/// `[to, ping-hash, expire, enr-seq?]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong {
    /// Where the ping came from, as its receiver saw it.
    pub to: Endpoint,
    /// The hash of the ping's packet.
    pub echo: B256,
    /// When it expires.
    pub expire: u64,
    /// The sequence number of the sender's record (EIP-868).
    pub enr_sq: Option<u64>,
}

/// `[target, expire]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindNode {
    /// A public key; its keccak is the place in the table.
    pub id: PeerId,
    /// When it expires.
    pub expire: u64,
}

/// `[[node, …], expire]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbors {
    /// At most [`MAX_NEIGHBORS_PER_PACKET`].
    pub nodes: Vec<NodeRecord>,
    /// When it expires.
    pub expire: u64,
}

/// `[expire]` (EIP-868)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnrRequest {
    /// When it expires.
    pub expire: u64,
}

/// `[request-hash, record]` (EIP-868)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrResponse {
    /// The hash of the request's packet.
    pub request_hash: B256,
    /// The record as RLP, at most [`MAX_RECORD_SIZE`] bytes. Its signature is not checked here.
    pub enr: Bytes,
}

// === impl Message ===

impl Message {
    /// The type.
    pub fn id(&self) -> MessageId {
        match self {
            Self::Ping(_) => MessageId::Ping,
            Self::Pong(_) => MessageId::Pong,
            Self::FindNode(_) => MessageId::FindNode,
            Self::Neighbors(_) => MessageId::Neighbors,
            Self::EnrRequest(_) => MessageId::EnrRequest,
            Self::EnrResponse(_) => MessageId::EnrResponse,
        }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        write_list(out, |out| match self {
            Self::Ping(message) => message.write(out),
            Self::Pong(message) => message.write(out),
            Self::FindNode(message) => message.write(out),
            Self::Neighbors(message) => message.write(out),
            Self::EnrRequest(message) => message.expire.encode(out),
            Self::EnrResponse(message) => message.write(out),
        });
    }

    pub(super) fn read(id: MessageId, bytes: &[u8]) -> Result<Self, RlpError> {
        let mut list = Reader::front(bytes, "packet")?;
        Ok(match id {
            MessageId::Ping => Self::Ping(Ping::read(&mut list)?),
            MessageId::Pong => Self::Pong(Pong::read(&mut list)?),
            MessageId::FindNode => {
                Self::FindNode(FindNode { id: list.value("target")?, expire: list.value("expire")? })
            }
            MessageId::Neighbors => Self::Neighbors(Neighbors::read(&mut list)?),
            MessageId::EnrRequest => Self::EnrRequest(EnrRequest { expire: list.value("expire")? }),
            MessageId::EnrResponse => Self::EnrResponse(EnrResponse::read(&mut list)?),
        })
    }
}

// === impl MessageId ===

impl MessageId {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Ping,
            2 => Self::Pong,
            3 => Self::FindNode,
            4 => Self::Neighbors,
            5 => Self::EnrRequest,
            6 => Self::EnrResponse,
            _ => return None,
        })
    }
}

// === impl Ping ===

impl Ping {
    fn write(&self, out: &mut BytesMut) {
        VERSION.encode(out);
        self.from.write(out);
        self.to.write(out);
        self.expire.encode(out);
        write_optional(out, self.enr_sq);
    }

    fn read(list: &mut Reader<'_>) -> Result<Self, RlpError> {
        list.item("version")?;
        Ok(Self {
            from: Endpoint::read(list, "from")?,
            to: Endpoint::read(list, "to")?,
            expire: list.value("expire")?,
            enr_sq: read_optional(list),
        })
    }
}

// === impl Pong ===

impl Pong {
    fn write(&self, out: &mut BytesMut) {
        self.to.write(out);
        self.echo.encode(out);
        self.expire.encode(out);
        write_optional(out, self.enr_sq);
    }

    fn read(list: &mut Reader<'_>) -> Result<Self, RlpError> {
        Ok(Self {
            to: Endpoint::read(list, "to")?,
            echo: list.value("ping-hash")?,
            expire: list.value("expire")?,
            enr_sq: read_optional(list),
        })
    }
}

// === impl FindNode ===

impl FindNode {
    fn write(&self, out: &mut BytesMut) {
        self.id.encode(out);
        self.expire.encode(out);
    }
}

// === impl Neighbors ===

impl Neighbors {
    /// The answer to a question in as many messages as it takes, each fit for a packet; one empty message if
    /// there are no nodes, since the asker waits for an answer.
    pub fn split(nodes: &[NodeRecord], expire: u64) -> Vec<Self> {
        if nodes.is_empty() {
            return vec![Self { nodes: Vec::new(), expire }];
        }
        nodes.chunks(MAX_NEIGHBORS_PER_PACKET).map(|nodes| Self { nodes: nodes.to_vec(), expire }).collect()
    }

    fn write(&self, out: &mut BytesMut) {
        write_list(out, |out| self.nodes.iter().for_each(|node| write_node(out, node)));
        self.expire.encode(out);
    }

    fn read(list: &mut Reader<'_>) -> Result<Self, RlpError> {
        const FIELD: &str = "nodes";
        let mut encoded = list.list(FIELD)?;
        let mut nodes = Vec::new();
        while !encoded.is_empty() {
            // With IPv4 addresses more would fit into a packet; nobody sends more.
            if nodes.len() == MAX_NEIGHBORS_PER_PACKET {
                return Err(RlpError::TooMany { field: FIELD, max: MAX_NEIGHBORS_PER_PACKET });
            }
            nodes.push(read_node(&mut encoded)?);
        }
        Ok(Self { nodes, expire: list.value("expire")? })
    }
}

// === impl EnrResponse ===

impl EnrResponse {
    fn write(&self, out: &mut BytesMut) {
        self.request_hash.encode(out);
        out.extend_from_slice(&self.enr);
    }

    fn read(list: &mut Reader<'_>) -> Result<Self, RlpError> {
        let request_hash = list.value("request-hash")?;
        let record = list.item("record")?;
        if !record.list {
            return Err(RlpError::Field { field: "record", source: alloy_rlp::Error::UnexpectedString });
        }
        if record.raw.len() > MAX_RECORD_SIZE {
            return Err(RlpError::Length { field: "record", length: record.raw.len() });
        }
        Ok(Self { request_hash, enr: Bytes::copy_from_slice(record.raw) })
    }
}

fn write_optional(out: &mut BytesMut, enr_sq: Option<u64>) {
    if let Some(enr_sq) = enr_sq {
        enr_sq.encode(out);
    }
}

/// The record's number, unless there is none: what stands in its place may be an item of some later version
/// (EIP-8).
fn read_optional(list: &mut Reader<'_>) -> Option<u64> {
    list.value("enr-seq").ok()
}
