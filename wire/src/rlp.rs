//! RLP as messages need it: fields are read where they lie, lists are bounded before they become vectors.

use alloy_primitives::{B256, U256};
use alloy_rlp::{Decodable, Encodable, Header};
use bytes::{Bytes, BytesMut};

/// Why a message's bytes are not what its type demands. The sender is at fault; the same bytes never help,
/// another peer may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RlpError {
    /// An item is not canonical RLP, or not of its field's type.
    #[error("`{field}`: {source}")]
    Field {
        /// The field that was read.
        field: &'static str,
        /// What the RLP reader found.
        source: alloy_rlp::Error,
    },
    /// The list ends too early.
    #[error("`{field}` is missing")]
    Missing {
        /// The field that should have followed.
        field: &'static str,
    },
    /// Something follows where the list or the message should have ended.
    #[error("`{field}` has more items or bytes than it may")]
    Trailing {
        /// The list or message that should have ended.
        field: &'static str,
    },
    /// More items than are accepted.
    #[error("`{field}` has more than {max} items")]
    TooMany {
        /// The list.
        field: &'static str,
        /// The bound.
        max: usize,
    },
    /// A length that the field cannot have.
    #[error("`{field}` cannot be {length} bytes long")]
    Length {
        /// The field.
        field: &'static str,
        /// The length that was sent.
        length: usize,
    },
    /// Lists that belong together differ in length.
    #[error("`{field}` has another number of items than the list that it belongs to")]
    Uneven {
        /// The list.
        field: &'static str,
    },
    /// A value outside of what the protocol allows.
    #[error("`{field}` has a value outside of what the protocol allows")]
    Value {
        /// The field.
        field: &'static str,
    },
}

/// The items of one list, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Reads items that stand outside of any list.
    pub(crate) fn bare(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Enters the list that all of `bytes` must be.
    pub(crate) fn whole(bytes: &'a [u8], field: &'static str) -> Result<Self, RlpError> {
        let mut outer = Self::bare(bytes);
        let inner = outer.list(field)?;
        outer.finish(field)?;
        Ok(inner)
    }

    /// Enters the list at the front of `bytes`; what follows it is ignored (EIP-8).
    pub(crate) fn front(bytes: &'a [u8], field: &'static str) -> Result<Self, RlpError> {
        Self::bare(bytes).list(field)
    }

    /// Whether every item was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The length of what was not read yet.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// That every item was read.
    pub(crate) fn finish(self, field: &'static str) -> Result<(), RlpError> {
        if self.rest.is_empty() { Ok(()) } else { Err(RlpError::Trailing { field }) }
    }

    /// A value by its own decoder: an integer without leading zeros, a string of fixed length, a boolean.
    pub(crate) fn value<T: Decodable>(&mut self, field: &'static str) -> Result<T, RlpError> {
        if self.rest.is_empty() {
            return Err(RlpError::Missing { field });
        }
        T::decode(&mut self.rest).map_err(|source| RlpError::Field { field, source })
    }

    /// The next item, a list, to be read in turn.
    pub(crate) fn list(&mut self, field: &'static str) -> Result<Self, RlpError> {
        match self.item(field)? {
            Item { list: true, payload, .. } => Ok(Self { rest: payload }),
            _ => Err(RlpError::Field { field, source: alloy_rlp::Error::UnexpectedString }),
        }
    }

    /// The bytes of the next item, a string.
    pub(crate) fn string(&mut self, field: &'static str) -> Result<&'a [u8], RlpError> {
        match self.item(field)? {
            Item { list: false, payload, .. } => Ok(payload),
            _ => Err(RlpError::Field { field, source: alloy_rlp::Error::UnexpectedList }),
        }
    }

    /// The next item, whatever it is. Its inside is not looked at.
    pub(crate) fn item(&mut self, field: &'static str) -> Result<Item<'a>, RlpError> {
        if self.rest.is_empty() {
            return Err(RlpError::Missing { field });
        }
        let start = self.rest;
        let header = Header::decode(&mut self.rest).map_err(|source| RlpError::Field { field, source })?;
        let short = RlpError::Field { field, source: alloy_rlp::Error::InputTooShort };
        let (payload, rest) = self.rest.split_at_checked(header.payload_length).ok_or(short.clone())?;
        let raw = start.get(..start.len() - rest.len()).ok_or(short)?;
        self.rest = rest;
        Ok(Item { raw, payload, list: header.list })
    }

    /// A list of hashes. Each takes 33 bytes, so their number is known before anything is allocated.
    pub(crate) fn hashes(&mut self, field: &'static str, max: usize) -> Result<Vec<B256>, RlpError> {
        const ENCODED: usize = 33;
        let mut list = self.list(field)?;
        let length = list.remaining();
        if !length.is_multiple_of(ENCODED) {
            return Err(RlpError::Length { field, length });
        }
        if length / ENCODED > max {
            return Err(RlpError::TooMany { field, max });
        }
        let mut hashes = Vec::with_capacity(length / ENCODED);
        while !list.is_empty() {
            hashes.push(list.value(field)?);
        }
        Ok(hashes)
    }
}

/// One item, not yet interpreted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    /// With its prefix.
    pub(crate) raw: &'a [u8],
    /// Without its prefix.
    pub(crate) payload: &'a [u8],
    /// Whether it is a list.
    pub(crate) list: bool,
}

/// Appends a list of what `fill` writes.
pub(crate) fn write_list(out: &mut BytesMut, fill: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    fill(out);
    let payload = out.split_off(start);
    Header { list: true, payload_length: payload.len() }.encode(out);
    out.extend_from_slice(&payload);
}

/// Appends a list of hashes.
pub(crate) fn write_hashes(out: &mut BytesMut, hashes: &[B256]) {
    write_list(out, |out| hashes.iter().for_each(|hash| hash.encode(out)));
}

/// Appends a list of items that are RLP already.
pub(crate) fn write_raw(out: &mut BytesMut, items: &[Bytes]) {
    Header { list: true, payload_length: items.iter().map(Bytes::len).sum() }.encode(out);
    items.iter().for_each(|item| out.extend_from_slice(item));
}

/// A total difficulty is at most this long: Geth's bound, 100 million times what mainnet reached
/// (go-ethereum `eth/protocols/eth/protocol.go`).
pub const MAX_TOTAL_DIFFICULTY_BITS: usize = 100;

/// A total difficulty within its bound.
pub(crate) fn total_difficulty(list: &mut Reader<'_>) -> Result<U256, RlpError> {
    let value: U256 = list.value("total-difficulty")?;
    if value.bit_len() > MAX_TOTAL_DIFFICULTY_BITS {
        return Err(RlpError::Value { field: "total-difficulty" });
    }
    Ok(value)
}
