//! Equal idempotent calls in flight share one answer; nothing is kept once it is there.
//!
//! The caller that came first carries the call in its own task: another would cost two wake-ups. When it leaves before
//! the end, what is left of the call moves into a task, so that the others still get the answer, and what changes
//! something is neither cut off in the middle nor sent again.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hypasis_upstream::{Call, ForwardError, Reply};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tower::{Layer, Service};

use super::{AskError, Incoming, Outgoing};

type Outcome = Option<Result<Reply, ForwardError>>;
type Flights = Arc<Mutex<HashMap<Bytes, watch::Receiver<Outcome>>>>;
type Flight = Pin<Box<dyn Future<Output = Result<Reply, ForwardError>> + Send>>;

/// Puts [`Coalesce`] on.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoalesceLayer {
    flights: Flights,
}

/// Joins equal calls.
#[derive(Clone, Debug)]
pub(crate) struct Coalesce<S> {
    inner: S,
    flights: Flights,
}

// === impl CoalesceLayer ===

impl<S> Layer<S> for CoalesceLayer {
    type Service = Coalesce<S>;

    fn layer(&self, inner: S) -> Coalesce<S> {
        Coalesce { inner, flights: Arc::clone(&self.flights) }
    }
}

// === impl Coalesce ===

impl<S> Service<Outgoing> for Coalesce<S>
where
    S: Service<Call, Response = Reply, Error = ForwardError, Future = Flight>,
{
    type Response = Incoming;
    type Error = AskError;
    type Future = Pin<Box<dyn Future<Output = Result<Incoming, AskError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AskError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, outgoing: Outgoing) -> Self::Future {
        let Outgoing { call, key } = outgoing;
        let Some(key) = key else {
            return Box::pin(Lead { flight: Some(self.inner.call(call)), landing: None });
        };
        let mut flights = self.flights.lock();
        if let Some(receiver) = flights.get(&key) {
            return Box::pin(landed(receiver.clone()));
        }
        let (told, receiver) = watch::channel(None);
        flights.insert(key.clone(), receiver);
        drop(flights);
        let landing = Landing { place: Place { flights: Arc::clone(&self.flights), key }, told };
        Box::pin(Lead { flight: Some(self.inner.call(call)), landing: Some(landing) })
    }
}

/// The answer to a call that somebody else carries.
async fn landed(mut receiver: watch::Receiver<Outcome>) -> Result<Incoming, AskError> {
    let outcome = receiver.wait_for(Option::is_some).await.map_err(|_| AskError::Abandoned)?;
    match outcome.as_ref() {
        Some(Ok(reply)) => Ok(Incoming { reply: reply.clone(), shared: true }),
        Some(Err(error)) => Err(error.clone().into()),
        None => Err(AskError::Abandoned),
    }
}

/// A call carried by the caller that came first.
struct Lead {
    /// Until it has ended.
    flight: Option<Flight>,
    landing: Option<Landing>,
}

// === impl Lead ===

impl Future for Lead {
    type Output = Result<Incoming, AskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(flight) = &mut self.flight else { return Poll::Ready(Err(AskError::Abandoned)) };
        let outcome = ready!(flight.as_mut().poll(cx));
        self.flight = None;
        if let Some(landing) = self.landing.take() {
            landing.tell(&outcome);
        }
        Poll::Ready(outcome.map(|reply| Incoming { reply, shared: false }).map_err(AskError::from))
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let Some(flight) = self.flight.take() else { return };
        let landing = self.landing.take();
        // Without a runtime the whole program ends.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let outcome = flight.await;
            if let Some(landing) = landing {
                landing.tell(&outcome);
            }
        });
    }
}

/// Where a shared call ends.
struct Landing {
    place: Place,
    told: watch::Sender<Outcome>,
}

// === impl Landing ===

impl Landing {
    fn tell(self, outcome: &Result<Reply, ForwardError>) {
        // First off the map, then told: who asks from now on asks anew, and nobody joins unseen.
        drop(self.place);
        if self.told.receiver_count() > 0 {
            self.told.send_replace(Some(outcome.clone()));
        }
    }
}

/// A flight's place on the map, given up also when the call ends otherwise.
struct Place {
    flights: Flights,
    key: Bytes,
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
