//! What a node asks for. Every request and its answer carry the same id (EIP-2481).

use alloy_primitives::B256;
use alloy_rlp::Encodable;
use bytes::{Bytes, BytesMut};

use super::MAX_REQUESTED_HASHES;
use crate::rlp::{Reader, RlpError, write_hashes, write_list};

/// A request or an answer with the id that links them. Ids are chosen by the asker; any 64-bit value, zero
/// too, may come more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPair<T> {
    /// Links the answer to the request.
    pub request_id: u64,
    /// What is asked or answered.
    pub message: T,
}

/// `[start, limit, skip, reverse]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetBlockHeaders {
    /// Where to begin.
    pub start_block: BlockHashOrNumber,
    /// How many headers at most; a server gives 1,024 at most.
    pub limit: u64,
    /// How many blocks lie between two headers.
    pub skip: u64,
    /// Towards the head, or towards genesis.
    pub direction: HeadersDirection,
}

/// A block by hash or by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockHashOrNumber {
    /// Any block, canonical or not.
    Hash(B256),
    /// The canonical block of this height.
    Number(u64),
}

/// The order of headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeadersDirection {
    /// Ascending, towards the head.
    #[default]
    Rising,
    /// Descending, towards genesis.
    Falling,
}

/// Asks for the bodies of blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetBlockBodies(pub Vec<B256>);

/// Asks for the transactions that were announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetPooledTransactions(pub Vec<B256>);

/// Asks for the receipts of blocks: eth/68 and eth/69.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetReceipts(pub Vec<B256>);

/// Asks for the receipts of blocks, of the first one from an index on: eth/70 (EIP-7975).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetReceipts70 {
    /// Receipts of the first block to leave out, since they are there already.
    pub first_block_receipt_index: u64,
    /// The blocks.
    pub hashes: Vec<B256>,
}

/// What follows the id in a request or an answer.
pub(super) trait Payload: Sized {
    /// Appends the items.
    fn write(&self, out: &mut BytesMut);

    /// Reads the items. `whole` is the message, of which raw parts are slices.
    fn read(list: &mut Reader<'_>, whole: &Bytes) -> Result<Self, RlpError>;
}

// === impl RequestPair ===

impl<T> RequestPair<T> {
    /// A request or an answer.
    pub fn new(request_id: u64, message: T) -> Self {
        Self { request_id, message }
    }

    pub(super) fn write(&self, out: &mut BytesMut)
    where
        T: Payload,
    {
        write_list(out, |out| {
            self.request_id.encode(out);
            self.message.write(out);
        });
    }

    pub(super) fn read(whole: &Bytes) -> Result<Self, RlpError>
    where
        T: Payload,
    {
        let mut list = Reader::whole(whole, "message")?;
        let request_id = list.value("request-id")?;
        let message = T::read(&mut list, whole)?;
        list.finish("message")?;
        Ok(Self { request_id, message })
    }
}

// === impl GetBlockHeaders ===

impl Payload for GetBlockHeaders {
    fn write(&self, out: &mut BytesMut) {
        write_list(out, |out| {
            match self.start_block {
                BlockHashOrNumber::Hash(hash) => hash.encode(out),
                BlockHashOrNumber::Number(number) => number.encode(out),
            }
            self.limit.encode(out);
            self.skip.encode(out);
            (self.direction == HeadersDirection::Falling).encode(out);
        });
    }

    fn read(list: &mut Reader<'_>, _: &Bytes) -> Result<Self, RlpError> {
        let mut list = list.list("query")?;
        let start_block = BlockHashOrNumber::read(&mut list)?;
        let (limit, skip) = (list.value("limit")?, list.value("skip")?);
        let direction =
            if list.value("reverse")? { HeadersDirection::Falling } else { HeadersDirection::Rising };
        list.finish("query")?;
        Ok(Self { start_block, limit, skip, direction })
    }
}

// === impl BlockHashOrNumber ===

impl BlockHashOrNumber {
    /// A string of 32 bytes is a hash, any other a number.
    fn read(list: &mut Reader<'_>) -> Result<Self, RlpError> {
        const HASH_PREFIXED: usize = 33;
        let item = { *list }.item("start")?;
        if item.raw.len() == HASH_PREFIXED {
            list.value("start").map(Self::Hash)
        } else {
            list.value("start").map(Self::Number)
        }
    }
}

// === impl of the requests by hash ===

impl Payload for GetBlockBodies {
    fn write(&self, out: &mut BytesMut) {
        write_hashes(out, &self.0);
    }

    fn read(list: &mut Reader<'_>, _: &Bytes) -> Result<Self, RlpError> {
        list.hashes("hashes", MAX_REQUESTED_HASHES).map(Self)
    }
}

impl Payload for GetPooledTransactions {
    fn write(&self, out: &mut BytesMut) {
        write_hashes(out, &self.0);
    }

    fn read(list: &mut Reader<'_>, _: &Bytes) -> Result<Self, RlpError> {
        list.hashes("hashes", MAX_REQUESTED_HASHES).map(Self)
    }
}

impl Payload for GetReceipts {
    fn write(&self, out: &mut BytesMut) {
        write_hashes(out, &self.0);
    }

    fn read(list: &mut Reader<'_>, _: &Bytes) -> Result<Self, RlpError> {
        list.hashes("hashes", MAX_REQUESTED_HASHES).map(Self)
    }
}

impl Payload for GetReceipts70 {
    fn write(&self, out: &mut BytesMut) {
        self.first_block_receipt_index.encode(out);
        write_hashes(out, &self.hashes);
    }

    fn read(list: &mut Reader<'_>, _: &Bytes) -> Result<Self, RlpError> {
        let first_block_receipt_index = list.value("first-block-receipt-index")?;
        Ok(Self { first_block_receipt_index, hashes: list.hashes("hashes", MAX_REQUESTED_HASHES)? })
    }
}
