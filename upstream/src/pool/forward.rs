//! One call on its way: attempts, one after the other or two at once.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::OptionFuture;
use serde::de::IgnoredAny;
use tokio::time::Instant;

use super::attempts::Attempts;
use super::choose::Wish;
use super::filters::Learned;
use super::verdict::{Verdict, judge};
use super::{Call, Class, ForwardError, Reply, Shared};
use crate::rpc::client::{Bound, ClientError};
use crate::rpc::node::Node;

/// Filters made in vain before a new one is refused.
const FILTER_TRIES: usize = 16;
/// Longest that a call waits for the first look at the nodes.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// How one attempt ended.
struct Ended {
    end: End,
    node: Arc<Node>,
    hedge: bool,
}

enum End {
    /// Its answer is the answer.
    Answer(Reply),
    /// It said that somebody else should be asked.
    Refused(Reply),
    /// Nothing came of it.
    Failed(ClientError),
    /// It is at its limits, or its breaker opened meanwhile: it was not asked.
    NotAsked,
}

/// What is left of the attempts so far.
#[derive(Default)]
struct Remains {
    refused: Option<Reply>,
    failed: Option<ForwardError>,
    busy: bool,
}

// === impl Shared ===

impl Shared {
    pub(super) async fn forward(&self, call: Call) -> Result<Reply, ForwardError> {
        self.retries.earn();
        let deadline = Instant::now().checked_add(self.options.deadline).unwrap_or_else(Instant::now);
        self.first_look().await;
        let wish = self.chooser.wish(&call);
        match &call.class {
            Class::Read => self.read(&call, &wish, deadline).await,
            Class::Primary => self.lead(&call, &wish, deadline).await,
            Class::NewFilter => self.new_filter(&call, &wish, deadline).await,
            Class::Send => self.send(&call, &wish, deadline).await,
            Class::Filter(filter) => self.stick(filter, &call, deadline).await,
        }
    }

    /// Right after the start no node is known to be up: a call waits for the first look instead of failing.
    async fn first_look(&self) {
        let is_any_up = || self.nodes.iter().any(|node| node.height().is_some());
        if is_any_up() {
            return;
        }
        let looks = Box::pin(async {
            for node in &self.nodes {
                if is_any_up() {
                    return;
                }
                node.looked().await;
            }
        });
        let _ = tokio::time::timeout(FIRST_LOOK, looks).await;
    }

    /// Anybody, again elsewhere, and two at once where one takes long.
    async fn read(&self, call: &Call, wish: &Wish, deadline: Instant) -> Result<Reply, ForwardError> {
        self.hedges.earn();
        let mut tried = Vec::new();
        let mut remains = Remains::default();
        let mut running = Attempts::default();
        // A timer that is due before all others wakes the thread that waits for I/O: none without a second node.
        let mut may_hedge = self.nodes.len() > 1;
        let hedge_after = may_hedge.then(|| tokio::time::sleep(self.delays.delay(call.method)));
        let mut hedge_after = pin!(OptionFuture::from(hedge_after));
        loop {
            if running.is_empty() {
                let Some((index, node)) = self.chooser.quickest(wish, &tried) else {
                    return remains.give_up();
                };
                if remains.needs_budget() && !self.retry() {
                    return remains.give_up();
                }
                tried.push(index);
                running.push(self.attempt(node, call, deadline, false));
            }
            tokio::select! {
                ended = running.next() => {
                    if let Some(answer) = self.settle(ended, &mut remains) {
                        return answer;
                    }
                }
                Some(()) = &mut hedge_after, if may_hedge => {
                    may_hedge = false;
                    if let Some((index, node)) = self.chooser.quickest(wish, &tried)
                        && self.hedges.spend()
                    {
                        self.counts.hedges.fetch_add(1, Ordering::Relaxed);
                        tried.push(index);
                        running.push(self.attempt(node, call, deadline, true));
                    }
                }
            }
        }
    }

    /// The one primary; the next one where it fails.
    async fn lead(&self, call: &Call, wish: &Wish, deadline: Instant) -> Result<Reply, ForwardError> {
        let mut tried = Vec::new();
        let mut remains = Remains::default();
        while let Some((index, node)) = self.chooser.leader(wish, &tried) {
            if remains.needs_budget() && !self.retry() {
                break;
            }
            tried.push(index);
            let ended = self.attempt(node, call, deadline, false).await;
            if let Some(answer) = self.settle(ended, &mut remains) {
                return answer;
            }
        }
        remains.give_up()
    }

    /// The one primary, as often as it takes to get an id that no other node's filter has.
    async fn new_filter(&self, call: &Call, wish: &Wish, deadline: Instant) -> Result<Reply, ForwardError> {
        for _ in 0..FILTER_TRIES {
            let reply = self.lead(call, wish, deadline).await?;
            if self.filters.learn(&reply.body, &reply.upstream) == Learned::Known {
                return Ok(reply);
            }
        }
        Err(ForwardError::FilterTaken)
    }

    /// The one primary; another only while nothing has left. What comes then is the answer, whatever it is.
    async fn send(&self, call: &Call, wish: &Wish, deadline: Instant) -> Result<Reply, ForwardError> {
        let mut tried = Vec::new();
        let mut remains = Remains::default();
        while let Some((index, node)) = self.chooser.leader(wish, &tried) {
            tried.push(index);
            let ended = self.attempt(node, call, deadline, false).await;
            let left = matches!(&ended.end, End::Failed(error) if error.may_have_left());
            if let End::Refused(reply) = ended.end {
                return Ok(reply);
            }
            if let Some(answer) = self.settle(ended, &mut remains) {
                return answer;
            }
            if left {
                break;
            }
        }
        remains.give_up()
    }

