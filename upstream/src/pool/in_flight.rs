//! Bytes in flight over all clients: one budget for requests, for what nodes answer, and for what is on its way out.
//!
//! A charge lives exactly as long as the bytes that it was taken for ([`Charge::hold`]), whoever keeps a slice of
//! them: neither a caller that leaves nor a batch that waits can hold bytes that nobody counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Smaller amounts are not charged; their number is bounded by that of connections.
const CHARGED_MIN: usize = 16 * 1_024;
/// What an answer of unknown length is charged at a time.
const STEP: usize = 64 * 1_024;

/// Bytes that may be in flight. Clones are one budget.
#[derive(Clone, Debug)]
pub struct InFlight {
    left: Arc<AtomicUsize>,
}

/// Bytes taken from the budget, given back on drop.
#[derive(Debug)]
pub struct Charge {
    left: Arc<AtomicUsize>,
    bytes: usize,
}

// === impl InFlight ===

impl InFlight {
    /// At most `bytes` at once.
    pub fn new(bytes: usize) -> Self {
        Self { left: Arc::new(AtomicUsize::new(bytes)) }
    }

    /// Takes `bytes`; `None` if there are not as many left. Small amounts are free.
    pub fn charge(&self, bytes: usize) -> Option<Charge> {
        let mut charge = Charge { left: Arc::clone(&self.left), bytes: 0 };
        (bytes < CHARGED_MIN || charge.take(bytes)).then_some(charge)
    }
}

// === impl Charge ===

impl Charge {
    /// Takes what is missing to `total` bytes, in steps; false if there is not as much left.
    pub fn cover(&mut self, total: usize) -> bool {
        if total < CHARGED_MIN || total <= self.bytes {
            return true;
        }
        let total = total.checked_next_multiple_of(STEP).unwrap_or(total);
        self.take(total.saturating_sub(self.bytes))
    }

    /// The same bytes; the charge is given back with their last slice.
    pub fn hold(self, bytes: Bytes) -> Bytes {
        if self.bytes == 0 { bytes } else { Bytes::from_owner(Held { bytes, _charge: self }) }
    }

    fn take(&mut self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        let taken = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok();
        self.bytes = self.bytes.saturating_add(if taken { bytes } else { 0 });
        taken
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.left.fetch_add(self.bytes, Ordering::AcqRel);
        }
    }
}

/// Bytes with their charge.
struct Held {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_lives_as_long_as_the_last_slice_of_its_bytes() {
        let room = InFlight::new(100_000);
        let held = room.charge(90_000).unwrap().hold(Bytes::from(vec![0; 90_000]));
        let slice = held.slice(5..6);
        drop(held);
        assert!(room.charge(90_000).is_none());
        drop(slice);
        assert!(room.charge(90_000).is_some());
    }

    #[test]
    fn what_grows_is_charged_in_steps_and_refused_at_the_end_of_the_budget() {
        let room = InFlight::new(2 * STEP);
        let mut charge = room.charge(0).unwrap();
        assert!(charge.cover(CHARGED_MIN - 1));
        assert!(charge.cover(CHARGED_MIN) && charge.cover(STEP));
        assert!(room.charge(STEP + 1).is_none());
        assert!(charge.cover(2 * STEP));
        assert!(!charge.cover(2 * STEP + 1));
        drop(charge);
        assert!(room.charge(2 * STEP).is_some());
    }
}
