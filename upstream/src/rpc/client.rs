//! HTTP/1.1 to one node: pooled keep-alive connections, a bound on time and on bytes, and the one fact that
//! decides about sends: whether bytes of a request may have left.
//!
//! A kept connection that turns out closed before anything was written is replaced silently; hyper hands the
//! untouched request back in that case. Once hyper has taken a request to write it, every failure counts as sent.
//! The task that asks moves the bytes itself ([`line`]): an answer costs one wake-up.
//! Compressed answers are not asked for: bodies are handed on byte for byte.

mod connect;
mod idle;
mod line;
mod target;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use hyper::{Method, Request, Response};

use super::options::{NodeOptions, OptionsError};
use crate::pool::InFlight;
use connect::Dialler;
use idle::Idle;
use line::{Line, Unanswered};
use target::Target;

/// Room that is made for an answer before its bytes have come, whatever length it claims.
const RESERVE_BYTES_MAX: u64 = 1 << 20;
/// Idle connections are closed after this, before the usual nodes (Geth: 120 s) and balancers (60 s) do.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// Idle connections kept.
const IDLE_MAX: usize = 128;
/// Fresh connections that may close before a request is written on them.
const DIALS_MAX: usize = 2;

/// The way to one node. Cancel-safe: dropping a request closes its connection.
pub(crate) struct Client {
    target: Target,
    dialler: Dialler,
    idle: Idle,
    opened: Arc<AtomicU64>,
}

/// How much of an answer is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'a> {
    /// Most bytes.
    pub(crate) bytes: u64,
    /// What they are charged to beside.
    pub(crate) in_flight: Option<&'a InFlight>,
}

/// What came back, byte for byte.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// `content-type`, if it is text.
    pub(crate) content_type: Option<String>,
    /// `retry-after` in seconds, where the node gives one.
    pub(crate) retry_after: Option<u64>,
    /// Body.
    pub(crate) body: Bytes,
}

/// Why nothing came back. Texts hold neither URL nor host name: either may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    /// No connection: nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(&'static str),
    /// The connection broke; bytes may have left.
    #[error("{0}")]
    Broken(&'static str),
    /// No whole answer in time; bytes may have left.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The answer went over its bound and was cut off.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
    /// All answers together are at their bound; this one was cut off.
    #[error("too many bytes in flight")]
    NoRoom,
}

// === impl Client ===

impl Client {
    /// Checks URL and headers; nothing is dialled yet.
    pub(crate) fn new(options: &NodeOptions) -> Result<Self, OptionsError> {
        let refuse = |reason| OptionsError { id: options.id.clone(), reason };
        let target = Target::new(options).map_err(refuse)?;
        let opened = Arc::new(AtomicU64::new(0));
        let dialler =
            Dialler::new(target.address().clone(), target.is_tls(), options.timeout, Arc::clone(&opened));
        let idle = Idle::new(IDLE_MAX, IDLE_TIMEOUT);
        Ok(Self { target, dialler: dialler.map_err(refuse)?, idle, opened })
    }

    /// How many connections were dialled; a change means that somebody else may answer now.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Posts JSON and takes as much of the answer as `bound` allows within `timeout`.
    pub(crate) async fn post(
        &self,
        body: Bytes,
        bound: Bound<'_>,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        self.in_time(self.request(body), bound, timeout).await
    }

