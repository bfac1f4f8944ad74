//! A port in this process, a node that says what a test wants, and a client that sees every byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hypasis_cache::Store;
use hypasis_chain::{BlockId, ChainSpec};
use hypasis_proxy::config::RpcConfig;
use hypasis_proxy::rpc::{Parts, Rpc, Submit};
use hypasis_proxy::served::{Served, ServedHead};
use hypasis_upstream::{NodeOptions, Pool, PoolOptions};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// What a node says to a call: the text from `"result"` or `"error"` on.
pub(crate) type Script = dyn Fn(&str, &Value) -> String + Send + Sync;

/// A node of a test.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    /// Bodies of what users' calls became, in order of arrival.
    pub(crate) bodies: Arc<Mutex<Vec<Bytes>>>,
    /// While held, answers wait.
    pub(crate) hold: Arc<watch::Sender<bool>>,
    /// A call came in.
    pub(crate) arrived: Arc<Notify>,
    /// Whether the script is asked before a probe is answered; it says nothing to what it does not know.
    replays: bool,
}

/// A running port.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    pub(crate) rpc: Rpc,
    pub(crate) served: ServedHead,
    pub(crate) shutdown: watch::Sender<bool>,
    pub(crate) serving: tokio::task::JoinHandle<()>,
    pub(crate) registry: Registry,
    pub(crate) pool: Pool,
    _following: JoinSet<()>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Bytes,
}

// === impl Node ===

impl Node {
    /// A node at height 1,000 that answers `script`; probes are answered as a node would.
    pub(crate) async fn start(script: Arc<Script>) -> Self {
        Self::run(script, false).await
    }

    /// A node that says what was recorded, also to probes; to what was not recorded the script says "".
    pub(crate) async fn replay(script: Arc<Script>) -> Self {
        Self::run(script, true).await
    }

    async fn run(script: Arc<Script>, replays: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = Self {
            address: listener.local_addr().unwrap(),
            bodies: Arc::default(),
            hold: Arc::new(watch::Sender::new(false)),
            arrived: Arc::default(),
            replays,
        };
        let this = node.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (node, script) = (this.clone(), Arc::clone(&script));
                tokio::spawn(async move {
                    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                        let (node, script) = (node.clone(), Arc::clone(&script));
                        async move {
                            let body = request.into_body().collect().await.unwrap().to_bytes();
                            let answer = node.answer(&script, &body).await;
                            let mut response = hyper::Response::new(Full::new(Bytes::from(answer)));
                            let kind = hyper::header::HeaderValue::from_static("application/json");
                            response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
                            Ok::<_, std::convert::Infallible>(response)
                        }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        node
    }

    async fn answer(&self, script: &Arc<Script>, body: &Bytes) -> String {
        let request: Value = serde_json::from_slice(body).unwrap();
        let calls = request.as_array().map_or(std::slice::from_ref(&request), Vec::as_slice);
        let probed = calls.iter().all(|call| probe(call).is_some());
        if !probed && !self.replays {
            self.bodies.lock().push(body.clone());
            self.arrived.notify_one();
            self.hold.subscribe().wait_for(|held| !held).await.unwrap();
        }
        let one = |call: &Value| {
            let method = call["method"].as_str().unwrap_or_default();
            let recorded = if self.replays { script(method, &call["params"]) } else { String::new() };
            let said = match recorded.as_str() {
                "" => probe(call).unwrap_or_else(|| script(method, &call["params"])),
                _ => recorded,
            };
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{},{said}}}", call["id"])
        };
        match request.as_array() {
            Some(calls) => format!("[{}]\n", calls.iter().map(one).collect::<Vec<_>>().join(",")),
            None => format!("{}\n", one(&request)),
        }
    }

    /// How many users' calls arrived.
    pub(crate) fn count(&self) -> usize {
        self.bodies.lock().len()
    }
}

