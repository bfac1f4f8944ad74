//! A transaction that a node has accepted is handed to the peers as well (`p2p.submit_transactions`).
//!
//! After the node and not before: it alone knows nonces and balances, and what it refuses is not spread. The caller
//! does not wait for it, and whatever comes of it, the node's answer stands.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use alloy_primitives::hex;
use bytes::Bytes;
use serde::Deserialize;
use tower::{Layer, Service};

use super::{Incoming, Outgoing};

/// The one method that carries a signed transaction as it travels between peers.
const METHOD: &str = "eth_sendRawTransaction";

/// Takes a signed transaction in the form of the network and returns at once. Clone freely.
#[derive(Clone)]
pub struct Submit(Arc<dyn Fn(Bytes) + Send + Sync>);

/// Puts [`Relay`] on.
#[derive(Clone, Debug)]
pub(crate) struct RelayLayer {
    submit: Submit,
}

/// Hands on what was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Relay<S> {
    inner: S,
    submit: Submit,
}

// === impl Submit ===

impl Submit {
    /// Whatever takes it; it must not wait.
    pub fn new(submit: impl Fn(Bytes) + Send + Sync + 'static) -> Self {
        Self(Arc::new(submit))
    }
}

impl fmt::Debug for Submit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Submit")
    }
}

// === impl RelayLayer ===

impl RelayLayer {
    pub(crate) fn new(submit: Submit) -> Self {
        Self { submit }
    }
}

impl<S> Layer<S> for RelayLayer {
    type Service = Relay<S>;

    fn layer(&self, inner: S) -> Relay<S> {
        Relay { inner, submit: self.submit.clone() }
    }
}

// === impl Relay ===

impl<S> Service<Outgoing> for Relay<S>
where
    S: Service<Outgoing, Response = Incoming>,
    S::Future: Send + 'static,
{
    type Response = Incoming;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Incoming, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, outgoing: Outgoing) -> Self::Future {
        let sent = (outgoing.call.method == METHOD).then(|| outgoing.call.body.clone());
        let answer = self.inner.call(outgoing);
        let Some(sent) = sent else { return Box::pin(answer) };
        let submit = self.submit.clone();
        Box::pin(async move {
            let answer = answer.await?;
            if accepted(&answer)
                && let Some(raw) = transaction(&sent)
            {
                (submit.0)(raw);
            }
            Ok(answer)
        })
    }
}

/// A call with one parameter.
#[derive(Deserialize)]
struct Sent {
    params: (String,),
}

/// What a node says that has taken a transaction.
#[derive(Deserialize)]
struct Taken {
    #[serde(rename = "result")]
    _hash: alloy_primitives::B256,
}

/// Whether the node has answered with a hash.
fn accepted(answer: &Incoming) -> bool {
    answer.reply.status == 200 && serde_json::from_slice::<Taken>(&answer.reply.body).is_ok()
}

/// The transaction in the call.
fn transaction(body: &[u8]) -> Option<Bytes> {
    let Sent { params: (text,) } = serde_json::from_slice(body).ok()?;
    hex::decode(text).ok().map(Bytes::from)
}
