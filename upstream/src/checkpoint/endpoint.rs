//! One endpoint over HTTP, and several of them that are asked together.
//!
//! Answers are bounded in time and bytes. What an endpoint did wrong last is kept for people; no text holds its URL,
//! which may be a secret.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hypasis_chain::bor::span::HeimdallError;
use parking_lot::Mutex;
use serde::Serialize;

use super::agree::{self, Disagreement, Verdict};
use crate::rpc::client::{Bound, Client, ClientError};
use crate::rpc::message::{self, Ask, BadAnswer, RpcError};
use crate::rpc::{NodeOptions, OptionsError};

/// Largest answer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Longest text of a fault that is kept.
const FAULT_CHARS_MAX: usize = 300;

/// One endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) id: Arc<str>,
    client: Client,
    timeout: Duration,
    next_id: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    up: bool,
    height: Option<u64>,
    errors: u64,
    dissents: u64,
    fault: Option<String>,
    /// Whether it was found to be on the right chain since it last failed.
    identified: bool,
}

/// Several endpoints that answer the same questions.
#[derive(Debug)]
pub(super) struct Endpoints {
    all: Vec<Arc<Endpoint>>,
}

/// What is known of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointStatus {
    /// Its kind and position in the configuration: `l1-1`, `heimdall-2`.
    pub id: String,
    /// Whether it answered the last question.
    pub up: bool,
    /// The height it told last: the finalized L1 block, or the end of the latest milestone.
    pub height: Option<u64>,
    /// Questions it did not answer since start.
    pub errors: u64,
    /// Answers that the other endpoints contradicted since start.
    pub dissents: u64,
    /// What it did wrong last.
    pub fault: Option<String>,
}

/// Why an endpoint gave no answer that means anything. It, or the network, is at fault; asking later may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EndpointError {
    /// The transport failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An HTTP status that means failure.
    #[error("HTTP status {0}")]
    Status(u16),
    /// Its own error.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// What came is no answer to what was asked.
    #[error("{0}")]
    Bad(&'static str),
    /// Its span is none.
    #[error(transparent)]
    Span(HeimdallError),
    /// It is on another chain.
    #[error("its chain id is {found}, expected {expected}")]
    Chain {
        /// What it says.
        found: u64,
        /// What it must be.
        expected: u64,
    },
}

// === impl Endpoint ===

impl Endpoint {
    fn new(id: String, url: &str, timeout: Duration) -> Result<Self, OptionsError> {
        let options = NodeOptions { timeout, ..NodeOptions::new(id.clone(), url) };
        let client = Client::new(&options)?;
        Ok(Self { id: id.into(), client, timeout, next_id: AtomicU64::new(1), state: Mutex::default() })
    }

    /// Calls a JSON-RPC method; the result is its JSON text.
    pub(super) async fn call(&self, method: &'static str, params: String) -> Result<Bytes, EndpointError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = message::write(&[Ask::new(method, params)], id);
        let answer = self.client.post(body, BOUND, self.timeout).await?;
        let outcome = match message::read(&answer.body, id, 1) {
            Ok(outcomes) => outcomes.into_iter().next(),
            Err(_) if answer.status >= 400 => return Err(EndpointError::Status(answer.status)),
            Err(BadAnswer(reason)) => return Err(EndpointError::Bad(reason)),
        };
        Ok(outcome.ok_or(EndpointError::Bad("it answered nothing"))??)
    }

    /// Gets a path of a REST interface.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, EndpointError> {
        let answer = self.client.get(path, BOUND, self.timeout).await?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(EndpointError::Status(status)),
        }
    }

    /// Whether it need not be asked who it is.
    pub(super) fn is_identified(&self) -> bool {
        self.state.lock().identified
    }

    pub(super) fn identified(&self) {
        self.state.lock().identified = true;
    }

    /// Records the height that it tells.
    pub(super) fn at(&self, height: u64) {
        self.state.lock().height = Some(height);
    }

    fn answered(&self) {
        self.state.lock().up = true;
    }

    fn failed(&self, error: &EndpointError) {
        let mut state = self.state.lock();
        state.up = false;
        state.identified = false;
        state.errors = state.errors.saturating_add(1);
        state.fault = Some(error.to_string().chars().take(FAULT_CHARS_MAX).collect());
    }

    fn dissented(&self, what: &str) {
        let mut state = self.state.lock();
        state.dissents = state.dissents.saturating_add(1);
        state.fault = Some(what.chars().take(FAULT_CHARS_MAX).collect());
    }
}

