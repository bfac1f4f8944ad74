//! Connections between requests: the last one back is the first one out, so that few stay warm and the rest age.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::line::Line;

/// Since when each has waited.
type Waiting = VecDeque<(Instant, Box<Line>)>;

/// Connections that wait for a request.
pub(super) struct Idle {
    lines: Mutex<Waiting>,
    count_max: usize,
    time_max: Duration,
}

// === impl Idle ===

impl Idle {
    /// Room for `count_max` connections, each for `time_max`.
    pub(super) fn new(count_max: usize, time_max: Duration) -> Self {
        Self { lines: Mutex::default(), count_max, time_max }
    }

    /// A connection that is still open, as far as this process has heard.
    pub(super) fn take(&self) -> Option<Box<Line>> {
        let aged = self.aged();
        drop(aged);
        loop {
            let (_, mut line) = self.lines.lock().pop_back()?;
            if line.is_free() {
                return Some(line);
            }
        }
    }

    /// Keeps a connection, if its exchange is over and there is room; else it closes.
    pub(super) fn put(&self, mut line: Box<Line>) {
        if !line.is_free() {
            return;
        }
        let mut lines = self.lines.lock();
        if lines.len() < self.count_max {
            lines.push_back((Instant::now(), line));
        }
    }

    /// Takes out those that have waited too long: the longest wait in front. Whoever gets them closes them, outside
    /// of the lock.
    fn aged(&self) -> Waiting {
        let mut lines = self.lines.lock();
        let aged = lines.iter().take_while(|(since, _)| since.elapsed() > self.time_max).count();
        lines.drain(..aged).collect()
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("lines", &self.lines.lock().len()).finish_non_exhaustive()
    }
}
