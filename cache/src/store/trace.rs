//! The steps of a write, in the order in which they become durable.
//!
//! A crash can show that an order was wrong, but never that it is right: the disk may have kept what was not yet
//! synced. So tests watch the steps themselves, and stop the store at each of them.

use std::fmt;

use super::families::Family;

/// A step that changes the disk or what readers see. It is told before it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// SST files of a family are complete and synced.
    Built(Family),
    /// The intent record is written and synced.
    Intent,
    /// A family's files are taken into the database (its manifest is synced).
    Ingest(Family),
    /// Coverage and trust are written, and the intent is taken back, in one synced batch.
    Coverage,
    /// Readers see it.
    Publish,
    /// Coverage is taken off, and an intent left, in one synced batch.
    CoverageOff,
    /// A family's rows are deleted.
    Delete(Family),
    /// The intent of a removal is taken back (synced).
    Deleted,
    /// Tip blocks are written and synced.
    TipBlocks,
    /// The canonical index is switched in one synced batch.
    Canonical,
    /// The finalized marker is written and synced.
    Finalized,
    /// Promoted blocks and side forks leave the window in one synced batch.
    TipDrop,
    /// Entries of an index, or rows of the tip window, are mended in one synced batch.
    Mended(Family),
    /// A named record is written and synced.
    Record,
}

/// Watches the steps. An error stops the store there, as a failing disk would.
pub trait Observer: Send + Sync {
    /// Called before `step` is taken.
    fn before(&self, step: Step) -> Result<(), String>;
}

/// Watches nothing.
pub(crate) struct Unobserved;

impl Observer for Unobserved {
    fn before(&self, _: Step) -> Result<(), String> {
        Ok(())
    }
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