    /// Only who gave the filter. Taking its changes twice would lose some, so nothing is asked again.
    async fn stick(&self, filter: &str, call: &Call, deadline: Instant) -> Result<Reply, ForwardError> {
        let node = self.filters.node(filter).ok_or(ForwardError::UnknownFilter)?;
        let gone = || ForwardError::Failed { id: Arc::clone(&node), reason: "it is down".to_owned() };
        let (_, node) = self.chooser.by_id(&node).ok_or_else(gone)?;
        let mut remains = Remains::default();
        let ended = self.attempt(node, call, deadline, false).await;
        self.settle(ended, &mut remains).unwrap_or_else(|| remains.give_up())
    }

    fn retry(&self) -> bool {
        let allowed = self.retries.spend();
        if allowed {
            self.counts.retries.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }

    /// Takes the end of an attempt into account; `Some` is what the caller gets.
    fn settle(&self, ended: Ended, remains: &mut Remains) -> Option<Result<Reply, ForwardError>> {
        let Ended { end, node, hedge } = ended;
        match end {
            End::Answer(reply) => {
                if hedge {
                    self.counts.hedges_won.fetch_add(1, Ordering::Relaxed);
                }
                return Some(Ok(reply));
            }
            End::Refused(reply) => remains.refused = Some(reply),
            End::Failed(ClientError::TooLarge(limit)) => return Some(Err(ForwardError::TooLarge(limit))),
            End::Failed(ClientError::NoRoom) => return Some(Err(ForwardError::NoRoom)),
            End::Failed(error) => {
                tracing::debug!(upstream = %node.id, %error, "a call failed");
                let id = Arc::clone(&node.id);
                remains.failed = Some(ForwardError::Failed { id, reason: error.to_string() });
            }
            End::NotAsked => remains.busy = true,
        }
        None
    }

    /// Asks one node once. Boxed here, since futures are moved at each `await` above them, whole.
    fn attempt<'a>(
        &'a self,
        node: &'a Arc<Node>,
        call: &'a Call,
        deadline: Instant,
        hedge: bool,
    ) -> Pin<Box<impl Future<Output = Ended>>> {
        Box::pin(async move {
            let end = self.ask(node, call, deadline).await;
            Ended { end, node: Arc::clone(node), hedge }
        })
    }

    async fn ask(&self, node: &Node, call: &Call, deadline: Instant) -> End {
        let wait =
            Instant::now().checked_add(self.options.queue_wait).map_or(deadline, |wait| wait.min(deadline));
        let calls = if node.gate.counts_calls() { count(&call.body) } else { 1 };
        let Ok(_place) = node.gate.enter(calls, wait).await else { return End::NotAsked };
        let Some(ticket) = node.breaker.admit() else { return End::NotAsked };
        let timeout = node.timeout.min(deadline.saturating_duration_since(Instant::now()));
        let watch = Stopwatch { node, start: Instant::now(), stopped: false };
        let bound = Bound { bytes: self.options.response_bytes_max, in_flight: self.in_flight.get() };
        let answered = node.post(call.body.clone(), bound, timeout).await;
        let elapsed = watch.stop();
        let answer = match answered {
            Ok(answer) => answer,
            Err(error @ (ClientError::TooLarge(_) | ClientError::NoRoom)) => {
                node.score.answered(elapsed);
                ticket.success();
                return End::Failed(error);
            }
            Err(error) => {
                node.traffic.errors.fetch_add(1, Ordering::Relaxed);
                node.score.failed();
                ticket.failure();
                return End::Failed(error);
            }
        };
        let verdict = judge(&answer);
        if verdict == Verdict::Failed {
            node.traffic.errors.fetch_add(1, Ordering::Relaxed);
            node.score.failed();
            ticket.failure();
        } else {
            node.score.answered(elapsed);
            self.delays.answered(call.method, elapsed);
            ticket.success();
        }
        if verdict == Verdict::Limited {
            node.gate.pause(answer.retry_after.map_or(PAUSE, Duration::from_secs));
        }
        let upstream = Arc::clone(&node.id);
        let reply =
            Reply { status: answer.status, content_type: answer.content_type, body: answer.body, upstream };
        if verdict == Verdict::Answer { End::Answer(reply) } else { End::Refused(reply) }
    }
}

/// Pause after a limit without a `retry-after`.
const PAUSE: Duration = Duration::from_secs(1);

// === impl Remains ===

impl Remains {
    /// Whether a request has been spent on this call already.
    fn needs_budget(&self) -> bool {
        self.refused.is_some() || self.failed.is_some()
    }

    /// The last node's own words, else the best reason.
    fn give_up(self) -> Result<Reply, ForwardError> {
        match self {
            Self { refused: Some(reply), .. } => Ok(reply),
            Self { failed: Some(error), .. } => Err(error),
            Self { busy: true, .. } => Err(ForwardError::Busy),
            _ => Err(ForwardError::NoUpstream),
        }
    }
}

/// Tells the score how long a call took, also one that was abandoned.
struct Stopwatch<'a> {
    node: &'a Node,
    start: Instant,
    stopped: bool,
}

// === impl Stopwatch ===

impl Stopwatch<'_> {
    fn stop(mut self) -> Duration {
        self.stopped = true;
        self.start.elapsed()
    }
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        if !self.stopped {
            self.node.score.abandoned(self.start.elapsed());
        }
    }
}

/// How many calls a body holds, for caps on calls a second.
fn count(body: &[u8]) -> u32 {
    let members: Result<Vec<IgnoredAny>, _> = serde_json::from_slice(body);
    members.map_or(1, |members| u32::try_from(members.len()).unwrap_or(u32::MAX).max(1))
}