/// What a pool asks on its own account.
fn probe(call: &Value) -> Option<String> {
    let result = |value: Value| Some(format!("\"result\":{value}"));
    let head = json!({ "number": "0x3e8", "hash": format!("0x{}", "11".repeat(32)), "parentHash": format!("0x{}", "12".repeat(32)), "timestamp": "0x1" });
    match (call["method"].as_str()?, &call["params"][0], &call["params"][1]) {
        ("eth_chainId", ..) => result(json!("0x539")),
        ("eth_getBlockByNumber", Value::String(tag), Value::Bool(false)) if tag == "latest" => result(head),
        ("eth_getBlockByNumber", Value::String(tag), _)
            if matches!(tag.as_str(), "0x0" | "finalized" | "safe") =>
        {
            result(Value::Null)
        }
        ("web3_clientVersion", ..) => result(json!("Fake/v1.0.0")),
        ("eth_syncing", ..) => result(json!(false)),
        (
            "debug_getRawHeader" | "debug_getRawBlock" | "debug_getRawReceipts" | "eth_getBlockReceipts",
            first,
            _,
        ) if first == "0x0" => Some("\"error\":{\"code\":-32601,\"message\":\"no\"}".into()),
        ("eth_capabilities", ..) => Some("\"error\":{\"code\":-32601,\"message\":\"no\"}".into()),
        _ => None,
    }
}

// === impl Port ===

impl Port {
    /// A port before `nodes` (none: everything upstream is down), once they are up.
    pub(crate) async fn start(store: Store, spec: ChainSpec, config: RpcConfig, nodes: &[&Node]) -> Self {
        Self::submitting(store, spec, config, nodes, None).await
    }

    /// The same, which also hands accepted transactions to `submit`.
    pub(crate) async fn submitting(
        store: Store,
        spec: ChainSpec,
        config: RpcConfig,
        nodes: &[&Node],
        submit: Option<Submit>,
    ) -> Self {
        let options: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(index, node)| NodeOptions::new(format!("n{index}"), format!("http://{}", node.address)))
            .collect();
        let pool_options = PoolOptions { hedge_share: 0.0, ..PoolOptions::default() };
        let pool = Pool::new(&options, pool_options, Default::default()).unwrap();
        let following = pool.spawn();
        if !nodes.is_empty() {
            pool.heads().wait_for(|heads| heads.up).await.unwrap();
        }
        let latest = store
            .view()
            .head()
            .or((!nodes.is_empty()).then_some(BlockId { number: 1_000, hash: Default::default() }));
        let local = store.view().head().is_some();
        let finalized = store.view().finalized();
        let served = ServedHead::new(Served {
            latest,
            safe: finalized,
            finalized,
            local,
            upstream: !nodes.is_empty(),
            ..Served::default()
        });
        let mut registry = Registry::default();
        let parts = Parts {
            config,
            memory: 64 << 20,
            spec: Arc::new(spec),
            store,
            pool: pool.clone(),
            served: served.clone(),
            submit,
        };
        let rpc = Rpc::new(parts, &mut registry);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, down) = watch::channel(false);
        let serving = tokio::spawn(rpc.clone().serve(listener, down));
        Self { address, rpc, served, shutdown, serving, registry, pool, _following: following }
    }

    /// Posts a body as JSON.
    pub(crate) async fn post(&self, body: &str) -> Answer {
        self.post_with(body, "").await
    }

    /// Posts a body as JSON with further header lines.
    pub(crate) async fn post_with(&self, body: &str, lines: &str) -> Answer {
        let length = body.len();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{lines}\r\n"
        );
        self.raw(&[head.as_bytes(), body.as_bytes()].concat()).await
    }

    /// Sends bytes, reads one answer.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        read_answer(&mut socket).await
    }
}

/// Reads one answer off a connection.
pub(crate) async fn read_answer(socket: &mut (impl AsyncRead + Unpin)) -> Answer {
    let reading = async {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            let mut part = [0; 4096];
            let count = socket.read(&mut part).await.unwrap();
            assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&part[..count]);
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |text| text.parse().unwrap());
        while bytes.len() < end + length {
            let mut part = vec![0; 65536];
            let count = socket.read(&mut part).await.unwrap();
            assert!(count > 0, "closed within a body");
            bytes.extend_from_slice(&part[..count]);
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: Bytes::from(bytes[end..].to_vec()) }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("an answer in time")
}

// === impl Answer ===

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// Chain 1337 of which nothing is known.
pub(crate) fn spec() -> ChainSpec {
    ChainSpec::unknown(1337, None)
}

/// A node that answers every call with its own method and parameters.
pub(crate) fn echo() -> Arc<Script> {
    Arc::new(|method, params| format!("\"result\":{}", json!([method, params])))
}
