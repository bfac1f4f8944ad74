//! Whether the store may still write.
//!
//! The first failed write or sync stops all writing until the next start: after a failed sync nobody knows what
//! the disk holds, and only reopening finds out. Damage found on reading stops it too, so that compaction does
//! not run into it; dropping what is damaged (`verify`) lifts that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use super::error::StoreError;

/// What stopped the store, and how often it met damage.
#[derive(Debug, Default)]
pub(crate) struct Health {
    stop: ArcSwapOption<Stop>,
    damaged_reads: AtomicU64,
}

#[derive(Debug)]
struct Stop {
    why: Arc<str>,
    cause: Cause,
}

/// Why writing stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A write, a sync or an ingestion failed.
    Write,
    /// Stored bytes are not what they were.
    Damage,
    /// The store was closed.
    Closed,
}

// === impl Health ===

impl Health {
    /// Whether writing is allowed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.why().map_or(Ok(()), |why| Err(StoreError::ReadOnly(why)))
    }

    /// Whether removing is allowed: damage must not keep what is damaged from being dropped.
    pub(crate) fn check_removal(&self) -> Result<(), StoreError> {
        match self.stop.load().as_deref() {
            Some(stop) if stop.cause != Cause::Damage => Err(StoreError::ReadOnly(Arc::clone(&stop.why))),
            _ => Ok(()),
        }
    }

    /// Why writing has stopped, if it has.
    pub(crate) fn why(&self) -> Option<Arc<str>> {
        self.stop.load().as_deref().map(|stop| Arc::clone(&stop.why))
    }

    /// Stops writing. A failed write outranks damage, which `verify` may lift.
    pub(crate) fn stop(&self, cause: Cause, why: impl AsRef<str>) {
        let why = match cause {
            Cause::Write => format!("{}; it writes again after the next start", why.as_ref()),
            Cause::Damage | Cause::Closed => why.as_ref().to_owned(),
        };
        let stop = Arc::new(Stop { why: Arc::from(why.as_str()), cause });
        let before = self.stop.rcu(|now| match now {
            Some(now) if now.cause != Cause::Damage || cause == Cause::Damage => Some(Arc::clone(now)),
            _ => Some(Arc::clone(&stop)),
        });
        if before.is_none() && cause != Cause::Closed {
            tracing::error!(why, "The store stopped writing; what it holds is served on");
        }
    }

    /// Writing goes on once the damage has been dropped.
    pub(crate) fn damage_dropped(&self) {
        self.stop.rcu(|now| now.clone().filter(|now| now.cause != Cause::Damage));
    }

    /// Counts a damaged read and stops writing.
    pub(crate) fn damaged(&self, number: u64, what: &str) {
        self.damaged_reads.fetch_add(1, Ordering::Relaxed);
        self.stop(
            Cause::Damage,
            format!("block {number} is damaged on disk ({what}); `store verify` drops it"),
        );
    }

    /// Counts a damaged read of an index and stops writing.
    pub(crate) fn index_damaged(&self, family: &str) {
        self.damaged_reads.fetch_add(1, Ordering::Relaxed);
        self.stop(
            Cause::Damage,
            format!("the index {family} is damaged on disk; `store verify` makes it anew"),
        );
    }

    /// Reads that met damage since the start.
    pub(crate) fn damaged_reads(&self) -> u64 {
        self.damaged_reads.load(Ordering::Relaxed)
    }
}
