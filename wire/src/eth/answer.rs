//! What a node answers: blocks as bytes, each item a slice of the message.
//!
//! An item is checked for the structure that the message gives it, not for what it says. `encode_raw` makes
//! an answer's payload from stored bytes; [`RawAnswer`] does it within a budget.

use alloy_rlp::{Encodable, Header};
use bytes::{Bytes, BytesMut};

use super::request::Payload;
use super::{MAX_BODIES, MAX_HEADER_SIZE, MAX_HEADERS, MAX_RECEIPTS, MAX_TRANSACTIONS, RawAnswer};
use crate::rlp::{Item, Reader, RlpError, write_list, write_raw};

/// Headers, each the RLP that the chain hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockHeaders(pub Vec<Bytes>);

/// Bodies, each `[transactions, uncles]` or `[transactions, uncles, withdrawals]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockBodies(pub Vec<Bytes>);

/// Transactions in their consensus encoding (EIP-2718): a list, or the type's byte and what follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PooledTransactions(pub Vec<Bytes>);

/// Receipts of eth/68, a list for each block: a receipt is `[status|root, cumulative-gas, bloom, logs]`, or a
/// string of the type's byte and such a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipts(pub Vec<Bytes>);

/// Receipts of eth/69, a list for each block: a receipt is `[type, status|root, cumulative-gas, logs]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipts69(pub Vec<Bytes>);

/// Receipts of eth/70: the lists of eth/69, of which the last may be a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipts70 {
    /// Whether receipts of the last block are still to be asked for.
    pub last_block_incomplete: bool,
    /// A list for each block; the first begins where the request said.
    pub receipts: Vec<Bytes>,
}

/// Makes the payload of an answer whose only item is a list of `items`, RLP as stored.
macro_rules! encode_raw {
    ($message:ident) => {
        impl $message {
            /// The payload of this answer from stored RLP, item by item. The number of items is the caller's
            /// to bound.
            pub fn encode_raw<'a>(request_id: u64, items: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
                let mut answer = RawAnswer::new(request_id);
                items.into_iter().for_each(|item| answer.push(item));
                answer.finish()
            }
        }
    };
}

encode_raw!(BlockHeaders);
encode_raw!(BlockBodies);
encode_raw!(Receipts);
encode_raw!(Receipts69);

// === impl BlockHeaders ===

impl Payload for BlockHeaders {
    fn write(&self, out: &mut BytesMut) {
        write_raw(out, &self.0);
    }

    fn read(list: &mut Reader<'_>, whole: &Bytes) -> Result<Self, RlpError> {
        raw_items(list, whole, "headers", MAX_HEADERS, |header| {
            expect_list(header, "header")?;
            if header.raw.len() > MAX_HEADER_SIZE {
                return Err(RlpError::Length { field: "header", length: header.raw.len() });
            }
            Ok(header.raw)
        })
        .map(Self)
    }
}

// === impl BlockBodies ===

impl Payload for BlockBodies {
    fn write(&self, out: &mut BytesMut) {
        write_raw(out, &self.0);
    }

    fn read(list: &mut Reader<'_>, whole: &Bytes) -> Result<Self, RlpError> {
        raw_items(list, whole, "bodies", MAX_BODIES, |body| {
            let mut lists = Reader::whole(body.raw, "body")?;
            lists.list("transactions")?;
            lists.list("uncles")?;
            if !lists.is_empty() {
                lists.list("withdrawals")?;
            }
            lists.finish("body")?;
            Ok(body.raw)
        })
        .map(Self)
    }
}

// === impl PooledTransactions ===

impl PooledTransactions {
    /// The payload of this answer from transactions in their consensus encoding.
    pub fn encode_raw<'a>(request_id: u64, transactions: impl IntoIterator<Item = &'a [u8]>) -> Bytes {
        let mut answer = RawAnswer::new(request_id);
        transactions.into_iter().for_each(|transaction| answer.push_consensus(transaction));
        answer.finish()
    }
}

impl Payload for PooledTransactions {
    fn write(&self, out: &mut BytesMut) {
        write_transactions(out, &self.0);
    }

    fn read(list: &mut Reader<'_>, whole: &Bytes) -> Result<Self, RlpError> {
        read_transactions(list, whole).map(Self)
    }
}

// === impl Receipts ===

