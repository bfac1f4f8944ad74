//! Polygon's state syncs, whose fields are all zero: those beside blocks before Madhugiri (PIP-74), which RPC shows
//! and neither body nor roots hold, and those of type 0x7f inside of blocks since.

use alloy_primitives::{Address, U256};

use super::json::{data, fixed, put, quantity};
use super::profile::TransactionField;
use super::receipt::write_logs;
use super::transaction::View;
use super::{Client, Parts, Profile, RenderError};
use crate::bor::state_sync::{TRANSACTION_TYPE, derived_hash, may_stand_beside};
use crate::header::Header;
use crate::receipt::{Outcome, Receipts};
use crate::spec::{ChainSpec, Family};
use crate::transaction::{Fields, Transaction, kind};

/// Recipient of every state sync, as Bor shows it.
const NOBODY: [u8; 20] = [0; 20];

/// Whether header and body hold everything that RPC shows of this block.
///
/// `false` on Polygon where a state sync may stand beside the block: then the list of transactions, the receipts
/// and the logs (which the header's bloom does not cover either) are not known from the block alone.
pub fn is_settled(spec: &ChainSpec, header: &Header<'_>) -> bool {
    !may_stand_beside(spec, header.number())
}

/// The receipt beside the block as of `eth_getBorBlockReceipt`: Bor writes its own structure there
/// (`core/types/gen_receipt_json.go`), in which the type is left out and unknown gas prices are `null`. `false` if
/// there is none (then nothing was written).
pub fn bor_block_receipt(
    out: &mut Vec<u8>,
    parts: &Parts<'_>,
    receipts: &Receipts<'_>,
) -> Result<bool, RenderError> {
    order(parts.profile)?;
    parts.check_fork()?;
    let Some(receipt) = parts.receipt_beside()? else { return Ok(false) };
    let view = beside(parts);
    let Outcome::Status(status) = receipt.outcome() else {
        return Err(RenderError::Unknown("the outcome of a state sync"));
    };
    let mut first = 0_u64;
    for before in receipts.iter() {
        first = first.saturating_add(before?.log_count() as u64);
    }
    put(out, b"{\"root\":\"0x\",\"status\":");
    quantity(out, status.into());
    put(out, b",\"cumulativeGasUsed\":");
    quantity(out, receipt.cumulative_gas());
    put(out, b",\"logsBloom\":");
    data(out, receipt.bloom()?.as_slice());
    put(out, b",\"logs\":");
    write_logs(out, parts, receipt, &view, first)?;
    put(out, b",\"transactionHash\":");
    fixed(out, &view.hash.0);
    put(out, b",\"contractAddress\":");
    fixed(out, &NOBODY);
    put(out, b",\"gasUsed\":\"0x0\",\"effectiveGasPrice\":null,\"blockHash\":");
    fixed(out, &parts.hash.0);
    put(out, b",\"blockNumber\":");
    quantity(out, parts.header.number());
    put(out, b",\"transactionIndex\":");
    quantity(out, view.index as u64);
    out.push(b'}');
    Ok(true)
}

/// The transaction beside the block: its last one, of type 0, with the derived hash.
pub(super) fn beside<'a>(parts: &Parts<'_>) -> View<'a> {
    View {
        index: parts.body.transaction_count(),
        kind: kind::LEGACY,
        fields: Fields { gas_price: Some(&[]), ..NO_FIELDS },
        hash: derived_hash(parts.header.number(), parts.hash),
        sender: Address::ZERO,
        price: U256::ZERO,
    }
}

/// A state sync inside of the block, if the transaction is one.
pub(super) fn inside<'a>(parts: &Parts<'_>, transaction: &Transaction<'a>, index: usize) -> Option<View<'a>> {
    let is_one = transaction.kind() == TRANSACTION_TYPE && parts.spec.family == Family::Bor;
    is_one.then(|| View {
        index,
        kind: TRANSACTION_TYPE,
        fields: Fields { max_priority_fee: Some(&[]), max_fee: Some(&[]), ..NO_FIELDS },
        hash: parts.hash_of(transaction, index),
        sender: Address::ZERO,
        price: U256::ZERO,
    })
}

/// In which order a client writes the fields of a state sync; only Bor's is known.
pub(super) fn order(profile: &Profile) -> Result<&'static [TransactionField], RenderError> {
    match (profile.client, profile.transaction) {
        (Client::Bor, [order, ..]) => Ok(order),
        _ => Err(RenderError::Unknown("the client's form of a state sync")),
    }
}

const NO_FIELDS: Fields<'static> = Fields {
    chain_id: None,
    nonce: 0,
    gas_price: None,
    max_priority_fee: None,
    max_fee: None,
    gas: 0,
    to: Some(&NOBODY),
    value: &[],
    input: &[],
    access_list: None,
    max_fee_per_blob_gas: None,
    blob_hashes: None,
    authorizations: None,
    v: &[],
    r: &[],
    s: &[],
    unsigned: &[],
};
