//! Where the real chain data lie, and how they are read.

#![allow(dead_code, reason = "not every topic needs every source")]

use std::io::Read;
use std::path::PathBuf;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::receipt::slim_list;
use hypasis_chain::rlp::{Item, write_list, write_string};
use hypasis_chain::{Block, BlockId, Header};
use serde_json::Value;

/// The folder of test data: `HYPASIS_TESTDATA`, or `shared/testdata` beside the checkout.
pub(crate) fn testdata() -> PathBuf {
    std::env::var_os("HYPASIS_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/testdata")),
        PathBuf::from,
    )
}

/// The text of a file.
pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(testdata().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The JSON of a file.
pub(crate) fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap()
}

/// The lines of a `.jsonl` file as JSON.
pub(crate) fn lines(path: &str) -> Vec<Value> {
    text(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Bytes of a JSON string in hex.
pub(crate) fn hex(value: &Value) -> Vec<u8> {
    const_hex::decode(value.as_str().unwrap()).unwrap()
}

/// A real block, as far as its source had it.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) id: BlockId,
    pub(crate) header: Bytes,
    pub(crate) body: Option<Bytes>,
    /// Consensus encodings, with bloom.
    pub(crate) receipts: Option<Vec<Vec<u8>>>,
}

impl Vector {
    /// The block, where body and receipts are there.
    pub(crate) fn block(&self) -> Option<Block> {
        let slim = slim_list(self.receipts.as_ref()?.iter().map(Vec::as_slice)).unwrap();
        let (header, body) = (self.header.clone(), self.body.clone()?);
        Some(Block { id: self.id, header, body, receipts: Some(slim.into()), extra: None })
    }
}

/// The blocks of a file in the normalised form of the test data's README.
pub(crate) fn vectors(path: &str) -> Vec<Vector> {
    lines(path).iter().map(vector).collect()
}

fn vector(line: &Value) -> Vector {
    let id =
        BlockId { number: line["number"].as_u64().unwrap(), hash: B256::from_slice(&hex(&line["hash"])) };
    let header: Bytes = hex(&line["header_rlp"]).into();
    let with_withdrawals = Header::parse(&header).unwrap().withdrawals_root().is_some();
    let list = |key: &str| line.get(key).map(|items| items.as_array().unwrap().iter().map(hex).collect());
    let transactions: Option<Vec<Vec<u8>>> = list("txs");
    let uncles = line.get("uncles_rlp").map(hex);
    let withdrawals = line.get("withdrawals_rlp").map(hex);
    let body = transactions.zip(uncles).filter(|_| withdrawals.is_some() == with_withdrawals);
    let body = body.map(|(transactions, uncles)| body_of(&transactions, &uncles, withdrawals.as_deref()));
    Vector { id, header, body, receipts: list("receipts") }
}

/// A body of these envelopes.
pub(crate) fn body_of(transactions: &[Vec<u8>], uncles: &[u8], withdrawals: Option<&[u8]>) -> Bytes {
    let mut items = Vec::new();
    for transaction in transactions {
        if transaction[0] >= 0xc0 {
            items.extend_from_slice(transaction);
        } else {
            write_string(&mut items, transaction);
        }
    }
    let mut payload = Vec::new();
    write_list(&mut payload, &items);
    payload.extend_from_slice(uncles);
    payload.extend_from_slice(withdrawals.unwrap_or_default());
    let mut body = Vec::new();
    write_list(&mut body, &payload);
    body.into()
}

/// Raw blocks of a chain file, one behind the other.
pub(crate) fn raw_blocks(path: &str) -> Vec<Vec<u8>> {
    let file = std::fs::read(testdata().join(path)).unwrap();
    let mut rest = file.as_slice();
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        blocks.push(Item::read(&mut rest).unwrap().raw().to_vec());
    }
    blocks
}

/// The blocks of an era1 archive with their receipts.
pub(crate) fn era1(path: &str) -> Vec<Vector> {
    let file = std::fs::read(testdata().join(path)).unwrap();
    let mut rest = file.as_slice();
    let (mut blocks, mut header, mut body) = (Vec::new(), Bytes::new(), Bytes::new());
    while let [a, b, c, d, e, f, _, _, ..] = *rest {
        let len = u32::from_le_bytes([c, d, e, f]) as usize;
        let data = &rest[8..8 + len];
        rest = &rest[8 + len..];
        match u16::from_le_bytes([a, b]) {
            3 => header = unsnap(data).into(),
            4 => body = unsnap(data).into(),
            5 => {
                let receipts = unsnap(data);
                let items = Item::parse(&receipts).unwrap().items().unwrap();
                let receipts = items.map(|item| envelope(item.unwrap())).collect();
                let parsed = Header::parse(&header).unwrap();
                let id = BlockId { number: parsed.number(), hash: parsed.hash() };
                let (header, body) = (header.clone(), Some(body.clone()));
                blocks.push(Vector { id, header, body, receipts: Some(receipts) });
            }
            _ => {}
        }
    }
    blocks
}

/// A receipt in a list of eth/68: typed ones are wrapped in a string.
pub(crate) fn envelope(item: Item<'_>) -> Vec<u8> {
    if item.is_list() { item.raw().to_vec() } else { item.payload().to_vec() }
}

/// The results of a `.io` conversation, each after its request.
pub(crate) fn conversation(path: &str) -> Vec<(Value, Value)> {
    let text = text(path);
    let mut request = Value::Null;
    let mut pairs = Vec::new();
    for line in text.lines() {
        if let Some(line) = line.strip_prefix(">> ") {
            request = serde_json::from_str(line).unwrap();
        } else if let Some(line) = line.strip_prefix("<< ") {
            pairs.push((request.clone(), serde_json::from_str(line).unwrap()));
        }
    }
    pairs
}

fn unsnap(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    snap::read::FrameDecoder::new(data).read_to_end(&mut out).unwrap();
    out
}
