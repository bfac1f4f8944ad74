//! The stack of the RPC port, one layer a line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hypasis_upstream::InFlight;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};

use super::body::{self, ReadError, Reply};
use super::calibrate::shadow;
use super::framing::{self, Envelope, RpcError, Said, Shape};
use super::gate;
use super::methods;
use super::route::{Answer, Batch, Core, Glance, Quick, Route};
use super::source::{self, Miss, Source};

const SOURCE: HeaderName = HeaderName::from_static("hypasis-source");
const MISS: HeaderName = HeaderName::from_static("hypasis-miss");
const ROUTE: HeaderName = HeaderName::from_static("hypasis-route");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The port's stack. Below it lie the store's shelf and, behind layers of their own, the nodes.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) core: Core,
    pub(crate) limits: Limits,
    pub(crate) budget: InFlight,
}

/// What a request may be.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) body: usize,
    pub(crate) batch: usize,
    pub(crate) response: usize,
    pub(crate) read_timeout: Duration,
    pub(crate) cors: Vec<String>,
    pub(crate) hosts: Vec<String>,
}

// === impl Stack ===

impl Stack {
    /// Answers a request: every layer either answers or hands on what the next one needs.
    pub(crate) async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Response<Reply> {
        let (head, body) = request.into_parts();
        let origin = gate::origin(&head, &self.limits.cors);
        let mut response = match self.layers(&head, body).await {
            Ok(response) | Err(response) => response,
        };
        if let Some(origin) = origin {
            gate::allow(&mut response, origin);
        }
        response
    }

