//! A devp2p peer of the tests' own: it says what it is told to say, in any version of `eth`.
//!
//! It belongs to whatever chain the other side is of: its Status is the other's own, sent back.

mod fake;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hypasis_wire::ecies::ECIESStream;
use hypasis_wire::eth::{
    BlockHashOrNumber, Dialect, EthMessage, EthVersion, GetBlockBodies, GetBlockHeaders, GetReceipts,
    GetReceipts70, HeadersDirection, RequestPair, UnifiedStatus,
};
use hypasis_wire::multiplex::{CapabilityMessage, MultiplexEvent, RlpxProtocolMultiplexer};
use hypasis_wire::node::{NodeRecord, own_id, random_key};
use hypasis_wire::p2p::{Capability, HelloMessage, P2PStreamError, Protocol, UnauthedP2PStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub use fake::{Chain, Fake, Fault};
use transport::{Tap, Transport};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A session with a node.
#[derive(Debug)]
pub struct Peer {
    connection: RlpxProtocolMultiplexer<ECIESStream<Transport>>,
    tap: Arc<Tap>,
    version: EthVersion,
    /// What the node says of itself.
    pub status: UnifiedStatus,
    next: u64,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// So many headers from a height on, upwards.
    Headers(u64, u64),
    /// Bodies of these blocks.
    Bodies(Vec<alloy_primitives::B256>),
    /// Receipts of these blocks.
    Receipts(Vec<alloy_primitives::B256>),
}

// === impl Peer ===

impl Peer {
    /// Dials and shakes hands, offering one version.
    pub async fn connect(enode: &str, version: EthVersion) -> Result<Self, String> {
        let node: NodeRecord = enode.parse().map_err(|error| format!("{error}"))?;
        let greeting = async {
            let stream = TcpStream::connect(node.tcp_addr()).await.map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let key = random_key();
            let (stream, tap) = Transport::new(stream);
            let encrypted =
                ECIESStream::connect(stream, key, node.id).await.map_err(|error| error.to_string())?;
            let eth = Protocol::new(Capability::eth(version.into()), version.length());
            let hello = HelloMessage::builder(own_id(&key)).client_version("tests").protocol(eth).build();
            let (stream, _) = UnauthedP2PStream::new(encrypted)
                .handshake(hello)
                .await
                .map_err(|error| error.to_string())?;
            let mut connection = RlpxProtocolMultiplexer::new(stream);
            let mut eth = connection.capability(0);
            let (id, payload) =
                eth.next().await.ok_or("closed before its status")?.map_err(|error| error.to_string())?;
            eth.send((id, payload.clone())).await.map_err(|error| error.to_string())?;
            match EthMessage::decode(version, Dialect::Ethereum, id, payload) {
                Ok(EthMessage::Status(status)) => {
                    Ok(Self { connection, tap, version, status: status.into(), next: 0 })
                }
                other => Err(format!("instead of a status: {other:?}")),
            }
        };
        timeout(PATIENCE, greeting).await.map_err(|_| "no handshake in time".to_owned())?
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &EthMessage) -> Result<(), P2PStreamError> {
        self.send_raw(message.message_id().into(), message.encoded()).await
    }

    /// Sends whatever bytes under an id of `eth`.
    pub async fn send_raw(&mut self, id: u8, payload: Bytes) -> Result<(), P2PStreamError> {
        self.connection.send(CapabilityMessage { capability: 0, id, payload }).await
    }

    /// Begins a message, and stops for ever after so many bytes of it.
    pub async fn begin(&mut self, id: u8, payload: Bytes, bytes: usize) -> Result<(), P2PStreamError> {
        self.tap.close_after(bytes);
        tokio::select! {
            sent = self.connection.send(CapabilityMessage { capability: 0, id, payload }) => sent,
            () = self.tap.is_dry() => Ok(()),
        }
    }

    /// The next message; an error once the node has hung up, with its reason.
    pub async fn receive(&mut self) -> Result<EthMessage, String> {
        let next = async {
            loop {
                match self.connection.next().await {
                    None => return Err("closed".to_owned()),
                    Some(Err(error)) => return Err(error.to_string()),
                    Some(Ok(MultiplexEvent::Pong)) => {}
                    Some(Ok(MultiplexEvent::Message(message))) => {
                        return EthMessage::decode(
                            self.version,
                            Dialect::Ethereum,
                            message.id,
                            message.payload,
                        )
                        .map_err(|error| error.to_string());
                    }
                }
            }
        };
        timeout(PATIENCE, next).await.map_err(|_| "nothing came in time".to_owned())?
    }

    /// Sends a request.
    pub async fn request(&mut self, ask: &Ask) -> Result<(), P2PStreamError> {
        self.next += 1;
        let id = self.next;
        let message = match ask.clone() {
            Ask::Headers(from, limit) => EthMessage::GetBlockHeaders(RequestPair::new(
                id,
                GetBlockHeaders {
                    start_block: BlockHashOrNumber::Number(from),
                    limit,
                    skip: 0,
                    direction: HeadersDirection::Rising,
                },
            )),
            Ask::Bodies(hashes) => EthMessage::GetBlockBodies(RequestPair::new(id, GetBlockBodies(hashes))),
            Ask::Receipts(hashes) if self.version == EthVersion::Eth70 => {
                let message = GetReceipts70 { first_block_receipt_index: 0, hashes };
                EthMessage::GetReceipts70(RequestPair::new(id, message))
            }
            Ask::Receipts(hashes) => EthMessage::GetReceipts(RequestPair::new(id, GetReceipts(hashes))),
        };
        self.send(&message).await
    }

    /// The items of the next answer, whatever else comes before it.
    pub async fn answer(&mut self) -> Result<Vec<Bytes>, String> {
        loop {
            match self.receive().await? {
                EthMessage::BlockHeaders(pair) => return Ok(pair.message.0),
                EthMessage::BlockBodies(pair) => return Ok(pair.message.0),
                EthMessage::Receipts(pair) => return Ok(pair.message.0),
                EthMessage::Receipts69(pair) => return Ok(pair.message.0),
                EthMessage::Receipts70(pair) => return Ok(pair.message.receipts),
                _ => {}
            }
        }
    }

    /// Asks, and waits for the answer.
    pub async fn ask(&mut self, ask: &Ask) -> Result<Vec<Bytes>, String> {
        self.request(ask).await.map_err(|error| error.to_string())?;
        self.answer().await
    }
}
