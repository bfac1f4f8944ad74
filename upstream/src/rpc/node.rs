//! One node's state, shared by users' calls, head following and filling.
//!
//! The follower alone moves the state between starting, up, down and wrong chain; blame shuts it out on top of that.
//! [`Heads`] are published whenever any of it changes and name no head unless the node is up and not shut out.

mod ability;
mod ask;
mod blame;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use alloy_primitives::U256;
use hypasis_chain::BlockId;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::client::Client;
use super::options::{NodeOptions, OptionsError, Role};
use crate::pool::breaker::Breaker;
use crate::pool::limits::{Gate, Rate};
use crate::pool::score::Score;
use crate::source::Heads;

pub(crate) use ability::Abilities;
pub use ability::Capabilities;
pub(crate) use ask::{AskError, Lane};
use blame::Blame;

/// One JSON-RPC node.
#[derive(Debug)]
pub(crate) struct Node {
    /// Id from the configuration.
    pub(crate) id: Arc<str>,
    /// Who is asked first.
    pub(crate) role: Role,
    /// Globs that users' methods must match; empty: all.
    pub(crate) methods: Vec<String>,
    /// Longest wait for one answer.
    pub(crate) timeout: Duration,
    pub(crate) client: Client,
    pub(crate) gate: Gate,
    pub(crate) breaker: Breaker,
    pub(crate) score: Score,
    pub(crate) abilities: Abilities,
    pub(crate) traffic: Traffic,
    /// Caps on history: headers and blocks a second.
    pub(crate) fill_rate: Option<FillRate>,
    /// Set by a failed call: the follower looks at chain and genesis again before anything else.
    pub(crate) suspect: AtomicBool,
    pub(super) next_id: AtomicU64,
    view: Mutex<View>,
    blame: Mutex<Blame>,
    heads: watch::Sender<Heads>,
    /// Whether it was looked at yet.
    looked: watch::Sender<bool>,
}

/// What the follower found.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) state: State,
    pub(crate) latest: Option<BlockId>,
    pub(crate) safe: Option<BlockId>,
    pub(crate) finalized: Option<BlockId>,
    /// That of `latest`, where the node tells it.
    pub(crate) total_difficulty: Option<U256>,
    pub(crate) earliest: u64,
    pub(crate) client_version: Option<String>,
}

/// Whether it may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// Not probed yet.
    #[default]
    Starting,
    /// Right chain, head known.
    Up,
    /// It does not answer, or not sensibly.
    Down(String),
    /// It is on another chain: shut out until a probe says otherwise.
    WrongChain(String),
}

/// Counters since start.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) requests: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
}

/// What history may cost.
#[derive(Debug)]
pub(crate) struct FillRate {
    pub(crate) headers: Rate,
    pub(crate) blocks: Rate,
}

// === impl Node ===

impl Node {
    /// Checks the options; nothing is dialled yet.
    pub(crate) fn new(options: &NodeOptions) -> Result<Self, OptionsError> {
        let fill_rate = options
            .fill_rate
            .and_then(|rate| Some(FillRate { headers: Rate::new(rate)?, blocks: Rate::new(rate)? }));
        Ok(Self {
            id: options.id.as_str().into(),
            role: options.role,
            methods: options.methods.clone(),
            timeout: options.timeout,
            client: Client::new(options)?,
            gate: Gate::new(options.concurrency, options.rate_limit),
            breaker: Breaker::new(),
            score: Score::new(),
            abilities: Abilities::new(),
            traffic: Traffic::default(),
            fill_rate,
            suspect: AtomicBool::new(false),
            next_id: AtomicU64::new(1),
            view: Mutex::default(),
            blame: Mutex::default(),
            heads: watch::Sender::new(Heads::default()),
            looked: watch::Sender::new(false),
        })
    }

    /// What the follower found last.
    pub(crate) fn view(&self) -> View {
        self.view.lock().clone()
    }

    /// Its head while it is up, also while it is shut out.
    pub(crate) fn height(&self) -> Option<u64> {
        let view = self.view.lock();
        (view.state == State::Up).then_some(view.latest?.number)
    }

    /// Whether lies have shut it out for now.
    pub(crate) fn is_shut_out(&self) -> bool {
        self.blame.lock().shut_until.is_some_and(|until| until > Instant::now())
    }

    /// Follows what it publishes.
    pub(crate) fn heads(&self) -> watch::Receiver<Heads> {
        self.heads.subscribe()
    }

    /// Changes what the follower found and publishes it.
    pub(crate) fn update(&self, change: impl FnOnce(&mut View)) {
        let view = {
            let mut view = self.view.lock();
            change(&mut view);
            view.clone()
        };
        let mut heads = Heads { latest: None, finalized: None, earliest: view.earliest, ..Heads::default() };
        if view.state == State::Up && !self.is_shut_out() {
            heads.latest = view.latest;
            heads.finalized = view.finalized;
            heads.total_difficulty = view.total_difficulty;
        }
        self.heads.send_if_modified(|current| std::mem::replace(current, heads.clone()) != heads);
        let looked = view.state != State::Starting;
        self.looked.send_if_modified(|current| !std::mem::replace(current, looked) && looked);
    }

    /// Waits until it was looked at for the first time, whatever was found.
    pub(crate) async fn looked(&self) {
        let _ = self.looked.subscribe().wait_for(|looked| *looked).await;
    }
}
