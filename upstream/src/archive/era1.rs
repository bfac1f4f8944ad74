//! era1: up to 8,192 blocks from before the merge, with receipts, total difficulty and an accumulator.
//!
//! ```text
//! era1        := Version | block-tuple* | other-entries* | Accumulator | BlockIndex
//! block-tuple := CompressedHeader | CompressedBody | CompressedReceipts | TotalDifficulty
//! block-index := starting-number | index* | count
//! ```
//!
//! An index is the distance from the index entry to the tuple, as a negative little-endian number; in this Geth and
//! Nimbus agree, where `formats/era1.md` speaks of the distance to the index itself.

mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use alloy_primitives::{B256, U256};
use bytes::Bytes;
use hypasis_chain::rlp::Item;
use hypasis_chain::{Block, BlockId, Body, Header, receipt};

use super::accumulator::Accumulator;
use super::e2store::{E2Store, ENTRY_HEADER_BYTES, Entry, kind};
use super::{ArchiveError, ERA_BLOCKS, HEADER_BYTES_MAX, PART_BYTES_MAX};

pub use writer::Era1Writer;
pub(super) use writer::short;

/// Bytes of the accumulator entry, which lies right before the index.
const ACCUMULATOR_ENTRY_BYTES: u64 = ENTRY_HEADER_BYTES + 32;

/// An open era1 file.
#[derive(Debug)]
pub struct Era1 {
    store: E2Store,
    start: u64,
    /// Where the tuples begin; ascending.
    offsets: Vec<u64>,
    accumulator: B256,
}

// === impl Era1 ===

impl Era1 {
    /// Opens a file and reads its index.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let store = E2Store::open(path)?;
        let size = store.input.size();
        let count_at = size.saturating_sub(8);
        let count = store.input.uint(count_at)?;
        if count == 0 || count > ERA_BLOCKS {
            return Err(
                store.corrupt(count_at, format_args!("index of {count} blocks, 1 to {ERA_BLOCKS} can be"))
            );
        }
        let index_len = 16 + 8 * count;
        let index_at = size.checked_sub(ENTRY_HEADER_BYTES + index_len);
        let index_at = index_at.ok_or_else(|| store.corrupt(0, "the file is shorter than its index"))?;
        let entry = store.expect(index_at, kind::BLOCK_INDEX)?;
        if u64::from(entry.len) != index_len {
            return Err(store.corrupt(index_at, "the index has a wrong length"));
        }
        let start = store.input.uint(entry.data_offset())?;
        if start.checked_add(count).is_none() {
            return Err(store.corrupt(index_at, "the first height is impossible"));
        }
        let accumulator_at = index_at.saturating_sub(ACCUMULATOR_ENTRY_BYTES);
        store.expect(accumulator_at, kind::ACCUMULATOR)?;
        let accumulator = B256::from(store.input.array::<32>(accumulator_at + ENTRY_HEADER_BYTES)?);
        let index = store.input.bytes(entry.data_offset() + 8, 8 * count, 8 * ERA_BLOCKS)?;
        let offsets = index.chunks_exact(8).map(|bytes| absolute(index_at, bytes)).collect();
        let era = Self { store, start, offsets, accumulator };
        era.check_offsets(accumulator_at)?;
        Ok(era)
    }

    /// The heights it holds.
    pub fn numbers(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.offsets.len() as u64)
    }

    /// The file's path.
    pub fn path(&self) -> &Arc<Path> {
        self.store.input.path()
    }

    /// The header of `number`.
    pub fn header(&self, number: u64) -> Result<Bytes, ArchiveError> {
        self.header_entry(number).map(|(header, _)| header)
    }

    /// The block at `number`; its receipts only if they are wanted.
    pub fn block(&self, number: u64, receipts: bool) -> Result<Block, ArchiveError> {
        let (header, entry) = self.header_entry(number)?;
        let entry = self.store.expect(entry.end(), kind::BODY)?;
        let body = self.store.unpacked(entry, PART_BYTES_MAX)?;
        Body::parse(&body)
            .map_err(|error| self.store.corrupt(entry.offset, format_args!("body: {error}")))?;
        let receipts = receipts.then(|| self.receipts(entry.end())).transpose()?;
        let id = BlockId { number, hash: alloy_primitives::keccak256(&header) };
        Ok(Block { id, header, body: body.into(), receipts, extra: None })
    }

    /// Total difficulty up to and including `number`.
    pub fn total_difficulty(&self, number: u64) -> Result<U256, ArchiveError> {
        let header = self.store.expect(self.offset(number)?, kind::HEADER)?;
        let body = self.store.expect(header.end(), kind::BODY)?;
        let receipts = self.store.expect(body.end(), kind::RECEIPTS)?;
        self.difficulty_at(receipts.end())
    }

    /// The accumulator that the file records; its first four bytes are in the file's name.
    pub fn accumulator(&self) -> B256 {
        self.accumulator
    }

    /// Computes the accumulator anew and compares it with the recorded one. Whoever knows that root from elsewhere
    /// has then verified every header of the file.
    pub fn verify_accumulator(&self) -> Result<B256, ArchiveError> {
        let mut accumulator = Accumulator::default();
        for number in self.numbers() {
            let header = alloy_primitives::keccak256(self.header(number)?);
            accumulator.push(header, self.total_difficulty(number)?);
        }
        match accumulator.root() {
            Some(root) if root == self.accumulator => Ok(root),
            _ => {
                let reason =
                    format_args!("the headers do not add up to the accumulator {}", self.accumulator);
                Err(self.store.corrupt(0, reason))
            }
        }
    }

    fn check_offsets(&self, end: u64) -> Result<(), ArchiveError> {
        let mut before = 0;
        for &offset in &self.offsets {
            if offset <= before || offset >= end {
                return Err(self.store.corrupt(offset, "the index points out of order or outside"));
            }
            before = offset;
        }
        Ok(())
    }

    fn offset(&self, number: u64) -> Result<u64, ArchiveError> {
        let place = number.checked_sub(self.start).and_then(|place| usize::try_from(place).ok());
        let offset = place.and_then(|place| self.offsets.get(place)).copied();
        offset.ok_or_else(|| ArchiveError::Absent { path: self.path().clone(), number, what: "header" })
    }

    fn header_entry(&self, number: u64) -> Result<(Bytes, Entry), ArchiveError> {
        let entry = self.store.expect(self.offset(number)?, kind::HEADER)?;
        Ok((read_header(&self.store, entry, number)?, entry))
    }

    fn receipts(&self, offset: u64) -> Result<Bytes, ArchiveError> {
        let entry = self.store.expect(offset, kind::RECEIPTS)?;
        let list = self.store.unpacked(entry, PART_BYTES_MAX)?;
        slim(&list)
            .map(Bytes::from)
            .map_err(|error| self.store.corrupt(offset, format_args!("receipts: {error}")))
    }

    fn difficulty_at(&self, offset: u64) -> Result<U256, ArchiveError> {
        read_difficulty(&self.store, self.store.expect(offset, kind::TOTAL_DIFFICULTY)?)
    }
}

