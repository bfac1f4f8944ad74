//! A node that serves a chain over devp2p and is at fault in a chosen way.

mod leaf;
mod mortal;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloy_primitives::keccak256;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hypasis_wire::ecies::ECIESStream;
use hypasis_wire::eth::{
    BlockBodies, BlockHashOrNumber, BlockHeaders, Dialect, EthMessage, EthVersion, HeadersDirection,
    Receipts69, RequestPair, UnifiedStatus,
};
use hypasis_wire::multiplex::{CapabilityMessage, MultiplexEvent, RlpxProtocolMultiplexer};
use hypasis_wire::node::{NodeRecord, own_id, random_key};
use hypasis_wire::p2p::{Capability, HelloMessage, Protocol, UnauthedP2PStream};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::mortal::Mortal;
use super::{Ask, Peer};

/// What a connection that dies has sent before, times its number.
const LIFE_BYTES: usize = 16 << 10;

/// A block's parts as they travel in eth/69.
type Block = (Bytes, Bytes, Bytes);

/// The blocks of a chain, in order. Clone freely.
#[derive(Clone, Debug)]
pub struct Chain {
    status: UnifiedStatus,
    blocks: Arc<Vec<Block>>,
}

/// What is wrong with the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// This field of each header is another one.
    Header(usize),
    /// This leaf of each body is another one: the fields of its transactions in order, then uncles and withdrawals.
    Body(usize),
    /// This leaf of each list of receipts is another one: type, status, gas, address, topics, data, ….
    Receipts(usize),
    /// Bodies are never answered.
    Stalls,
    /// The connection ends in the middle of an answer: the first one after 16 KiB, each next one 16 KiB later.
    Dies,
    /// Nobody is let in.
    Shut,
}

