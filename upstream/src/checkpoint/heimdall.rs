//! Polygon's consensus layer, over its REST interface: spans (who produces) and milestones (what is final).
//!
//! Several Heimdalls are asked together and believed as L1 endpoints are: enough must say the same. For "the latest"
//! they are first asked how far they are, then all for the same number, since no two are at the same place at the
//! same moment. Answers are bounded in bytes and time.
//!
//! Source: heimdall-v2 `proto/heimdallv2/{bor,milestone}/query.proto`; numbers are strings there, and bare numbers are
//! taken as well.

mod shapes;

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{B256, U256};
use serde::Serialize;
use tokio::sync::watch;

use super::agree::{self, Disagreement};
use super::endpoint::{Endpoint, EndpointError, EndpointStatus, Endpoints};
use crate::rpc::OptionsError;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two looks: a milestone comes every few seconds.
const POLL: Duration = Duration::from_secs(1);
/// Longest time between two looks while Heimdall is away.
const POLL_MAX: Duration = Duration::from_secs(30);

/// Whom to ask.
#[derive(Clone)]
pub struct HeimdallOptions {
    /// Base URLs of the REST interfaces. They may hold secrets, so nothing ever prints them.
    pub urls: Vec<String>,
    /// The Bor chain's id; a milestone or span of another chain is refused.
    pub chain_id: u64,
}

/// The last blocks that the validators have voted to be final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Milestone {
    /// First height.
    pub start_block: u64,
    /// Last height.
    pub end_block: u64,
    /// Hash of the last block.
    pub hash: B256,
    /// Total difficulty up to and with the last block, where Heimdall tells it.
    pub total_difficulty: Option<U256>,
}

/// The way to Heimdall; clone freely.
#[derive(Clone, Debug)]
pub struct Heimdall {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoints: Endpoints,
    chain_id: u64,
    milestone: watch::Sender<Option<Milestone>>,
    trouble: watch::Sender<Option<Disagreement>>,
}

impl std::fmt::Debug for HeimdallOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { urls, chain_id } = self;
        f.debug_struct("HeimdallOptions").field("urls", &urls.len()).field("chain_id", chain_id).finish()
    }
}

// === impl Heimdall ===

impl Heimdall {
    /// Checks the URLs; nothing is dialled yet.
    pub fn new(options: &HeimdallOptions) -> Result<Self, OptionsError> {
        let endpoints = Endpoints::new("heimdall", &options.urls, TIMEOUT)?;
        let (milestone, trouble) = (watch::Sender::default(), watch::Sender::default());
        Ok(Self { inner: Arc::new(Inner { endpoints, chain_id: options.chain_id, milestone, trouble }) })
    }

    /// The latest milestone as [`Heimdall::run`] found it; it never goes back.
    pub fn milestones(&self) -> watch::Receiver<Option<Milestone>> {
        self.inner.milestone.subscribe()
    }

    /// Why nothing new is heard of Heimdall, if that is so.
    pub fn trouble(&self) -> Option<Disagreement> {
        self.inner.trouble.borrow().clone()
    }

    /// What is known of each endpoint.
    pub fn status(&self) -> Vec<EndpointStatus> {
        self.inner.endpoints.status()
    }

    /// The latest milestone that enough endpoints have.
    pub async fn latest_milestone(&self) -> Result<Milestone, Disagreement> {
        let inner = &self.inner;
        let chain_id = inner.chain_id;
        if inner.endpoints.len() == 1 {
            let ask = |endpoint: Arc<Endpoint>| async move { milestone(&endpoint, "latest", chain_id).await };
            let answers = inner.endpoints.ask(inner.endpoints.all(), ask).await;
            return inner.endpoints.weigh("the latest milestone", answers).map(|(milestone, _)| milestone);
        }
        let ask =
            |endpoint: Arc<Endpoint>| async move { shapes::count(&endpoint.get("/milestones/count").await?) };
        let counts = inner.endpoints.ask(inner.endpoints.all(), ask).await;
        let (number, there) = inner.reached(&counts)?;
        let ask = |endpoint: Arc<Endpoint>| async move {
            milestone(&endpoint, &number.to_string(), chain_id).await
        };
        let answers = inner.endpoints.ask(&there, ask).await;
        inner.endpoints.weigh(&format!("milestone {number}"), answers).map(|(milestone, _)| milestone)
    }

    /// Follows Heimdall until it is dropped. While it is away what is known stays.
    pub async fn run(self) {
        let mut wait = POLL;
        loop {
            let looked = self.look().await;
            wait = if looked.is_ok() { POLL } else { wait.saturating_mul(2).min(POLL_MAX) };
            let trouble = looked.err();
            let was = self.inner.trouble.send_replace(trouble.clone());
            match &trouble {
                Some(reason) if was.is_none() => {
                    tracing::warn!(%reason, "Heimdall tells nothing new; what is known stays")
                }
                None if was.is_some() => tracing::info!("Heimdall answers again"),
                _ => {}
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn look(&self) -> Result<(), Disagreement> {
        let milestone = self.latest_milestone().await?;
        self.inner.milestone.send_if_modified(|held| {
            let newer = held.is_none_or(|held| held.end_block < milestone.end_block);
            if newer {
                *held = Some(milestone);
            }
            newer
        });
        Ok(())
    }
}

// === impl Inner ===

impl Inner {
    /// The number that enough endpoints have reached, and those that have.
    fn reached(&self, at: &[(Arc<Endpoint>, u64)]) -> Result<(u64, Vec<Arc<Endpoint>>), Disagreement> {
        let Some(number) = agree::reached(at.iter().map(|(_, number)| *number), self.endpoints.len()) else {
            let needed = agree::needed(self.endpoints.len(), at.len());
            return Err(self.endpoints.too_few(at.len(), needed));
        };
        let there = at.iter().filter(|(_, reached)| *reached >= number);
        Ok((number, there.map(|(endpoint, _)| endpoint.clone()).collect()))
    }
}

async fn milestone(endpoint: &Endpoint, which: &str, chain_id: u64) -> Result<Milestone, EndpointError> {
    let milestone = shapes::milestone(&endpoint.get(&format!("/milestones/{which}")).await?, chain_id)?;
    endpoint.at(milestone.end_block);
    Ok(milestone)
}
