//! Lies, and what follows from them.
//!
//! Each lie scores the node down. [`STRIKES`] within [`MEMORY`] shut it out, each time four times longer.

use std::time::Duration;

use tokio::time::Instant;

use super::Node;

/// Lies that shut a node out.
const STRIKES: u32 = 3;
/// Lies older than this are forgiven, unless they shut it out.
const MEMORY: Duration = Duration::from_secs(600);
/// First time it is shut out.
const SHUT_OUT_MIN: Duration = Duration::from_secs(60);
/// Longest time.
const SHUT_OUT_MAX: Duration = Duration::from_secs(3_600);

/// What a node has on its account.
#[derive(Clone, Debug, Default)]
pub(super) struct Blame {
    /// Lies since start.
    total: u64,
    /// Lies since it was last shut out or forgiven.
    strikes: u32,
    /// Times it was shut out.
    terms: u32,
    last: Option<Instant>,
    last_fault: Option<String>,
    pub(super) shut_until: Option<Instant>,
}

// === impl Node ===

impl Node {
    /// It lied about the block at `number`.
    pub(crate) fn blame(&self, number: u64, fault: &(dyn std::fmt::Display + Sync)) {
        let shut_out = self.blame.lock().add(number, fault);
        self.score.failed();
        tracing::warn!(upstream = %self.id, number, %fault, "an upstream gave wrong data");
        if let Some(length) = shut_out {
            tracing::error!(upstream = %self.id, seconds = length.as_secs(), "an upstream is shut out for its lies");
        }
        self.update(|_| {});
    }

    /// Lies since start and the last of them.
    pub(crate) fn lies(&self) -> (u64, Option<String>) {
        let blame = self.blame.lock();
        (blame.total, blame.last_fault.clone())
    }

    /// How much of its score is left, 0 to 1.
    pub(crate) fn credit(&self) -> f64 {
        let blame = self.blame.lock();
        let recent = blame.last.is_some_and(|last| last.elapsed() < MEMORY);
        if recent { 0.5_f64.powi(blame.strikes.min(30).cast_signed() + 1) } else { 1.0 }
    }
}

// === impl Blame ===

impl Blame {
    fn add(&mut self, number: u64, fault: &(dyn std::fmt::Display + Sync)) -> Option<Duration> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) > MEMORY) {
            self.strikes = 0;
        }
        self.total = self.total.saturating_add(1);
        self.strikes = self.strikes.saturating_add(1);
        self.last = Some(now);
        self.last_fault = Some(format!("block {number}: {fault}"));
        if self.strikes < STRIKES || self.shut_until.is_some_and(|until| until > now) {
            return None;
        }
        let length = SHUT_OUT_MIN.saturating_mul(4_u32.saturating_pow(self.terms)).min(SHUT_OUT_MAX);
        self.terms = self.terms.saturating_add(1);
        self.strikes = 0;
        self.shut_until = now.checked_add(length);
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIE: hypasis_chain::Fault = hypasis_chain::Fault::Bloom;

    #[tokio::test(start_paused = true)]
    async fn the_third_lie_shuts_out_and_each_term_is_longer() {
        let mut blame = Blame::default();
        for expected in [60, 240, 960, 3_600, 3_600] {
            assert_eq!(blame.add(7, &LIE), None);
            assert_eq!(blame.add(7, &LIE), None);
            assert_eq!(blame.add(7, &LIE), Some(Duration::from_secs(expected)));
            assert_eq!(blame.add(7, &LIE), None, "it is out already");
            tokio::time::advance(Duration::from_secs(expected.max(601))).await;
        }
        assert_eq!(blame.total, 20);
        assert_eq!(blame.last_fault.as_deref(), Some("block 7: logsBloom does not match the logs"));
    }

    #[tokio::test(start_paused = true)]
    async fn rare_lies_are_forgiven() {
        let mut blame = Blame::default();
        for _ in 0..10 {
            assert_eq!(blame.add(7, &LIE), None);
            tokio::time::advance(MEMORY + Duration::from_secs(1)).await;
        }
    }
}
