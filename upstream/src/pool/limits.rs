//! The gate before one node: parallel requests, calls a second, and who goes first.
//!
//! Users' requests wait in a bounded queue with a deadline. Filling takes a place only while no user waits, and never
//! more than its share of the places. A node that says "too many requests" closes its gate for a moment.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Users' requests that may wait for one node.
const QUEUE_MAX: usize = 1_024;
/// Longest pause that a node can ask for.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The gate of one node.
#[derive(Debug)]
pub(crate) struct Gate {
    places: Semaphore,
    places_max: usize,
    fill_places: Semaphore,
    fill_places_max: usize,
    waiting: AtomicUsize,
    nobody_waits: Notify,
    rate: Option<Rate>,
    paused_until: Mutex<Option<Instant>>,
}

/// A place at the node, held for the length of a request.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    _place: SemaphorePermit<'a>,
    _fill: Option<SemaphorePermit<'a>>,
}

/// The node is at its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A cap on cells a second, waited for in tokio's time.
#[derive(Debug)]
pub(crate) struct Rate {
    limiter: DefaultDirectRateLimiter,
    per_second: NonZeroU32,
}

// === impl Gate ===

impl Gate {
    pub(crate) fn new(concurrency: usize, calls_per_second: Option<u32>) -> Self {
        let places_max = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let fill_places_max = places_max.div_ceil(2);
        Self {
            places: Semaphore::new(places_max),
            places_max,
            fill_places: Semaphore::new(fill_places_max),
            fill_places_max,
            waiting: AtomicUsize::new(0),
            nobody_waits: Notify::new(),
            rate: calls_per_second.and_then(Rate::new),
            paused_until: Mutex::new(None),
        }
    }

    /// Enters for a user's `calls`, waiting until `deadline`.
    pub(crate) async fn enter(&self, calls: u32, deadline: Instant) -> Result<Place<'_>, Full> {
        if self.rate.is_none()
            && !self.is_paused()
            && let Ok(place) = self.places.try_acquire()
        {
            return Ok(Place { _place: place, _fill: None });
        }
        let _waiting = Waiting::join(self).ok_or(Full)?;
        let entered = async {
            self.pause_over().await;
            if let Some(rate) = &self.rate {
                rate.take(calls).await;
            }
            self.places.acquire().await.map_err(|_| Full)
        };
        let place = tokio::time::timeout_at(deadline, entered).await.map_err(|_| Full)??;
        Ok(Place { _place: place, _fill: None })
    }

    /// Enters for filling, after all users; waits as long as it takes.
    pub(crate) async fn enter_to_fill(&self, calls: u32) -> Result<Place<'_>, Full> {
        let fill = self.fill_places.acquire().await.map_err(|_| Full)?;
        self.users_served().await;
        if let Some(rate) = &self.rate {
            rate.take(calls).await;
        }
        loop {
            self.pause_over().await;
            self.users_served().await;
            let place = self.places.acquire().await.map_err(|_| Full)?;
            if self.waiting.load(Ordering::Acquire) == 0 {
                return Ok(Place { _place: place, _fill: Some(fill) });
            }
        }
    }

    /// Counts calls that go around the queue, waiting for the cap on calls a second alone.
    pub(crate) async fn count(&self, calls: u32) {
        if let Some(rate) = &self.rate {
            rate.take(calls).await;
        }
    }

    /// Requests at the node now.
    pub(crate) fn in_flight(&self) -> usize {
        self.places_max.saturating_sub(self.places.available_permits())
    }

    /// Requests that filling may have at the node at once.
    pub(crate) fn fill_places_max(&self) -> usize {
        self.fill_places_max
    }

    /// Whether the cap on calls a second counts anything.
    pub(crate) fn counts_calls(&self) -> bool {
        self.rate.is_some()
    }

    /// The node asked for a pause.
    pub(crate) fn pause(&self, length: Duration) {
        *self.paused_until.lock() = Instant::now().checked_add(length.min(PAUSE_MAX));
    }

    /// Whether the node asked for a pause that is not over.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused_until.lock().is_some_and(|until| until > Instant::now())
    }

    async fn pause_over(&self) {
        let until = *self.paused_until.lock();
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    async fn users_served(&self) {
        loop {
            let notified = self.nobody_waits.notified();
            if self.waiting.load(Ordering::Acquire) == 0 {
                return;
            }
            notified.await;
        }
    }
}

/// A user's place in the queue; leaves it when dropped.
struct Waiting<'a>(&'a Gate);

// === impl Waiting ===

impl<'a> Waiting<'a> {
    fn join(gate: &'a Gate) -> Option<Self> {
        let waiting = gate.waiting.fetch_add(1, Ordering::AcqRel);
        let joined = Self(gate);
        (waiting < QUEUE_MAX).then_some(joined)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.nobody_waits.notify_waiters();
        }
    }
}

// === impl Rate ===

impl Rate {
    /// A cap with a burst of one second; `None` for zero, which would never let anything pass.
    pub(crate) fn new(per_second: u32) -> Option<Self> {
        let per_second = NonZeroU32::new(per_second)?;
        Some(Self { limiter: DefaultDirectRateLimiter::direct(Quota::per_second(per_second)), per_second })
    }

    /// Most cells that can be taken at once.
    pub(crate) fn burst(&self) -> u32 {
        self.per_second.get()
    }

    /// Waits for `cells`, in portions where they are more than the burst.
    pub(crate) async fn take(&self, cells: u32) {
        let mut left = cells;
        while let Some(portion) = NonZeroU32::new(left.min(self.burst())) {
            match self.limiter.check_n(portion) {
                Ok(Ok(())) => left = left.saturating_sub(portion.get()),
                Ok(Err(not_yet)) => {
                    let wait = not_yet.wait_time_from(DefaultClock::default().now());
                    tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
                }
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
