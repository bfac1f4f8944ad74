//! Plain chain files: block RLPs one after the other, as `geth export` writes them. They have no index, no
//! checksums and no receipts; opening one walks over its prefixes and headers.

mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use alloy_primitives::keccak256;
use bytes::Bytes;
use hypasis_chain::body::split_block;
use hypasis_chain::{Block, BlockId, Header};

use super::input::Input;
use super::{ArchiveError, HEADER_BYTES_MAX, PART_BYTES_MAX};

pub use writer::PlainWriter;

/// Most blocks of one file: what remembers their places takes 128 MiB.
pub const PLAIN_BLOCKS_MAX: usize = 1 << 24;

/// Largest block that is read.
pub const BLOCK_BYTES_MAX: u64 = HEADER_BYTES_MAX + PART_BYTES_MAX;

/// An open chain file.
#[derive(Debug)]
pub struct Plain {
    input: Input,
    start: u64,
    /// Where the blocks begin, and where the last one ends.
    offsets: Vec<u64>,
    fault: Option<ArchiveError>,
}

// === impl Plain ===

impl Plain {
    /// Opens a file and finds its blocks. Those before a damaged place are kept, see [`fault`](Self::fault).
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let input = Input::open(path)?;
        let mut chain = Self { start: 0, offsets: vec![0], fault: None, input };
        let mut at = 0;
        while at < chain.input.size() {
            match chain.probe(at) {
                Ok((number, end)) => {
                    if chain.offsets.len() == 1 {
                        chain.start = number;
                    }
                    chain.offsets.push(end);
                    at = end;
                }
                Err(fault) if chain.offsets.len() == 1 => return Err(fault),
                Err(fault) => {
                    chain.fault = Some(fault);
                    break;
                }
            }
        }
        if chain.offsets.len() == 1 {
            return Err(chain.input.corrupt(0, "the file holds no block"));
        }
        Ok(chain)
    }

    /// The heights it holds.
    pub fn numbers(&self) -> Range<u64> {
        let count = self.offsets.len().saturating_sub(1) as u64;
        self.start..self.start.saturating_add(count)
    }

    /// The file's path.
    pub fn path(&self) -> &Arc<Path> {
        self.input.path()
    }

    /// Why the file was not read to its end, if so.
    pub fn fault(&self) -> Option<&ArchiveError> {
        self.fault.as_ref()
    }

    pub(super) fn take_fault(&mut self) -> Option<ArchiveError> {
        self.fault.take()
    }

    /// The header of `number`.
    pub fn header(&self, number: u64) -> Result<Bytes, ArchiveError> {
        let (at, end) = self.place(number)?;
        let (header, _) = self.read_header(at, end)?;
        Ok(header.into())
    }

    /// The block at `number`; chain files have no receipts.
    pub fn block(&self, number: u64) -> Result<Block, ArchiveError> {
        let (at, end) = self.place(number)?;
        let raw = Bytes::from(self.input.bytes(at, end.saturating_sub(at), BLOCK_BYTES_MAX)?);
        let (header, body) =
            split_block(&raw).map_err(|error| self.input.corrupt(at, format_args!("block: {error}")))?;
        let header = raw.slice_ref(header);
        let id = BlockId { number, hash: keccak256(&header) };
        // The file may have changed since it was opened.
        match Header::parse(&header) {
            Ok(parsed) if parsed.number() == number => {
                Ok(Block { id, header, body: body.into(), receipts: None, extra: None })
            }
            Ok(parsed) => Err(self.input.corrupt(at, format_args!("header {} of {number}", parsed.number()))),
            Err(error) => Err(self.input.corrupt(at, format_args!("header: {error}"))),
        }
    }

    fn place(&self, number: u64) -> Result<(u64, u64), ArchiveError> {
        let place = number.checked_sub(self.start).and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| self.offsets.get(place..)) {
            Some([at, end, ..]) => Ok((*at, *end)),
            _ => Err(ArchiveError::Absent { path: self.path().clone(), number, what: "header" }),
        }
    }

    /// Height and end of the block at `at`, which must follow the one before.
    fn probe(&self, at: u64) -> Result<(u64, u64), ArchiveError> {
        if self.offsets.len() > PLAIN_BLOCKS_MAX {
            let reason = format_args!("more than {PLAIN_BLOCKS_MAX} blocks in one file: split it");
            return Err(self.input.corrupt(at, reason));
        }
        let end = self.list_end(at, BLOCK_BYTES_MAX)?.1;
        let (header, _) = self.read_header(at, end)?;
        let number = Header::parse(&header)
            .map_err(|error| self.input.corrupt(at, format_args!("header: {error}")))?;
        let (number, expected) = (number.number(), self.numbers().end);
        if self.offsets.len() > 1 && number != expected {
            return Err(self.input.corrupt(at, format_args!("block {number} where {expected} should be")));
        }
        Ok((number, end))
    }

    /// The header of the block in `at..end`, and where it ends.
    fn read_header(&self, at: u64, end: u64) -> Result<(Vec<u8>, u64), ArchiveError> {
        let (header_at, _) = self.list_end(at, BLOCK_BYTES_MAX)?;
        let (_, header_end) = self.list_end(header_at, HEADER_BYTES_MAX)?;
        if header_end > end {
            return Err(self.input.corrupt(header_at, "the header is longer than its block"));
        }
        let header =
            self.input.bytes(header_at, header_end.saturating_sub(header_at), HEADER_BYTES_MAX + 9)?;
        Ok((header, header_end))
    }

    /// Where the items of the list at `at` begin and end, which may have `limit` bytes.
    fn list_end(&self, at: u64, limit: u64) -> Result<(u64, u64), ArchiveError> {
        let room = self.input.size().saturating_sub(at);
        let head = self.input.bytes(at, room.min(9), 9)?;
        let (prefix, len) = match head.split_first() {
            Some((&short @ 0xc0..=0xf7, _)) => (1, u64::from(short - 0xc0)),
            Some((&long @ 0xf8.., digits)) => {
                let digits = digits.get(..usize::from(long - 0xf7)).unwrap_or_default();
                let len = digits.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
                (1 + digits.len() as u64, len)
            }
            _ => return Err(self.input.corrupt(at, "no RLP list where a block should begin")),
        };
        let end = at.saturating_add(prefix).saturating_add(len);
        if len > limit {
            return Err(self.input.corrupt(at, format_args!("{len} bytes are more than {limit}")));
        }
        if len == 0 || end > self.input.size() {
            return Err(self
                .input
                .corrupt(at, format_args!("block of {len} bytes, but only {room} are left")));
        }
        Ok((at.saturating_add(prefix), end))
    }
}
