//! Receipts.

use alloy_primitives::{Bloom, U256};

use super::json::{close, data, fixed, put, quantity, quantity256};
use super::log;
use super::profile::ReceiptField as Field;
use super::transaction::{View, write_recipient};
use super::{Parts, RenderError, state_sync};
use crate::derive::{GAS_PER_BLOB, contract_address};
use crate::receipt::{Outcome, Receipt, Receipts};
use crate::rlp::Items;
use crate::roots::blooms::WithBlooms;
use crate::transaction::kind;

/// One receipt; `false` if the block has none at `index` (then nothing was written).
pub fn receipt(
    out: &mut Vec<u8>,
    parts: &Parts<'_>,
    receipts: &Receipts<'_>,
    index: usize,
) -> Result<bool, RenderError> {
    let transaction = parts.body.transaction(index).transpose()?;
    let (view, beside) = match transaction {
        Some(transaction) => (View::of(parts, transaction, index)?, None),
        None => match parts.receipt_beside()? {
            Some(receipt) => (state_sync::beside(parts), Some(*receipt)),
            None => return Ok(false),
        },
    };
    if view.index != index {
        return Ok(false);
    }
    parts.check_fork()?;
    let mut place = Place::default();
    let mut all = receipts.iter();
    for before in all.by_ref().take(index) {
        place.pass(&before?);
    }
    let receipt = match beside {
        Some(receipt) => receipt,
        None => all.next().ok_or(MISSING)??,
    };
    write(out, parts, &receipt, &view, &place, &receipt.bloom()?)?;
    Ok(true)
}

/// All receipts of a block as of `eth_getBlockReceipts`.
pub fn block_receipts(
    out: &mut Vec<u8>,
    parts: &Parts<'_>,
    receipts: &Receipts<'_>,
) -> Result<(), RenderError> {
    parts.check_fork()?;
    let beside = parts.receipt_beside()?.copied();
    let mut place = Place::default();
    let mut receipts = WithBlooms::of(receipts);
    let start = out.len();
    for (index, transaction) in parts.body.transactions().enumerate() {
        let (receipt, bloom) = receipts.next().ok_or(MISSING)??;
        out.push(b',');
        write(out, parts, &receipt, &View::of(parts, transaction?, index)?, &place, &bloom)?;
        place.pass(&receipt);
    }
    if receipts.next().is_some() {
        return Err(RenderError::Unknown("transaction of a receipt"));
    }
    if let Some(receipt) = beside {
        out.push(b',');
        write(out, parts, &receipt, &state_sync::beside(parts), &place, &receipt.bloom()?)?;
    }
    close(out, start, *b"[]");
    Ok(())
}

const MISSING: RenderError = RenderError::Unknown("receipt of a transaction");

/// What the receipts before one in a block add up to.
#[derive(Default)]
struct Place {
    cumulative_gas: u64,
    logs: u64,
}

// === impl Place ===

impl Place {
    fn pass(&mut self, receipt: &Receipt<'_>) {
        self.cumulative_gas = receipt.cumulative_gas();
        self.logs = self.logs.saturating_add(receipt.log_count() as u64);
    }
}

fn write(
    out: &mut Vec<u8>,
    parts: &Parts<'_>,
    receipt: &Receipt<'_>,
    view: &View<'_>,
    place: &Place,
    bloom: &Bloom,
) -> Result<(), RenderError> {
    if receipt.kind() != view.kind {
        return Err(RenderError::Unknown("receipt's type"));
    }
    let start = out.len();
    for &field in parts.profile.receipt {
        match field {
            Field::GasUsed => {
                let used = receipt.cumulative_gas().checked_sub(place.cumulative_gas);
                put(out, b",\"gasUsed\":");
                quantity(out, used.ok_or(RenderError::Unknown("gas used"))?);
            }
            Field::Logs => {
                put(out, b",\"logs\":");
                write_logs(out, parts, receipt, view, place.logs)?;
            }
            Field::LogsBloom => {
                put(out, b",\"logsBloom\":");
                data(out, bloom.as_slice());
            }
            field => write_field(out, parts, receipt, view, field)?,
        }
    }
    close(out, start, *b"{}");
    Ok(())
}

