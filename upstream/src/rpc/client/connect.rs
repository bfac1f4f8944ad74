//! Dialling: TCP and, for `https`, TLS, together bounded in time and counted.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::http::uri::Uri;
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::{BoxError, Service};

/// Longest time for TCP and TLS together; shorter where the operator's timeout is.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);
/// Idle connections are closed after this, before the usual nodes (Geth: 120 s) and balancers (60 s) do.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// Idle connections kept.
const IDLE_MAX: usize = 128;
/// Longest response head, and most that is read at once (hyper wants at least 8 KiB).
const HEAD_BYTES_MAX: usize = 64 << 10;

/// The pooled client for either scheme. Plain HTTP needs no root certificates, so that a machine without any works.
pub(super) enum Http {
    /// `http`.
    Plain(legacy::Client<Dial<HttpConnector>, Full<Bytes>>),
    /// `https`.
    Tls(legacy::Client<Dial<HttpsConnector<HttpConnector>>, Full<Bytes>>),
}

// === impl Http ===

impl Http {
    pub(super) fn new(tls: bool, timeout: Duration, opened: Arc<AtomicU64>) -> Result<Self, &'static str> {
        let timeout = timeout.min(CONNECT_TIMEOUT_MAX);
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(IDLE_TIMEOUT));
        tcp.enforce_http(false);
        if !tls {
            return Ok(Self::Plain(client(Dial { inner: tcp, timeout, opened })));
        }
        let roots = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|_| "no root certificates were found on this machine (package ca-certificates)")?;
        let inner = roots.https_only().enable_http1().wrap_connector(tcp);
        Ok(Self::Tls(client(Dial { inner, timeout, opened })))
    }

    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, legacy::Error> {
        match self {
            Self::Plain(client) => client.request(request).await,
            Self::Tls(client) => client.request(request).await,
        }
    }
}

fn client<C>(connector: Dial<C>) -> legacy::Client<Dial<C>, Full<Bytes>>
where
    Dial<C>: legacy::connect::Connect + Clone,
{
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_MAX)
        .http1_max_buf_size(HEAD_BYTES_MAX)
        .build(connector)
}

/// Bounds and counts what `inner` dials.
#[derive(Clone)]
pub(super) struct Dial<C> {
    inner: C,
    timeout: Duration,
    opened: Arc<AtomicU64>,
}

// === impl Dial ===

impl<C> Service<Uri> for Dial<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let dialled = tokio::time::timeout(self.timeout, self.inner.call(uri));
        Box::pin(async move { dialled.await?.map_err(Into::into) })
    }
}

/// Why dialling failed, in words that cannot hold a host name.
pub(super) fn reason(error: &(dyn Error + 'static)) -> &'static str {
    let mut cause = Some(error);
    let mut reason = "the connection failed";
    while let Some(error) = cause {
        if error.is::<tokio::time::error::Elapsed>() {
            return "timed out";
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            reason = match io.kind() {
                io::ErrorKind::ConnectionRefused => "connection refused",
                io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => "connection reset",
                io::ErrorKind::TimedOut => "timed out",
                io::ErrorKind::InvalidData => "TLS failed, or the certificate is not trusted",
                io::ErrorKind::UnexpectedEof => "closed while connecting",
                io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "unreachable",
                _ if error.to_string().contains("lookup") => "the host name does not resolve",
                _ => reason,
            };
        }
        if error.to_string().contains("dns error") {
            reason = "the host name does not resolve";
        }
        cause = error.source();
    }
    reason
}
