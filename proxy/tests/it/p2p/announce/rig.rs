//! The devp2p port of a Polygon chain, and peers of it that say what a test wants.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::U256;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hypasis_chain::bor::{BorConfig, BorFork};
use hypasis_chain::dev::DevChain;
use hypasis_chain::spec::Family;
use hypasis_chain::{BlockId, ChainSpec};
use hypasis_proxy::config::{Config, P2pConfig};
use hypasis_proxy::p2p::key::NodeKey;
use hypasis_proxy::p2p::{P2p, PeerSources};
use hypasis_proxy::served::{Served, ServedHead};
use hypasis_proxy::sync::Sync;
use hypasis_upstream::{Heads, Source};
use hypasis_wire::ecies::ECIESStream;
use hypasis_wire::eth::{
    BlockHeaders, Dialect, EthMessage, EthVersion, GetBlockHeaders, NewBlock, RequestPair, UnifiedStatus,
};
use hypasis_wire::multiplex::{CapabilityMessage, MultiplexEvent, RlpxProtocolMultiplexer};
use hypasis_wire::node::{NodeRecord, own_id, random_key};
use hypasis_wire::p2p::{Capability, HelloMessage, Protocol, UnauthedP2PStream};
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::p2p::library::{WHOLE, fill};
use crate::support::store_of;

/// Longer than anything here takes; a test that needs it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running port over a store that holds all of a chain.
pub(crate) struct Port {
    pub(crate) chain: Arc<DevChain>,
    pub(crate) served: ServedHead,
    pub(crate) record: NodeRecord,
    /// What the peers have together, or the one that is an upstream.
    pub(crate) source: Arc<dyn Source>,
    _stop: watch::Sender<bool>,
}

/// A session with a port.
pub(crate) struct Bor {
    connection: RlpxProtocolMultiplexer<ECIESStream<TcpStream>>,
    version: EthVersion,
    /// What the port says of itself.
    pub(crate) status: UnifiedStatus,
}

/// The chain as Polygon's: the same blocks, of another family.
pub(crate) fn bor_spec(chain: &DevChain) -> ChainSpec {
    let bor = BorConfig { forks: BTreeMap::from([(BorFork::Madhugiri, 0)]), ..BorConfig::default() };
    ChainSpec { family: Family::Bor, bor: Some(bor), ..chain.spec() }
}

/// Any total difficulty that grows with the height.
pub(crate) fn difficulty(number: u64) -> U256 {
    U256::from(number * 7 + 1)
}

// === impl Port ===

impl Port {
    /// Serves up to `head`.
    pub(crate) async fn start(chain: &Arc<DevChain>, head: u64, upstream: Option<NodeRecord>) -> Self {
        let spec = Arc::new(bor_spec(chain));
        let (store, served) = (store_of(spec.chain_id), ServedHead::new(Served::default()));
        fill(&store, chain, 0..=chain.head().number, &WHOLE);
        let sources = PeerSources::new(upstream.map(|node| ("upstream".into(), node)));
        let config = Config::default();
        let sync = Sync::new(
            hypasis_proxy::sync::Parts {
                config: config.sync,
                checkpoint: config.checkpoint,
                store_config: config.store,
                log: config.log,
                spec: spec.clone(),
                store: store.clone(),
                sources: sources.sources(),
                served: served.clone(),
            },
            &mut Registry::default(),
        );
        let source = sources.sources().into_iter().next().expect("that of all peers at least");
        let (stop, stopped) = watch::channel(false);
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let (key, listener) = (NodeKey::random(), TcpListener::bind(listen).await.unwrap());
        let record = NodeRecord::new(listener.local_addr().unwrap(), key.id());
        let parts = hypasis_proxy::p2p::Parts {
            config: P2pConfig { discovery: Vec::new(), relay_transactions: false, ..P2pConfig::default() },
            key,
            spec,
            store,
            served: served.clone(),
            sync,
            sources,
            data_dir: tempfile::tempdir().unwrap().keep(),
        };
        let port = P2p::new(parts, listener, &mut Registry::default(), stopped.clone()).await.unwrap();
        tokio::spawn(port.expect("devp2p is spoken on Polygon").run(stopped));
        let port = Self { chain: chain.clone(), served, record, source, _stop: stop };
        port.publish(head, Some(difficulty(head)));
        port
    }