/// A running fake; dropping ends it.
#[derive(Debug)]
pub struct Fake {
    record: NodeRecord,
    served: Arc<Served>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Served {
    key: secp256k1::SecretKey,
    chain: Chain,
    fault: Mutex<Fault>,
    /// Requests for bodies.
    asked: AtomicUsize,
    sessions: AtomicUsize,
}

// === impl Chain ===

impl Chain {
    /// Copies the chain of a sound node up to its head.
    pub async fn of(sound: &str) -> Self {
        let mut peer = Peer::connect(sound, EthVersion::Eth69).await.expect("a session with the sound node");
        let status = peer.status;
        let head = status.latest_block.expect("eth/69 tells it");
        let mut blocks = Vec::new();
        while (blocks.len() as u64) <= head {
            let headers = peer.ask(&Ask::Headers(blocks.len() as u64, 64)).await.expect("headers");
            let hashes: Vec<_> = headers.iter().map(keccak256).collect();
            let bodies = peer.ask(&Ask::Bodies(hashes.clone())).await.expect("bodies");
            let receipts = peer.ask(&Ask::Receipts(hashes)).await.expect("receipts");
            let lengths = (headers.len(), bodies.len(), receipts.len());
            let whole = headers.into_iter().zip(bodies).zip(receipts);
            let before = blocks.len();
            blocks.extend(whole.map(|((header, body), receipts)| (header, body, receipts)));
            assert!(blocks.len() > before, "at {before} the sound node gives {lengths:?}");
        }
        Self { status, blocks: Arc::new(blocks) }
    }
}

// === impl Fake ===

impl Fake {
    /// Serves a chain with that fault.
    pub async fn start(chain: &Chain, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let key = random_key();
        let record = NodeRecord::from_secret_key(address, &key);
        let served = Served {
            key,
            chain: chain.clone(),
            fault: Mutex::new(fault),
            asked: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
        };
        let served = Arc::new(served);
        let serving = served.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let before = serving.sessions.fetch_add(1, Ordering::Relaxed);
                let served = serving.clone();
                let left = match served.fault() {
                    Fault::Dies => LIFE_BYTES * (before + 1),
                    _ => usize::MAX,
                };
                tokio::spawn(async move { served.session(Mortal::new(stream, left)).await });
            }
        });
        Self { record, served, task }
    }

    /// From now on it is at fault in this way.
    pub fn set(&self, fault: Fault) {
        *self.served.fault.lock() = fault;
    }

    /// Where and who it is.
    pub fn enode(&self) -> String {
        self.record.to_string()
    }

    /// Who it is, in hexadecimal digits.
    pub fn id(&self) -> String {
        alloy_primitives::hex::encode(self.record.id)
    }

    /// Connections that came so far.
    pub fn sessions(&self) -> usize {
        self.served.sessions.load(Ordering::Relaxed)
    }

    /// Requests for bodies that came so far.
    pub fn asked(&self) -> usize {
        self.served.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// === impl Served ===

impl Served {
    /// Serves until the other side has enough; `None` is that moment.
    async fn session(&self, stream: Mortal) -> Option<()> {
        if self.fault() == Fault::Shut {
            return None;
        }
        let encrypted = ECIESStream::incoming(stream, self.key).await.ok()?;
        let eth = Protocol::new(Capability::eth(69), EthVersion::Eth69.length());
        let hello = HelloMessage::builder(own_id(&self.key)).client_version("fake").protocol(eth).build();
        let (stream, _) = UnauthedP2PStream::new(encrypted).handshake(hello).await.ok()?;
        let mut connection = RlpxProtocolMultiplexer::new(stream);
        let status = EthMessage::Status(self.chain.status.into_message(Dialect::Ethereum));
        connection.send(message(&status)).await.ok()?;
        loop {
            let MultiplexEvent::Message(received) = connection.next().await?.ok()? else { continue };
            let received =
                EthMessage::decode(EthVersion::Eth69, Dialect::Ethereum, received.id, received.payload)
                    .ok()?;
            if let Some(answer) = self.answer(&received) {
                connection.send(message(&answer)).await.ok()?;
            }
        }
    }

    fn fault(&self) -> Fault {
        *self.fault.lock()
    }

    fn answer(&self, message: &EthMessage) -> Option<EthMessage> {
        match message {
            EthMessage::GetBlockHeaders(pair) => {
                let headers =
                    self.headers(pair.message.start_block, pair.message.limit, pair.message.direction);
                Some(EthMessage::BlockHeaders(RequestPair::new(pair.request_id, BlockHeaders(headers))))
            }
            EthMessage::GetBlockBodies(pair) => {
                self.asked.fetch_add(1, Ordering::Relaxed);
                if self.fault() == Fault::Stalls {
                    return None;
                }
                let mut bodies = self.found(&pair.message.0, |block| &block.1);
                if let Fault::Body(at) = self.fault() {
                    bodies.iter_mut().for_each(|body| leaf::change(body, at));
                }
                Some(EthMessage::BlockBodies(RequestPair::new(pair.request_id, BlockBodies(bodies))))
            }
            EthMessage::GetReceipts(pair) => {
                let mut lists = self.found(&pair.message.0, |block| &block.2);
                if let Fault::Receipts(at) = self.fault() {
                    lists.iter_mut().for_each(|list| leaf::change(list, at));
                }
                Some(EthMessage::Receipts69(RequestPair::new(pair.request_id, Receipts69(lists))))
            }
            _ => None,
        }
    }

    fn headers(&self, start: BlockHashOrNumber, limit: u64, direction: HeadersDirection) -> Vec<Bytes> {
        let at = match start {
            BlockHashOrNumber::Number(number) => usize::try_from(number).ok(),
            BlockHashOrNumber::Hash(hash) => {
                self.chain.blocks.iter().position(|block| keccak256(&block.0) == hash)
            }
        };
        let Some(at) = at.filter(|at| *at < self.chain.blocks.len()) else { return Vec::new() };
        let limit = usize::try_from(limit.min(1_024)).expect("small");
        let mut headers: Vec<Bytes> = match direction {
            HeadersDirection::Rising => {
                self.chain.blocks[at..].iter().take(limit).map(|block| block.0.clone()).collect()
            }
            HeadersDirection::Falling => {
                self.chain.blocks[..=at].iter().rev().take(limit).map(|block| block.0.clone()).collect()
            }
        };
        if let Fault::Header(at) = self.fault() {
            headers.iter_mut().for_each(|header| leaf::change(header, at));
        }
        headers
    }

    fn found(&self, hashes: &[alloy_primitives::B256], part: fn(&Block) -> &Bytes) -> Vec<Bytes> {
        let at = |hash: &alloy_primitives::B256| {
            self.chain.blocks.iter().find(|block| keccak256(&block.0) == *hash)
        };
        hashes.iter().take(128).map_while(at).map(|block| part(block).clone()).collect()
    }
}

fn message(message: &EthMessage) -> CapabilityMessage {
    CapabilityMessage { capability: 0, id: message.message_id().into(), payload: message.encoded() }
}
