//! Hello: who one is, and what one speaks
//! (<https://github.com/ethereum/devp2p/blob/master/rlpx.md#hello-0x00>).

use alloy_rlp::{Decodable, Encodable, Header};
use bytes::BytesMut;

use super::{Capability, P2PStreamError, Protocol};
use crate::node::PeerId;

/// Version of the base protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// Without compression.
    V4 = 4,
    /// With snappy from hello on (EIP-706).
    #[default]
    V5 = 5,
}

/// What a side says of itself. A peer's may be any, within [`super::MAX_BASE_MESSAGE_SIZE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelloMessage {
    /// Version of the base protocol; any higher one than ours counts as ours (EIP-8).
    pub protocol_version: u64,
    /// Name and version of the software, for people.
    pub client_version: String,
    /// What it speaks.
    pub capabilities: Vec<Capability>,
    /// Where it listens, by its own account; mostly 0.
    pub port: u16,
    /// Its node id.
    pub id: PeerId,
}

impl HelloMessage {
    /// Begins our hello.
    pub fn builder(id: PeerId) -> HelloMessageBuilder {
        HelloMessageBuilder { id, client_version: None, protocols: Vec::new(), port: 0 }
    }

    /// Whether messages to and from this side are compressed.
    pub const fn compresses(&self) -> bool {
        self.protocol_version >= ProtocolVersion::V5 as u64
    }

    /// The plain body of the message.
    pub fn encode(&self) -> BytesMut {
        let items: [&dyn Encodable; 5] =
            [&self.protocol_version, &self.client_version.as_str(), &self.capabilities, &self.port, &self.id];
        let payload_length = items.iter().map(|item| item.length()).sum();
        let mut out = BytesMut::with_capacity(payload_length + 4);
        Header { list: true, payload_length }.encode(&mut out);
        items.iter().for_each(|item| item.encode(&mut out));
        out
    }

    /// Reads the plain body. More items, and bytes behind the list, are ignored (EIP-8).
    pub fn decode(mut body: &[u8]) -> Result<Self, P2PStreamError> {
        let mut list = field("list", Header::decode_bytes(&mut body, true))?;
        let protocol_version = field("version", u64::decode(&mut list))?;
        let client = field("client name", Header::decode_bytes(&mut list, false))?;
        let mut offered = field("capabilities", Header::decode_bytes(&mut list, true))?;
        // Each takes three bytes at least, so the bound of the message bounds their number.
        let mut capabilities = Vec::new();
        while !offered.is_empty() {
            capabilities.push(field("capability", Capability::decode(&mut offered))?);
        }
        let port = field("port", u64::decode(&mut list))?;
        let id = field("node id", Header::decode_bytes(&mut list, false))?;
        let id = PeerId::try_from(id).ok().filter(|id| !id.is_zero()).ok_or(P2PStreamError::NullIdentity)?;
        Ok(Self {
            protocol_version,
            client_version: String::from_utf8_lossy(client).into_owned(),
            capabilities,
            // By its own account only: nonsense is no reason to refuse it.
            port: u16::try_from(port).unwrap_or(0),
            id,
        })
    }
}

/// Our hello, with what is needed to tell where the capabilities' messages lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelloMessageWithProtocols {
    /// What is sent.
    pub protocol_version: ProtocolVersion,
    /// Name and version of our software.
    pub client_version: String,
    /// What we speak, in any order.
    pub protocols: Vec<Protocol>,
    /// Where we listen; 0 leaves it unsaid, as Geth does.
    pub port: u16,
    /// Our node id.
    pub id: PeerId,
}

impl HelloMessageWithProtocols {
    /// The message.
    pub fn message(&self) -> HelloMessage {
        HelloMessage {
            protocol_version: self.protocol_version as u64,
            client_version: self.client_version.clone(),
            capabilities: self.protocols.iter().map(|protocol| protocol.cap.clone()).collect(),
            port: self.port,
            id: self.id,
        }
    }
}

/// Makes a [`HelloMessageWithProtocols`].
#[derive(Clone, Debug)]
pub struct HelloMessageBuilder {
    id: PeerId,
    client_version: Option<String>,
    protocols: Vec<Protocol>,
    port: u16,
}

impl HelloMessageBuilder {
    /// Sets the name and version of our software, by custom `Name/v1.2.3/os-arch/…`.
    pub fn client_version(mut self, client_version: impl Into<String>) -> Self {
        self.client_version = Some(client_version.into());
        self
    }

    /// Adds a protocol.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocols.push(protocol);
        self
    }

    /// Adds protocols.
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = Protocol>) -> Self {
        self.protocols.extend(protocols);
        self
    }

    /// Sets the port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The finished hello, of version 5.
    pub fn build(self) -> HelloMessageWithProtocols {
        let Self { id, client_version, protocols, port } = self;
        let client_version =
            client_version.unwrap_or_else(|| concat!("Hypasis/v", env!("CARGO_PKG_VERSION")).to_owned());
        HelloMessageWithProtocols {
            protocol_version: ProtocolVersion::default(),
            client_version,
            protocols,
            port,
            id,
        }
    }
}

fn field<T>(field: &'static str, read: alloy_rlp::Result<T>) -> Result<T, P2PStreamError> {
    read.map_err(|source| P2PStreamError::Hello { field, source })
}
