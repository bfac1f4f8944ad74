//! Circuit breaker of one node.
//!
//! It opens on either of two signals: [`CONSECUTIVE_MAX`] failures in a row, or at least [`RATIO_MAX`] failures among
//! [`SAMPLES_MIN`] calls within the window. Open, it refuses until a backoff is over; then one call may try (half
//! open): success closes it, failure opens it again for twice as long. A trial that is abandoned gives its place back.

use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

/// Failures in a row that open it.
const CONSECUTIVE_MAX: u32 = 5;
/// Share of failures that opens it.
const RATIO_MAX: f64 = 0.5;
/// Calls of a window before the share means anything.
const SAMPLES_MIN: u32 = 20;
/// Length of a window.
const WINDOW: Duration = Duration::from_secs(10);
/// First backoff.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// Longest backoff.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Decides whether a node may be asked.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: Mutex<State>,
}

/// What it does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// One call tries.
    HalfOpen,
}

/// The right to one call; dropping it without a verdict gives it back.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    breaker: &'a Breaker,
    trial: bool,
    judged: bool,
}

#[derive(Debug)]
struct State {
    consecutive: u32,
    samples: u32,
    failures: u32,
    window_start: Instant,
    /// Times it opened without a success in between.
    opened: u32,
    open_until: Option<Instant>,
    trying: bool,
}

// === impl Breaker ===

impl Breaker {
    pub(crate) fn new() -> Self {
        let state = State {
            consecutive: 0,
            samples: 0,
            failures: 0,
            window_start: Instant::now(),
            opened: 0,
            open_until: None,
            trying: false,
        };
        Self { state: Mutex::new(state) }
    }

    /// Whether [`Self::admit`] would let a call pass now.
    pub(crate) fn is_ready(&self) -> bool {
        let state = self.state.lock();
        state.open_until.is_none_or(|until| until <= Instant::now() && !state.trying)
    }

    /// Lets a call pass, or not.
    pub(crate) fn admit(&self) -> Option<Ticket<'_>> {
        let mut state = self.state.lock();
        let Some(until) = state.open_until else {
            return Some(Ticket { breaker: self, trial: false, judged: false });
        };
        if until > Instant::now() || state.trying {
            return None;
        }
        state.trying = true;
        Some(Ticket { breaker: self, trial: true, judged: false })
    }

    /// What it does now.
    pub(crate) fn state(&self) -> BreakerState {
        match self.state.lock().open_until {
            None => BreakerState::Closed,
            Some(until) if until > Instant::now() => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// The node was probed anew and is well: start afresh.
    pub(crate) fn reset(&self) {
        let mut state = self.state.lock();
        state.close(Instant::now());
        state.opened = 0;
    }
}

// === impl State ===

impl State {
    fn close(&mut self, now: Instant) {
        self.consecutive = 0;
        self.samples = 0;
        self.failures = 0;
        self.window_start = now;
        self.open_until = None;
        self.trying = false;
    }

    fn open(&mut self, now: Instant) {
        let backoff = BACKOFF_MIN.saturating_mul(1 << self.opened.min(10)).min(BACKOFF_MAX);
        let opened = self.opened.saturating_add(1);
        self.close(now);
        self.opened = opened;
        self.open_until = now.checked_add(backoff);
    }

    fn count(&mut self, failed: bool, now: Instant) {
        if now.duration_since(self.window_start) >= WINDOW {
            self.samples = 0;
            self.failures = 0;
            self.window_start = now;
        }
        self.samples = self.samples.saturating_add(1);
        if failed {
            self.failures = self.failures.saturating_add(1);
            self.consecutive = self.consecutive.saturating_add(1);
        } else {
            self.consecutive = 0;
        }
    }

    fn is_bad(&self) -> bool {
        let ratio = f64::from(self.failures) / f64::from(self.samples.max(1));
        self.consecutive >= CONSECUTIVE_MAX || (self.samples >= SAMPLES_MIN && ratio >= RATIO_MAX)
    }
}

// === impl Ticket ===

impl Ticket<'_> {
    /// The node answered.
    pub(crate) fn success(mut self) {
        self.judged = true;
        let now = Instant::now();
        let mut state = self.breaker.state.lock();
        if self.trial {
            state.close(now);
            state.opened = 0;
        } else {
            state.count(false, now);
        }
    }

    /// The node failed.
    pub(crate) fn failure(mut self) {
        self.judged = true;
        let now = Instant::now();
        let mut state = self.breaker.state.lock();
        if self.trial {
            state.open(now);
        } else if state.open_until.is_none() {
            state.count(true, now);
            if state.is_bad() {
                state.open(now);
            }
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.trial && !self.judged {
            self.breaker.state.lock().trying = false;
        }
    }
}

#[cfg(test)]
mod tests;
