//! The e2store container (`docs/e2store.md` of nimbus-eth2): entries of type, length and data.
//!
//! An entry's header is eight bytes: type (2), length of the data (4, little-endian), reserved (2, zero). Types are
//! written here as little-endian numbers: `[0x65, 0x32]` is `0x3265`.

use std::io::Write;
use std::path::Path;

use super::ArchiveError;
use super::frame;
use super::input::Input;

/// Bytes of an entry's header.
pub const ENTRY_HEADER_BYTES: u64 = 8;

/// Largest entry that is read: a packed part, which Snappy never makes much larger than it was.
pub const ENTRY_BYTES_MAX: u64 = super::PART_BYTES_MAX + (4 << 20);

/// Entry types of era1 and ere (`types/README.md`).
pub mod kind {
    /// First entry of every file; empty.
    pub const VERSION: u16 = 0x3265;
    /// Header RLP, framed.
    pub const HEADER: u16 = 0x03;
    /// Body RLP as in devp2p, framed.
    pub const BODY: u16 = 0x04;
    /// List of consensus receipts with blooms, framed (era1).
    pub const RECEIPTS: u16 = 0x05;
    /// Total difficulty up to and including the block, 32 bytes little-endian.
    pub const TOTAL_DIFFICULTY: u16 = 0x06;
    /// SSZ root over the header records.
    pub const ACCUMULATOR: u16 = 0x07;
    /// List of slim receipts, framed (ere).
    pub const SLIM_RECEIPTS: u16 = 0x0a;
    /// Proof that the header is canonical, framed (ere).
    pub const PROOF: u16 = 0x0b;
    /// Last entry of an era1 file.
    pub const BLOCK_INDEX: u16 = 0x3266;
    /// Last entry of an ere file.
    pub const DYNAMIC_BLOCK_INDEX: u16 = 0x3267;
}

/// A file of entries.
#[derive(Debug)]
pub struct E2Store {
    /// The file below.
    pub input: Input,
}

/// Where an entry lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it holds.
    pub kind: u16,
    /// Where its header begins.
    pub offset: u64,
    /// Bytes of data behind the header.
    pub len: u32,
}

// === impl E2Store ===

impl E2Store {
    /// Opens a file and checks that it begins with a version entry.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let store = Self { input: Input::open(path)? };
        let version = store.entry(0)?;
        if version.kind != kind::VERSION || version.len != 0 {
            return Err(store.corrupt(0, "no e2store version entry"));
        }
        Ok(store)
    }

    /// The entry whose header is at `offset`; it ends inside the file.
    pub fn entry(&self, offset: u64) -> Result<Entry, ArchiveError> {
        let [k0, k1, l0, l1, l2, l3, r0, r1] = self.input.array::<8>(offset)?;
        let (kind, len) = (u16::from_le_bytes([k0, k1]), u32::from_le_bytes([l0, l1, l2, l3]));
        if [r0, r1] != [0, 0] {
            return Err(self.corrupt(offset, format_args!("entry {kind:#06x} has reserved bytes set")));
        }
        let entry = Entry { kind, offset, len };
        if entry.end() > self.input.size() {
            let room = self.input.size().saturating_sub(offset);
            return Err(self.corrupt(offset, format_args!("entry of {len} bytes, but only {room} are left")));
        }
        Ok(entry)
    }

    /// The entry at `offset`, which must be of that kind.
    pub fn expect(&self, offset: u64, kind: u16) -> Result<Entry, ArchiveError> {
        let entry = self.entry(offset)?;
        if entry.kind != kind {
            return Err(
                self.corrupt(offset, format_args!("entry {:#06x} where {kind:#06x} should be", entry.kind))
            );
        }
        Ok(entry)
    }

    /// An entry's data.
    pub fn data(&self, entry: Entry) -> Result<Vec<u8>, ArchiveError> {
        self.input.bytes(entry.data_offset(), u64::from(entry.len), ENTRY_BYTES_MAX)
    }

    /// An entry's data, unpacked to at most `limit` bytes.
    pub fn unpacked(&self, entry: Entry, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        frame::unpack(self.data(entry)?, limit).map_err(|error| self.corrupt(entry.offset, error))
    }

    /// This file is wrong at `offset`.
    pub fn corrupt(&self, offset: u64, reason: impl ToString) -> ArchiveError {
        self.input.corrupt(offset, reason)
    }
}

// === impl Entry ===

impl Entry {
    /// Where its data begin.
    pub fn data_offset(&self) -> u64 {
        self.offset.saturating_add(ENTRY_HEADER_BYTES)
    }

    /// Where the next entry begins.
    pub fn end(&self) -> u64 {
        self.data_offset().saturating_add(u64::from(self.len))
    }
}

/// Writes one entry and returns its size with the header.
pub fn write_entry(out: &mut impl Write, kind: u16, data: &[u8]) -> std::io::Result<u64> {
    let len =
        u32::try_from(data.len()).map_err(|_| std::io::Error::from(std::io::ErrorKind::InvalidInput))?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&len.to_le_bytes())?;
    out.write_all(&[0, 0])?;
    out.write_all(data)?;
    Ok(ENTRY_HEADER_BYTES.saturating_add(u64::from(len)))
}