const BOUND: Bound<'static> = Bound { bytes: ANSWER_BYTES_MAX, in_flight: None };

// === impl Endpoints ===

impl Endpoints {
    /// Checks the URLs; nothing is dialled yet. Ids are made from `kind` and the position.
    pub(super) fn new(kind: &str, urls: &[String], timeout: Duration) -> Result<Self, OptionsError> {
        let endpoint = |(place, url): (usize, &String)| {
            Endpoint::new(format!("{kind}-{}", place.saturating_add(1)), url, timeout).map(Arc::new)
        };
        Ok(Self { all: urls.iter().enumerate().map(endpoint).collect::<Result<_, _>>()? })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn all(&self) -> &[Arc<Endpoint>] {
        &self.all
    }

    /// Asks `endpoints` side by side; those that fail are recorded and left out.
    pub(super) async fn ask<T, F: Future<Output = Result<T, EndpointError>>>(
        &self,
        endpoints: &[Arc<Endpoint>],
        question: impl Fn(Arc<Endpoint>) -> F,
    ) -> Vec<(Arc<Endpoint>, T)> {
        let answers = join_all(endpoints.iter().map(|endpoint| question(endpoint.clone()))).await;
        let mut answered = Vec::with_capacity(endpoints.len());
        for (endpoint, answer) in endpoints.iter().zip(answers) {
            match answer {
                Ok(value) => {
                    endpoint.answered();
                    answered.push((endpoint.clone(), value));
                }
                Err(error) => {
                    tracing::debug!(endpoint = %endpoint.id, %error, "An endpoint gave no answer");
                    endpoint.failed(&error);
                }
            }
        }
        answered
    }

    /// What enough of the answers say, and who says so. Who contradicts is counted and named in the log.
    pub(super) fn weigh<T: Clone + PartialEq + std::fmt::Debug>(
        &self,
        what: &str,
        answers: Vec<(Arc<Endpoint>, T)>,
    ) -> Result<(T, Vec<Arc<Endpoint>>), Disagreement> {
        let votes: Vec<_> =
            answers.iter().map(|(endpoint, value)| (endpoint.id.clone(), value.clone())).collect();
        match agree::weigh(&votes, self.len()) {
            Verdict::Agreed { value, by, against } => {
                for (id, said) in &against {
                    let (said, agreed) = (brief(said), brief(&value));
                    tracing::warn!(endpoint = %id, what, said, agreed, "An endpoint contradicts the others");
                    if let Some((endpoint, _)) = answers.iter().find(|(endpoint, _)| endpoint.id == *id) {
                        endpoint.dissented(&format!("it contradicts the others on {what}: {said}"));
                    }
                }
                let by = |endpoint: &Arc<Endpoint>| by.contains(&endpoint.id);
                Ok((value, answers.into_iter().map(|(endpoint, _)| endpoint).filter(by).collect()))
            }
            Verdict::TooFew { answered, needed } => Err(self.too_few(answered, needed)),
            Verdict::Split(said) => {
                for (endpoint, _) in &answers {
                    endpoint.dissented(&format!("the endpoints contradict each other on {what}"));
                }
                let said: Vec<_> =
                    said.iter().map(|(id, said)| format!("{id} says {}", brief(said))).collect();
                Err(Disagreement::Split { what: what.to_owned(), said: said.join(", ") })
            }
        }
    }

    pub(super) fn too_few(&self, answered: usize, needed: usize) -> Disagreement {
        let fault = |endpoint: &Arc<Endpoint>| {
            let state = endpoint.state.lock();
            let fault = state.fault.as_ref().filter(|_| !state.up)?;
            Some(format!("{}: {fault}", endpoint.id))
        };
        let last = self.all.iter().find_map(fault);
        Disagreement::TooFew { answered, configured: self.len(), needed, last }
    }

    pub(super) fn status(&self) -> Vec<EndpointStatus> {
        let status = |endpoint: &Arc<Endpoint>| {
            let state = endpoint.state.lock();
            EndpointStatus {
                id: endpoint.id.to_string(),
                up: state.up,
                height: state.height,
                errors: state.errors,
                dissents: state.dissents,
                fault: state.fault.clone(),
            }
        };
        self.all.iter().map(status).collect()
    }
}

/// A value for people; spans have hundreds of fields.
fn brief(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").chars().take(FAULT_CHARS_MAX).collect()
}
