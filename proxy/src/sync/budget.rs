//! One byte budget over all workers.
//!
//! Bytes are reserved by an estimate before a request is sent, corrected when the answer is there, and given back
//! when the blocks are in the store's open file. Who finds the budget spent waits; nothing is fetched to be dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit: semaphores count to 2^32 only.
const UNIT_BYTES: u64 = 1 << 10;

/// The budget; clone freely.
#[derive(Clone, Debug)]
pub struct Budget {
    semaphore: Arc<Semaphore>,
    units: u32,
    meter: Arc<Meter>,
}

/// Counts what is really in flight, which may exceed what was reserved.
#[derive(Debug, Default)]
struct Meter {
    now: AtomicU64,
    peak: AtomicU64,
}

/// Bytes that somebody holds of the budget; dropping gives them back.
#[derive(Debug)]
pub struct Reservation {
    permit: OwnedSemaphorePermit,
    budget: Budget,
    bytes: u64,
}

// === impl Budget ===

impl Budget {
    /// A budget of `bytes`, at least one unit.
    pub fn new(bytes: u64) -> Self {
        let units = units(bytes).clamp(1, u32::MAX / 8);
        Self { semaphore: Arc::new(Semaphore::new(units as usize)), units, meter: Arc::default() }
    }

    /// Waits until `bytes` fit. Asking for more than the whole is asking for the whole, so that one huge block can
    /// pass alone.
    pub async fn reserve(&self, bytes: u64) -> Reservation {
        let units = units(bytes).clamp(1, self.units);
        loop {
            // The semaphore is never closed; should it be, waiting for ever is what its users want.
            if let Ok(permit) = self.semaphore.clone().acquire_many_owned(units).await {
                let mut reservation = Reservation { permit, budget: self.clone(), bytes: 0 };
                reservation.count(bytes.min(self.total()));
                return reservation;
            }
            std::future::pending::<()>().await;
        }
    }

    /// Bytes in flight now.
    pub fn used(&self) -> u64 {
        self.meter.now.load(Ordering::Relaxed)
    }

    /// Most bytes that were ever in flight at once.
    pub fn peak(&self) -> u64 {
        self.meter.peak.load(Ordering::Relaxed)
    }

    /// The whole of it.
    pub fn total(&self) -> u64 {
        u64::from(self.units) * UNIT_BYTES
    }
}

// === impl Reservation ===

impl Reservation {
    /// So many bytes arrived and more may follow. Beyond the estimate more is taken if it is there and counted in
    /// any case: waiting for it while holding what arrived could lock all workers up.
    pub fn at_least(&mut self, bytes: u64) {
        let held = self.held_units();
        let needed = units(bytes);
        if needed > held
            && let Ok(more) = self.budget.semaphore.clone().try_acquire_many_owned(needed - held)
        {
            self.permit.merge(more);
        }
        if bytes > self.bytes {
            self.count(bytes);
        }
    }

    /// This is all that arrived; a surplus goes back at once.
    pub fn settle(&mut self, bytes: u64) {
        self.at_least(bytes);
        // Counted down before it is given back: the next holder may count it at once.
        self.count(bytes);
        let surplus = self.held_units().saturating_sub(units(bytes).max(1));
        drop(self.permit.split(surplus as usize));
    }

    fn held_units(&self) -> u32 {
        u32::try_from(self.permit.num_permits()).unwrap_or(u32::MAX)
    }

    fn count(&mut self, bytes: u64) {
        let meter = &self.budget.meter;
        meter.now.fetch_sub(self.bytes, Ordering::Relaxed);
        let now = meter.now.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
        meter.peak.fetch_max(now, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.meter.now.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn what_is_given_back_is_never_counted_twice() {
        let budget = Budget::new(4 * UNIT_BYTES);
        let workers = (0..8).map(|_| {
            let budget = budget.clone();
            tokio::spawn(async move {
                for _ in 0..20_000 {
                    let mut reservation = budget.reserve(3 * UNIT_BYTES).await;
                    reservation.settle(UNIT_BYTES);
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
        assert_eq!(budget.used(), 0);
        assert!(budget.peak() <= budget.total(), "{} bytes were counted", budget.peak());
    }
}
