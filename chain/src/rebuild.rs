//! RLP made again from a node's JSON, for nodes without `debug_getRaw*`. The caller checks hash and roots; what
//! cannot be rebuilt (unknown transaction types) is an error, never a guess.
//!
//! Clients differ in what they leave out, write as `null` or call otherwise; the forms of Geth, Erigon, Nethermind
//! and Anvil are taken. Memory is bounded by the text: nothing is made larger than it was there.

mod hex;
mod json;
mod state_sync;
mod transaction;

use alloy_primitives::B256;
use bytes::Bytes;

use crate::block::BlockId;
use crate::bor::state_sync::{TRANSACTION_TYPE, derived_hash};
use crate::rlp::{write_list, write_string, write_uint, write_uint256};
use json::{BlockJson, HeaderJson, LogJson, ReceiptJson, TransactionJson, WithdrawalJson};

/// Why JSON could not be turned into the RLP it came from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// The text is not the JSON of a block or of receipts.
    #[error("not a block in JSON: {0}")]
    Json(String),
    /// A field is missing or has a wrong form.
    #[error("field `{0}` is missing or malformed")]
    Field(&'static str),
    /// A transaction type whose JSON does not hold all that is hashed.
    #[error("transaction type {0:#04x} cannot be rebuilt from JSON")]
    TransactionType(u64),
    /// The block has uncles, whose headers the JSON does not hold; fetch them and pass them in.
    #[error("the block has uncles, whose headers are not in its JSON")]
    Uncles,
}

/// Optimism's deposits, whose receipts have two fields more.
const DEPOSIT: u64 = 0x7e;

/// Header RLP from the result of `eth_getBlockBy*` (or of a header method, or of an uncle method). Its length
/// follows from the fields that are there.
pub fn header(block_json: &str) -> Result<Bytes, RebuildError> {
    let json: HeaderJson<'_> = parse(block_json)?;
    let mut out = Vec::with_capacity(640);
    hex::fixed::<32>("parentHash", json.parent_hash, &mut out)?;
    hex::fixed::<32>("sha3Uncles", json.sha3_uncles, &mut out)?;
    hex::fixed::<20>("miner", json.miner.or(json.author), &mut out)?;
    hex::fixed::<32>("stateRoot", json.state_root, &mut out)?;
    hex::fixed::<32>("transactionsRoot", json.transactions_root, &mut out)?;
    hex::fixed::<32>("receiptsRoot", json.receipts_root, &mut out)?;
    hex::fixed::<256>("logsBloom", json.logs_bloom, &mut out)?;
    write_uint256(&mut out, hex::quantity("difficulty", json.difficulty)?);
    write_uint(&mut out, hex::short("number", json.number)?);
    write_uint(&mut out, hex::short("gasLimit", json.gas_limit)?);
    write_uint(&mut out, hex::short("gasUsed", json.gas_used)?);
    write_uint(&mut out, hex::short("timestamp", json.timestamp)?);
    hex::data("extraData", json.extra_data, &mut out)?;
    match (json.aura_step, json.aura_seal) {
        (Some(step), seal @ Some(_)) => {
            write_uint256(&mut out, hex::quantity("auraStep", Some(step))?);
            hex::data("auraSeal", seal, &mut out)?;
        }
        _ => {
            hex::fixed::<32>("mixHash", json.mix_hash, &mut out)?;
            hex::fixed::<8>("nonce", json.nonce, &mut out)?;
        }
    }
    appended_fields(&json, &mut out)?;
    Ok(list(&out))
}

/// Body RLP from a block with full transactions; `uncles` are the header RLPs of its uncles in order. A state-sync
/// transaction of Bor that is outside the roots is left out.
pub fn body(block_json: &str, uncles: &[Bytes]) -> Result<Bytes, RebuildError> {
    body_with(block_json, uncles, None)
}

/// The hash of the block's state-sync transaction of type 0x7f (PIP-74), whose JSON does not hold what is hashed: it
/// has to be fetched raw for [`body_with`].
pub fn state_sync_inside(block_json: &str) -> Result<Option<B256>, RebuildError> {
    let json: BlockJson<'_> = parse(block_json)?;
    let Some(last) = json.transactions.last() else { return Ok(None) };
    let kind = last.kind.map_or(Ok(0), |kind| hex::short("type", Some(kind)))?;
    if kind != u64::from(TRANSACTION_TYPE) {
        return Ok(None);
    }
    let hash = last.hash.and_then(|hash| hash.parse().ok());
    hash.map(Some).ok_or(RebuildError::Field("hash"))
}

