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
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::{B256, U256};
use hypasis_chain::BlockId;
use hypasis_chain::bor::{self, HeimdallView, Span, Spans};
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

/// Spans that one look fetches.
const SPANS_A_LOOK: usize = 16;
/// Spans that are asked for below the latest one at most: weeks of Polygon's.
const SPANS_BELOW: u64 = 256;

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
    view: watch::Sender<HeimdallView>,
    /// Spans are wanted from the one of this block on.
    wanted_from: AtomicU64,
    /// A span that nobody gave, below those that must be known.
    barren: AtomicU64,
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
        let (milestone, view, trouble) = Default::default();
        let inner = Inner {
            endpoints,
            chain_id: options.chain_id,
            milestone,
            view,
            wanted_from: AtomicU64::new(u64::MAX),
            barren: AtomicU64::new(u64::MAX),
            trouble,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// From now on [`Heimdall::run`] sees to it that the spans from that block on are known, some of them with each
    /// look; without a word those from the latest milestone on.
    pub fn want_from(&self, number: u64) {
        self.inner.wanted_from.store(number, Ordering::Relaxed);
    }

    /// The latest milestone as [`Heimdall::run`] found it; it never goes back.
    pub fn milestones(&self) -> watch::Receiver<Option<Milestone>> {
        self.inner.milestone.subscribe()
    }

    /// The latest milestone and the spans around the head, for the rules of headers, as [`Heimdall::run`] found them.
    pub fn views(&self) -> watch::Receiver<HeimdallView> {
        self.inner.view.subscribe()
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

    /// The span with that id, as enough endpoints tell it.
    pub async fn span(&self, id: u64) -> Result<Span, Disagreement> {
        self.inner.span(id, self.inner.endpoints.all()).await
    }

    /// The span with the highest id that enough endpoints have. It may lie far ahead of the head.
    pub async fn latest_span(&self) -> Result<Span, Disagreement> {
        let inner = &self.inner;
        let chain_id = inner.chain_id;
        let ask = |endpoint: Arc<Endpoint>| async move { span(&endpoint, "latest", chain_id).await };
        let latest = inner.endpoints.ask(inner.endpoints.all(), ask).await;
        if inner.endpoints.len() == 1 {
            return inner.endpoints.weigh("the latest span", latest).map(|(span, _)| span);
        }
        let ids: Vec<_> = latest.into_iter().map(|(endpoint, span)| (endpoint, span.id)).collect();
        let (id, there) = inner.reached(&ids)?;
        inner.span(id, &there).await
    }

    /// The spans from the one of a block on, up to the latest; of more than can be followed the later ones.
    pub async fn spans_from(&self, number: u64) -> Result<Spans, Disagreement> {
        let latest = self.latest_span().await?;
        let (newest, mut lowest) = (latest.id, latest.start_block);
        let mut spans: Spans = std::iter::once(latest).collect();
        for id in (newest.saturating_sub(SPANS_BELOW)..newest).rev() {
            if lowest <= number {
                break;
            }
            let span = self.span(id).await?;
            lowest = span.start_block;
            spans.insert(span);
        }
        Ok(spans)
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

    /// Looks at both; the one is told also where the other cannot be had.
    async fn look(&self) -> Result<(), Disagreement> {
        let milestone = self.latest_milestone().await;
        if let Ok(milestone) = &milestone {
            self.inner.take_milestone(*milestone);
        }
        let spans = self.look_for_spans().await;
        milestone.and(spans)
    }

    /// Fetches what is not known of the spans from the latest down to the one that decides for the milestone's end,
    /// and then further down to what is wanted.
    async fn look_for_spans(&self) -> Result<(), Disagreement> {
        let inner = &self.inner;
        let latest = self.latest_span().await?;
        let held = inner.view.borrow().clone();
        let around = held.milestone.map_or(latest.start_block, |milestone| milestone.end.number);
        let wanted = around.min(inner.wanted_from.load(Ordering::Relaxed));
        let mut found = Vec::new();
        let (newest, mut lowest) = (latest.id, latest.start_block);
        if held.spans.get(newest).map(|span| &**span) != Some(&latest) {
            found.push(latest);
        }
        for id in (newest.saturating_sub(SPANS_BELOW)..newest).rev() {
            if lowest <= wanted || found.len() >= SPANS_A_LOOK {
                break;
            }
            if let Some(span) = held.spans.get(id) {
                lowest = span.start_block;
                continue;
            }
            let is_extra = lowest <= around;
            if is_extra && inner.barren.load(Ordering::Relaxed) == id {
                break;
            }
            match self.span(id).await {
                Ok(span) => {
                    lowest = span.start_block;
                    found.push(span);
                }
                // What is below the milestone only helps; it is not asked for again and again.
                Err(_) if is_extra => {
                    inner.barren.store(id, Ordering::Relaxed);
                    break;
                }
                Err(reason) => {
                    inner.take_spans(found);
                    return Err(reason);
                }
            }
        }
        inner.take_spans(found);
        Ok(())
    }
}

// === impl Inner ===

impl Inner {
    async fn span(&self, id: u64, whom: &[Arc<Endpoint>]) -> Result<Span, Disagreement> {
        let chain_id = self.chain_id;
        let ask = |endpoint: Arc<Endpoint>| async move {
            let span = span(&endpoint, &id.to_string(), chain_id).await?;
            if span.id == id {
                Ok(span)
            } else {
                Err(EndpointError::Bad("it gives another span than was asked for"))
            }
        };
        let answers = self.endpoints.ask(whom, ask).await;
        self.endpoints.weigh(&format!("span {id}"), answers).map(|(span, _)| span)
    }

    fn take_milestone(&self, milestone: Milestone) {
        self.milestone.send_if_modified(|held| {
            let newer = held.is_none_or(|held| held.end_block < milestone.end_block);
            if newer {
                *held = Some(milestone);
            }
            newer
        });
        let end = BlockId { number: milestone.end_block, hash: milestone.hash };
        let milestone = bor::Milestone { start_block: milestone.start_block, end };
        self.view.send_if_modified(|view| {
            let newer = view.milestone.is_none_or(|held| held.end.number < milestone.end.number);
            if newer {
                view.milestone = Some(milestone);
            }
            newer
        });
    }

    fn take_spans(&self, spans: Vec<Span>) {
        if spans.is_empty() {
            return;
        }
        self.view.send_modify(|view| {
            let all = Arc::make_mut(&mut view.spans);
            spans.into_iter().for_each(|span| all.insert(span));
        });
    }

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

async fn span(endpoint: &Endpoint, which: &str, chain_id: u64) -> Result<Span, EndpointError> {
    shapes::span(&endpoint.get(&format!("/bor/spans/{which}")).await?, chain_id)
}