    /// Gets a path below the URL's own, of a REST interface, and takes as much of the answer as `bound` allows within
    /// `timeout`.
    pub(crate) async fn get(
        &self,
        path: &str,
        bound: Bound<'_>,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        let uri = self.target.below(path).map_err(ClientError::Connect)?;
        let mut request = self.request(Bytes::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri;
        self.in_time(request, bound, timeout).await
    }

    /// Requests lie in boxes and the exchange is pinned where it is: futures that hold either are moved at each
    /// `await` above them, whole.
    fn request(&self, body: Bytes) -> Box<Request<Full<Bytes>>> {
        let mut request = Box::new(Request::new(Full::new(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.path().clone();
        *request.headers_mut() = self.target.headers().clone();
        request
    }

    async fn in_time(
        &self,
        request: Box<Request<Full<Bytes>>>,
        bound: Bound<'_>,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        let exchange = pin!(self.exchange(request, bound));
        tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(ClientError::Timeout(timeout)))
    }

    async fn exchange(
        &self,
        request: Box<Request<Full<Bytes>>>,
        bound: Bound<'_>,
    ) -> Result<Answer, ClientError> {
        let (mut line, response) = self.begin(request).await?;
        let status = response.status().as_u16();
        let text = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let content_type = text(CONTENT_TYPE);
        let retry_after = text(RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
        // Never asked for: unpacked it has no bound, and passed on as it is nobody could read it.
        if text(CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
            return Err(ClientError::Broken("the answer is compressed, which was not asked for"));
        }
        let body = read(&mut line, response, bound).await?;
        self.idle.put(line);
        Ok(Answer { status, content_type, retry_after, body })
    }

    /// Sends the request over a kept connection, else over a fresh one, up to the head of the answer.
    async fn begin(
        &self,
        mut request: Box<Request<Full<Bytes>>>,
    ) -> Result<(Box<Line>, Response<Incoming>), ClientError> {
        let mut dials = 0;
        loop {
            let mut line = match self.idle.take() {
                Some(line) => line,
                None if dials < DIALS_MAX => {
                    dials += 1;
                    Box::pin(self.dialler.dial()).await?
                }
                None => return Err(ClientError::Connect("closed while connecting")),
            };
            match line.send(request).await {
                Ok(response) => return Ok((line, response)),
                Err(Unanswered::Untouched(again)) => request = again,
                Err(Unanswered::Broken(error)) => return Err(ClientError::Broken(broken(&error))),
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("opened", &self.opened()).finish_non_exhaustive()
    }
}

// === impl ClientError ===

impl ClientError {
    /// Whether bytes of the request may have left.
    pub(crate) fn may_have_left(&self) -> bool {
        !matches!(self, Self::Connect(_))
    }
}

async fn read(line: &mut Line, response: Response<Incoming>, bound: Bound<'_>) -> Result<Bytes, ClientError> {
    let mut body = response.into_body();
    let claimed = body.size_hint().lower();
    if claimed > bound.bytes {
        return Err(ClientError::TooLarge(bound.bytes));
    }
    // Charged before it is there: a hundred slow answers must not add up to more than the budget.
    let expected = usize::try_from(claimed).unwrap_or(usize::MAX);
    let charge = bound.in_flight.map(|all| all.charge(expected).ok_or(ClientError::NoRoom));
    let mut charge = charge.transpose()?;
    let mut bytes = BytesMut::with_capacity(claimed.min(RESERVE_BYTES_MAX) as usize);
    let mut only = Bytes::new();
    while let Some(frame) = line.carry(body.frame()).await {
        let frame =
            frame.map_err(|_| ClientError::Broken("the connection broke in the middle of the answer"))?;
        let Ok(data) = frame.into_data() else { continue };
        let total = bytes.len().saturating_add(data.len());
        if total as u64 > bound.bytes {
            return Err(ClientError::TooLarge(bound.bytes));
        }
        if charge.as_mut().is_some_and(|charge| !charge.cover(total)) {
            return Err(ClientError::NoRoom);
        }
        if bytes.is_empty() && body.is_end_stream() {
            only = data;
            break;
        }
        bytes.extend_from_slice(&data);
    }
    let bytes = if only.is_empty() { bytes.freeze() } else { only };
    Ok(charge.map_or_else(|| bytes.clone(), |charge| charge.hold(bytes.clone())))
}

/// Names a failure without the texts of lower layers, which may quote host names.
fn broken(error: &hyper::Error) -> &'static str {
    match error {
        error if error.is_incomplete_message() => "the connection closed before an answer",
        error if error.is_parse() => "the answer is not HTTP",
        _ => "the connection broke",
    }
}