fn write_field(
    out: &mut Vec<u8>,
    parts: &Parts<'_>,
    receipt: &Receipt<'_>,
    view: &View<'_>,
    field: Field,
) -> Result<(), RenderError> {
    match field {
        Field::BlobGasPrice if view.kind == kind::BLOB => {
            let price = parts.spec.blob_base_fee(&parts.header).flatten();
            put(out, b",\"blobGasPrice\":");
            quantity256(out, price.ok_or(RenderError::Unknown("blob gas price"))?);
        }
        Field::BlobGasPriceOfBlock => {
            // EIP-4844 starts at one wei, whatever the schedule.
            let price = match parts.header.excess_blob_gas() {
                Some(0) => Some(Some(U256::ONE)),
                _ => parts.spec.blob_base_fee(&parts.header),
            };
            if let Some(price) = price.ok_or(RenderError::Unknown("blob gas price"))? {
                put(out, b",\"blobGasPrice\":");
                quantity256(out, price);
            }
        }
        Field::BlockTimestampDecimal => {
            put(out, b",\"blockTimestamp\":");
            out.extend_from_slice(parts.header.timestamp().to_string().as_bytes());
        }
        Field::BlobGasUsed if view.kind == kind::BLOB => {
            let blobs = view.fields.blob_hashes.map_or(0, |list| Items::of(list.payload()).count());
            put(out, b",\"blobGasUsed\":");
            quantity(out, (blobs as u64).saturating_mul(GAS_PER_BLOB));
        }
        Field::BlockHash => {
            put(out, b",\"blockHash\":");
            fixed(out, &parts.hash.0);
        }
        Field::BlockNumber => {
            put(out, b",\"blockNumber\":");
            quantity(out, parts.header.number());
        }
        Field::ContractAddress => {
            put(out, b",\"contractAddress\":");
            match view.fields.to {
                Some(_) => put(out, b"null"),
                None => fixed(out, &contract_address(&view.sender, view.fields.nonce).0),
            }
        }
        Field::CumulativeGasUsed => {
            put(out, b",\"cumulativeGasUsed\":");
            quantity(out, receipt.cumulative_gas());
        }
        Field::EffectiveGasPrice => {
            put(out, b",\"effectiveGasPrice\":");
            quantity256(out, view.price);
        }
        Field::From => {
            put(out, b",\"from\":");
            fixed(out, &view.sender.0);
        }
        Field::Root => {
            if let Outcome::Root(root) = receipt.outcome() {
                put(out, b",\"root\":");
                fixed(out, &root.0);
            }
        }
        Field::Status => {
            if let Outcome::Status(status) = receipt.outcome() {
                put(out, b",\"status\":");
                quantity(out, status.into());
            }
        }
        Field::To => {
            put(out, b",\"to\":");
            write_recipient(out, view.fields.to);
        }
        Field::TransactionHash => {
            put(out, b",\"transactionHash\":");
            fixed(out, &view.hash.0);
        }
        Field::TransactionIndex => {
            put(out, b",\"transactionIndex\":");
            quantity(out, view.index as u64);
        }
        Field::Type => {
            put(out, b",\"type\":");
            quantity(out, view.kind.into());
        }
        // Written by the caller, or fields of blob transactions alone.
        Field::GasUsed | Field::Logs | Field::LogsBloom | Field::BlobGasPrice | Field::BlobGasUsed => {}
    }
    Ok(())
}

pub(super) fn write_logs(
    out: &mut Vec<u8>,
    parts: &Parts<'_>,
    receipt: &Receipt<'_>,
    view: &View<'_>,
    first: u64,
) -> Result<(), RenderError> {
    let start = out.len();
    let mut place = log::Place { transaction_hash: view.hash, transaction_index: view.index, index: first };
    for entry in receipt.logs() {
        out.push(b',');
        log::write(out, parts, parts.profile.receipt_log, &entry?, &place)?;
        place.index = place.index.saturating_add(1);
    }
    close(out, start, *b"[]");
    Ok(())
}
