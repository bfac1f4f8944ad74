//! Writes an era1 file, block after block.

use std::path::{Path, PathBuf};

use alloy_primitives::{B256, U256};
use hypasis_chain::rlp::{write_list, write_string};
use hypasis_chain::{Block, Receipts};

use crate::archive::accumulator::Accumulator;
use crate::archive::e2store::kind;
use crate::archive::part::PartFile;
use crate::archive::{ArchiveError, ERA_BLOCKS};

/// An era1 file in the making. It gets its name when it is finished.
#[derive(Debug)]
pub struct Era1Writer {
    network: String,
    part: PartFile,
    start: u64,
    offsets: Vec<u64>,
    accumulator: Accumulator,
}

// === impl Era1Writer ===

impl Era1Writer {
    /// Begins a file in `dir` whose first block is `start`; `network` comes first in its name.
    pub fn create(dir: &Path, network: &str, start: u64) -> Result<Self, ArchiveError> {
        let mut part = PartFile::create(dir, &format!("{network}-{:05}.era1", start / ERA_BLOCKS))?;
        part.write_entry(kind::VERSION, &[])?;
        let offsets = Vec::new();
        Ok(Self { network: network.into(), part, start, offsets, accumulator: Accumulator::default() })
    }

    /// The height that comes next.
    pub fn next(&self) -> u64 {
        self.start.saturating_add(self.offsets.len() as u64)
    }

    /// Appends the next block, with receipts, and the total difficulty up to and including it.
    pub fn push(&mut self, block: &Block, total_difficulty: U256) -> Result<(), ArchiveError> {
        let number = block.id.number;
        let unfit = |reason| ArchiveError::Unfit { number, reason };
        if number != self.next() {
            return Err(unfit("it does not follow the one before"));
        }
        if self.offsets.len() as u64 >= ERA_BLOCKS {
            return Err(unfit("the file is full"));
        }
        let receipts = block.receipts.as_ref().ok_or_else(|| unfit("era1 needs receipts"))?;
        let receipts = consensus_list(receipts).map_err(|_| unfit("its receipts are malformed"))?;
        let offset = self.part.write_packed(kind::HEADER, &block.header)?;
        self.part.write_packed(kind::BODY, &block.body)?;
        self.part.write_packed(kind::RECEIPTS, &receipts)?;
        self.part.write_entry(kind::TOTAL_DIFFICULTY, &total_difficulty.to_le_bytes::<32>())?;
        self.offsets.push(offset);
        self.accumulator.push(block.id.hash, total_difficulty);
        Ok(())
    }

    /// Writes accumulator and index, makes the file durable and returns its path, `NETWORK-ERA-ROOT.era1`.
    pub fn finish(mut self) -> Result<PathBuf, ArchiveError> {
        let unfit = ArchiveError::Unfit { number: self.start, reason: "the file would be empty" };
        let root = self.accumulator.root().filter(|_| !self.offsets.is_empty()).ok_or(unfit)?;
        self.part.write_entry(kind::ACCUMULATOR, root.as_slice())?;
        let index_at = self.part.written();
        let mut index = self.start.to_le_bytes().to_vec();
        for offset in &self.offsets {
            index.extend_from_slice(&offset.wrapping_sub(index_at).to_le_bytes());
        }
        index.extend_from_slice(&(self.offsets.len() as u64).to_le_bytes());
        self.part.write_entry(kind::BLOCK_INDEX, &index)?;
        let name = format!("{}-{:05}-{}.era1", self.network, self.start / ERA_BLOCKS, short(&root));
        self.part.persist(&name)
    }
}

/// The first four bytes of a hash, as in file names.
pub(crate) fn short(hash: &B256) -> String {
    const_hex::encode(hash.get(..4).unwrap_or_default())
}

/// The list that era1 holds, made from the slim one: consensus receipts with blooms, typed ones wrapped.
fn consensus_list(slim: &[u8]) -> Result<Vec<u8>, hypasis_chain::rlp::RlpError> {
    let (mut payload, mut one) = (Vec::with_capacity(slim.len()), Vec::new());
    for receipt in Receipts::parse(slim)?.iter() {
        let receipt = receipt?;
        one.clear();
        receipt.write_consensus(&receipt.bloom()?, &mut one);
        if receipt.kind() == 0 {
            payload.extend_from_slice(&one);
        } else {
            write_string(&mut payload, &one);
        }
    }
    let mut list = Vec::with_capacity(payload.len() + 9);
    write_list(&mut list, &payload);
    Ok(list)
}
