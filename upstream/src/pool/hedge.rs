//! When an answer is late enough to ask somebody else as well.
//!
//! Per method: mean and mean deviation of latencies, as TCP times its retransmissions (RFC 6298). Mean plus two and a
//! half deviations lies near the 95th percentile of what nodes show.

use std::time::Duration;

use alloy_primitives::map::HashMap;
use parking_lot::Mutex;

/// Methods that are told apart; the rest share one entry.
const METHODS_MAX: usize = 256;
/// Shortest delay: below it a second request costs more than it saves.
const DELAY_MIN: Duration = Duration::from_millis(20);
/// Longest delay.
const DELAY_MAX: Duration = Duration::from_secs(5);
/// Delay before anything is known.
const DELAY_START: Duration = Duration::from_millis(500);
/// Weight of a new sample.
const WEIGHT: f64 = 0.125;
/// Deviations above the mean.
const DEVIATIONS: f64 = 2.5;

/// Latencies by method.
#[derive(Debug)]
pub(super) struct Delays {
    by_method: Mutex<HashMap<&'static str, Latency>>,
}

#[derive(Clone, Copy, Debug)]
struct Latency {
    mean: f64,
    deviation: f64,
}

// === impl Delays ===

impl Delays {
    pub(super) fn new() -> Self {
        Self { by_method: Mutex::default() }
    }

    /// How long to wait for an answer to `method` before asking a second node.
    pub(super) fn delay(&self, method: &'static str) -> Duration {
        let latency = self.by_method.lock().get(method).copied();
        let Some(Latency { mean, deviation }) = latency else { return DELAY_START };
        let seconds = (mean + DEVIATIONS * deviation).clamp(DELAY_MIN.as_secs_f64(), DELAY_MAX.as_secs_f64());
        Duration::from_secs_f64(seconds)
    }

    /// An answer to `method` took this long.
    pub(super) fn answered(&self, method: &'static str, latency: Duration) {
        let sample = latency.as_secs_f64();
        let mut by_method = self.by_method.lock();
        if let Some(known) = by_method.get_mut(method) {
            known.deviation += WEIGHT * ((sample - known.mean).abs() - known.deviation);
            known.mean += WEIGHT * (sample - known.mean);
        } else if by_method.len() < METHODS_MAX {
            by_method.insert(method, Latency { mean: sample, deviation: sample / 2.0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_follows_each_method_and_stays_in_its_bounds() {
        let delays = Delays::new();
        assert_eq!(delays.delay("eth_call"), DELAY_START);
        for index in 0..200 {
            delays.answered("eth_call", Duration::from_millis(90 + 20 * (index % 2)));
            delays.answered("eth_chainId", Duration::from_micros(300));
            delays.answered("debug_traceTransaction", Duration::from_secs(60));
        }
        let call = delays.delay("eth_call");
        assert!((Duration::from_millis(110)..Duration::from_millis(150)).contains(&call), "{call:?}");
        assert_eq!(delays.delay("eth_chainId"), DELAY_MIN);
        assert_eq!(delays.delay("debug_traceTransaction"), DELAY_MAX);
    }

    #[test]
    fn methods_are_bounded() {
        let delays = Delays::new();
        for index in 0..2 * METHODS_MAX {
            let method: &'static str = Box::leak(index.to_string().into_boxed_str());
            delays.answered(method, Duration::from_millis(1));
        }
        assert_eq!(delays.by_method.lock().len(), METHODS_MAX);
    }
}
