//! What goes wrong, and whose fault it is.

use std::path::PathBuf;
use std::sync::Arc;

/// Why a store does not open. The operator is at fault, or the disk.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Written by a newer program.
    #[error(
        "{path} has store format {found}; this program knows formats up to {known}. Use the newer program"
    )]
    NewerFormat {
        /// Where.
        path: PathBuf,
        /// Format on disk.
        found: u32,
        /// Newest format known here.
        known: u32,
    },
    /// Has a family of rows that is not known here, as a newer program would have made.
    #[error(
        "{path} holds the family {family}, which this program (format {known}) does not know. Use the newer program"
    )]
    UnknownFamily {
        /// Where.
        path: PathBuf,
        /// Name of the family.
        family: String,
        /// Newest format known here.
        known: u32,
    },
    /// Holds another chain.
    #[error("{path} holds chain {found}, not chain {asked}. Choose another data directory")]
    OtherChain {
        /// Where.
        path: PathBuf,
        /// What the store holds (chain id and genesis hash).
        found: String,
        /// What was asked for.
        asked: String,
    },
    /// Another process has it open.
    #[error("{path} is in use by another process")]
    Locked {
        /// Where.
        path: PathBuf,
    },
    /// The folder holds something that is no store, or its bookkeeping cannot be read.
    #[error("{path} cannot be opened as a store: {why}")]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// What the database or the disk said.
        why: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the store could not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Writing has stopped (full disk, failed sync, corruption); reading goes on. The text says why.
    #[error("the store only reads: {0}")]
    ReadOnly(Arc<str>),
    /// The database failed on this operation.
    #[error("store: {0}")]
    Database(Arc<str>),
    /// Stored bytes are not what they were when written; the range should be dropped and fetched again.
    #[error("stored data of block {number} is damaged: {what}")]
    Damaged {
        /// Height.
        number: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The caller's blocks do not fit the store (not contiguous, outside the part, beyond the tip window's bound).
    #[error("{0}")]
    Refused(String),
}

// === impl StoreError ===

impl StoreError {
    pub(crate) fn refused<T>(why: impl Into<String>) -> Result<T, Self> {
        Err(Self::Refused(why.into()))
    }

    pub(crate) fn database(why: impl AsRef<str>) -> Self {
        Self::Database(Arc::from(why.as_ref()))
    }
}

impl From<rocksdb::Error> for StoreError {
    fn from(error: rocksdb::Error) -> Self {
        Self::database(error)
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::database(error.to_string())
    }
}
