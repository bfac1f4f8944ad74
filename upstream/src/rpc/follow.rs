//! Follows one node: probe, then look at its head again and again.
//!
//! A node is up after a probe has found the right chain and a look has found a head. [`MISSES_MAX`] failed looks in a
//! row take it down; it comes back through a probe only. Whenever a connection was dialled or a call failed since the
//! last look, somebody else may answer at the same address, so chain and block 0 are asked again first.
//!
//! Heads decide, not `eth_syncing`: a Geth with an imported chain and no consensus client answers that with an object
//! for ever although it serves everything. It is asked only of a node at height 0.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::U256;
use tokio::time::Instant;

use super::message::Ask;
use super::node::{AskError, Node, State, View};
use super::options::{ExpectedChain, FollowOptions};
use super::probe::{self, Head, ProbedChain};

/// Failed looks in a row that take a node down.
const MISSES_MAX: u32 = 2;
/// Looks for each block of the chain's pace.
const LOOKS_PER_BLOCK: u32 = 4;
/// A block 0 older than this with nothing on it means that the node has not begun to sync.
const GENESIS_FRESH: Duration = Duration::from_secs(3_600);
/// Looks between two questions for `finalized` and `safe` while the head stands still.
const TAGS_EVERY: u32 = 8;

/// The life of one node, until the task is dropped.
pub(crate) async fn follow(node: Arc<Node>, expected: ExpectedChain, options: FollowOptions) {
    let mut follower = Follower {
        node,
        expected,
        options,
        known: None,
        opened: 0,
        misses: 0,
        looks: 0,
        head: None,
        pace: options.poll_max.saturating_mul(LOOKS_PER_BLOCK),
    };
    loop {
        let wait = follower.step().await;
        tokio::time::sleep(wait).await;
    }
}

struct Follower {
    node: Arc<Node>,
    expected: ExpectedChain,
    options: FollowOptions,
    /// Who answered the last probe; `None` before the first and after going down.
    known: Option<ProbedChain>,
    /// Connections dialled until then.
    opened: u64,
    misses: u32,
    looks: u32,
    head: Option<(Head, Instant)>,
    /// Time between blocks lately.
    pace: Duration,
}

/// What a look asks for besides the head.
struct Tags {
    finalized: Option<Head>,
    safe: Option<Head>,
    total_difficulty: Option<U256>,
}

// === impl Follower ===

impl Follower {
    /// One round; returns how long to wait for the next.
    async fn step(&mut self) -> Duration {
        let changed = self.opened != self.node.client.opened();
        let suspect = self.node.suspect.swap(false, Ordering::Relaxed);
        if (self.known.is_none() || changed || suspect)
            && let Some(wait) = self.probe().await
        {
            return wait;
        }
        match self.look().await {
            Ok(()) => self.misses = 0,
            Err(AskError::Busy) => {
                tracing::debug!(upstream = %self.node.id, "no look at the head: at its limits")
            }
            Err(error) => self.missed(&error),
        }
        self.pace
            .checked_div(LOOKS_PER_BLOCK)
            .unwrap_or_default()
            .clamp(self.options.poll_min, self.options.poll_max)
    }

    /// Asks who is there; a wait means that there is nothing to look at now.
    async fn probe(&mut self) -> Option<Duration> {
        let found = match probe::identity(&self.node, self.options.timeout).await {
            Ok(found) => found,
            Err(AskError::Busy) => return Some(self.options.poll_max),
            Err(error) => {
                self.missed(&error);
                return Some(self.options.poll_max);
            }
        };
        self.opened = self.node.client.opened();
        if let Some(reason) = probe::contradiction(&self.expected, &found) {
            self.shut_out(reason);
            return Some(self.options.reprobe);
        }
        if self.known.as_ref() != Some(&found) {
            self.node.abilities.forget();
            let earliest = match probe::abilities(&self.node, self.options.timeout).await {
                Ok(earliest) => earliest,
                Err(error) => {
                    self.missed(&error);
                    return Some(self.options.poll_max);
                }
            };
            // The probes may have dialled more connections of the same node.
            self.opened = self.node.client.opened();
            self.node.breaker.reset();
            self.node.update(|view| {
                view.earliest = earliest;
                view.client_version.clone_from(&found.client_version);
            });
            let version = found.client_version.as_deref().unwrap_or("?");
            tracing::info!(upstream = %self.node.id, version, "an upstream was probed");
            self.known = Some(found);
        }
        None
    }