/// The header in `entry`, which must be of height `number`.
pub(super) fn read_header(store: &E2Store, entry: Entry, number: u64) -> Result<Bytes, ArchiveError> {
    let bytes = store.unpacked(entry, HEADER_BYTES_MAX)?;
    let header = Header::parse(&bytes)
        .map_err(|error| store.corrupt(entry.offset, format_args!("header: {error}")))?;
    if header.number() != number {
        let found = header.number();
        return Err(store.corrupt(entry.offset, format_args!("header {found} where {number} should be")));
    }
    Ok(bytes.into())
}

/// The little-endian number in `entry`.
pub(super) fn read_difficulty(store: &E2Store, entry: Entry) -> Result<U256, ArchiveError> {
    if entry.len != 32 {
        return Err(store.corrupt(entry.offset, "total difficulty that is not 32 bytes"));
    }
    store.input.array::<32>(entry.data_offset()).map(U256::from_le_bytes)
}

/// Where a relative index points.
pub(super) fn absolute(index_at: u64, bytes: &[u8]) -> u64 {
    let relative = bytes.try_into().map_or(0, i64::from_le_bytes);
    index_at.checked_add_signed(relative).unwrap_or(0)
}

/// The slim list of what era1 holds: a list of consensus receipts, typed ones wrapped in strings.
fn slim(list: &[u8]) -> Result<Vec<u8>, hypasis_chain::rlp::RlpError> {
    let items: Vec<Item<'_>> = Item::parse(list)?.items()?.collect::<Result<_, _>>()?;
    receipt::slim_list(items.iter().map(|item| if item.is_list() { item.raw() } else { item.payload() }))
}
