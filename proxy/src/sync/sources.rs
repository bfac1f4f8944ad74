//! Choosing whom to ask.
//!
//! A worker leases a source for one request: the best one that has the heights, is below what it bears at once, and
//! is not resting. After an error a source rests, longer each time; after a lie it rests long, and is blamed.

mod status;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use hypasis_chain::{BlockId, Fault};
use hypasis_upstream::peer::Askers;
use hypasis_upstream::{Heads, Source, SourceError};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::agreement::Opinion;
use super::metrics::Metrics;

/// First rest after an error; doubles with each further one.
const REST_ERROR: Duration = Duration::from_millis(100);
/// Longest rest after errors.
const REST_ERROR_MAX: Duration = Duration::from_secs(15);
/// First rest after a lie; doubles with each further one.
const REST_LIE: Duration = Duration::from_secs(10);
/// Longest rest after lies.
const REST_LIE_MAX: Duration = Duration::from_secs(600);
/// How long after its rest a source must have been right for its lies to be forgotten.
const FORGIVE: Duration = Duration::from_secs(600);
/// How often a waiting worker looks again without being woken: sources' scores change silently.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Requests beyond what a source bears at once that somebody who waits for the answer may send it: filling can wait,
/// but is not to starve either.
const URGENT_MAX: usize = 4;

/// All sources of blocks; clone freely.
#[derive(Clone, Debug)]
pub struct Sources {
    entries: Arc<[Entry]>,
    released: Arc<Notify>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Entry {
    source: Arc<dyn Source>,
    heads: watch::Receiver<Heads>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    requests: usize,
    errors: u32,
    lies: u32,
    rest_until: Option<Instant>,
}

/// What a source must have to be asked, and who is not.
#[derive(Clone, Debug)]
pub struct Want<'a> {
    range: RangeInclusive<u64>,
    headers: bool,
    except: &'a [Arc<str>],
    askers: Askers,
}

/// The right to send one request to a source.
#[derive(Debug)]
pub struct Lease {
    sources: Sources,
    index: usize,
    source: Arc<dyn Source>,
}

// === impl Want ===

impl<'a> Want<'a> {
    /// The headers of `range`.
    pub fn headers(range: RangeInclusive<u64>) -> Self {
        Self { range, headers: true, except: &[], askers: Askers::default() }
    }

    /// The blocks of `range` with their bodies.
    pub fn blocks(range: RangeInclusive<u64>) -> Self {
        Self { range, headers: false, except: &[], askers: Askers::default() }
    }

    /// These sources are not asked.
    pub fn except(self, except: &'a [Arc<str>]) -> Self {
        Self { except, ..self }
    }

    /// These peers want it, and are not asked either.
    pub fn by(self, askers: Askers) -> Self {
        Self { askers, ..self }
    }

    fn fits(&self, entry: &Entry) -> bool {
        let heads = entry.heads.borrow();
        let old = heads.earliest <= *self.range.start() || self.headers && entry.source.has_old_headers();
        let new = heads.latest.is_some_and(|id| id.number >= *self.range.end());
        old && new && !self.except.contains(entry.source.id())
    }
}

// === impl Sources ===

impl Sources {
    /// Takes charge of `sources`.
    pub fn new(sources: Vec<Arc<dyn Source>>, metrics: Metrics) -> Self {
        let entry =
            |source: Arc<dyn Source>| Entry { heads: source.heads(), source, state: Mutex::default() };
        Self { entries: sources.into_iter().map(entry).collect(), released: Arc::default(), metrics }
    }

    /// What each usable source says of itself; archives have a say only where no source follows the chain.
    pub fn opinions(&self) -> Vec<Opinion> {
        let live = self.live_opinions();
        if live.is_empty() { self.opinions_of(|_| true) } else { live }
    }

    /// What each usable source that follows the chain says of itself.
    pub fn live_opinions(&self) -> Vec<Opinion> {
        self.opinions_of(|source| source.follows_head())
    }