    /// The head is this block of the chain now.
    pub(crate) fn publish(&self, number: u64, total_difficulty: Option<U256>) {
        let latest = Some(self.chain.id_at(number));
        self.served.publish(Served { latest, local: true, total_difficulty, ..Served::default() });
    }

    /// Waits until the source says what is wanted.
    pub(crate) async fn until_source(&self, what: &str, wanted: impl Fn(&Heads) -> bool) -> Heads {
        let mut heads = self.source.heads();
        let found = timeout(PATIENCE, heads.wait_for(|heads| wanted(heads))).await;
        found.unwrap_or_else(|_| panic!("{what} never came")).unwrap().clone()
    }

    /// A block of the chain as Bor sends it.
    pub(crate) fn block(&self, number: u64, td: U256) -> EthMessage {
        let block = self.chain.block(number);
        EthMessage::NewBlock(NewBlock::from_parts(&block.header, &block.body, td).unwrap())
    }
}

// === impl Bor ===

impl Bor {
    /// Dials `port` and says to be at `head` with that total difficulty.
    pub(crate) async fn dial(port: &Port, version: EthVersion, head: BlockId, td: U256) -> Self {
        let stream = TcpStream::connect(port.record.tcp_addr()).await.unwrap();
        let key = random_key();
        let encrypted = ECIESStream::connect(stream, key, port.record.id).await.unwrap();
        let eth = Protocol::new(Capability::eth(version.into()), version.length());
        let hello = HelloMessage::builder(own_id(&key)).client_version("bor/tests").protocol(eth).build();
        let (stream, _) = UnauthedP2PStream::new(encrypted).handshake(hello).await.unwrap();
        let connection = RlpxProtocolMultiplexer::new(stream);
        let status = UnifiedStatus::builder().build();
        let mut peer = Self { connection, version, status };
        let Ok(EthMessage::Status(status)) = peer.receive().await else { panic!("no status came first") };
        peer.status = status.into();
        let ours = UnifiedStatus {
            blockhash: head.hash,
            latest_block: Some(head.number),
            earliest_block: Some(0),
            total_difficulty: Some(td),
            ..peer.status
        };
        peer.send(&EthMessage::Status(ours.into_message(Dialect::Bor))).await;
        peer
    }

    pub(crate) async fn send(&mut self, message: &EthMessage) {
        self.send_raw(message.message_id().into(), message.encoded()).await.expect("the port hung up");
    }

    /// Sends whatever bytes under an id of `eth`.
    pub(crate) async fn send_raw(&mut self, id: u8, payload: Bytes) -> Result<(), String> {
        let message = CapabilityMessage { capability: 0, id, payload };
        self.connection.send(message).await.map_err(|error| error.to_string())
    }

    /// The next message; an error once the port has hung up, with its reason.
    pub(crate) async fn receive(&mut self) -> Result<EthMessage, String> {
        let next = async {
            loop {
                match self.connection.next().await {
                    None => return Err("closed".to_owned()),
                    Some(Err(error)) => return Err(error.to_string()),
                    Some(Ok(MultiplexEvent::Pong)) => {}
                    Some(Ok(MultiplexEvent::Message(message))) => {
                        let (id, payload) = (message.id, message.payload);
                        return EthMessage::decode(self.version, Dialect::Bor, id, payload)
                            .map_err(|error| error.to_string());
                    }
                }
            }
        };
        timeout(PATIENCE, next).await.map_err(|_| "nothing came in time".to_owned())?
    }

    /// The next request for headers.
    pub(crate) async fn asked(&mut self) -> RequestPair<GetBlockHeaders> {
        loop {
            if let EthMessage::GetBlockHeaders(pair) = self.receive().await.unwrap() {
                return pair;
            }
        }
    }

    /// Answers a request with these headers.
    pub(crate) async fn give(&mut self, request: &RequestPair<GetBlockHeaders>, headers: Vec<Bytes>) {
        let answer = RequestPair::new(request.request_id, BlockHeaders(headers));
        self.send(&EthMessage::BlockHeaders(answer)).await;
    }

    /// The next announcement of ours.
    pub(crate) async fn announced(&mut self) -> EthMessage {
        loop {
            let message = self.receive().await.unwrap();
            if matches!(message, EthMessage::NewBlock(_) | EthMessage::NewBlockHashes(_)) {
                return message;
            }
        }
    }
}
