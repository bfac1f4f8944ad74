//! Any archive file, told by its name.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use alloy_primitives::U256;
use bytes::Bytes;
use hypasis_chain::Block;

use super::{ArchiveError, Era1, Ere, Plain};

/// An open archive of one of the three formats.
#[derive(Debug)]
pub enum ArchiveFile {
    /// `.era1`
    Era1(Era1),
    /// `.ere`, `.erae`
    Ere(Ere),
    /// `.rlp`
    Plain(Plain),
}

// === impl ArchiveFile ===

impl ArchiveFile {
    /// Whether a file of this name is an archive.
    pub fn is_archive(path: &Path) -> bool {
        matches!(extension(path), "era1" | "ere" | "erae" | "rlp")
    }

    /// Opens a file by its extension; what has another one is taken for a plain chain file.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        match extension(path) {
            "era1" => Era1::open(path).map(Self::Era1),
            "ere" | "erae" => Ere::open(path).map(Self::Ere),
            _ => Plain::open(path).map(Self::Plain),
        }
    }

    /// The heights it holds.
    pub fn numbers(&self) -> Range<u64> {
        match self {
            Self::Era1(era) => era.numbers(),
            Self::Ere(ere) => ere.numbers(),
            Self::Plain(chain) => chain.numbers(),
        }
    }

    /// The file's path.
    pub fn path(&self) -> &Arc<Path> {
        match self {
            Self::Era1(era) => era.path(),
            Self::Ere(ere) => ere.path(),
            Self::Plain(chain) => chain.path(),
        }
    }

    /// Whether it holds receipts.
    pub fn has_receipts(&self) -> bool {
        match self {
            Self::Era1(_) => true,
            Self::Ere(ere) => ere.has_receipts(),
            Self::Plain(_) => false,
        }
    }

    /// Whether only finalized blocks come into files of this format.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// Takes out why the file was not read to its end, if so.
    pub fn take_fault(&mut self) -> Option<ArchiveError> {
        match self {
            Self::Plain(chain) => chain.take_fault(),
            _ => None,
        }
    }

    /// The header of `number`.
    pub fn header(&self, number: u64) -> Result<Bytes, ArchiveError> {
        match self {
            Self::Era1(era) => era.header(number),
            Self::Ere(ere) => ere.header(number),
            Self::Plain(chain) => chain.header(number),
        }
    }

    /// The block at `number`; its receipts only if they are wanted and in the file.
    pub fn block(&self, number: u64, receipts: bool) -> Result<Block, ArchiveError> {
        match self {
            Self::Era1(era) => era.block(number, receipts),
            Self::Ere(ere) => ere.block(number, receipts),
            Self::Plain(chain) => chain.block(number),
        }
    }

    /// Total difficulty up to and including `number`, where the file tells it.
    pub fn total_difficulty(&self, number: u64) -> Result<U256, ArchiveError> {
        match self {
            Self::Era1(era) => era.total_difficulty(number),
            Self::Ere(ere) => ere.total_difficulty(number),
            Self::Plain(chain) => {
                Err(ArchiveError::Absent { path: chain.path().clone(), number, what: "total difficulty" })
            }
        }
    }
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}