impl Payload for Receipts {
    fn write(&self, out: &mut BytesMut) {
        write_raw(out, &self.0);
    }

    fn read(list: &mut Reader<'_>, whole: &Bytes) -> Result<Self, RlpError> {
        receipts_lists(list, whole, |receipt| consensus_encoding(receipt, "receipt").map(drop)).map(Self)
    }
}

// === impl Receipts69 ===

impl Payload for Receipts69 {
    fn write(&self, out: &mut BytesMut) {
        write_raw(out, &self.0);
    }

    fn read(list: &mut Reader<'_>, whole: &Bytes) -> Result<Self, RlpError> {
        receipts_lists(list, whole, |receipt| expect_list(receipt, "receipt")).map(Self)
    }
}

// === impl Receipts70 ===

impl Payload for Receipts70 {
    fn write(&self, out: &mut BytesMut) {
        self.last_block_incomplete.encode(out);
        write_raw(out, &self.receipts);
    }

    fn read(list: &mut Reader<'_>, whole: &Bytes) -> Result<Self, RlpError> {
        let last_block_incomplete = list.value("last-block-incomplete")?;
        let receipts = receipts_lists(list, whole, |receipt| expect_list(receipt, "receipt"))?;
        Ok(Self { last_block_incomplete, receipts })
    }
}

/// The items of the list that comes next, each as what `check` leaves of it.
fn raw_items(
    list: &mut Reader<'_>,
    whole: &Bytes,
    field: &'static str,
    max: usize,
    check: impl for<'b> Fn(&Item<'b>) -> Result<&'b [u8], RlpError>,
) -> Result<Vec<Bytes>, RlpError> {
    let mut list = list.list(field)?;
    let mut items = Vec::new();
    while !list.is_empty() {
        if items.len() == max {
            return Err(RlpError::TooMany { field, max });
        }
        items.push(whole.slice_ref(check(&list.item(field)?)?));
    }
    Ok(items)
}

/// Receipts lists, each receipt of the right kind of item.
fn receipts_lists(
    list: &mut Reader<'_>,
    whole: &Bytes,
    check: impl Fn(&Item<'_>) -> Result<(), RlpError>,
) -> Result<Vec<Bytes>, RlpError> {
    raw_items(list, whole, "receipts", MAX_RECEIPTS, |block| {
        let mut receipts = Reader::whole(block.raw, "receipts")?;
        while !receipts.is_empty() {
            check(&receipts.item("receipt")?)?;
        }
        Ok(block.raw)
    })
}

/// The transactions of the list that comes next, in their consensus encoding.
pub(super) fn read_transactions(list: &mut Reader<'_>, whole: &Bytes) -> Result<Vec<Bytes>, RlpError> {
    raw_items(list, whole, "transactions", MAX_TRANSACTIONS, |item| consensus_encoding(item, "transaction"))
}

/// A list of transactions.
pub(super) fn write_transactions(out: &mut BytesMut, transactions: &[Bytes]) {
    write_list(out, |out| transactions.iter().for_each(|transaction| write_consensus(out, transaction)));
}

/// EIP-2718 in a list: what is a list stays one, what begins with a type's byte becomes a string.
pub(super) fn write_consensus(out: &mut BytesMut, bytes: &[u8]) {
    match bytes {
        [0xc0..=0xff, ..] => out.extend_from_slice(bytes),
        [0x00..=0x7f] => out.extend_from_slice(bytes),
        _ => {
            Header { list: false, payload_length: bytes.len() }.encode(out);
            out.extend_from_slice(bytes);
        }
    }
}

/// The consensus encoding of a transaction or receipt: the list itself, or the string's bytes, which begin
/// with a type of at most `0x7f` (EIP-2718).
fn consensus_encoding<'a>(item: &Item<'a>, field: &'static str) -> Result<&'a [u8], RlpError> {
    match (item.list, item.payload) {
        (true, _) => Ok(item.raw),
        (false, [0x00..=0x7f, ..]) => Ok(item.payload),
        (false, _) => Err(RlpError::Value { field }),
    }
}

fn expect_list(item: &Item<'_>, field: &'static str) -> Result<(), RlpError> {
    if item.list {
        Ok(())
    } else {
        Err(RlpError::Field { field, source: alloy_rlp::Error::UnexpectedString })
    }
}
