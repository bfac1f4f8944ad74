//! The way to the nodes, for what the store did not answer.

mod coalesce;
mod relay;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hypasis_upstream::{Call, ForwardError, Pool, Reply};
use tower::timeout::TimeoutLayer;
use tower::util::{BoxCloneSyncService, option_layer};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

use coalesce::CoalesceLayer;
use relay::RelayLayer;
pub use relay::Submit;

/// A call on its way out. Those with equal keys may share one answer.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) call: Call,
    /// Method and parameters, for calls that are idempotent.
    pub(crate) key: Option<Bytes>,
}

/// A node's answer.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) reply: Reply,
    /// Whether somebody else had asked for it.
    pub(crate) shared: bool,
}

/// Why no node answered.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The pool says why.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// It took longer than a call may.
    #[error("request timed out")]
    Timeout,
    /// The task that asked ended without an answer; a retry may help.
    #[error("the call was given up")]
    Abandoned,
}

/// The nodes behind their layers. Clone freely.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    stack: BoxCloneSyncService<Outgoing, Incoming, BoxError>,
    pool: Pool,
}

// === impl Nodes ===

impl Nodes {
    /// Puts the layers on, outermost first.
    pub(crate) fn new(pool: Pool, timeout: Duration, submit: Option<Submit>) -> Self {
        let stack = ServiceBuilder::new()
            // A caller waits no longer than this, whatever the nodes do.
            .layer(TimeoutLayer::new(timeout))
            // What a node has accepted goes to the peers too, if so configured.
            .layer(option_layer(submit.map(RelayLayer::new)))
            // Equal reads in flight ask once. Below the timeout, so that one caller's end is not another's.
            .layer(CoalesceLayer::default())
            // Choice, retry, hedge, breaker and limits are the pool's own.
            .service(Forward { pool: pool.clone() });
        Self { stack: BoxCloneSyncService::new(stack), pool }
    }

    /// The node with this id said something about the block at `number` that a root refutes.
    pub(crate) fn blame(&self, id: &str, number: u64, difference: &str) {
        self.pool.blame(id, number, &difference);
    }

    /// `web3_clientVersion` of the node with this id.
    pub(crate) fn client_version(&self, id: &str) -> Option<String> {
        self.pool.client_version(id)
    }

    /// Asks.
    pub(crate) async fn ask(&self, outgoing: Outgoing) -> Result<Incoming, AskError> {
        self.stack.clone().oneshot(outgoing).await.map_err(|error| match error.downcast::<AskError>() {
            Ok(error) => *error,
            Err(_) => AskError::Timeout,
        })
    }
}

/// The innermost service.
#[derive(Clone, Debug)]
struct Forward {
    pool: Pool,
}

// === impl Forward ===

impl Service<Call> for Forward {
    type Response = Reply;
    type Error = ForwardError;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, ForwardError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ForwardError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let pool = self.pool.clone();
        Box::pin(async move { pool.forward(call).await })
    }
}
