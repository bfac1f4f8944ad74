//! One connection in one task: what waits goes out while what comes in is read.
//!
//! Both directions must move together: two nodes that sync from each other would otherwise stop, each with its hands
//! full of answers that the other does not read.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, Stream};
use hypasis_wire::ecies::ECIESStream;
use hypasis_wire::eth::EthMessage;
use hypasis_wire::multiplex::{CapabilityMessage, MultiplexEvent, RlpxProtocolMultiplexer};
use hypasis_wire::p2p::{DisconnectReason, P2PStreamError};
use prometheus_client::metrics::counter::Counter;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::incoming::Unfinished;

/// A peer that takes nothing of what waits for it for this long is gone (Geth: the same).
const STUCK: Duration = Duration::from_secs(20);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// The multiplexed connection of a peer.
pub(super) type Connection = RlpxProtocolMultiplexer<ECIESStream<TcpStream>>;

/// A connection with what waits to be sent.
#[derive(Debug)]
pub(super) struct Line {
    connection: Connection,
    eth: usize,
    waiting: VecDeque<(u8, Bytes)>,
    waiting_bytes: usize,
    unfinished: Unfinished,
    /// Bytes of messages that were sent.
    sent: Counter<u64, AtomicU64>,
    flushed: bool,
    /// Since when something waits without any of it going out.
    stuck_since: Option<Instant>,
}

/// What happened on a connection.
#[derive(Debug)]
pub(super) enum Event {
    /// A message of `eth`.
    Message(u8, Bytes),
    /// The answer to a ping.
    Pong,
    /// All that waited has gone out.
    Sent,
    /// All peers together, and this one more than others, have begun more than there is room for.
    NoRoom,
}

// === impl Line ===

impl Line {
    /// `eth` is the index of that capability; `sent` counts bytes.
    pub(super) fn new(
        connection: Connection,
        eth: usize,
        unfinished: Unfinished,
        sent: Counter<u64, AtomicU64>,
    ) -> Self {
        let (waiting, waiting_bytes) = (VecDeque::new(), 0);
        Self { connection, eth, waiting, waiting_bytes, unfinished, sent, flushed: true, stuck_since: None }
    }

    /// Lets a message wait for its turn.
    pub(super) fn send(&mut self, message: &EthMessage) {
        self.send_encoded(message.message_id().into(), message.encoded());
    }

    /// Lets an encoded message wait for its turn.
    pub(super) fn send_encoded(&mut self, id: u8, payload: Bytes) {
        self.waiting_bytes = self.waiting_bytes.saturating_add(payload.len());
        self.waiting.push_back((id, payload));
    }

    /// Bytes that wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Pings with the next turn.
    pub(super) fn ping(&mut self) {
        self.connection.send_ping();
    }

    /// Whether the peer has stopped reading.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.stuck_since.is_some_and(|since| now.duration_since(since) >= STUCK)
    }

    /// Moves both directions until there is something to tell; reads only if `read`. Safe to drop at any moment.
    pub(super) async fn next(&mut self, read: bool) -> Result<Option<Event>, P2PStreamError> {
        poll_fn(|cx| self.poll_next(cx, read)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Result<Option<Event>, P2PStreamError>> {
        if let Poll::Ready(sent) = self.poll_send(cx)
            && sent?
        {
            return Poll::Ready(Ok(Some(Event::Sent)));
        }
        if !read {
            return Poll::Pending;
        }
        loop {
            let polled = Pin::new(&mut self.connection).poll_next(cx);
            let has_room = self.unfinished.hold(self.connection.conn().inner().unread_room());
            if polled.is_pending() && !has_room {
                return Poll::Ready(Ok(Some(Event::NoRoom)));
            }
            let event = ready!(polled).transpose()?;
            return Poll::Ready(Ok(match event {
                None => None,
                Some(MultiplexEvent::Pong) => Some(Event::Pong),
                Some(MultiplexEvent::Message(message)) if message.capability == self.eth => {
                    Some(Event::Message(message.id, message.payload))
                }
                // We speak `eth` alone, so that there is no other.
                Some(MultiplexEvent::Message(_)) => continue,
            }));
        }
    }

    /// Ready with true when something went out and nothing waits any more.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, P2PStreamError>> {
        let idle = self.flushed && self.waiting.is_empty();
        if !idle {
            self.stuck_since.get_or_insert_with(Instant::now);
        }
        let mut connection = Pin::new(&mut self.connection);
        while !self.waiting.is_empty() {
            ready!(connection.as_mut().poll_ready(cx))?;
            let Some((id, payload)) = self.waiting.pop_front() else { break };
            self.waiting_bytes = self.waiting_bytes.saturating_sub(payload.len());
            self.sent.inc_by(payload.len() as u64);
            connection.as_mut().start_send(CapabilityMessage { capability: self.eth, id, payload })?;
            self.flushed = false;
            self.stuck_since = Some(Instant::now());
        }
        if !self.flushed {
            ready!(connection.poll_flush(cx))?;
            self.flushed = true;
        }
        self.stuck_since = None;
        Poll::Ready(Ok(!idle))
    }

    /// Says why, and closes. Whatever waits is dropped.
    pub(super) async fn hang_up(mut self, reason: DisconnectReason) {
        // The peer may be gone, or not listen: there is nobody left to tell about it.
        let _ = timeout(FAREWELL, self.connection.disconnect(reason)).await;
    }
}
