//! Which shared capability a message id belongs to.
//!
//! Capabilities lie behind each other by name (`eth`, `snap`, `wit`), each as wide as its version has
//! messages (<https://github.com/ethereum/devp2p/blob/master/rlpx.md#message-id-based-multiplexing>). A
//! session above works with the index of a capability and ids that begin at 0.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream};

use crate::p2p::{
    DisconnectReason, Frames, MAX_RESERVED_MESSAGE_ID, P2PEvent, P2PStream, P2PStreamError,
    SharedCapabilities,
};

/// A connection after hello, with messages told apart by capability.
#[derive(Debug)]
pub struct RlpxProtocolMultiplexer<S> {
    conn: P2PStream<S>,
}

/// A message of a shared capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapabilityMessage {
    /// Index into [`SharedCapabilities`].
    pub capability: usize,
    /// Id within the capability.
    pub id: u8,
    /// Plain payload.
    pub payload: Bytes,
}

/// What comes from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiplexEvent {
    /// A capability's message.
    Message(CapabilityMessage),
    /// The answer to a ping of ours.
    Pong,
}

impl SharedCapabilities {
    /// Index of the capability that `id`, counted from behind the base protocol, belongs to, and the id
    /// within it.
    pub fn route(&self, id: u8) -> Option<(usize, u8)> {
        self.iter().enumerate().find_map(|(index, shared)| {
            let relative = id.checked_sub(shared.offset).filter(|relative| *relative < shared.messages)?;
            Some((index, relative))
        })
    }

    /// The id, counted from behind the base protocol, of message `id` of the capability with this index.
    pub fn absolute(&self, capability: usize, id: u8) -> Option<u8> {
        let shared = self.get(capability).filter(|shared| id < shared.messages)?;
        shared.offset.checked_add(id)
    }
}

impl<S> RlpxProtocolMultiplexer<S> {
    /// Wraps a connection.
    pub const fn new(conn: P2PStream<S>) -> Self {
        Self { conn }
    }

    /// What both sides share.
    pub const fn shared_capabilities(&self) -> &SharedCapabilities {
        self.conn.shared_capabilities()
    }

    /// The connection below.
    pub const fn conn(&self) -> &P2PStream<S> {
        &self.conn
    }

    /// Pings the peer with the next poll; [`MultiplexEvent::Pong`] tells of the answer.
    pub const fn send_ping(&mut self) {
        self.conn.send_ping();
    }

    /// One capability alone, for its handshake.
    pub const fn capability(&mut self, index: usize) -> CapabilityStream<'_, S> {
        CapabilityStream { multiplexer: self, index }
    }
}

impl<S: Frames> RlpxProtocolMultiplexer<S> {
    /// See [`P2PStream::set_max_message_size`].
    pub fn set_max_message_size(&mut self, size: usize) {
        self.conn.set_max_message_size(size);
    }

    /// See [`P2PStream::disconnect`].
    pub async fn disconnect(&mut self, reason: DisconnectReason) -> Result<(), P2PStreamError> {
        self.conn.disconnect(reason).await
    }
}

impl<S: Frames> Stream for RlpxProtocolMultiplexer<S> {
    type Item = Result<MultiplexEvent, P2PStreamError>;

    /// An id of no shared capability is the peer's breach of the protocol, as in Geth.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(event) = ready!(Pin::new(&mut this.conn).poll_next(cx)) else { return Poll::Ready(None) };
        Poll::Ready(Some(event.and_then(|event| match event {
            P2PEvent::Pong => Ok(MultiplexEvent::Pong),
            P2PEvent::Message { id, payload } => {
                let route = this.conn.shared_capabilities().route(id);
                let absolute = u64::from(id) + u64::from(MAX_RESERVED_MESSAGE_ID) + 1;
                let (capability, id) = route.ok_or(P2PStreamError::UnknownMessage(absolute))?;
                Ok(MultiplexEvent::Message(CapabilityMessage { capability, id, payload }))
            }
        })))
    }
}

impl<S: Frames> Sink<CapabilityMessage> for RlpxProtocolMultiplexer<S> {
    type Error = P2PStreamError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), P2PStreamError>> {
        Pin::new(&mut self.get_mut().conn).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: CapabilityMessage) -> Result<(), P2PStreamError> {
        let CapabilityMessage { capability, id, payload } = message;
        let this = self.get_mut();
        let absolute = this.conn.shared_capabilities().absolute(capability, id);
        let absolute = absolute.ok_or(P2PStreamError::NotOurs { capability, id })?;
        Pin::new(&mut this.conn).start_send((absolute, payload))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), P2PStreamError>> {
        Pin::new(&mut self.get_mut().conn).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), P2PStreamError>> {
        Pin::new(&mut self.get_mut().conn).poll_close(cx)
    }
}

/// One capability of a connection: messages as `(id, payload)`, ids from 0. While it is in use, pongs and
/// messages of other capabilities are dropped: it is for a handshake, before which nobody may send anything
/// else.
#[derive(Debug)]
pub struct CapabilityStream<'a, S> {
    multiplexer: &'a mut RlpxProtocolMultiplexer<S>,
    index: usize,
}

impl<S: Frames> Stream for CapabilityStream<'_, S> {
    type Item = Result<(u8, Bytes), P2PStreamError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let event = ready!(Pin::new(&mut *this.multiplexer).poll_next(cx));
            match event {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(MultiplexEvent::Message(message))) if message.capability == this.index => {
                    return Poll::Ready(Some(Ok((message.id, message.payload))));
                }
                Some(Ok(_)) => {}
            }
        }
    }
}

impl<S: Frames> Sink<(u8, Bytes)> for CapabilityStream<'_, S> {
    type Error = P2PStreamError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), P2PStreamError>> {
        Pin::new(&mut *self.get_mut().multiplexer).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, (id, payload): (u8, Bytes)) -> Result<(), P2PStreamError> {
        let this = self.get_mut();
        let capability = this.index;
        Pin::new(&mut *this.multiplexer).start_send(CapabilityMessage { capability, id, payload })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), P2PStreamError>> {
        Pin::new(&mut *self.get_mut().multiplexer).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), P2PStreamError>> {
        Pin::new(&mut *self.get_mut().multiplexer).poll_close(cx)
    }
}
