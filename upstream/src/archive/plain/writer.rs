//! Writes a plain chain file, as `geth import` reads it.

use std::path::{Path, PathBuf};

use hypasis_chain::Block;
use hypasis_chain::body::join_block;

use crate::archive::ArchiveError;
use crate::archive::part::PartFile;

/// A chain file in the making. It gets its name when it is finished.
#[derive(Debug)]
pub struct PlainWriter {
    network: String,
    part: PartFile,
    start: u64,
    next: u64,
}

// === impl PlainWriter ===

impl PlainWriter {
    /// Begins a file in `dir` whose first block is `start`; `network` comes first in its name.
    pub fn create(dir: &Path, network: &str, start: u64) -> Result<Self, ArchiveError> {
        let part = PartFile::create(dir, &format!("{network}-{start}.rlp"))?;
        Ok(Self { network: network.into(), part, start, next: start })
    }

    /// The height that comes next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Appends the next block. Its receipts have no place here.
    pub fn push(&mut self, block: &Block) -> Result<(), ArchiveError> {
        let number = block.id.number;
        let unfit = |reason| ArchiveError::Unfit { number, reason };
        if number != self.next {
            return Err(unfit("it does not follow the one before"));
        }
        let raw = join_block(&block.header, &block.body).map_err(|_| unfit("its body is malformed"))?;
        self.part.write(&raw)?;
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    /// Makes the file durable and returns its path, `NETWORK-FIRST-LAST.rlp`.
    pub fn finish(self) -> Result<PathBuf, ArchiveError> {
        if self.next == self.start {
            return Err(ArchiveError::Unfit { number: self.start, reason: "the file would be empty" });
        }
        let last = self.next.saturating_sub(1);
        self.part.persist(&format!("{}-{}-{last}.rlp", self.network, self.start))
    }
}