    fn opinions_of(&self, asked: impl Fn(&dyn Source) -> bool) -> Vec<Opinion> {
        let opinion = |entry: &Entry| {
            let heads = entry.heads.borrow().clone();
            let lying = entry.state.lock().lies_resting();
            let usable = heads.latest.is_some() && !lying && asked(entry.source.as_ref());
            usable.then(|| Opinion { source: entry.source.id().clone(), heads })
        };
        self.entries.iter().filter_map(opinion).collect()
    }

    /// Whether nobody is missing who has a say beside those that have spoken: no node, and where there is none, no
    /// archive and no peers.
    pub fn all_have_spoken(&self) -> bool {
        match self.entries.iter().filter(|entry| entry.source.follows_head()).count() {
            0 => self.opinions().len() >= self.entries.len(),
            nodes => self.live_opinions().len() >= nodes,
        }
    }

    /// The source with that id.
    pub fn by_id(&self, id: &str) -> Option<Arc<dyn Source>> {
        self.entries.iter().find(|entry| &**entry.source.id() == id).map(|entry| entry.source.clone())
    }

    /// Follows the heads of all sources together.
    pub fn watch(&self) -> HeadsWatch {
        HeadsWatch { receivers: self.entries.iter().map(|entry| entry.heads.clone()).collect() }
    }

    /// Waits for a source that has what is wanted.
    pub async fn lease(&self, want: &Want<'_>) -> Lease {
        self.wait(want, 0).await
    }

    /// A source that has what is wanted and could be asked at once, for somebody who waits for the answer: fillers do
    /// not stand in the way.
    pub fn try_lease_urgently(&self, want: &Want<'_>) -> Option<Lease> {
        self.best(want, URGENT_MAX)
    }

    /// Waits as [`Sources::lease`] does, but not behind those who fill.
    pub async fn lease_urgently(&self, want: &Want<'_>) -> Lease {
        self.wait(want, URGENT_MAX).await
    }

    async fn wait(&self, want: &Want<'_>, beyond: usize) -> Lease {
        loop {
            let released = self.released.notified();
            if let Some(lease) = self.best(want, beyond) {
                return lease;
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, released).await;
        }
    }

    fn best(&self, want: &Want<'_>, beyond: usize) -> Option<Lease> {
        let now = Instant::now();
        let fitness = |entry: &Entry| {
            let state = entry.state.lock();
            let room = entry.source.parallel().max(1).saturating_add(beyond);
            let free = state.requests < room && !state.resting(now);
            let share = entry.source.score() / (state.requests as u64 + 1);
            (want.fits(entry) && free).then_some(share)
        };
        let index = (0..self.entries.len())
            .filter_map(|index| Some((fitness(self.entries.get(index)?)?, index)))
            .max_by_key(|(fitness, index)| (*fitness, usize::MAX - index))?
            .1;
        let entry = self.entries.get(index)?;
        entry.state.lock().requests += 1;
        let source = entry.source.leased(&want.askers, beyond > 0).unwrap_or_else(|| entry.source.clone());
        Some(Lease { sources: self.clone(), index, source })
    }

    /// The source with that id gave what is provably wrong.
    pub fn blame(&self, id: &str, number: u64, fault: &Fault) {
        let index = self.entries.iter().position(|entry| &**entry.source.id() == id);
        if let Some((index, entry)) = index.and_then(|index| Some((index, self.entries.get(index)?))) {
            entry.state.lock().requests += 1;
            Lease { sources: self.clone(), index, source: entry.source.clone() }.blame(number, fault);
        }
    }

    /// The lowest height that a source which the operator named has, among those that reach `latest`.
    pub fn earliest(&self, latest: u64) -> Option<u64> {
        let reach = self.entries.iter().filter(|entry| !entry.source.is_many()).filter_map(|entry| {
            let heads = entry.heads.borrow();
            heads.latest.is_some_and(|id| id.number >= latest).then_some(heads.earliest)
        });
        reach.min()
    }

