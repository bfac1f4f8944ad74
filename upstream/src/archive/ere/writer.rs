//! Writes an ere file. Bodies and receipts wait in files beside it until all headers are there, so that a section
//! of busy blocks (4.5 GB) takes no memory.

use std::path::{Path, PathBuf};

use alloy_primitives::{B256, U256};
use hypasis_chain::{Block, Header};

use crate::archive::accumulator::Accumulator;
use crate::archive::e2store::kind;
use crate::archive::era1::short;
use crate::archive::part::PartFile;
use crate::archive::{ArchiveError, ERA_BLOCKS};

/// An ere file in the making, without proofs. It gets its name when it is finished.
#[derive(Debug)]
pub struct EreWriter {
    network: String,
    start: u64,
    last: B256,
    headers: Column,
    bodies: Column,
    receipts: Column,
    difficulties: Vec<U256>,
    accumulator: Accumulator,
}

/// The entries of one kind and where they begin.
#[derive(Debug)]
struct Column {
    part: PartFile,
    offsets: Vec<u64>,
}

// === impl EreWriter ===

impl EreWriter {
    /// Begins a file in `dir` whose first block is `start`; `network` comes first in its name.
    pub fn create(dir: &Path, network: &str, start: u64) -> Result<Self, ArchiveError> {
        let column = |what: &str| {
            let part = PartFile::create(dir, &format!("{network}-{:05}.{what}ere", start / ERA_BLOCKS))?;
            Ok(Column { part, offsets: Vec::new() })
        };
        let mut headers = column("")?;
        headers.part.write_entry(kind::VERSION, &[])?;
        Ok(Self {
            network: network.into(),
            start,
            last: B256::ZERO,
            headers,
            bodies: column("bodies.")?,
            receipts: column("receipts.")?,
            difficulties: Vec::new(),
            accumulator: Accumulator::default(),
        })
    }

    /// The height that comes next.
    pub fn next(&self) -> u64 {
        self.start.saturating_add(self.headers.offsets.len() as u64)
    }

    /// Appends the next block. Either all blocks of a file have receipts or none; total difficulty is for blocks
    /// before the merge, and those after it in the same file repeat the last one.
    pub fn push(&mut self, block: &Block, total_difficulty: Option<U256>) -> Result<(), ArchiveError> {
        let number = block.id.number;
        let unfit = |reason| ArchiveError::Unfit { number, reason };
        let before = self.headers.offsets.len();
        if number != self.next() {
            return Err(unfit("it does not follow the one before"));
        }
        if before as u64 >= ERA_BLOCKS {
            return Err(unfit("the file is full"));
        }
        if before > 0 && block.receipts.is_some() == self.receipts.offsets.is_empty() {
            return Err(unfit("some blocks of the file have receipts and some have not"));
        }
        let header = Header::parse(&block.header).map_err(|_| unfit("its header is malformed"))?;
        let merged = header.difficulty().is_zero() && number > 0;
        let difficulty = total_difficulty.or_else(|| self.difficulties.last().copied().filter(|_| merged));
        if before > 0 && difficulty.is_some() == self.difficulties.is_empty() {
            return Err(unfit("some blocks of the file have a total difficulty and some have not"));
        }
        self.headers.push(kind::HEADER, &block.header)?;
        self.bodies.push(kind::BODY, &block.body)?;
        if let Some(receipts) = &block.receipts {
            self.receipts.push(kind::SLIM_RECEIPTS, receipts)?;
        }
        if let Some(difficulty) = difficulty {
            self.difficulties.push(difficulty);
            if !merged {
                self.accumulator.push(block.id.hash, difficulty);
            }
        }
        self.last = block.id.hash;
        Ok(())
    }

    /// Puts the parts together, makes the file durable and returns its path,
    /// `NETWORK-ERA-LASTHASH-noproofs.ere`, with `-noreceipts` where there are none.
    pub fn finish(self) -> Result<PathBuf, ArchiveError> {
        let Self { network, start, last, headers, bodies, receipts, difficulties, accumulator } = self;
        let count = headers.offsets.len() as u64;
        if count == 0 {
            return Err(ArchiveError::Unfit { number: start, reason: "the file would be empty" });
        }
        let profile = if receipts.offsets.is_empty() { "noproofs-noreceipts" } else { "noproofs" };
        let mut out = headers.part;
        let mut columns = vec![headers.offsets];
        for column in [bodies, receipts] {
            let offset = out.append(column.part)?;
            columns.push(column.offsets.into_iter().map(|place| place.saturating_add(offset)).collect());
        }
        let mut offsets = Vec::with_capacity(difficulties.len());
        for difficulty in &difficulties {
            offsets.push(out.write_entry(kind::TOTAL_DIFFICULTY, &difficulty.to_le_bytes::<32>())?);
        }
        columns.push(offsets);
        if let Some(root) = accumulator.root().filter(|_| !difficulties.is_empty()) {
            out.write_entry(kind::ACCUMULATOR, root.as_slice())?;
        }
        columns.retain(|column| !column.is_empty());
        if columns.iter().any(|column| column.len() as u64 != count) {
            return Err(ArchiveError::Unfit {
                number: start,
                reason: "an earlier block was written only in part",
            });
        }
        let index = index(start, count, &columns, out.written());
        out.write_entry(kind::DYNAMIC_BLOCK_INDEX, &index)?;
        out.persist(&format!("{network}-{:05}-{}-{profile}.ere", start / ERA_BLOCKS, short(&last)))
    }
}

// === impl Column ===

impl Column {
    fn push(&mut self, kind: u16, data: &[u8]) -> Result<(), ArchiveError> {
        let offset = self.part.write_packed(kind, data)?;
        self.offsets.push(offset);
        Ok(())
    }
}

fn index(start: u64, count: u64, columns: &[Vec<u64>], index_at: u64) -> Vec<u8> {
    let mut index = start.to_le_bytes().to_vec();
    let mut rows: Vec<_> = columns.iter().map(|column| column.iter()).collect();
    for _ in 0..count {
        for offset in rows.iter_mut().filter_map(Iterator::next) {
            index.extend_from_slice(&offset.wrapping_sub(index_at).to_le_bytes());
        }
    }
    index.extend_from_slice(&(columns.len() as u64).to_le_bytes());
    index.extend_from_slice(&count.to_le_bytes());
    index
}
