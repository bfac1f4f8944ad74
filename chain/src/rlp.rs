//! Recursive-length-prefix items, read where they lie.
//!
//! A block is kept as the bytes that the chain hashes; nothing here copies or builds a tree. [`Item`] is one
//! item with its prefix, [`Items`] walks a list. Only canonical encodings are accepted (Yellow Paper, appendix
//! B): the shortest form of a length, no wrapped single byte below `0x80`. Depth costs nothing, since an inner
//! list is only entered when somebody asks for its items.

use std::fmt;

use alloy_primitives::{Address, B256, U256};

/// One item of an RLP stream: a byte string or a list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    raw: &'a [u8],
    payload: &'a [u8],
    list: bool,
}

/// Why bytes are not what was expected. The source of the bytes is at fault; a retry elsewhere may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RlpError {
    /// The input ends inside an item.
    #[error("RLP ends inside an item")]
    Truncated,
    /// Bytes follow where the item should have been the last.
    #[error("RLP has trailing bytes")]
    Trailing,
    /// A length or a single byte is not in its shortest form.
    #[error("RLP is not canonical")]
    NotCanonical,
    /// A list was expected.
    #[error("RLP string where a list was expected")]
    ExpectedList,
    /// A byte string was expected.
    #[error("RLP list where a string was expected")]
    ExpectedString,
    /// A string has another length than its type demands, or an integer is too large or has leading zeros.
    #[error("RLP field `{0}` has a wrong length or form")]
    Field(&'static str),
    /// A list has fewer items than its type demands.
    #[error("RLP list ends before field `{0}`")]
    Missing(&'static str),
    /// A list has more items than any known form of it.
    #[error("RLP list has more than {0} items")]
    TooMany(usize),
}

// === impl Item ===

impl<'a> Item<'a> {
    /// Reads the one item that `bytes` must be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RlpError> {
        let mut rest = bytes;
        let item = Self::read(&mut rest)?;
        if rest.is_empty() { Ok(item) } else { Err(RlpError::Trailing) }
    }

    /// Takes the next item off the front of `input`.
    pub fn read(input: &mut &'a [u8]) -> Result<Self, RlpError> {
        let bytes = *input;
        let &prefix = bytes.first().ok_or(RlpError::Truncated)?;
        let (header, len, list) = match prefix {
            0x00..=0x7f => (0, 1, false),
            0x80..=0xb7 => (1, usize::from(prefix - 0x80), false),
            0xb8..=0xbf => long_length(bytes, prefix - 0xb7)?.list(false),
            0xc0..=0xf7 => (1, usize::from(prefix - 0xc0), true),
            0xf8..=0xff => long_length(bytes, prefix - 0xf7)?.list(true),
        };
        let end = len.checked_add(header).ok_or(RlpError::Truncated)?;
        let raw = bytes.get(..end).ok_or(RlpError::Truncated)?;
        let payload = raw.get(header..).ok_or(RlpError::Truncated)?;
        if header == 1 && !list && matches!(payload, [0x00..=0x7f]) {
            return Err(RlpError::NotCanonical);
        }
        *input = bytes.get(end..).unwrap_or_default();
        Ok(Self { raw, payload, list })
    }

    /// The item with its prefix.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The item without its prefix: the string's bytes, or the list's encoded items.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Whether this is a list.
    pub fn is_list(&self) -> bool {
        self.list
    }

    /// The items of a list.
    pub fn items(&self) -> Result<Items<'a>, RlpError> {
        if self.list { Ok(Items { rest: self.payload }) } else { Err(RlpError::ExpectedList) }
    }

    /// The bytes of a string.
    pub fn string(&self) -> Result<&'a [u8], RlpError> {
        if self.list { Err(RlpError::ExpectedString) } else { Ok(self.payload) }
    }

    /// A big-endian integer of at most eight bytes without leading zeros.
    pub fn uint(&self, field: &'static str) -> Result<u64, RlpError> {
        let bytes = self.string()?;
        if bytes.len() > 8 || bytes.first() == Some(&0) {
            return Err(RlpError::Field(field));
        }
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A big-endian integer of at most 32 bytes without leading zeros.
    pub fn uint256(&self, field: &'static str) -> Result<U256, RlpError> {
        let bytes = self.string()?;
        if bytes.len() > 32 || bytes.first() == Some(&0) {
            return Err(RlpError::Field(field));
        }
        Ok(U256::from_be_slice(bytes))
    }

    /// A string of exactly `N` bytes.
    pub fn fixed<const N: usize>(&self, field: &'static str) -> Result<&'a [u8; N], RlpError> {
        self.string()?.try_into().map_err(|_| RlpError::Field(field))
    }

    /// A 32-byte hash.
    pub fn hash(&self, field: &'static str) -> Result<B256, RlpError> {
        self.fixed::<32>(field).map(B256::from)
    }

    /// A 20-byte address, or `None` for the empty string (a contract creation's recipient).
    pub fn address(&self, field: &'static str) -> Result<Option<Address>, RlpError> {
        if self.string()?.is_empty() {
            return Ok(None);
        }
        self.fixed::<20>(field).map(|bytes| Some(Address::from(bytes)))
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(0x{})", if self.list { "List" } else { "String" }, const_hex::encode(self.payload))
    }
}

/// The items of a list, one after the other; after an error it ends.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    rest: &'a [u8],
}

