//! What only JSON nodes need: uncles one by one, receipts one by one, and a few fields.

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use hypasis_chain::rebuild;
use serde::Deserialize;

use super::assemble::{Parts, aside, counted, hex, prefix, present, rebuilt, text};
use super::{RpcSource, Trouble};
use crate::rpc::message::{Ask, Outcome};
use crate::rpc::node::Lane;

// === impl RpcSource ===

impl RpcSource {
    /// Fetches the uncles that blocks in JSON only name, and the state syncs that JSON does not hold whole (Bor's type
    /// 0x7f), and makes the bodies.
    pub(super) async fn complete(
        &self,
        parts: Vec<Parts>,
        trouble: Option<Trouble>,
        lane: Lane,
    ) -> Result<(Vec<Parts>, Option<Trouble>), Trouble> {
        let asks: Vec<_> = parts.iter().flat_map(missing).collect();
        if asks.is_empty() {
            return Ok((parts, trouble));
        }
        let mut outcomes = self.batch(asks, lane, &self.blocks).await?.into_iter();
        let parts = parts.into_iter().map(|part| {
            let uncles: Vec<_> = outcomes.by_ref().take(part.uncles).collect();
            let state_sync = part.state_sync.and_then(|_| outcomes.next());
            (part, uncles, state_sync)
        });
        let parts: Vec<_> = parts.collect();
        let make = |(part, uncles, state_sync)| completed(part, uncles, state_sync);
        let (parts, later) = aside(move || prefix(parts.into_iter(), make)).await;
        Ok((parts, later.or(trouble)))
    }

    /// Fetches each transaction's receipt.
    pub(super) async fn single_receipts(
        &self,
        parts: Vec<Parts>,
        lane: Lane,
    ) -> Result<(Vec<Parts>, Option<Trouble>), Trouble> {
        let hashes: Option<Vec<_>> = parts.iter().map(|part| transactions(part.json.as_deref()?)).collect();
        let hashes = hashes.ok_or_else(|| Trouble::Wrong("transactions without hashes".to_owned()))?;
        let spec = self.spec.clone();
        let asks = hashes.iter().flatten();
        let asks = asks.map(|hash| Ask::new("eth_getTransactionReceipt", format!(r#"["{hash}"]"#))).collect();
        let mut outcomes = self.batch(asks, lane, &self.blocks).await?.into_iter();
        let parts = parts.into_iter().zip(hashes).map(|(part, hashes)| {
            let receipts: Vec<_> = outcomes.by_ref().take(hashes.len()).collect();
            (part, receipts)
        });
        let parts: Vec<_> = parts.collect();
        Ok(aside(move || {
            prefix(parts.into_iter(), |(mut part, outcomes)| {
                let receipts = array(outcomes)?;
                part.receipts = Some(counted(&part, rebuilt(rebuild::receipts(&receipts))?)?);
                part.take_beside(spec.as_deref(), &receipts)?;
                Ok(part)
            })
        })
        .await)
    }
}

/// What must be asked for to make the body of a block in JSON.
fn missing(part: &Parts) -> impl Iterator<Item = Ask> + use<> {
    let hash = part.id.hash;
    let uncle =
        move |index| Ask::new("eth_getUncleByBlockHashAndIndex", format!(r#"["{hash}","{index:#x}"]"#));
    let raw = |hash| Ask::new("eth_getRawTransactionByHash", format!(r#"["{hash}"]"#));
    (0..part.uncles).map(uncle).chain(part.state_sync.map(raw))
}

fn completed(mut part: Parts, outcomes: Vec<Outcome>, state_sync: Option<Outcome>) -> Result<Parts, Trouble> {
    if part.uncles == 0 && state_sync.is_none() {
        return Ok(part);
    }
    let json = part.json.clone().ok_or(Trouble::Absent)?;
    let named = fields(&json).ok_or(Trouble::Absent)?.uncles;
    let mut uncles = Vec::with_capacity(part.uncles);
    for (outcome, hash) in outcomes.into_iter().zip(named) {
        let uncle = rebuilt(rebuild::header(text(&present(outcome)?)?))?;
        if keccak256(&uncle) != hash {
            return Err(Trouble::Wrong(format!(
                "an uncle of block {} does not hash to {hash}",
                part.id.number
            )));
        }
        uncles.push(uncle);
    }
    let state_sync = state_sync.map(|outcome| hex(&present(outcome)?)).transpose()?;
    let hash = state_sync.as_ref().map(keccak256);
    if hash != part.state_sync {
        return Err(Trouble::Wrong(format!(
            "the state sync of block {} is not the transaction that was asked for",
            part.id.number
        )));
    }
    part.body = rebuilt(rebuild::body_with(text(&json)?, &uncles, state_sync.as_deref()))?;
    Ok(part)
}

fn array(outcomes: Vec<Outcome>) -> Result<String, Trouble> {
    let mut list = String::from("[");
    for outcome in outcomes {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(text(&present(outcome)?)?);
    }
    list.push(']');
    Ok(list)
}

#[derive(Deserialize)]
struct Fields {
    hash: B256,
    #[serde(default)]
    uncles: Vec<B256>,
}

fn fields(json: &Bytes) -> Option<Fields> {
    serde_json::from_slice(json).ok()
}

/// The hash that a block in JSON claims.
pub(super) fn hash(json: &Bytes) -> Option<B256> {
    fields(json).map(|fields| fields.hash)
}

/// How many uncles a block in JSON names.
pub(super) fn uncles(json: &Bytes) -> Option<usize> {
    fields(json).map(|fields| fields.uncles.len())
}

fn transactions(json: &[u8]) -> Option<Vec<B256>> {
    #[derive(Deserialize)]
    struct Hash {
        hash: B256,
    }
    #[derive(Deserialize)]
    struct Transactions {
        transactions: Vec<Hash>,
    }
    let block: Transactions = serde_json::from_slice(json).ok()?;
    Some(block.transactions.into_iter().map(|transaction| transaction.hash).collect())
}

/// The bytes of one `"0x…"` string.
pub(super) fn hex_string(json: &[u8]) -> Option<Vec<u8>> {
    let digits = json.strip_prefix(b"\"0x")?.strip_suffix(b"\"")?;
    const_hex::decode(digits).ok()
}

/// The bytes of each string of an array.
pub(super) fn hex_strings(json: &[u8]) -> Option<Vec<Vec<u8>>> {
    let strings: Vec<&str> = serde_json::from_slice(json).ok()?;
    strings.into_iter().map(|text| const_hex::decode(text.strip_prefix("0x")?).ok()).collect()
}
