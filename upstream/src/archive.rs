//! Folders of era1, ere and plain chain files.
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`e2store`], [`frame`] | the container of era1 and ere: entries, and the Snappy frames inside them |
//! | [`era1`], [`ere`], [`plain`] | one file of each format: reader by height, and writer |
//! | [`accumulator`] | the SSZ root over headers of an era1 file |
//! | [`file`] | any of the three behind one face |
//! | [`folder`], [`source`] | many files as one map of heights, and that map as a [`Source`](crate::Source) |
//! | [`export`] | blocks cut into files |
//!
//! The formats are those of `eth-clients/e2store-format-specs` (`formats/era1.md`, `formats/ere.md`, `types/*.md`);
//! where it leaves a choice, Geth's `internal/era` decides. A reader makes sure of shape, of checksums and of the
//! height it was asked for. That a body belongs to its header is for the caller to verify, as with every source.

pub mod accumulator;
pub mod e2store;
pub mod era1;
pub mod ere;
pub mod export;
pub mod file;
pub mod folder;
pub mod frame;
pub mod input;
mod part;
pub mod plain;
pub mod source;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use era1::{Era1, Era1Writer};
pub use ere::{Ere, EreWriter};
pub use export::{Exporter, Format};
pub use file::ArchiveFile;
pub use folder::Folder;
pub use plain::{Plain, PlainWriter};
pub use source::ArchiveSource;

/// Most blocks of one era1 or ere file: the limit of the accumulator.
pub const ERA_BLOCKS: u64 = 8_192;

/// Largest header that is read. Polygon's have up to 100 KiB of extra data.
pub const HEADER_BYTES_MAX: u64 = 1 << 20;

/// Largest body or receipts list, unpacked. Ethereum's blocks end at 8 MiB (EIP-7934); a gas limit of 200 million
/// allows 25 MB of logs.
pub const PART_BYTES_MAX: u64 = 64 << 20;

/// Why an archive does not give, or take, a block.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The disk or the operating system failed, or the file is not there; the operator can help.
    #[error("{}: {error}", path.display())]
    Io {
        /// File or folder.
        path: Arc<Path>,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The file is not what it should be: cut off, damaged or forged. Only another copy helps.
    #[error("{}: at byte {offset}: {reason}", path.display())]
    Corrupt {
        /// File.
        path: Arc<Path>,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The height, or the part of the block, is not in this file.
    #[error("{}: block {number} has no {what} here", path.display())]
    Absent {
        /// File.
        path: Arc<Path>,
        /// Height.
        number: u64,
        /// `header`, `receipts` or `total difficulty`.
        what: &'static str,
    },
    /// A writer was given what its format cannot hold; the caller is at fault.
    #[error("block {number} does not fit into the file: {reason}")]
    Unfit {
        /// Height.
        number: u64,
        /// Why not.
        reason: &'static str,
    },
}

// === impl ArchiveError ===

impl ArchiveError {
    pub(crate) fn io(path: &Arc<Path>, error: io::Error) -> Self {
        Self::Io { path: path.clone(), error }
    }

    pub(crate) fn corrupt(path: &Arc<Path>, offset: u64, reason: impl ToString) -> Self {
        Self::Corrupt { path: path.clone(), offset, reason: reason.to_string() }
    }
}