/// [`body`] with the envelope of its last transaction, if that is a state sync of type 0x7f.
pub fn body_with(
    block_json: &str,
    uncles: &[Bytes],
    state_sync: Option<&[u8]>,
) -> Result<Bytes, RebuildError> {
    let json: BlockJson<'_> = parse(block_json)?;
    if json.uncles.len() != uncles.len() {
        return Err(RebuildError::Uncles);
    }
    let mut transactions = Vec::with_capacity(block_json.len() / 2);
    let listed = covered(&json.transactions, TransactionJson::is_outside_roots);
    let listed = match (listed.split_last(), state_sync) {
        (Some((_, rest)), Some(_)) => rest,
        _ => listed,
    };
    for transaction in listed {
        transaction::write(transaction, &mut transactions)?;
    }
    if let Some(envelope) = state_sync {
        write_string(&mut transactions, envelope);
    }
    let mut out = Vec::with_capacity(transactions.len().saturating_add(64));
    write_list(&mut out, &transactions);
    write_list(&mut out, &uncles.concat());
    if json.withdrawals_root.is_some() {
        let withdrawals = json.withdrawals.ok_or(RebuildError::Field("withdrawals"))?;
        let mut items = Vec::new();
        for withdrawal in &withdrawals {
            write_withdrawal(withdrawal, &mut items)?;
        }
        write_list(&mut out, &items);
    }
    Ok(list(&out))
}

/// Slim receipts list from the result of `eth_getBlockReceipts` (or of single receipts put into an array). The
/// blooms are left out: they follow from the logs. So is the receipt of a state sync that is outside the roots.
pub fn receipts(receipts_json: &str) -> Result<Bytes, RebuildError> {
    let receipts: Vec<ReceiptJson<'_>> = parse(receipts_json)?;
    let mut out = Vec::with_capacity(receipts_json.len() / 2);
    for receipt in covered(&receipts, ReceiptJson::is_outside_roots) {
        write_receipt(receipt, &mut out)?;
    }
    Ok(list(&out))
}

/// What stands beside the block `id`, from the result of `eth_getBlockReceipts` (or of single receipts put into an
/// array): the receipt of a state sync in slim form ([`crate::bor::state_sync`]), or `None` if the node shows none.
/// Before it, how many receipts there are that the roots cover.
pub fn beside(receipts_json: &str, id: BlockId) -> Result<(usize, Option<Bytes>), RebuildError> {
    let receipts: Vec<ReceiptJson<'_>> = parse(receipts_json)?;
    let inside = covered(&receipts, ReceiptJson::is_outside_roots).len();
    let Some(last) = receipts.get(inside) else { return Ok((inside, None)) };
    if !last.is_of(id) {
        return Err(RebuildError::Field("transactionHash"));
    }
    let mut out = Vec::with_capacity(receipts_json.len() / 2);
    write_receipt(last, &mut out)?;
    Ok((inside, Some(out.into())))
}

/// Whether the last transaction of a block, from the result of `eth_getBlockBy*` in either form, is the one that
/// stands beside it.
pub fn shows_beside(block_json: &str, id: BlockId) -> Result<bool, RebuildError> {
    #[derive(serde::Deserialize)]
    struct Shown<'a> {
        #[serde(borrow)]
        transactions: Vec<ShownTransaction<'a>>,
    }
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum ShownTransaction<'a> {
        Hash(&'a str),
        Full { hash: &'a str },
    }
    let shown: Shown<'_> = parse(block_json)?;
    let hash = shown.transactions.last().map(|last| match last {
        ShownTransaction::Hash(hash) | ShownTransaction::Full { hash } => *hash,
    });
    let hash = hash.and_then(|hash| hash.parse::<B256>().ok());
    Ok(hash == Some(derived_hash(id.number, id.hash)))
}

/// The items without the last one, if that is outside the roots.
fn covered<T>(items: &[T], is_outside: fn(&T) -> bool) -> &[T] {
    match items.split_last() {
        Some((last, rest)) if is_outside(last) => rest,
        _ => items,
    }
}

