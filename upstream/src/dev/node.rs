//! A development chain behind a real HTTP port, for tests: a chain of any size, as a node, as a liar, as a node that
//! stalls, as a maker of reorgs.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hypasis_chain::dev::{Corruption, DevChain};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use super::Responder;

/// Largest request, as Geth's.
const BODY_BYTES_MAX: usize = 5 << 20;

/// Methods that are counted apart; calls of others count together.
const COUNTED_METHODS_MAX: usize = 256;

/// What a node lies about, and at which heights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lie {
    /// What is changed in a block.
    pub corruption: Corruption,
    /// Where.
    pub heights: Range<u64>,
}

/// A node over HTTP with switches. All of them act at once, also on open connections.
#[derive(Debug)]
pub struct DevNode {
    responder: Arc<Responder>,
    stalled: watch::Sender<bool>,
    down: watch::Sender<bool>,
    calls: Mutex<BTreeMap<String, u64>>,
}

// === impl DevNode ===

impl DevNode {
    /// A node over `chain`, truthful and complete. It does not advance by itself.
    pub fn new(chain: Arc<DevChain>) -> Arc<Self> {
        let responder = Arc::new(Responder::new(chain));
        let (stalled, down) = (watch::Sender::new(false), watch::Sender::new(false));
        Arc::new(Self { responder, stalled, down, calls: Mutex::default() })
    }

    /// The chain behind: advance it, or make a reorg.
    pub fn chain(&self) -> &Arc<DevChain> {
        &self.responder.chain
    }

    /// Whether `debug_getRaw*` are offered (they are at first).
    pub fn offer_raw(&self, offer: bool) {
        *self.responder.raw.write() = offer;
    }

    /// Lies from now on, or stops lying.
    pub fn lie(&self, lie: Option<Lie>) {
        *self.responder.lie.write() = lie;
    }

    /// Answers `method` with that JSON as the result from now on, whether or not it is one of its own methods.
    pub fn fix(&self, method: &str, result: &str) {
        self.responder.fixed.write().insert(method.to_owned(), result.to_owned());
    }

    /// Takes requests but answers none until it is switched off again.
    pub fn stall(&self, stall: bool) {
        self.stalled.send_replace(stall);
    }

    /// Answers 503 to everything.
    pub fn fail(&self, fail: bool) {
        self.down.send_replace(fail);
    }

    /// How often a method was called, in batches too.
    pub fn calls(&self, method: &str) -> u64 {
        self.calls.lock().get(method).copied().unwrap_or_default()
    }

    /// Serves until the future is dropped, which closes all connections.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted?;
                    let _ = stream.set_nodelay(true);
                    let node = self.clone();
                    connections.spawn(async move {
                        let service = service_fn(|request| node.clone().respond(request));
                        // A client that goes away in the middle is no concern of a node's.
                        let _ = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        if request.method() != Method::POST {
            let ok = request.method() == Method::GET;
            return Ok(empty(if ok { StatusCode::OK } else { StatusCode::METHOD_NOT_ALLOWED }));
        }
        let Ok(body) = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await else {
            return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
        };
        let body = body.to_bytes();
        self.count(&body);
        // Both senders live as long as this node, so that waiting ends only by the switch.
        let _ = self.stalled.subscribe().wait_for(|stalled| !stalled).await;
        if *self.down.borrow() {
            return Ok(empty(StatusCode::SERVICE_UNAVAILABLE));
        }
        let responder = self.responder.clone();
        let Ok(answer) = spawn_blocking(move || responder.answer(&body)).await else {
            return Ok(empty(StatusCode::INTERNAL_SERVER_ERROR));
        };
        let mut response = Response::new(Full::from(answer));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    fn count(&self, body: &[u8]) {
        let Ok(request) = serde_json::from_slice::<serde_json::Value>(body) else { return };
        let mut calls = self.calls.lock();
        for call in request.as_array().unwrap_or(&vec![request.clone()]) {
            let method = call.get("method").and_then(serde_json::Value::as_str).unwrap_or_default();
            let full = calls.len() >= COUNTED_METHODS_MAX && !calls.contains_key(method);
            let count = calls.entry(if full { "other" } else { method }.to_owned()).or_default();
            *count = count.saturating_add(1);
        }
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
