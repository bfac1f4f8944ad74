//! How much to ask for at once: additive increase while answers are quick and small, halving when they fail.

use std::time::Duration;

use parking_lot::Mutex;

/// An answer this quick allows more the next time.
const QUICK: Duration = Duration::from_millis(1_000);
/// An answer this slow asks for less.
const SLOW: Duration = Duration::from_secs(4);
/// Answers of fewer bytes allow more the next time.
const BYTES_GOOD: usize = 8 << 20;
/// Answers of more bytes ask for less.
const BYTES_MANY: usize = 24 << 20;
/// Most parallel requests for one kind.
const PARALLEL_MAX: usize = 16;
/// Weight of a new sample of throughput.
const WEIGHT: f64 = 0.2;

/// Batch size and parallelism of one kind of request to one node.
#[derive(Debug)]
pub(super) struct Pace {
    batch_step: f64,
    batch_max: f64,
    parallel_max: f64,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    batch: f64,
    parallel: f64,
    bytes_per_second: f64,
}

// === impl Pace ===

impl Pace {
    /// For headers: half a kilobyte each.
    pub(super) fn headers(parallel_max: usize) -> Self {
        Self::new(128.0, 32.0, 1_000.0, parallel_max)
    }

    /// For blocks with receipts: up to a megabyte each.
    pub(super) fn blocks(parallel_max: usize) -> Self {
        Self::new(16.0, 4.0, 256.0, parallel_max)
    }

    fn new(batch: f64, batch_step: f64, batch_max: f64, parallel_max: usize) -> Self {
        let parallel_max = parallel_max.clamp(1, PARALLEL_MAX) as f64;
        let state = State { batch, parallel: parallel_max.min(2.0), bytes_per_second: 0.0 };
        Self { batch_step, batch_max, parallel_max, state: Mutex::new(state) }
    }

    /// Items of one request; at least 1.
    pub(super) fn batch(&self) -> usize {
        self.state.lock().batch as usize
    }

    /// Requests at once; at least 1.
    pub(super) fn parallel(&self) -> usize {
        self.state.lock().parallel as usize
    }

    /// Throughput over all parallel requests lately.
    pub(super) fn bytes_per_second(&self) -> f64 {
        let state = self.state.lock();
        state.bytes_per_second * state.parallel
    }

    /// A request was answered by `bytes` after `elapsed`.
    pub(super) fn answered(&self, bytes: usize, elapsed: Duration) {
        let mut state = self.state.lock();
        let rate = bytes as f64 / elapsed.as_secs_f64().max(0.000_1);
        state.bytes_per_second += WEIGHT * (rate - state.bytes_per_second);
        if elapsed > SLOW || bytes > BYTES_MANY {
            state.batch = (state.batch * 0.7).max(1.0);
        } else if elapsed < QUICK && bytes < BYTES_GOOD {
            state.batch = (state.batch + self.batch_step).min(self.batch_max);
        }
        if elapsed < SLOW {
            state.parallel = (state.parallel + 1.0 / state.parallel).min(self.parallel_max);
        }
    }

    /// A request failed, timed out, or was too much.
    pub(super) fn failed(&self) {
        let mut state = self.state.lock();
        state.batch = (state.batch / 2.0).max(1.0);
        state.parallel = (state.parallel / 2.0).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_bounds_and_halves_on_failure() {
        let pace = Pace::blocks(8);
        for _ in 0..1_000 {
            pace.answered(1_000, Duration::from_millis(10));
        }
        assert_eq!((pace.batch(), pace.parallel()), (256, 8));
        pace.failed();
        assert_eq!((pace.batch(), pace.parallel()), (128, 4));
        for _ in 0..100 {
            pace.failed();
        }
        assert_eq!((pace.batch(), pace.parallel()), (1, 1));
    }

    #[test]
    fn slow_and_large_answers_shrink_a_batch() {
        for (bytes, elapsed) in [(1_000, Duration::from_secs(5)), (30 << 20, Duration::from_millis(500))] {
            let pace = Pace::blocks(8);
            pace.answered(bytes, elapsed);
            assert_eq!(pace.batch(), 11);
        }
    }
}
