//! Bodies: one or two ready pieces out, a bounded read in.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hypasis_upstream::{Charge, InFlight};
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// Below this, pieces are joined: copying costs less than another segment to write.
const JOIN_MAX: usize = 8 * 1_024;

/// A response body of at most two pieces.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    first: Option<Bytes>,
    second: Option<Bytes>,
    _charge: Option<Charge>,
}

/// Why a request's body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The client stopped sending, or left.
    Stalled,
    /// The budget is used up.
    Busy,
    /// It is longer than allowed, which its length did not say.
    TooLarge,
}

// === impl Reply ===

impl Reply {
    /// One piece.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { first: Some(bytes).filter(|bytes| !bytes.is_empty()), ..Self::default() }
    }

    /// `head`, `id` and `tail` in this order.
    pub(crate) fn spliced(head: &[u8], id: &[u8], tail: Bytes) -> Self {
        let start = head.len().saturating_add(id.len());
        let join = tail.len() <= JOIN_MAX;
        let mut first = Vec::with_capacity(start.saturating_add(if join { tail.len() } else { 0 }));
        first.extend_from_slice(head);
        first.extend_from_slice(id);
        if join {
            first.extend_from_slice(&tail);
            return Self::whole(first.into());
        }
        Self { first: Some(first.into()), second: Some(tail), ..Self::default() }
    }

    /// Bytes to come.
    pub(crate) fn len(&self) -> usize {
        let length = |piece: &Option<Bytes>| piece.as_ref().map_or(0, Bytes::len);
        length(&self.first).saturating_add(length(&self.second))
    }

    /// Holds a charge until the body is written or dropped.
    pub(crate) fn charged(mut self, charge: Option<Charge>) -> Self {
        self._charge = charge;
        self
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        Poll::Ready(this.first.take().or_else(|| this.second.take()).map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.second.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len() as u64)
    }
}

/// Reads a request's body: at most `max` bytes within `time`, charged to `budget` for as long as they are kept.
pub(crate) async fn read(
    mut body: Incoming,
    max: usize,
    time: Duration,
    budget: &InFlight,
) -> Result<Bytes, ReadError> {
    // Nearly every request came in one segment and is there already: no timer, no copy.
    let first = match at_hand(&mut body).await {
        Some(frame) => frame,
        None => tokio::time::timeout(time, body.frame()).await.map_err(|_| ReadError::Stalled)?,
    };
    let first = match first {
        None => Bytes::new(),
        Some(frame) => frame.map_err(|_| ReadError::Stalled)?.into_data().unwrap_or_default(),
    };
    if first.len() > max {
        return Err(ReadError::TooLarge);
    }
    if body.is_end_stream() {
        return Ok(budget.charge(first.len()).ok_or(ReadError::Busy)?.hold(first));
    }
    tokio::time::timeout(time, rest(body, first, max, budget)).await.map_err(|_| ReadError::Stalled)?
}

/// The next frame, if it has come. hyper reads one only after it was asked for, so it is asked for twice.
async fn at_hand(body: &mut Incoming) -> Option<Option<hyper::Result<Frame<Bytes>>>> {
    let mut asked = false;
    poll_fn(|cx| match Pin::new(&mut *body).poll_frame(cx) {
        Poll::Ready(frame) => Poll::Ready(Some(frame)),
        Poll::Pending if asked => Poll::Ready(None),
        Poll::Pending => {
            asked = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

async fn rest(mut body: Incoming, first: Bytes, max: usize, budget: &InFlight) -> Result<Bytes, ReadError> {
    // Charged before it is there: a hundred slow senders must not add up to more than the budget.
    let expected = body.size_hint().upper().and_then(|upper| usize::try_from(upper).ok()).unwrap_or(max);
    let expected = expected.saturating_add(first.len()).min(max);
    let charge = budget.charge(expected).ok_or(ReadError::Busy)?;
    let mut bytes = BytesMut::with_capacity(expected.min(64 * 1_024));
    bytes.extend_from_slice(&first);
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| ReadError::Stalled)?.into_data().unwrap_or_default();
        if data.len() > max.saturating_sub(bytes.len()) {
            return Err(ReadError::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(charge.hold(bytes.freeze()))
}
