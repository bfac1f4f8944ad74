//! Dialling: TCP and, for `https`, TLS, together bounded in time and counted.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::client::conn::http1;
use hyper::http::uri::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::{BoxError, Service};

use super::line::Line;
use super::{ClientError, IDLE_TIMEOUT};

/// Longest time for TCP and TLS together; shorter where the operator's timeout is.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);
/// Longest response head, and most that is read at once (hyper wants at least 8 KiB).
const HEAD_BYTES_MAX: usize = 64 << 10;

/// What a connection runs over.
pub(super) type Io = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens connections to one address.
pub(super) struct Dialler {
    connector: Connector,
    uri: Uri,
    timeout: Duration,
    opened: Arc<AtomicU64>,
}

/// For either scheme. Plain HTTP needs no root certificates, so that a machine without any works.
#[derive(Clone)]
enum Connector {
    Plain(HttpConnector),
    Tls(HttpsConnector<HttpConnector>),
}

// === impl Dialler ===

impl Dialler {
    pub(super) fn new(
        uri: Uri,
        tls: bool,
        timeout: Duration,
        opened: Arc<AtomicU64>,
    ) -> Result<Self, &'static str> {
        let timeout = timeout.min(CONNECT_TIMEOUT_MAX);
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(IDLE_TIMEOUT));
        tcp.enforce_http(false);
        let connector = if tls {
            let roots = HttpsConnectorBuilder::new()
                .with_native_roots()
                .map_err(|_| "no root certificates were found on this machine (package ca-certificates)")?;
            Connector::Tls(roots.https_only().enable_http1().wrap_connector(tcp))
        } else {
            Connector::Plain(tcp)
        };
        Ok(Self { connector, uri, timeout, opened })
    }

    /// A fresh connection. Nothing has been written on it but what TLS needs.
    pub(super) async fn dial(&self) -> Result<Box<Line>, ClientError> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let io = tokio::time::timeout(self.timeout, self.connector.clone().connect(self.uri.clone()));
        let io = match io.await {
            Ok(dialled) => dialled.map_err(|error| ClientError::Connect(reason(&*error)))?,
            Err(elapsed) => return Err(ClientError::Connect(reason(&elapsed))),
        };
        let shaken = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(io).await;
        let (sender, connection) = shaken.map_err(|_| ClientError::Connect("the connection failed"))?;
        Ok(Box::new(Line::new(sender, connection)))
    }
}

// === impl Connector ===

impl Connector {
    async fn connect(mut self, uri: Uri) -> Result<Io, BoxError> {
        match &mut self {
            Self::Plain(tcp) => {
                poll_fn(|cx| tcp.poll_ready(cx)).await?;
                Ok(MaybeHttpsStream::Http(tcp.call(uri).await?))
            }
            Self::Tls(tls) => {
                poll_fn(|cx| tls.poll_ready(cx)).await?;
                tls.call(uri).await
            }
        }
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
