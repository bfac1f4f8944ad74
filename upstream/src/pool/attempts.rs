//! The attempts at one call that run at once.
//!
//! Two places need no queue. `FuturesUnordered` would wake its own task whenever all that it holds wait, and a task
//! that wakes itself wakes a second thread to look for work: twice for each call, to no end.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// An attempt and its hedge. They end when they are dropped.
pub(super) struct Attempts<F> {
    places: [Option<Pin<Box<F>>>; 2],
}

// === impl Attempts ===

impl<F> Default for Attempts<F> {
    fn default() -> Self {
        Self { places: [None, None] }
    }
}

impl<F: Future> Attempts<F> {
    /// Whether nothing runs.
    pub(super) fn is_empty(&self) -> bool {
        self.places.iter().all(Option::is_none)
    }

    /// Starts one more. With both places taken it is not started.
    pub(super) fn push(&mut self, attempt: Pin<Box<F>>) {
        if let Some(place) = self.places.iter_mut().find(|place| place.is_none()) {
            *place = Some(attempt);
        }
    }

    /// Waits for the first to end.
    pub(super) async fn next(&mut self) -> F::Output {
        poll_fn(|cx| {
            for place in &mut self.places {
                if let Some(attempt) = place
                    && let Poll::Ready(ended) = attempt.as_mut().poll(cx)
                {
                    *place = None;
                    return Poll::Ready(ended);
                }
            }
            Poll::Pending
        })
        .await
    }
}
