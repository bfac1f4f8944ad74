//! Blocks cut into archive files.

use std::path::{Path, PathBuf};

use alloy_primitives::U256;
use hypasis_chain::Block;

use super::{ArchiveError, ERA_BLOCKS, Era1Writer, EreWriter, PlainWriter};

/// Format of exported files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Needs receipts and total difficulties: blocks before the merge.
    Era1,
    /// Any blocks.
    Ere,
    /// One chain file without receipts.
    Plain,
}

/// Writes consecutive blocks into as many files as they take: era files end at multiples of 8,192. After an error
/// it is to be dropped; files that are finished by then stay.
#[derive(Debug)]
pub struct Exporter {
    dir: PathBuf,
    network: String,
    format: Format,
    current: Option<Writer>,
    finished: Vec<PathBuf>,
}

#[derive(Debug)]
enum Writer {
    Era1(Era1Writer),
    Ere(Box<EreWriter>),
    Plain(PlainWriter),
}

// === impl Exporter ===

impl Exporter {
    /// Exports into the folder `dir`, which must exist; `network` comes first in the names of files.
    pub fn new(dir: &Path, network: &str, format: Format) -> Self {
        Self { dir: dir.into(), network: network.into(), format, current: None, finished: Vec::new() }
    }

    /// Writes the next block. Total difficulty, up to and including it, is needed for era1, taken for ere.
    pub fn push(&mut self, block: &Block, total_difficulty: Option<U256>) -> Result<(), ArchiveError> {
        let number = block.id.number;
        let writer = match &mut self.current {
            Some(writer) => writer,
            none => none.insert(Writer::create(self.format, &self.dir, &self.network, number)?),
        };
        writer.push(block, total_difficulty)?;
        let section_ends = number.saturating_add(1).is_multiple_of(ERA_BLOCKS);
        if section_ends && self.format != Format::Plain {
            self.finish_current()?;
        }
        Ok(())
    }

    /// Finishes the last file and returns all, in order.
    pub fn finish(mut self) -> Result<Vec<PathBuf>, ArchiveError> {
        self.finish_current()?;
        Ok(self.finished)
    }

    fn finish_current(&mut self) -> Result<(), ArchiveError> {
        if let Some(writer) = self.current.take() {
            self.finished.push(writer.finish()?);
        }
        Ok(())
    }
}

// === impl Writer ===

impl Writer {
    fn create(format: Format, dir: &Path, network: &str, start: u64) -> Result<Self, ArchiveError> {
        match format {
            Format::Era1 => Era1Writer::create(dir, network, start).map(Self::Era1),
            Format::Ere => EreWriter::create(dir, network, start).map(Box::new).map(Self::Ere),
            Format::Plain => PlainWriter::create(dir, network, start).map(Self::Plain),
        }
    }

    fn push(&mut self, block: &Block, total_difficulty: Option<U256>) -> Result<(), ArchiveError> {
        match self {
            Self::Era1(writer) => {
                let number = block.id.number;
                let reason = "era1 needs its total difficulty";
                writer.push(block, total_difficulty.ok_or(ArchiveError::Unfit { number, reason })?)
            }
            Self::Ere(writer) => writer.push(block, total_difficulty),
            Self::Plain(writer) => writer.push(block),
        }
    }

    fn finish(self) -> Result<PathBuf, ArchiveError> {
        match self {
            Self::Era1(writer) => writer.finish(),
            Self::Ere(writer) => writer.finish(),
            Self::Plain(writer) => writer.finish(),
        }
    }
}
