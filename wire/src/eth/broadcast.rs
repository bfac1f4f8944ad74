//! What nodes tell each other unasked: transactions, and blocks where they are still announced.

use alloy_primitives::{B256, U256};
use alloy_rlp::Encodable;
use bytes::{Bytes, BytesMut};

use super::answer::{read_transactions, write_transactions};
use super::{MAX_ANNOUNCED_BLOCKS, MAX_ANNOUNCED_HASHES};
use crate::rlp::{self, Reader, RlpError, write_hashes, write_list};

/// `[[hash, number], …]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewBlockHashes(pub Vec<BlockHashNumber>);

/// An announced block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHashNumber {
    /// Its hash.
    pub hash: B256,
    /// Its height.
    pub number: u64,
}

/// `[[header, transactions, uncles, withdrawals?], td]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBlock {
    /// The block as RLP.
    pub block: Bytes,
    /// The total difficulty up to it, itself included.
    pub td: U256,
}

/// Transactions in their consensus encoding (EIP-2718).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transactions(pub Vec<Bytes>);

/// `[types, [size, …], [hash, …]]`: transactions that may be asked for (EIP-5793), the same number of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPooledTransactionHashes68 {
    /// The type of each (EIP-2718), one byte.
    pub types: Vec<u8>,
    /// The length of each in its consensus encoding, blobs included.
    pub sizes: Vec<u32>,
    /// The hash of each.
    pub hashes: Vec<B256>,
}

/// Most bytes of a list's prefix.
const PREFIX_LEN_MAX: usize = 9;

// === impl NewBlockHashes ===

impl NewBlockHashes {
    pub(super) fn write(&self, out: &mut BytesMut) {
        write_list(out, |out| {
            for block in &self.0 {
                write_list(out, |out| {
                    block.hash.encode(out);
                    block.number.encode(out);
                });
            }
        });
    }

    pub(super) fn read(whole: &Bytes) -> Result<Self, RlpError> {
        const FIELD: &str = "blocks";
        let mut list = Reader::whole(whole, FIELD)?;
        let mut blocks = Vec::new();
        while !list.is_empty() {
            if blocks.len() == MAX_ANNOUNCED_BLOCKS {
                return Err(RlpError::TooMany { field: FIELD, max: MAX_ANNOUNCED_BLOCKS });
            }
            let mut block = list.list("block")?;
            blocks.push(BlockHashNumber { hash: block.value("hash")?, number: block.value("number")? });
            block.finish("block")?;
        }
        Ok(Self(blocks))
    }
}

// === impl NewBlock ===

impl NewBlock {
    /// A block from its stored parts. Of `body` the transactions and uncles are taken: where blocks are announced there
    /// are no withdrawals, and Bor refuses a block that lists any.
    ///
    /// # Errors
    ///
    /// If `body` is no list of two lists at least.
    pub fn from_parts(header: &[u8], body: &[u8], td: U256) -> Result<Self, RlpError> {
        let mut parts = Reader::whole(body, "body")?;
        let (transactions, uncles) = (parts.item("transactions")?, parts.item("uncles")?);
        for (part, field) in [(&transactions, "transactions"), (&uncles, "uncles")] {
            if !part.list {
                return Err(RlpError::Field { field, source: alloy_rlp::Error::UnexpectedString });
            }
        }
        let parts = [header, transactions.raw, uncles.raw];
        let mut block = BytesMut::with_capacity(PREFIX_LEN_MAX + header.len() + body.len());
        let payload_length = parts.iter().map(|part| part.len()).sum();
        alloy_rlp::Header { list: true, payload_length }.encode(&mut block);
        parts.iter().for_each(|part| block.extend_from_slice(part));
        Ok(Self { block: block.freeze(), td })
    }

    /// The block's header, as the chain hashes it.
    ///
    /// # Errors
    ///
    /// If the block is none; one that was read from a message is.
    pub fn header(&self) -> Result<Bytes, RlpError> {
        let mut parts = Reader::whole(&self.block, "block")?;
        Ok(self.block.slice_ref(parts.item("header")?.raw))
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        write_list(out, |out| {
            out.extend_from_slice(&self.block);
            self.td.encode(out);
        });
    }

    pub(super) fn read(whole: &Bytes) -> Result<Self, RlpError> {
        let mut list = Reader::whole(whole, "new block")?;
        let block = list.item("block")?.raw;
        let mut parts = Reader::whole(block, "block")?;
        for part in ["header", "transactions", "uncles"] {
            parts.list(part)?;
        }
        if !parts.is_empty() {
            parts.list("withdrawals")?;
        }
        parts.finish("block")?;
        let td = rlp::total_difficulty(&mut list)?;
        list.finish("new block")?;
        Ok(Self { block: whole.slice_ref(block), td })
    }
}

// === impl Transactions ===

impl Transactions {
    pub(super) fn write(&self, out: &mut BytesMut) {
        write_transactions(out, &self.0);
    }

    pub(super) fn read(whole: &Bytes) -> Result<Self, RlpError> {
        // The message itself is the list.
        let mut message = Reader::bare(whole);
        let transactions = read_transactions(&mut message, whole)?;
        message.finish("transactions")?;
        Ok(Self(transactions))
    }
}

// === impl NewPooledTransactionHashes68 ===

impl NewPooledTransactionHashes68 {
    pub(super) fn write(&self, out: &mut BytesMut) {
        write_list(out, |out| {
            self.types.as_slice().encode(out);
            write_list(out, |out| self.sizes.iter().for_each(|size| size.encode(out)));
            write_hashes(out, &self.hashes);
        });
    }

    pub(super) fn read(whole: &Bytes) -> Result<Self, RlpError> {
        let mut list = Reader::whole(whole, "announcement")?;
        let types = list.string("types")?;
        if types.len() > MAX_ANNOUNCED_HASHES {
            return Err(RlpError::TooMany { field: "types", max: MAX_ANNOUNCED_HASHES });
        }
        let mut encoded = list.list("sizes")?;
        let hashes = list.hashes("hashes", MAX_ANNOUNCED_HASHES)?;
        list.finish("announcement")?;
        if hashes.len() != types.len() {
            return Err(RlpError::Uneven { field: "types" });
        }
        let mut sizes = Vec::with_capacity(hashes.len());
        while !encoded.is_empty() && sizes.len() < hashes.len() {
            sizes.push(encoded.value("sizes")?);
        }
        if !encoded.is_empty() || sizes.len() != hashes.len() {
            return Err(RlpError::Uneven { field: "sizes" });
        }
        Ok(Self { types: types.to_vec(), sizes, hashes })
    }
}
