//! One connection, driven by the task that waits for its answer.
//!
//! A task of its own for each connection would cost two wake-ups a request: one to write, one to hand the answer over.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest};
use hyper::{Request, Response};
use tokio::task::coop::unconstrained;

use super::connect::Io;

/// A connection and the end through which requests go to it. It moves only while something is carried on it;
/// dropping it closes it.
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// Until it is closed. What waits for it learns of that only when it is gone.
    connection: Option<Connection<Io, Full<Bytes>>>,
}

/// Why no answer began.
pub(super) enum Unanswered {
    /// The connection had closed before anything of the request was written: here it is again.
    Untouched(Box<Request<Full<Bytes>>>),
    /// Bytes may have left.
    Broken(hyper::Error),
}

// === impl Line ===

impl Line {
    pub(super) fn new(sender: SendRequest<Full<Bytes>>, connection: Connection<Io, Full<Bytes>>) -> Self {
        Self { sender, connection: Some(connection) }
    }

    /// Whether the next request can go over it: the last exchange is over on both sides, and as far as this process
    /// has heard nobody has closed it. Leaves no waker behind, so that an idle connection holds no task.
    pub(super) fn is_free(&mut self) -> bool {
        self.step(&mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(
        &mut self,
        request: Box<Request<Full<Bytes>>>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let answer = self.sender.try_send_request(*request);
        self.carry(answer).await.map_err(|mut error| match error.take_message() {
            Some(request) => Unanswered::Untouched(Box::new(request)),
            None => Unanswered::Broken(error.into_error()),
        })
    }

    /// Waits for `future`, to which everything comes from this connection, and meanwhile moves the connection.
    pub(super) async fn carry<F: Future>(&mut self, future: F) -> F::Output {
        // Whatever `future` waits for happens in the step before it is asked. A waker of its own would only be called
        // from within that step: a task that wakes itself runs twice and wakes a second thread to look for work. For
        // the same reason it may not wait for the task's turn, which nothing but a waker would announce.
        let mut future = pin!(unconstrained(future));
        poll_fn(|cx| {
            self.step(cx);
            let mut deaf = Context::from_waker(Waker::noop());
            future.as_mut().poll(if self.connection.is_some() { &mut deaf } else { cx })
        })
        .await
    }

    /// Reads and writes what can be read and written now. Errors come to who waits for the answer.
    fn step(&mut self, cx: &mut Context<'_>) {
        if self.connection.as_mut().is_some_and(|connection| Pin::new(connection).poll(cx).is_ready()) {
            self.connection = None;
        }
    }
}
