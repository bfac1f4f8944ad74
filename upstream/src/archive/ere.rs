//! ere (first called erae): up to 8,192 blocks of any age, each kind of part by itself, receipts slim.
//!
//! ```text
//! ere         := Version | CompressedHeader+ | CompressedBody+ | CompressedSlimReceipts* | Proof*
//!                | TotalDifficulty* | other-entries* | Accumulator? | DynamicBlockIndex
//! block-index := starting-number | indexes* | component-count | count
//! indexes     := header-index | body-index | receipts-index? | difficulty-index? | proof-index?
//! ```
//!
//! Which optional parts there are is told by the types of the entries that the first block's indexes point at: the
//! count alone would not tell receipts from proofs.

mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use alloy_primitives::{U256, keccak256};
use bytes::Bytes;
use hypasis_chain::{Block, BlockId, Body, Receipts};

use super::e2store::{E2Store, ENTRY_HEADER_BYTES, kind};
use super::era1::{absolute, read_difficulty, read_header};
use super::{ArchiveError, ERA_BLOCKS, PART_BYTES_MAX};

pub use writer::EreWriter;

/// Header, body, receipts, total difficulty, proof.
const COMPONENTS_MAX: u64 = 5;

/// An open ere file.
#[derive(Debug)]
pub struct Ere {
    store: E2Store,
    start: u64,
    count: u64,
    /// Where the entries of each kind begin, by place in the file; ascending.
    columns: Vec<(u16, Vec<u64>)>,
}

// === impl Ere ===

impl Ere {
    /// Opens a file and reads its index.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let store = E2Store::open(path)?;
        let trailer_at = store.input.size().saturating_sub(16);
        let (components, count) = (store.input.uint(trailer_at)?, store.input.uint(trailer_at + 8)?);
        if !(2..=COMPONENTS_MAX).contains(&components) || !(1..=ERA_BLOCKS).contains(&count) {
            let reason = format_args!("index of {count} blocks with {components} components");
            return Err(store.corrupt(trailer_at, reason));
        }
        let index_len = 24 + 8 * components * count;
        let index_at = store.input.size().checked_sub(ENTRY_HEADER_BYTES + index_len);
        let index_at = index_at.ok_or_else(|| store.corrupt(0, "the file is shorter than its index"))?;
        let entry = store.expect(index_at, kind::DYNAMIC_BLOCK_INDEX)?;
        if u64::from(entry.len) != index_len {
            return Err(store.corrupt(index_at, "the index has a wrong length"));
        }
        let start = store.input.uint(entry.data_offset())?;
        if start.checked_add(count).is_none() {
            return Err(store.corrupt(index_at, "the first height is impossible"));
        }
        let len = 8 * components * count;
        let index = store.input.bytes(entry.data_offset() + 8, len, 8 * COMPONENTS_MAX * ERA_BLOCKS)?;
        let columns = columns(&store, index_at, &index, components as usize)?;
        Ok(Self { store, start, count, columns })
    }

    /// The heights it holds.
    pub fn numbers(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.count)
    }

    /// The file's path.
    pub fn path(&self) -> &Arc<Path> {
        self.store.input.path()
    }

    /// Whether it holds receipts (the profile `noreceipts` does not).
    pub fn has_receipts(&self) -> bool {
        self.columns.iter().any(|(kind, _)| *kind == kind::SLIM_RECEIPTS)
    }

    /// The header of `number`.
    pub fn header(&self, number: u64) -> Result<Bytes, ArchiveError> {
        let entry = self.store.expect(self.offset(number, kind::HEADER)?, kind::HEADER)?;
        read_header(&self.store, entry, number)
    }

    /// The block at `number`; its receipts only if they are wanted and in the file.
    pub fn block(&self, number: u64, receipts: bool) -> Result<Block, ArchiveError> {
        let header = self.header(number)?;
        let (offset, body) = self.part(number, kind::BODY)?;
        Body::parse(&body).map_err(|error| self.store.corrupt(offset, format_args!("body: {error}")))?;
        let receipts = (receipts && self.has_receipts()).then(|| self.receipts(number)).transpose()?;
        let id = BlockId { number, hash: keccak256(&header) };
        Ok(Block { id, header, body, receipts, extra: None })
    }

    /// Total difficulty up to and including `number`, where the file tells it.
    pub fn total_difficulty(&self, number: u64) -> Result<U256, ArchiveError> {
        let offset = self.offset(number, kind::TOTAL_DIFFICULTY)?;
        read_difficulty(&self.store, self.store.expect(offset, kind::TOTAL_DIFFICULTY)?)
    }

    fn receipts(&self, number: u64) -> Result<Bytes, ArchiveError> {
        let (offset, list) = self.part(number, kind::SLIM_RECEIPTS)?;
        Receipts::parse(&list)
            .and_then(|receipts| receipts.iter().try_for_each(|receipt| receipt.map(drop)))
            .map_err(|error| self.store.corrupt(offset, format_args!("receipts: {error}")))?;
        Ok(list)
    }

    fn part(&self, number: u64, kind: u16) -> Result<(u64, Bytes), ArchiveError> {
        let offset = self.offset(number, kind)?;
        let bytes = self.store.unpacked(self.store.expect(offset, kind)?, PART_BYTES_MAX)?;
        Ok((offset, bytes.into()))
    }

    fn offset(&self, number: u64, kind: u16) -> Result<u64, ArchiveError> {
        let place = number.checked_sub(self.start).and_then(|place| usize::try_from(place).ok());
        let column = self.columns.iter().find(|(found, _)| *found == kind);
        column.and_then(|(_, offsets)| offsets.get(place?).copied()).ok_or_else(|| {
            let what = match kind {
                kind::SLIM_RECEIPTS => "receipts",
                kind::TOTAL_DIFFICULTY => "total difficulty",
                _ => "header",
            };
            ArchiveError::Absent { path: self.path().clone(), number, what }
        })
    }
}

/// The index by kind of part. Each kind occurs once, in the order of its blocks, before the index.
fn columns(
    store: &E2Store,
    index_at: u64,
    index: &[u8],
    components: usize,
) -> Result<Vec<(u16, Vec<u64>)>, ArchiveError> {
    let mut columns: Vec<(u16, Vec<u64>)> = Vec::new();
    for component in 0..components {
        let places = index.chunks_exact(8).skip(component).step_by(components);
        let offsets: Vec<u64> = places.map(|bytes| absolute(index_at, bytes)).collect();
        if !offsets.is_sorted_by(|a, b| a < b) || offsets.last().is_none_or(|last| *last >= index_at) {
            return Err(store.corrupt(index_at, "the index points out of order or outside"));
        }
        let kind = store.entry(offsets.first().copied().unwrap_or_default())?.kind;
        if columns.iter().any(|(known, _)| *known == kind) {
            return Err(store.corrupt(index_at, format_args!("the index names entries {kind:#06x} twice")));
        }
        columns.push((kind, offsets));
    }
    for wanted in [kind::HEADER, kind::BODY] {
        if columns.iter().all(|(kind, _)| *kind != wanted) {
            return Err(store.corrupt(index_at, format_args!("the index names no entries {wanted:#06x}")));
        }
    }
    Ok(columns)
}
