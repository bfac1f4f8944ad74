//! Budgets: how many extra requests a stream of requests may cause.
//!
//! Each request earns a part of a token, each retry or hedge costs a whole one, so that a failing fleet sees at most
//! a fixed share of extra load. A slow trickle comes with time, so that a quiet proxy can still retry.

use parking_lot::Mutex;
use tokio::time::Instant;

/// Tokens of extra requests.
#[derive(Debug)]
pub(crate) struct Budget {
    earned_per_request: f64,
    earned_per_second: f64,
    tokens_max: f64,
    state: Mutex<(f64, Instant)>,
}

// === impl Budget ===

impl Budget {
    /// Starts full.
    pub(crate) fn new(earned_per_request: f64, earned_per_second: f64, tokens_max: f64) -> Self {
        let state = Mutex::new((tokens_max, Instant::now()));
        Self { earned_per_request, earned_per_second, tokens_max, state }
    }

    /// A request came.
    pub(crate) fn earn(&self) {
        self.add(self.earned_per_request);
    }

    /// Pays for an extra request, or refuses.
    pub(crate) fn spend(&self) -> bool {
        self.add(0.0);
        let mut state = self.state.lock();
        if state.0 < 1.0 {
            return false;
        }
        state.0 -= 1.0;
        true
    }

    fn add(&self, tokens: f64) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let trickle = now.duration_since(state.1).as_secs_f64() * self.earned_per_second;
        *state = ((state.0 + tokens + trickle).min(self.tokens_max), now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn extra_requests_stay_within_the_share() {
        let budget = Budget::new(0.2, 1.0, 10.0);
        let extra = (0..1_000)
            .filter(|_| {
                budget.earn();
                budget.spend()
            })
            .count();
        assert!((200..=210).contains(&extra), "{extra}");
    }

    #[tokio::test(start_paused = true)]
    async fn time_refills_up_to_the_bound() {
        let budget = Budget::new(0.2, 1.0, 3.0);
        while budget.spend() {}
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert!(budget.spend());
        assert!(!budget.spend());
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!((0..10).filter(|_| budget.spend()).count(), 3);
    }
}
