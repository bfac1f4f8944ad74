//! Equal idempotent calls in flight share one answer; nothing is kept once it is there.
//!
//! The call runs in a task of its own: when the caller that came first leaves, the others still get the answer,
//! and what changes something is neither cut off in the middle nor sent again.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hypasis_upstream::{Call, ForwardError, Reply};
use parking_lot::Mutex;
use tokio::sync::watch;
use tower::{Layer, Service};

use super::{AskError, Incoming, Outgoing};

type Outcome = Option<Result<Reply, ForwardError>>;
type Flights = Arc<Mutex<HashMap<Bytes, watch::Receiver<Outcome>>>>;

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
    S: Service<Call, Response = Reply, Error = ForwardError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Incoming;
    type Error = AskError;
    type Future = Pin<Box<dyn Future<Output = Result<Incoming, AskError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AskError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, outgoing: Outgoing) -> Self::Future {
        let (receiver, shared) = match outgoing.key {
            None => (self.start(outgoing.call, None), false),
            Some(key) => {
                let mut flights = self.flights.lock();
                match flights.get(&key) {
                    Some(receiver) => (receiver.clone(), true),
                    None => {
                        let receiver = self.start(outgoing.call, Some(key.clone()));
                        flights.insert(key, receiver.clone());
                        (receiver, false)
                    }
                }
            }
        };
        Box::pin(landed(receiver, shared))
    }
}

impl<S> Coalesce<S>
where
    S: Service<Call, Response = Reply, Error = ForwardError> + Clone + Send + 'static,
    S::Future: Send,
{
    fn start(&self, call: Call, key: Option<Bytes>) -> watch::Receiver<Outcome> {
        let (sender, receiver) = watch::channel(None);
        let mut inner = self.inner.clone();
        let landing = Landing { flights: Arc::clone(&self.flights), key };
        tokio::spawn(async move {
            let outcome = inner.call(call).await;
            // First out of the map, then told: who asks from now on asks anew.
            drop(landing);
            sender.send_replace(Some(outcome));
        });
        receiver
    }
}

async fn landed(mut receiver: watch::Receiver<Outcome>, shared: bool) -> Result<Incoming, AskError> {
    let outcome = receiver.wait_for(Option::is_some).await.map_err(|_| AskError::Abandoned)?;
    match outcome.as_ref() {
        Some(Ok(reply)) => Ok(Incoming { reply: reply.clone(), shared }),
        Some(Err(error)) => Err(error.clone().into()),
        None => Err(AskError::Abandoned),
    }
}

/// Takes the flight off the map, also when the task ends otherwise.
struct Landing {
    flights: Flights,
    key: Option<Bytes>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.flights.lock().remove(key);
        }
    }
}
