//! A node that fails in every way: the development chain's answers behind a port, with faults before users' calls.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hypasis_chain::dev::{DevChain, DevOptions};
use hypasis_upstream::dev::Responder;
use hypasis_upstream::{NodeOptions, Pool, PoolOptions, Source};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What happens to users' calls.
#[derive(Clone, Debug, Default)]
pub(crate) enum Fault {
    /// They are answered.
    #[default]
    None,
    /// They are never answered.
    Stall,
    /// They are answered late.
    Delay(Duration),
    /// The connection closes without a byte.
    Close,
    /// The connection closes in the middle of the answer.
    CloseMidAnswer,
    /// This status, with a body of this text.
    Status(u16, &'static str),
    /// This body.
    Body(String),
    /// The answer, said to be in this coding.
    Coded(&'static str),
    /// An answer of as many bytes, of unknown length beforehand.
    Oversized(usize),
    /// A byte now and then, for ever.
    Drip,
}

/// The node.
#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) id: &'static str,
    pub(crate) chain: Arc<DevChain>,
    port: u16,
    inner: Arc<Inner>,
    server: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Inner {
    id: &'static str,
    responder: Responder,
    fault: Mutex<Fault>,
    /// Methods that do not exist.
    denied: Mutex<Vec<&'static str>>,
    /// Methods whose results the test tells.
    told: Mutex<Vec<(&'static str, Value)>>,
    /// Most calls of a batch; 0: batches are no JSON-RPC to it.
    batch_max: AtomicUsize,
    /// Largest batch that came.
    batch_seen: AtomicUsize,
    /// Our own calls are answered with other ids.
    wrong_ids: Mutex<bool>,
    /// Users' calls that came.
    asked: watch::Sender<Vec<Bytes>>,
    headers: Mutex<HeaderMap>,
    retell: Mutex<Option<Retell>>,
}

/// What changes an answer to a call of ours.
type Change = dyn Fn(&Value, &mut Value) + Send + Sync;

struct Retell(Box<Change>);

impl std::fmt::Debug for Retell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Retell")
    }
}

type Body = StreamBody<BoxStream<'static, Result<Frame<Bytes>, io::Error>>>;

/// A chain of `history` blocks; equal seeds make equal chains.
pub(crate) fn chain(seed: u64, history: u64) -> Arc<DevChain> {
    let options = DevOptions { history, transactions: 4, period_ms: 1_000, seed };
    Arc::new(DevChain::new(options, 1_700_000_000))
}

/// Waits until each of the pool's nodes has said where its head is.
pub(crate) async fn all_up(pool: &Pool) {
    for source in pool.sources() {
        up(&*source).await;
    }
}

/// Waits until a source has a head.
pub(crate) async fn up(source: &dyn Source) {
    source.heads().wait_for(|heads| heads.latest.is_some()).await.unwrap();
}

// === impl Fake ===

impl Fake {
    pub(crate) async fn start(id: &'static str, chain: Arc<DevChain>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let inner = Arc::new(Inner {
            id,
            responder: Responder::new(chain.clone()),
            fault: Mutex::default(),
            denied: Mutex::default(),
            told: Mutex::default(),
            batch_max: AtomicUsize::new(1_000),
            batch_seen: AtomicUsize::new(0),
            wrong_ids: Mutex::new(false),
            asked: watch::Sender::new(Vec::new()),
            headers: Mutex::default(),
            retell: Mutex::default(),
        });
        let server = tokio::spawn(serve(inner.clone(), listener));
        Self { id, chain, port, inner, server: Mutex::new(Some(server)) }
    }

    pub(crate) fn options(&self) -> NodeOptions {
        NodeOptions::new(self.id, self.url())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn fault(&self, fault: Fault) {
        *self.inner.fault.lock() = fault;
    }

    pub(crate) fn deny(&self, methods: &[&'static str]) {
        *self.inner.denied.lock() = methods.to_vec();
    }

    /// From here on `method` has this result.
    pub(crate) fn tell(&self, method: &'static str, result: Value) {
        self.inner.told.lock().push((method, result));
    }

    pub(crate) fn batch_max(&self, calls: usize) {
        self.inner.batch_max.store(calls, Ordering::Relaxed);
    }

    pub(crate) fn batch_seen(&self) -> usize {
        self.inner.batch_seen.load(Ordering::Relaxed)
    }

    /// From now on answers to our own calls pass through `change`.
    pub(crate) fn retell(&self, change: impl Fn(&Value, &mut Value) + Send + Sync + 'static) {
        *self.inner.retell.lock() = Some(Retell(Box::new(change)));
    }

    pub(crate) fn wrong_ids(&self, wrong: bool) {
        *self.inner.wrong_ids.lock() = wrong;
    }

    /// Users' calls that came so far.
    pub(crate) fn asked(&self) -> Vec<Bytes> {
        self.inner.asked.borrow().clone()
    }

    /// Waits until as many users' calls have come.
    pub(crate) async fn asked_times(&self, times: usize) {
        self.inner.asked.subscribe().wait_for(|asked| asked.len() >= times).await.unwrap();
    }

    /// The headers of the last request.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.inner.headers.lock().clone()
    }

    /// Closes the port and all connections.
    pub(crate) async fn stop(&self) {
        let server = self.server.lock().take();
        if let Some(server) = server {
            server.abort();
            let _ = server.await;
        }
    }

    /// Opens the same port again, with another chain behind it.
    pub(crate) async fn start_again(&self, other: &Fake) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        *self.server.lock() = Some(tokio::spawn(serve(other.inner.clone(), listener)));
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(server) = self.server.lock().take() {
            server.abort();
        }
    }
}

