//! Transactions.

use alloy_primitives::{Address, B256, U256};

use super::json::{close, data, fixed, put, quantity, quantity_of, quantity256};
use super::profile::TransactionField as Field;
use super::{Parts, RenderError, state_sync};
use crate::derive::{effective_gas_price, legacy_chain_id};
use crate::rlp::Item;
use crate::transaction::{Fields, Transaction, kind};

/// One transaction; `false` if the block has none at `index` (then nothing was written).
pub fn transaction(out: &mut Vec<u8>, parts: &Parts<'_>, index: usize) -> Result<bool, RenderError> {
    let view = match parts.body.transaction(index).transpose()? {
        Some(transaction) => View::of(parts, transaction, index)?,
        None => match parts.receipt_beside()?.map(|_| state_sync::beside(parts)) {
            Some(beside) if beside.index == index => beside,
            _ => return Ok(false),
        },
    };
    parts.check_fork()?;
    write(out, parts, &view)?;
    Ok(true)
}

/// A block's transactions as a field of the block.
pub(super) fn write_all(out: &mut Vec<u8>, parts: &Parts<'_>) -> Result<(), RenderError> {
    put(out, b",\"transactions\":");
    let start = out.len();
    for (index, transaction) in parts.body.transactions().enumerate() {
        out.push(b',');
        write(out, parts, &View::of(parts, transaction?, index)?)?;
    }
    if parts.receipt_beside()?.is_some() {
        out.push(b',');
        write(out, parts, &state_sync::beside(parts))?;
    }
    close(out, start, *b"[]");
    Ok(())
}

/// A transaction with what is known of it beside its bytes.
pub(super) struct View<'a> {
    pub(super) index: usize,
    pub(super) kind: u8,
    pub(super) fields: Fields<'a>,
    pub(super) hash: B256,
    pub(super) sender: Address,
    pub(super) price: U256,
}

// === impl View ===

impl<'a> View<'a> {
    pub(super) fn of(
        parts: &Parts<'_>,
        transaction: Transaction<'a>,
        index: usize,
    ) -> Result<Self, RenderError> {
        if let Some(view) = state_sync::inside(parts, &transaction, index) {
            return Ok(view);
        }
        let fields = transaction.fields()?.ok_or(RenderError::Unknown("transaction type"))?;
        Ok(Self {
            index,
            kind: transaction.kind(),
            hash: parts.hash_of(&transaction, index),
            sender: parts.sender_of(&transaction, index)?,
            price: effective_gas_price(&fields, parts.header.base_fee()),
            fields,
        })
    }

    /// All other transactions have fields that somebody signed.
    pub(super) fn is_state_sync(&self) -> bool {
        self.fields.unsigned.is_empty()
    }
}

fn write(out: &mut Vec<u8>, parts: &Parts<'_>, view: &View<'_>) -> Result<(), RenderError> {
    let order = match parts.profile.transaction.get(usize::from(view.kind)) {
        Some(order) if !view.is_state_sync() => order,
        _ if view.is_state_sync() => state_sync::order(parts.profile)?,
        _ => return Err(RenderError::Unknown("transaction type")),
    };
    let start = out.len();
    for &field in order {
        write_field(out, parts, view, field)?;
    }
    close(out, start, *b"{}");
    Ok(())
}