    /// Whether some source, resting or not, could have what is wanted.
    pub fn any_has(&self, want: &Want<'_>) -> bool {
        self.entries.iter().any(|entry| want.fits(entry))
    }

    /// The same among the sources that the operator named: their word counts for more than a stranger's.
    pub fn any_named_has(&self, want: &Want<'_>) -> bool {
        self.entries.iter().any(|entry| !entry.source.is_many() && want.fits(entry))
    }

    /// The highest head of the sources that the operator named: what lies below can be had from them.
    pub fn named_head(&self) -> Option<BlockId> {
        let named = self.entries.iter().filter(|entry| !entry.source.is_many());
        named.filter_map(|entry| entry.heads.borrow().latest).max_by_key(|head| head.number)
    }
}

/// Wakes up whenever any source's heads change; changes between two waits are not lost.
#[derive(Debug)]
pub struct HeadsWatch {
    receivers: Vec<watch::Receiver<Heads>>,
}

// === impl HeadsWatch ===

impl HeadsWatch {
    /// Waits for the next change. A source that is gone changes no more.
    pub async fn changed(&mut self) {
        let waits = self.receivers.iter_mut().map(|heads| {
            Box::pin(async move {
                if heads.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            })
        });
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            std::future::pending::<()>().await;
        }
        futures_util::future::select_all(waits).await;
    }
}

// === impl State ===

impl State {
    fn resting(&self, now: Instant) -> bool {
        self.rest_until.is_some_and(|until| until > now)
    }

    /// Whether it rests because it lied: then it has no say in what is canonical either.
    fn lies_resting(&self) -> bool {
        self.lies > 0 && self.resting(Instant::now())
    }

    fn rest(&mut self, first: Duration, times: u32, longest: Duration) {
        let rest = first.saturating_mul(1 << times.saturating_sub(1).min(10)).min(longest);
        self.rest_until = self.rest_until.max(Some(Instant::now() + rest));
    }
}

// === impl Lease ===

impl Lease {
    /// Who is asked.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// Its id.
    pub fn id(&self) -> &Arc<str> {
        self.source.id()
    }

    /// It answered, and what it answered is right.
    pub fn good(&self) {
        self.with_state(|state| {
            state.errors = 0;
            let forgiven = state.rest_until.is_none_or(|until| until + FORGIVE < Instant::now());
            state.lies = if forgiven { 0 } else { state.lies };
        });
    }

    /// It did not answer.
    pub fn failed(&self, error: &SourceError) {
        match error {
            SourceError::Absent(_) => {}
            SourceError::Unavailable { .. } if self.source.is_many() => {}
            SourceError::Unavailable { .. } => self.with_state(|state| {
                state.errors = state.errors.saturating_add(1);
                state.rest(REST_ERROR, state.errors, REST_ERROR_MAX);
            }),
            SourceError::Misbehaved { reason, .. } => {
                tracing::warn!(source = %self.id(), %reason, "A source answered with what cannot be right");
                self.lied();
            }
        }
    }

    /// It answered with what is provably wrong.
    pub fn blame(&self, number: u64, fault: &Fault) {
        tracing::warn!(source = %self.id(), number, %fault, "A source gave wrong data; it is fetched elsewhere");
        self.source.blame(number, fault);
        self.lied();
    }

    fn lied(&self) {
        self.sources.metrics.lie(self.id());
        if self.source.is_many() {
            return;
        }
        self.with_state(|state| {
            state.lies = state.lies.saturating_add(1);
            state.rest(REST_LIE, state.lies, REST_LIE_MAX);
        });
    }

    fn with_state(&self, change: impl FnOnce(&mut State)) {
        if let Some(entry) = self.sources.entries.get(self.index) {
            change(&mut entry.state.lock());
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.with_state(|state| state.requests = state.requests.saturating_sub(1));
        self.sources.released.notify_waiters();
    }
}