async fn serve(inner: Arc<Inner>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let inner = inner.clone();
        connections.spawn(async move {
            let service = service_fn(|request| inner.clone().respond(request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

// === impl Inner ===

impl Inner {
    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
        *self.headers.lock() = request.headers().clone();
        let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        let calls = json.as_array().cloned().unwrap_or_else(|| vec![json.clone()]);
        if calls.iter().any(is_users) {
            self.asked.send_modify(|asked| asked.push(body.clone()));
            let fault = self.fault.lock().clone();
            return self.users(&fault, &json).await;
        }
        if json.is_array() {
            self.batch_seen.fetch_max(calls.len(), Ordering::Relaxed);
            match self.batch_max.load(Ordering::Relaxed) {
                0 => {
                    return Ok(whole(
                        200,
                        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}}"#,
                    ));
                }
                max if calls.len() > max => {
                    let error =
                        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}}"#;
                    return Ok(whole(200, error));
                }
                _ => {}
            }
        }
        let responder = self.clone();
        let answer = tokio::task::spawn_blocking(move || responder.own(&json, &body)).await.unwrap();
        Ok(whole(200, answer))
    }

    /// Answers probes and filling.
    fn own(&self, json: &Value, body: &[u8]) -> Vec<u8> {
        let denied = self.denied.lock().clone();
        let told = self.told.lock().clone();
        let wrong_ids = *self.wrong_ids.lock();
        let retell = self.retell.lock();
        if denied.is_empty() && told.is_empty() && !wrong_ids && retell.is_none() {
            return self.responder.answer(body);
        }
        let one = |call: &Value| -> Value {
            let method = call["method"].as_str().unwrap();
            let result = told.iter().find(|(told, _)| *told == method).map(|(_, result)| result);
            let mut answer = if let Some(result) = result {
                json!({"jsonrpc": "2.0", "id": call["id"], "result": result})
            } else if denied.contains(&method) {
                let message = format!("the method {method} does not exist/is not available");
                json!({"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": message}})
            } else {
                serde_json::from_slice(&self.responder.answer(call.to_string().as_bytes())).unwrap()
            };
            if let Some(Retell(change)) = retell.as_ref().filter(|_| answer.get("error").is_none()) {
                change(call, &mut answer["result"]);
            }
            if wrong_ids {
                answer["id"] = json!(answer["id"].as_u64().unwrap() + 1_000);
            }
            answer
        };
        match json.as_array() {
            Some(calls) => Value::Array(calls.iter().map(one).collect()).to_string().into_bytes(),
            None => one(json).to_string().into_bytes(),
        }
    }

    async fn users(&self, fault: &Fault, json: &Value) -> Result<Response<Body>, io::Error> {
        match fault {
            Fault::None => Ok(whole(200, self.result(json))),
            Fault::Stall => std::future::pending().await,
            Fault::Delay(delay) => {
                tokio::time::sleep(*delay).await;
                Ok(whole(200, self.result(json)))
            }
            Fault::Close => Err(io::Error::other("closed")),
            Fault::CloseMidAnswer => {
                let start = Ok(Frame::data(Bytes::from_static(br#"{"jsonrpc":"2.0","#)));
                Ok(streamed(stream::iter([start, Err(io::Error::other("closed"))]).boxed()))
            }
            Fault::Status(status, body) => Ok(whole(*status, *body)),
            Fault::Body(body) => Ok(whole(200, body.clone())),
            Fault::Coded(coding) => {
                let mut response = whole(200, self.result(json));
                response.headers_mut().insert("content-encoding", coding.parse().unwrap());
                Ok(response)
            }
            Fault::Oversized(bytes) => {
                let chunk = Bytes::from(vec![b' '; 1 << 10]);
                let chunks = stream::iter((0..bytes >> 10).map(move |_| Ok(Frame::data(chunk.clone()))));
                Ok(streamed(chunks.boxed()))
            }
            Fault::Drip => {
                let bytes = stream::unfold((), |()| async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Some((Ok(Frame::data(Bytes::from_static(b" "))), ()))
                });
                Ok(streamed(bytes.boxed()))
            }
        }
    }

    /// Tells who answered; a filter's id for a new filter.
    fn result(&self, json: &Value) -> String {
        let result = match json["method"].as_str() {
            Some("eth_newFilter") => format!("0xf{}", self.id),
            _ => self.id.to_owned(),
        };
        json!({"jsonrpc": "2.0", "id": json["id"], "result": result}).to_string()
    }
}

/// Calls that no probe and no filling makes.
fn is_users(call: &Value) -> bool {
    matches!(
        call["method"].as_str(),
        Some(
            "eth_call"
                | "eth_sendRawTransaction"
                | "eth_newFilter"
                | "eth_getFilterChanges"
                | "txpool_status"
        )
    )
}

fn whole(status: u16, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = streamed(stream::iter([Ok(Frame::data(body.into()))]).boxed());
    *response.status_mut() = status.try_into().unwrap();
    response
}

fn streamed(body: BoxStream<'static, Result<Frame<Bytes>, io::Error>>) -> Response<Body> {
    let mut response = Response::new(StreamBody::new(body));
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response
}

/// Options that look at nodes often enough for tests.
pub(crate) fn quick() -> PoolOptions {
    let mut options = PoolOptions { deadline: Duration::from_secs(20), ..PoolOptions::default() };
    options.follow.poll_min = Duration::from_millis(20);
    options.follow.poll_max = Duration::from_millis(40);
    options.follow.reprobe = Duration::from_millis(50);
    options
}
