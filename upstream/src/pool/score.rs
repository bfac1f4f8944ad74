//! How good a node is at the moment: latency and errors, both as moving averages.
//!
//! A node that is not asked drifts back towards "unknown, try it", so that a slow hour does not shut it out forever.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Weight of a new sample.
const WEIGHT: f64 = 0.15;
/// An error ratio of 1 makes a node look this many times slower.
const ERROR_PENALTY: f64 = 20.0;
/// What is remembered of the latency halves in this time without samples.
const FORGET_HALF_SECONDS: f64 = 20.0;
/// What an unknown node is taken for.
const LATENCY_START: Duration = Duration::from_millis(5);

/// Moving averages of one node.
#[derive(Debug)]
pub(crate) struct Score {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    latency: f64,
    errors: f64,
    updated: Instant,
}

// === impl Score ===

impl Score {
    pub(crate) fn new() -> Self {
        let state = State { latency: LATENCY_START.as_secs_f64(), errors: 0.0, updated: Instant::now() };
        Self { state: Mutex::new(state) }
    }

    /// It answered after `latency`.
    pub(crate) fn answered(&self, latency: Duration) {
        self.update(Some(latency), 0.0);
    }

    /// It failed.
    pub(crate) fn failed(&self) {
        self.update(None, 1.0);
    }

    /// Nobody waited for its answer any more: it takes at least `elapsed`.
    pub(crate) fn abandoned(&self, elapsed: Duration) {
        let mut state = self.state.lock();
        if elapsed.as_secs_f64() > state.latency {
            state.latency = mix(state.latency, elapsed.as_secs_f64());
            state.updated = Instant::now();
        }
    }

    /// Moving average of its latency.
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_secs_f64(self.state.lock().latency)
    }

    /// Moving average of its failures, 0 to 1.
    pub(crate) fn error_ratio(&self) -> f64 {
        self.state.lock().errors
    }

    /// What asking it costs now with `in_flight` calls before this one; less is better.
    pub(crate) fn cost(&self, in_flight: usize) -> f64 {
        let state = *self.state.lock();
        let idle = state.updated.elapsed().as_secs_f64();
        let memory = 0.5_f64.powf(idle / FORGET_HALF_SECONDS);
        let latency = LATENCY_START.as_secs_f64() + state.latency * memory;
        latency * (1.0 + in_flight as f64) * (1.0 + ERROR_PENALTY * state.errors * memory)
    }

    fn update(&self, latency: Option<Duration>, error: f64) {
        let mut state = self.state.lock();
        if let Some(latency) = latency {
            state.latency = mix(state.latency, latency.as_secs_f64());
        }
        state.errors = mix(state.errors, error);
        state.updated = Instant::now();
    }
}

fn mix(old: f64, new: f64) -> f64 {
    old + WEIGHT * (new - old)
}
