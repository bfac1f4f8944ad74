//! Many calls in as few requests as the node takes.

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::pace::Pace;
use super::{RpcSource, Trouble};
use crate::rpc::client::ClientError;
use crate::rpc::message::{Ask, Outcome, RpcError};
use crate::rpc::node::{AskError, Lane};

/// HTTP statuses by which a node says that a request is too large.
const TOO_LARGE: [u16; 2] = [400, 413];

// === impl RpcSource ===

impl RpcSource {
    /// Outcomes in the order of `asks`. A refused batch size is learned and the rest asked in smaller ones.
    pub(super) async fn batch(
        &self,
        asks: Vec<Ask>,
        lane: Lane,
        pace: &Pace,
    ) -> Result<Vec<Outcome>, Trouble> {
        let mut outcomes = Vec::with_capacity(asks.len());
        while let Some(rest) = asks.get(outcomes.len()..).filter(|rest| !rest.is_empty()) {
            let size = self.node.abilities.batch_calls_max().min(rest.len());
            let now = if size > 1 { rest.get(..size) } else { rest.get(..pace.parallel().min(rest.len())) };
            let now = now.unwrap_or(rest);
            let answered = if size > 1 {
                self.request(now, lane, pace).await
            } else {
                let singles = now.iter().map(|ask| self.request(std::slice::from_ref(ask), lane, pace));
                try_join_all(singles).await.map(|outcomes| outcomes.concat())
            };
            match answered {
                Ok(answered) if size == 1 || !is_refused(&answered) => outcomes.extend(answered),
                Ok(_) => self.node.abilities.batch_refused(size),
                Err(AskError::Status(status)) if size > 1 && TOO_LARGE.contains(&status) => {
                    self.node.abilities.batch_refused(size);
                }
                Err(AskError::Bad(_)) if outcomes.is_empty() && size == 2 => {
                    self.node.abilities.batch_refused(size);
                }
                Err(error) => {
                    pace.failed();
                    return Err(trouble(error));
                }
            }
        }
        Ok(outcomes)
    }

    async fn request(&self, asks: &[Ask], lane: Lane, pace: &Pace) -> Result<Vec<Outcome>, AskError> {
        let start = Instant::now();
        let outcomes = self.node.ask(asks, lane, self.node.timeout).await?;
        let bytes = outcomes.iter().flatten().map(bytes::Bytes::len).sum();
        pace.answered(bytes, start.elapsed());
        Ok(outcomes)
    }
}

fn is_refused(outcomes: &[Outcome]) -> bool {
    outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(RpcError::is_batch_limit))
}

fn trouble(error: AskError) -> Trouble {
    match error {
        AskError::Client(ClientError::TooLarge(_)) => Trouble::TooLarge,
        AskError::Bad(reason) => Trouble::Wrong(reason.to_owned()),
        error => Trouble::Unavailable(error.to_string()),
    }
}