    async fn layers(&self, head: &Parts, body: Incoming) -> Result<Response<Reply>, Response<Reply>> {
        // Foreign host names come from browsers that were tricked (DNS rebinding).
        gate::host(head, &self.limits.hosts)?;
        // Browsers ask before they call; only where the operator named origins.
        gate::preflight(head, &self.limits.cors)?;
        // What no node would read: methods, media types, bodies said to be too long.
        gate::method(head, body.size_hint().exact(), self.limits.body as u64)?;
        // The body, bounded in bytes and time, and charged to all clients' common budget.
        let bytes = self.read(body).await?;
        // Where the caller wants the answer from.
        let route = route(head);
        // One message or a batch, without a JSON tree; what is no JSON is answered at once.
        let request = framing::split(&bytes, self.limits.batch).map_err(|_| refused(&RpcError::PARSE))?;
        // Memory, constants, store; else the nodes, behind timeout and coalescing (`nodes.rs`).
        let response = match request {
            framing::Request::Nothing => nothing(),
            framing::Request::Single(call) => self.single(&bytes, call, route).await,
            framing::Request::Batch(texts) => self.batch(&bytes, &texts, route).await,
        };
        self.core.metrics.exchanged(bytes.len(), response.body().len());
        Ok(response)
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Response<Reply>> {
        body::read(body, self.limits.body, self.limits.read_timeout, &self.budget).await.map_err(|error| {
            match error {
                ReadError::Stalled => gate::refusal(StatusCode::REQUEST_TIMEOUT, "read timeout"),
                ReadError::Busy => busy(),
                ReadError::TooLarge => gate::too_large(None, self.limits.body as u64),
            }
        })
    }

    /// One message. The way of a hit has no await in it.
    async fn single(&self, bytes: &Bytes, call: Envelope<'_>, route: Route) -> Response<Reply> {
        let started = Instant::now();
        let silent = match call.shape() {
            Shape::Call => false,
            Shape::Notification => true,
            Shape::Response => return nothing(),
            Shape::Invalid => {
                let error = Said::error(&RpcError::INVALID_REQUEST, None);
                return self.reply(&call, error, false);
            }
        };
        let quick = self.core.quick(&call, route, &Glance::new(&self.core.shelf.store));
        let said = match quick {
            Quick::Said(said) => said,
            Quick::Slow(slow) => {
                let message = call.message(bytes);
                match Box::pin(self.core.slow(&call, &message, *slow, route)).await {
                    Answer::Said(said) => said,
                    Answer::Verbatim(reply, miss) => return self.verbatim(reply, miss),
                }
            }
        };
        let method = methods::method(&call.method);
        self.core.metrics.answered(method.index, &said.source, said.failed, started.elapsed());
        shadow::sample(&self.core, &call, method, &said);
        self.reply(&call, said, silent)
    }

    fn reply(&self, call: &Envelope<'_>, said: Said, silent: bool) -> Response<Reply> {
        let id = call.reply_id();
        if said.len(id) > self.limits.response.saturating_add(1_024) {
            return self.reply(call, Said::error(&RpcError::RESPONSE_TOO_LARGE, said.miss), silent);
        }
        let mut response = nothing();
        let headers = response.headers_mut();
        headers.insert(SOURCE, said.source.header());
        if let Some(miss) = said.miss {
            headers.insert(MISS, HeaderValue::from_static(miss.name()));
        }
        if silent {
            return response;
        }
        // Kept bytes are shared by all who get them; what a node sent is charged since it came.
        let own = matches!(said.source, Source::Both(_) | Source::Store);
        let charge = self.budget.charge(if own { said.tail.len() } else { 0 });
        if charge.is_none() {
            return busy();
        }
        *response.body_mut() = Reply::spliced(&said.head, id, said.tail).charged(charge);
        response
    }

    async fn batch(&self, bytes: &Bytes, texts: &[&[u8]], route: Route) -> Response<Reply> {
        let started = Instant::now();
        if texts.is_empty() {
            return refused(&RpcError::EMPTY_BATCH);
        }
        if texts.len() > self.limits.batch {
            return too_many(texts);
        }
        let mut batch = Batch::read(bytes, texts);
        Box::pin(batch.answer(&self.core, route, self.limits.response)).await;
        let mut response = nothing();
        let said: Vec<_> = batch.said().collect();
        if said.is_empty() {
            return response;
        }
        let length = said.iter().map(|(id, said, _)| said.len(id).saturating_add(1)).sum::<usize>();
        let Some(charge) = self.budget.charge(length) else { return busy() };
        let mut out = Vec::with_capacity(length.saturating_add(1));
        let took = started.elapsed();
        for (id, said, method) in &said {
            out.push(if out.is_empty() { b'[' } else { b',' });
            said.write(&mut out, id);
            self.core.metrics.answered(*method, &said.source, said.failed, took);
        }
        out.push(b']');
        let headers = response.headers_mut();
        headers.insert(SOURCE, source::sources(said.iter().map(|(_, said, _)| &said.source)));
        let misses: Vec<Miss> = said.iter().filter_map(|(_, said, _)| said.miss).collect();
        if let Some(misses) = source::misses(&misses) {
            headers.insert(MISS, misses);
        }
        *response.body_mut() = Reply::whole(out.into()).charged(Some(charge));
        response
    }

    /// A node's body that is no JSON-RPC reply, as it came.
    fn verbatim(&self, reply: hypasis_upstream::Reply, miss: Miss) -> Response<Reply> {
        let source = Source::Upstream(Arc::clone(&reply.upstream));
        let mut response = Response::new(Reply::whole(reply.body));
        *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let headers = response.headers_mut();
        if let Some(kind) = reply.content_type.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
            headers.insert(CONTENT_TYPE, kind);
        }
        headers.insert(SOURCE, source.header());
        headers.insert(MISS, HeaderValue::from_static(miss.name()));
        response
    }
}

fn route(head: &Parts) -> Route {
    match head.headers.get(ROUTE).map(HeaderValue::as_bytes) {
        Some(b"store") => Route::Store,
        Some(b"upstream") => Route::Upstream,
        _ => Route::Any,
    }
}

/// A good answer without a body.
fn nothing() -> Response<Reply> {
    let mut response = Response::new(Reply::default());
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// An error that belongs to no id.
fn refused(error: &RpcError) -> Response<Reply> {
    let said = Said::error(error, None);
    let mut response = nothing();
    response.headers_mut().insert(SOURCE, said.source.header());
    *response.body_mut() = Reply::spliced(&said.head, b"null", said.tail);
    response
}

fn busy() -> Response<Reply> {
    let mut response = refused(&RpcError::BUSY);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

/// Geth answers a batch that is too large with one error, under the id of its first call.
fn too_many(texts: &[&[u8]]) -> Response<Reply> {
    let calls = texts.iter().filter_map(|text| Envelope::read(text).ok());
    let first = calls.filter(|call| call.shape() == Shape::Call).map(|call| call.reply_id()).next();
    let said = Said::error(&RpcError::BATCH_TOO_LARGE, None);
    let mut out = vec![b'['];
    said.write(&mut out, first.unwrap_or(b"null"));
    out.push(b']');
    let mut response = nothing();
    response.headers_mut().insert(SOURCE, said.source.header());
    *response.body_mut() = Reply::whole(out.into());
    response
}
