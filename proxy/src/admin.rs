//! The admin port: health, metrics, REST. Read-only, loopback by default, never the RPC port.
//!
//! Answers are small and made on demand; a scrape or a status page never waits for sync or for a node. Requests
//! carry no body, connections are few and idle ones are closed, so a stranger gets nothing from holding them.

mod blocks;
mod health;
mod metrics;
mod rest;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hypasis_cache::Store;
use hypasis_chain::ChainSpec;
use hypasis_upstream::Pool;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::p2p::P2pView;
use crate::rpc::Rpc;
use crate::served::ServedHead;
use crate::sync::Sync;

/// Most connections at once; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;
/// Longest time for a request's head; also the longest idle time of a kept connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest life of a connection: one whose client takes no answers must not hold its place for ever.
const LIFE_MAX: Duration = Duration::from_secs(300);
/// Largest request head.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// What the admin port shows.
#[derive(Debug)]
pub struct Parts {
    /// The chain's rules.
    pub spec: Arc<ChainSpec>,
    /// The store.
    pub store: Store,
    /// The nodes behind.
    pub pool: Pool,
    /// The RPC service.
    pub rpc: Rpc,
    /// The filling.
    pub sync: Sync,
    /// The devp2p port, if it is open.
    pub p2p: Option<P2pView>,
    /// `enode://…`, if it is.
    pub enode: Option<String>,
    /// The one served head.
    pub served: ServedHead,
    /// All metrics of all rooms.
    pub registry: Registry,
    /// When the process started.
    pub started: Instant,
}

/// The admin service; clone freely.
#[derive(Clone, Debug)]
pub struct Admin {
    parts: Arc<Parts>,
}

// === impl Admin ===

impl Admin {
    /// A service over what there is to show.
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Serves until `shutdown` turns true. `draining` makes readiness fail first.
    pub async fn serve(
        self,
        listener: TcpListener,
        draining: watch::Receiver<bool>,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // No room, no accept: the kernel's queue holds the next ones. The end is heard also while all are taken.
            let room = async { (permits.clone().acquire_owned().await, listener.accept().await) };
            let (permit, stream) = tokio::select! {
                (permit, accepted) = room => match accepted {
                    Ok((stream, _)) => (permit, stream),
                    // Out of descriptors or a connection that died in the queue: give others time to end.
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = stopped(&mut shutdown) => return,
            };
            let (admin, draining) = (self.clone(), draining.clone());
            tokio::spawn(async move {
                admin.connection(stream, draining).await;
                drop(permit);
            });
        }
    }

    async fn connection(self, stream: TcpStream, draining: watch::Receiver<bool>) {
        let service = service_fn(move |request| {
            let admin = self.clone();
            let draining = *draining.borrow();
            async move { Ok::<_, Infallible>(admin.answer(&request, draining).await) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        if let Ok(Err(error)) = tokio::time::timeout(LIFE_MAX, served).await {
            tracing::debug!(%error, "An admin connection ended early.");
        }
    }

    async fn answer(&self, request: &Request<Incoming>, draining: bool) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return problem(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here");
        }
        let parts = &self.parts;
        let query = request.uri().query().unwrap_or_default();
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "ok\n".into()),
            "/health" | "/readyz" => health::ready(parts, draining, query.split('&').any(|q| q == "verbose")),
            "/metrics" => metrics::exposition(parts),
            "/api/v1/status" => json(&rest::status(parts)),
            "/api/v1/gaps" => json(&rest::gaps(parts)),
            "/api/v1/checkpoint" => rest::checkpoint(parts),
            "/api/v1/upstreams" => json(&rest::upstreams(parts)),
            "/api/v1/peers" => json(&rest::peers(parts)),
            path => match path.strip_prefix("/api/v1/blocks/") {
                Some(id) => blocks::block(self.parts.clone(), id.to_owned()).await,
                None => problem(StatusCode::NOT_FOUND, "no such path; see the documentation's admin chapter"),
            },
        }
    }
}

/// Waits until the end is asked for; a sender that is gone asks for it too.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// A JSON answer.
fn json(value: &serde_json::Value) -> Response<Full<Bytes>> {
    json_with(StatusCode::OK, value)
}

fn json_with(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    respond(status, "application/json", format!("{value}\n"))
}

/// An error as JSON: `{"error": "…"}`.
fn problem(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "error": message });
    respond(status, "application/json", format!("{body}\n"))
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", body)
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