#[inline]
fn write_field(
    out: &mut Vec<u8>,
    parts: &Parts<'_>,
    view: &View<'_>,
    field: Field,
) -> Result<(), RenderError> {
    let fields = &view.fields;
    match field {
        Field::AccessList => {
            if let Some(list) = fields.access_list {
                put(out, b",\"accessList\":");
                write_access_list(out, list)?;
            }
        }
        Field::AuthorizationList => {
            if let Some(list) = fields.authorizations.filter(|list| !list.payload().is_empty()) {
                put(out, b",\"authorizationList\":");
                write_authorizations(out, list)?;
            }
        }
        Field::BlobVersionedHashes => {
            if let Some(list) = fields.blob_hashes.filter(|list| !list.payload().is_empty()) {
                put(out, b",\"blobVersionedHashes\":");
                write_hashes(out, list, "blobVersionedHashes")?;
            }
        }
        Field::BlockHash => {
            put(out, b",\"blockHash\":");
            fixed(out, &parts.hash.0);
        }
        Field::BlockNumber => {
            put(out, b",\"blockNumber\":");
            quantity(out, parts.header.number());
        }
        Field::BlockTimestamp => {
            put(out, b",\"blockTimestamp\":");
            quantity(out, parts.header.timestamp());
        }
        Field::ChainId => write_chain_id(out, view),
        Field::From => {
            put(out, b",\"from\":");
            fixed(out, &view.sender.0);
        }
        Field::Gas => {
            put(out, b",\"gas\":");
            quantity(out, fields.gas);
        }
        Field::GasPrice => {
            put(out, b",\"gasPrice\":");
            quantity256(out, view.price);
        }
        Field::Hash => {
            put(out, b",\"hash\":");
            fixed(out, &view.hash.0);
        }
        Field::Input => {
            put(out, b",\"input\":");
            data(out, fields.input);
        }
        Field::MaxFeePerBlobGas => optional(out, b",\"maxFeePerBlobGas\":", fields.max_fee_per_blob_gas),
        Field::MaxFeePerGas => optional(out, b",\"maxFeePerGas\":", fields.max_fee),
        Field::MaxPriorityFeePerGas => optional(out, b",\"maxPriorityFeePerGas\":", fields.max_priority_fee),
        Field::Nonce => {
            put(out, b",\"nonce\":");
            quantity(out, fields.nonce);
        }
        Field::R => optional(out, b",\"r\":", Some(fields.r)),
        Field::S => optional(out, b",\"s\":", Some(fields.s)),
        Field::To => {
            put(out, b",\"to\":");
            write_recipient(out, fields.to);
        }
        Field::TransactionIndex => {
            put(out, b",\"transactionIndex\":");
            quantity(out, view.index as u64);
        }
        Field::Type => {
            put(out, b",\"type\":");
            quantity(out, view.kind.into());
        }
        Field::V => optional(out, b",\"v\":", Some(fields.v)),
        Field::Value => optional(out, b",\"value\":", Some(fields.value)),
        Field::YParity => optional(out, b",\"yParity\":", (view.kind != kind::LEGACY).then_some(fields.v)),
    }
    Ok(())
}

/// An address or, where a contract was created, `null`.
pub(super) fn write_recipient(out: &mut Vec<u8>, to: Option<&[u8; 20]>) {
    match to {
        Some(to) => fixed(out, to),
        None => put(out, b"null"),
    }
}

#[inline]
fn optional<const N: usize>(out: &mut Vec<u8>, key: &[u8; N], bytes: Option<&[u8]>) {
    if let Some(bytes) = bytes {
        put(out, key);
        quantity_of(out, bytes);
    }
}

fn write_chain_id(out: &mut Vec<u8>, view: &View<'_>) {
    match view.fields.chain_id {
        Some(id) => optional(out, b",\"chainId\":", Some(id)),
        None => {
            if let Some(id) = legacy_chain_id(view.fields.v) {
                put(out, b",\"chainId\":");
                quantity256(out, id);
            }
        }
    }
}

fn write_access_list(out: &mut Vec<u8>, list: Item<'_>) -> Result<(), RenderError> {
    let start = out.len();
    for entry in list.items()? {
        let mut entry = entry?.items()?;
        put(out, b",{\"address\":");
        fixed(out, entry.field("address")?.fixed::<20>("address")?);
        put(out, b",\"storageKeys\":");
        write_hashes(out, entry.field("storageKeys")?, "storageKeys")?;
        out.push(b'}');
    }
    close(out, start, *b"[]");
    Ok(())
}

fn write_hashes(out: &mut Vec<u8>, list: Item<'_>, field: &'static str) -> Result<(), RenderError> {
    let start = out.len();
    for hash in list.items()? {
        out.push(b',');
        fixed(out, hash?.fixed::<32>(field)?);
    }
    close(out, start, *b"[]");
    Ok(())
}

fn write_authorizations(out: &mut Vec<u8>, list: Item<'_>) -> Result<(), RenderError> {
    let start = out.len();
    for authorization in list.items()? {
        let mut items = authorization?.items()?;
        put(out, b",{\"chainId\":");
        quantity256(out, items.field("chainId")?.uint256("chainId")?);
        put(out, b",\"address\":");
        fixed(out, items.field("address")?.fixed::<20>("address")?);
        put(out, b",\"nonce\":");
        quantity(out, items.field("nonce")?.uint("nonce")?);
        put(out, b",\"yParity\":");
        quantity(out, items.field("yParity")?.uint("yParity")?);
        put(out, b",\"r\":");
        quantity256(out, items.field("r")?.uint256("r")?);
        put(out, b",\"s\":");
        quantity256(out, items.field("s")?.uint256("s")?);
        out.push(b'}');
    }
    close(out, start, *b"[]");
    Ok(())
}