    /// Takes the head, and the tags where they may have moved.
    async fn look(&mut self) -> Result<(), AskError> {
        let latest = Ask::new("eth_getBlockByNumber", r#"["latest",false]"#);
        let [outcome] = probe::ask_each(&self.node, [latest], self.options.timeout).await?;
        let json = outcome.map_err(|_| AskError::Bad("it does not tell its head"))?;
        let head = probe::head(&json).ok_or(AskError::Bad("its head is no block"))?;
        if head.id.number == 0 && self.has_not_begun(head).await? {
            return Err(AskError::Bad("it is at height 0, still to sync"));
        }
        let moved = self.head.is_none_or(|(old, _)| old.id != head.id);
        let tags =
            if moved || self.looks.is_multiple_of(TAGS_EVERY) { Some(self.tags(head).await?) } else { None };
        self.looks = self.looks.wrapping_add(1);
        self.learn_pace(head);
        let was_up = self.node.view().state == State::Up;
        self.node.update(|view| {
            view.state = State::Up;
            view.latest = Some(head.id);
            if let Some(tags) = tags {
                view.finalized = tags.finalized.map(|head| head.id);
                view.safe = tags.safe.map(|head| head.id);
                view.total_difficulty = tags.total_difficulty;
            }
        });
        if !was_up {
            tracing::info!(upstream = %self.node.id, height = head.id.number, "an upstream is up");
        }
        Ok(())
    }

    /// What else is to be known with a new head.
    async fn tags(&self, head: Head) -> Result<Tags, AskError> {
        let tag = |tag| Ask::new("eth_getBlockByNumber", format!(r#"["{tag}",false]"#));
        let asks = [tag("finalized"), tag("safe")];
        let timeout = self.options.timeout;
        let (finalized, safe, total) = if self.tells_total_difficulty() {
            let [finalized, safe] = asks;
            let total = Ask::new("eth_getTdByHash", format!(r#"["{}"]"#, head.id.hash));
            let [finalized, safe, total] =
                probe::ask_each(&self.node, [finalized, safe, total], timeout).await?;
            self.node.abilities.total_difficulty.learn(&total);
            (finalized, safe, total.ok())
        } else {
            let [finalized, safe] = probe::ask_each(&self.node, asks, timeout).await?;
            (finalized, safe, None)
        };
        let [finalized, safe] = [finalized, safe].map(|outcome| probe::head(&outcome.ok()?));
        self.node.abilities.finalized.set(finalized.is_some());
        let total_difficulty = total.and_then(|json| probe::total_difficulty(&json, head.id.hash));
        Ok(Tags { finalized, safe, total_difficulty })
    }

    /// Fork choice goes by it on Polygon only, whose client alone has a method for it.
    fn tells_total_difficulty(&self) -> bool {
        let version = self.known.as_ref().and_then(|known| known.client_version.as_deref());
        let bor = version.is_some_and(|version| version.to_ascii_lowercase().starts_with("bor"));
        bor && self.node.abilities.total_difficulty.is_likely()
    }

    /// Height 0 is a fresh chain's age, or a node that has nothing yet.
    async fn has_not_begun(&self, genesis: Head) -> Result<bool, AskError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let old = genesis.timestamp > 0 && now.saturating_sub(genesis.timestamp) > GENESIS_FRESH.as_secs();
        if old {
            return Ok(true);
        }
        let [syncing] =
            probe::ask_each(&self.node, [Ask::new("eth_syncing", "[]")], self.options.timeout).await?;
        Ok(syncing.is_ok_and(|json| json.first() == Some(&b'{')))
    }

    fn learn_pace(&mut self, head: Head) {
        let now = Instant::now();
        let Some((old, seen)) = self.head else {
            self.head = Some((head, now));
            return;
        };
        if old.id == head.id {
            return;
        }
        let blocks = u32::try_from(head.id.number.saturating_sub(old.id.number)).unwrap_or(u32::MAX);
        if let Some(each) = now.duration_since(seen).checked_div(blocks) {
            self.pace = self.pace.saturating_mul(3).saturating_add(each) / 4;
        }
        self.head = Some((head, now));
    }

    fn missed(&mut self, error: &AskError) {
        self.misses = self.misses.saturating_add(1);
        let was = self.node.view().state;
        if self.misses < MISSES_MAX && was == State::Up {
            return;
        }
        self.known = None;
        self.head = None;
        if !matches!(was, State::Down(_)) {
            tracing::warn!(upstream = %self.node.id, %error, "an upstream is down");
        }
        self.node.update(|view| leave(view, State::Down(error.to_string())));
    }

    fn shut_out(&mut self, reason: String) {
        self.known = None;
        self.head = None;
        let state = State::WrongChain(reason);
        if self.node.view().state != state {
            tracing::error!(upstream = %self.node.id, %state, "an upstream is shut out");
        }
        self.node.update(|view| leave(view, state));
    }
}

fn leave(view: &mut View, state: State) {
    view.state = state;
    view.latest = None;
    view.safe = None;
    view.finalized = None;
    view.total_difficulty = None;
}