// === impl Items ===

impl<'a> Items<'a> {
    /// The items of a bare payload.
    pub fn of(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// The next item, which must be there.
    pub fn field(&mut self, field: &'static str) -> Result<Item<'a>, RlpError> {
        self.next().ok_or(RlpError::Missing(field))?
    }

    /// The encoded items that were not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, RlpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = Item::read(&mut self.rest);
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

/// Appends a string item.
pub fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    write_string_prefix(out, bytes);
    out.extend_from_slice(bytes);
}

/// Appends the prefix of a string item, if it has one; its `bytes` must follow.
pub fn write_string_prefix(out: &mut Vec<u8>, bytes: &[u8]) {
    if !matches!(bytes, [0x00..=0x7f]) {
        write_prefix(out, 0x80, bytes.len());
    }
}

/// Appends an integer item in its shortest form.
pub fn write_uint(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_be_bytes();
    let zeros = value.leading_zeros() as usize / 8;
    write_string(out, bytes.get(zeros..).unwrap_or_default());
}

/// Appends an integer item of up to 256 bits in its shortest form.
pub fn write_uint256(out: &mut Vec<u8>, value: U256) {
    write_string(out, &value.to_be_bytes_trimmed_vec());
}

/// Appends a list whose encoded items are `payload`.
pub fn write_list(out: &mut Vec<u8>, payload: &[u8]) {
    write_list_prefix(out, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a list's prefix; its `payload_len` bytes of encoded items must follow.
pub fn write_list_prefix(out: &mut Vec<u8>, payload_len: usize) {
    write_prefix(out, 0xc0, payload_len);
}

fn write_prefix(out: &mut Vec<u8>, base: u8, len: usize) {
    if len < 56 {
        out.push(base + len as u8);
    } else {
        let bytes = len.to_be_bytes();
        let digits = bytes.get(len.leading_zeros() as usize / 8..).unwrap_or_default();
        out.push(base + 55 + digits.len() as u8);
        out.extend_from_slice(digits);
    }
}

/// A length of more than 55 bytes and the prefix that told it.
struct LongLength {
    header: usize,
    len: usize,
}

impl LongLength {
    fn list(self, list: bool) -> (usize, usize, bool) {
        (self.header, self.len, list)
    }
}

fn long_length(bytes: &[u8], digits: u8) -> Result<LongLength, RlpError> {
    let header = 1 + usize::from(digits);
    let digits = bytes.get(1..header).ok_or(RlpError::Truncated)?;
    if digits.first() == Some(&0) {
        return Err(RlpError::NotCanonical);
    }
    let len = digits.iter().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
    if len < 56 {
        return Err(RlpError::NotCanonical);
    }
    Ok(LongLength { header, len })
}
