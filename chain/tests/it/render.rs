//! What nodes have answered, rendered again from the chain's bytes.

mod diff;
mod execution_apis;
mod forms;
mod logs;
mod mainnet;
mod state_sync;
mod unknown;

use alloy_primitives::B256;
use hypasis_chain::render::{Parts, Profile, RenderError};
use hypasis_chain::rlp::{write_list, write_string, write_uint};
use hypasis_chain::{Body, ChainSpec, Header};
use serde_json::Value;

/// A block's bytes as a store would have them.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) hash: B256,
    pub(crate) number: u64,
    pub(crate) header: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) receipts: Option<Vec<u8>>,
}

impl Held {
    /// A block from an archive's line, if the line has all that a body needs.
    fn from_line(line: &Value) -> Option<Self> {
        let bytes = |value: &Value| const_hex::decode(value.as_str().unwrap()).unwrap();
        let mut transactions = Vec::new();
        for envelope in line["txs"].as_array()? {
            let envelope = bytes(envelope);
            match envelope[0] {
                0xc0.. => transactions.extend_from_slice(&envelope),
                _ => write_string(&mut transactions, &envelope),
            }
        }
        let mut parts = Vec::new();
        write_list(&mut parts, &transactions);
        parts.extend_from_slice(&bytes(line.get("uncles_rlp")?));
        if let Some(withdrawals) = line.get("withdrawals_rlp") {
            parts.extend_from_slice(&bytes(withdrawals));
        }
        let mut body = Vec::new();
        write_list(&mut body, &parts);
        let receipts = line.get("receipts").and_then(Value::as_array).map(|receipts| {
            let receipts: Vec<Vec<u8>> = receipts.iter().map(bytes).collect();
            hypasis_chain::receipt::slim_list(receipts.iter().map(Vec::as_slice)).unwrap()
        });
        let number = line["number"].as_u64().unwrap();
        Some(Self {
            hash: line["hash"].as_str()?.parse().ok()?,
            number,
            header: bytes(&line["header_rlp"]),
            body,
            receipts,
        })
    }

    /// Renders with what the block has.
    pub(crate) fn render(
        &self,
        spec: &ChainSpec,
        profile: &Profile,
        write: impl FnOnce(&mut Vec<u8>, &Parts<'_>) -> Result<(), RenderError>,
    ) -> Result<String, RenderError> {
        let header = Header::parse(&self.header).unwrap();
        let body = Body::parse(&self.body).unwrap();
        let mut out = Vec::new();
        write(&mut out, &Parts::new(spec, profile, self.hash, header, body))?;
        Ok(String::from_utf8(out).unwrap())
    }
}

/// The slim list of receipts from a node's JSON.
pub(crate) fn slim_receipts(receipts: &[Value]) -> Vec<u8> {
    let mut payload = Vec::new();
    for receipt in receipts {
        let mut fields = Vec::new();
        write_uint(&mut fields, quantity(&receipt["type"]));
        match receipt.get("root") {
            Some(root) if root.as_str().unwrap().len() > 2 => write_string(&mut fields, &bytes(root)),
            _ => write_uint(&mut fields, quantity(&receipt["status"])),
        }
        write_uint(&mut fields, quantity(&receipt["cumulativeGasUsed"]));
        let mut logs = Vec::new();
        for log in receipt["logs"].as_array().unwrap() {
            write_log(&mut logs, log);
        }
        write_list(&mut fields, &logs);
        write_list(&mut payload, &fields);
    }
    let mut list = Vec::new();
    write_list(&mut list, &payload);
    list
}

fn write_log(out: &mut Vec<u8>, log: &Value) {
    let mut topics = Vec::new();
    for topic in log["topics"].as_array().unwrap() {
        write_string(&mut topics, &bytes(topic));
    }
    let mut fields = Vec::new();
    write_string(&mut fields, &bytes(&log["address"]));
    write_list(&mut fields, &topics);
    write_string(&mut fields, &bytes(&log["data"]));
    write_list(out, &fields);
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    const_hex::decode(value.as_str().unwrap()).unwrap()
}

pub(crate) fn quantity(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

pub(crate) fn hash(value: &Value) -> B256 {
    value.as_str().unwrap().parse().unwrap()
}
