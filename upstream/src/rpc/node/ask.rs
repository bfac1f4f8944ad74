//! Our own calls to a node: probes, heads, history.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Node;
use crate::rpc::client::{Answer, Bound, ClientError};
use crate::rpc::message::{self, Ask, Outcome};

/// Most bytes of an answer to a batch of ours.
pub(crate) const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Our own answers are bounded by the budgets of those who ask.
const OWN: Bound<'static> = Bound { bytes: ANSWER_BYTES_MAX, in_flight: None };
/// Pause after "too many requests" without a `retry-after`.
const PAUSE: Duration = Duration::from_secs(1);

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Probes and heads: around the queue, for they tell whether the node is there at all.
    Watch,
    /// At the head: among users' calls.
    Head,
    /// History: after all users.
    Fill,
}

/// Why a call of ours got no answer at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskError {
    /// The transport failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It is at its limits, or says so.
    #[error("it is at its limits")]
    Busy,
    /// An HTTP status that means failure.
    #[error("HTTP status {0}")]
    Status(u16),
    /// What came is no answer to what was asked.
    #[error("{0}")]
    Bad(&'static str),
}

// === impl Node ===

impl Node {
    /// Sends one batch; outcomes come back in the order of `asks`.
    pub(crate) async fn ask(
        &self,
        asks: &[Ask],
        lane: Lane,
        timeout: Duration,
    ) -> Result<Vec<Outcome>, AskError> {
        let calls = u32::try_from(asks.len()).unwrap_or(u32::MAX);
        if calls == 0 {
            return Ok(Vec::new());
        }
        let deadline = Instant::now().checked_add(timeout).ok_or(AskError::Busy)?;
        let _place = match lane {
            Lane::Watch => {
                self.gate.count(calls).await;
                None
            }
            Lane::Head => Some(self.gate.enter(calls, deadline).await.map_err(|_| AskError::Busy)?),
            Lane::Fill => Some(self.gate.enter_to_fill(calls).await.map_err(|_| AskError::Busy)?),
        };
        let first_id = self.next_id.fetch_add(asks.len() as u64, Ordering::Relaxed);
        let answered = self.post(message::write(asks, first_id), OWN, timeout).await;
        let outcomes =
            answered.map_err(AskError::Client).and_then(|answer| outcomes(&answer, first_id, asks.len()));
        if outcomes.is_err() {
            self.traffic.errors.fetch_add(1, Ordering::Relaxed);
        }
        if outcomes == Err(AskError::Busy) || outcomes.as_ref().is_ok_and(|all| is_rate_limited(all)) {
            self.gate.pause(PAUSE);
            return Err(AskError::Busy);
        }
        outcomes
    }

    /// Posts a body and counts it.
    pub(crate) async fn post(
        &self,
        body: bytes::Bytes,
        bound: Bound<'_>,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        self.traffic.requests.fetch_add(1, Ordering::Relaxed);
        self.traffic.bytes_out.fetch_add(body.len() as u64, Ordering::Relaxed);
        let answered = self.client.post(body, bound, timeout).await;
        match &answered {
            Ok(answer) => {
                self.traffic.bytes_in.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
                if answer.status == 429 {
                    self.gate.pause(answer.retry_after.map_or(PAUSE, Duration::from_secs));
                }
            }
            Err(ClientError::TooLarge(_) | ClientError::NoRoom) => {}
            Err(_) => self.suspect.store(true, Ordering::Relaxed),
        }
        answered
    }
}

fn outcomes(answer: &Answer, first_id: u64, count: usize) -> Result<Vec<Outcome>, AskError> {
    if answer.status == 429 {
        return Err(AskError::Busy);
    }
    // Some nodes put JSON-RPC errors behind 4xx and 5xx: the body decides where it is JSON-RPC.
    match message::read(&answer.body, first_id, count) {
        Ok(outcomes) => Ok(outcomes),
        Err(_) if answer.status >= 400 => Err(AskError::Status(answer.status)),
        Err(message::BadAnswer(reason)) => Err(AskError::Bad(reason)),
    }
}

fn is_rate_limited(outcomes: &[Outcome]) -> bool {
    outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(message::RpcError::is_rate_limit))
}