/// The fields that forks have appended. One that is there wants all before it.
fn appended_fields(json: &HeaderJson<'_>, out: &mut Vec<u8>) -> Result<(), RebuildError> {
    let fields = [
        ("baseFeePerGas", json.base_fee_per_gas, true),
        ("withdrawalsRoot", json.withdrawals_root, false),
        ("blobGasUsed", json.blob_gas_used, true),
        ("excessBlobGas", json.excess_blob_gas, true),
        ("parentBeaconBlockRoot", json.parent_beacon_block_root, false),
        ("requestsHash", json.requests_hash, false),
        ("blockAccessListHash", json.block_access_list_hash, false),
        ("slotNumber", json.slot_number, true),
    ];
    let count =
        fields.iter().rposition(|(_, value, _)| value.is_some()).map_or(0, |last| last.saturating_add(1));
    for (name, value, number) in fields.into_iter().take(count) {
        if number {
            write_uint256(out, hex::quantity(name, value)?);
        } else {
            hex::fixed::<32>(name, value, out)?;
        }
    }
    Ok(())
}

fn write_withdrawal(json: &WithdrawalJson<'_>, out: &mut Vec<u8>) -> Result<(), RebuildError> {
    let mut fields = Vec::with_capacity(48);
    write_uint(&mut fields, hex::short("index", json.index)?);
    write_uint(&mut fields, hex::short("validatorIndex", json.validator_index)?);
    hex::fixed::<20>("address", json.address, &mut fields)?;
    write_uint(&mut fields, hex::short("amount", json.amount)?);
    write_list(out, &fields);
    Ok(())
}

fn write_receipt(json: &ReceiptJson<'_>, out: &mut Vec<u8>) -> Result<(), RebuildError> {
    let kind = json.kind.map_or(Ok(0), |kind| hex::short("type", Some(kind)))?;
    if kind > 0x7f {
        return Err(RebuildError::TransactionType(kind));
    }
    let mut fields = Vec::with_capacity(512);
    write_uint(&mut fields, kind);
    write_outcome(json, &mut fields)?;
    write_uint(&mut fields, hex::short("cumulativeGasUsed", json.cumulative_gas_used)?);
    let mut logs = Vec::with_capacity(256);
    for log in json.logs.as_deref().ok_or(RebuildError::Field("logs"))? {
        write_log(log, &mut logs)?;
    }
    write_list(&mut fields, &logs);
    if kind == DEPOSIT && json.deposit_nonce.is_some() {
        write_uint(&mut fields, hex::short("depositNonce", json.deposit_nonce)?);
        if json.deposit_receipt_version.is_some() {
            write_uint(&mut fields, hex::short("depositReceiptVersion", json.deposit_receipt_version)?);
        }
    }
    write_list(out, &fields);
    Ok(())
}

/// A state root where there is one (before Byzantium), else the status. An empty or zero root beside a status is
/// how some clients say that there is none.
fn write_outcome(json: &ReceiptJson<'_>, out: &mut Vec<u8>) -> Result<(), RebuildError> {
    let no_root = |root: &str| root.trim_start_matches("0x").bytes().all(|digit| digit == b'0');
    match (json.root, json.status) {
        (Some(root), status) if status.is_none() || !no_root(root) => {
            hex::fixed::<32>("root", Some(root), out)
        }
        (_, status) => match hex::short("status", status)? {
            flag @ 0..=1 => {
                write_uint(out, flag);
                Ok(())
            }
            _ => Err(RebuildError::Field("status")),
        },
    }
}

fn write_log(json: &LogJson<'_>, out: &mut Vec<u8>) -> Result<(), RebuildError> {
    let mut topics = Vec::with_capacity(132);
    for topic in &json.topics {
        hex::fixed::<32>("topics", Some(topic), &mut topics)?;
    }
    let mut fields = Vec::with_capacity(topics.len().saturating_add(128));
    hex::fixed::<20>("address", json.address, &mut fields)?;
    write_list(&mut fields, &topics);
    hex::data("data", json.data, &mut fields)?;
    write_list(out, &fields);
    Ok(())
}

fn parse<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, RebuildError> {
    serde_json::from_str(text).map_err(|error| RebuildError::Json(error.to_string()))
}

fn list(payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len().saturating_add(9));
    write_list(&mut out, payload);
    out.into()
}

/// Appends an item in a string: a typed transaction.
fn wrapped(kind: u8, fields: &[u8], out: &mut Vec<u8>) {
    let mut envelope = Vec::with_capacity(fields.len().saturating_add(10));
    envelope.push(kind);
    write_list(&mut envelope, fields);
    write_string(out, &envelope);
}
