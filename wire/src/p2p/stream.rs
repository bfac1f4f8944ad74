//! Messages of the capabilities over an encrypted transport.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, SinkExt, Stream};

use snap::raw::max_compress_len;

use super::{
    DisconnectReason, Frames, MAX_BASE_MESSAGE_SIZE, MAX_MESSAGE_SIZE, MAX_PAYLOAD_SIZE,
    MAX_RESERVED_MESSAGE_ID, P2PMessage, P2PStreamError, SharedCapabilities, compression,
};

/// Pings that may wait for their answer because the peer does not read. One more ends the connection.
pub const PONGS_OWED_MAX: usize = 16;

/// An id of one byte, as an RLP integer.
const ID_LEN_MAX: usize = 2;

/// A connection after hello.
///
/// As a Stream it yields the capabilities' messages, plain, and answers pings by itself; as a Sink it takes
/// messages and gives no room while the transport has none. Ids count from the first one behind the base
/// protocol. Reading and writing belong into one task: they share a waker's slot.
#[derive(Debug)]
pub struct P2PStream<S> {
    inner: S,
    snappy: bool,
    shared: SharedCapabilities,
    max_message_size: usize,
    ping_owed: bool,
    pongs_owed: usize,
    /// Pings or pongs went into the transport that may still lie there.
    unflushed: bool,
    ended: bool,
}

/// What comes from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum P2PEvent {
    /// A capability's message.
    Message {
        /// Its id, counted from the first one behind the base protocol.
        id: u8,
        /// Its plain payload.
        payload: Bytes,
    },
    /// The answer to a ping of ours.
    Pong,
}

impl<S> P2PStream<S> {
    pub(super) const fn new(inner: S, snappy: bool, shared: SharedCapabilities) -> Self {
        Self {
            inner,
            snappy,
            shared,
            max_message_size: MAX_MESSAGE_SIZE,
            ping_owed: false,
            pongs_owed: 0,
            unflushed: false,
            ended: false,
        }
    }

    /// What both sides share.
    pub const fn shared_capabilities(&self) -> &SharedCapabilities {
        &self.shared
    }

    /// The transport below.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// Pings the peer with the next poll of the stream or the sink; [`P2PEvent::Pong`] tells of the answer.
    pub const fn send_ping(&mut self) {
        self.ping_owed = true;
    }
}

impl<S: Frames> P2PStream<S> {
    /// Bounds plain messages in both directions, and the frames that carry them; what RLPx can carry stays above it.
    pub fn set_max_message_size(&mut self, size: usize) {
        self.max_message_size = size.min(MAX_PAYLOAD_SIZE);
        let plain = self.max_message_size.max(MAX_BASE_MESSAGE_SIZE);
        self.inner.set_max_frame_size(max_compress_len(plain) + ID_LEN_MAX);
    }

    /// Tells the peer why we hang up, writes out everything that waits, and closes our side of the transport.
    /// No time limit: a peer that does not read holds it up, so the caller sets one.
    pub async fn disconnect(&mut self, reason: DisconnectReason) -> Result<(), P2PStreamError> {
        let farewell = P2PMessage::Disconnect(reason).encode(self.snappy)?;
        self.inner.feed(farewell).await?;
        Ok(self.inner.close().await?)
    }

    /// Puts owed pings and pongs into the transport.
    fn poll_owed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), P2PStreamError>> {
        while self.pongs_owed > 0 || self.ping_owed {
            ready!(self.inner.poll_ready_unpin(cx))?;
            let message = if self.pongs_owed > 0 {
                self.pongs_owed -= 1;
                P2PMessage::Pong
            } else {
                self.ping_owed = false;
                P2PMessage::Ping
            };
            self.inner.start_send_unpin(message.encode(self.snappy)?)?;
            self.unflushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Pushes owed pings and pongs as far as the transport takes them; reading goes on in any case.
    fn push_owed(&mut self, cx: &mut Context<'_>) -> Result<(), P2PStreamError> {
        if let Poll::Ready(owed) = self.poll_owed(cx) {
            owed?;
        }
        if self.unflushed
            && let Poll::Ready(flushed) = self.inner.poll_flush_unpin(cx)
        {
            flushed?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// `None` for what concerns nobody above.
    fn receive(&mut self, mut body: BytesMut) -> Result<Option<P2PEvent>, P2PStreamError> {
        let id = compression::take_id(&mut body)?;
        if id > MAX_RESERVED_MESSAGE_ID.into() {
            let relative = u8::try_from(id - u64::from(MAX_RESERVED_MESSAGE_ID) - 1)
                .map_err(|_| P2PStreamError::UnknownMessage(id))?;
            let payload = compression::decode(id, body, self.snappy, self.max_message_size)?;
            return Ok(Some(P2PEvent::Message { id: relative, payload }));
        }
        match P2PMessage::decode(id, body, self.snappy)? {
            Some(P2PMessage::Disconnect(reason)) => Err(P2PStreamError::Disconnected(reason)),
            Some(P2PMessage::Ping) if self.pongs_owed >= PONGS_OWED_MAX => Err(P2PStreamError::PingFlood),
            Some(P2PMessage::Ping) => {
                self.pongs_owed += 1;
                Ok(None)
            }
            Some(P2PMessage::Pong) => Ok(Some(P2PEvent::Pong)),
            Some(P2PMessage::Hello(_) | P2PMessage::Reserved(_)) | None => Ok(None),
        }
    }
}

impl<S: Frames> Stream for P2PStream<S> {
    type Item = Result<P2PEvent, P2PStreamError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        loop {
            if let Err(error) = this.push_owed(cx) {
                this.ended = true;
                return Poll::Ready(Some(Err(error)));
            }
            let received = match ready!(Pin::new(&mut this.inner).poll_next(cx)) {
                None => {
                    this.ended = true;
                    return Poll::Ready(None);
                }
                Some(Ok(body)) => this.receive(body),
                Some(Err(error)) => Err(error.into()),
            };
            this.ended = received.is_err();
            if let Some(item) = received.transpose() {
                return Poll::Ready(Some(item));
            }
        }
    }
}

impl<S: Frames> Sink<(u8, Bytes)> for P2PStream<S> {
    type Error = P2PStreamError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), P2PStreamError>> {
        let this = self.get_mut();
        ready!(this.poll_owed(cx))?;
        this.inner.poll_ready_unpin(cx).map_err(Into::into)
    }

    fn start_send(self: Pin<&mut Self>, (id, payload): (u8, Bytes)) -> Result<(), P2PStreamError> {
        let this = self.get_mut();
        let (size, max) = (payload.len(), this.max_message_size);
        // An id that no capability can have belongs to none.
        let id = id
            .checked_add(MAX_RESERVED_MESSAGE_ID + 1)
            .ok_or(P2PStreamError::NotOurs { capability: usize::MAX, id })?;
        if size > max {
            return Err(P2PStreamError::OwnMessageSize { id: id.into(), size, max });
        }
        let body = compression::encode(id, &payload, this.snappy)?;
        this.inner.start_send_unpin(body).map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), P2PStreamError>> {
        let this = self.get_mut();
        ready!(this.poll_owed(cx))?;
        ready!(this.inner.poll_flush_unpin(cx))?;
        this.unflushed = false;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), P2PStreamError>> {
        self.get_mut().inner.poll_close_unpin(cx).map_err(Into::into)
    }
}
