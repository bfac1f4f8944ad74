//! The JSON of blocks and receipts, borrowed from the text. Absent and `null` are the same.

use alloy_primitives::B256;
use serde::Deserialize;

use super::{hex, state_sync};
use crate::block::BlockId;

/// What `eth_getBlockBy*` says of a header.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeaderJson<'a> {
    pub(super) parent_hash: Option<&'a str>,
    pub(super) sha3_uncles: Option<&'a str>,
    pub(super) miner: Option<&'a str>,
    pub(super) author: Option<&'a str>,
    pub(super) state_root: Option<&'a str>,
    pub(super) transactions_root: Option<&'a str>,
    pub(super) receipts_root: Option<&'a str>,
    pub(super) logs_bloom: Option<&'a str>,
    pub(super) difficulty: Option<&'a str>,
    pub(super) number: Option<&'a str>,
    pub(super) gas_limit: Option<&'a str>,
    pub(super) gas_used: Option<&'a str>,
    pub(super) timestamp: Option<&'a str>,
    pub(super) extra_data: Option<&'a str>,
    pub(super) mix_hash: Option<&'a str>,
    pub(super) nonce: Option<&'a str>,
    /// AuRa, in place of the mix hash.
    pub(super) aura_step: Option<&'a str>,
    /// AuRa, in place of the nonce.
    pub(super) aura_seal: Option<&'a str>,
    pub(super) base_fee_per_gas: Option<&'a str>,
    pub(super) withdrawals_root: Option<&'a str>,
    pub(super) blob_gas_used: Option<&'a str>,
    pub(super) excess_blob_gas: Option<&'a str>,
    pub(super) parent_beacon_block_root: Option<&'a str>,
    pub(super) requests_hash: Option<&'a str>,
    pub(super) block_access_list_hash: Option<&'a str>,
    pub(super) slot_number: Option<&'a str>,
}

/// What `eth_getBlockBy*` says of a body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockJson<'a> {
    #[serde(borrow)]
    pub(super) transactions: Vec<TransactionJson<'a>>,
    #[serde(default, borrow)]
    pub(super) uncles: Vec<&'a str>,
    pub(super) withdrawals_root: Option<&'a str>,
    pub(super) withdrawals: Option<Vec<WithdrawalJson<'a>>>,
}

/// A transaction of type 0 to 4.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionJson<'a> {
    pub(super) hash: Option<&'a str>,
    pub(super) block_hash: Option<&'a str>,
    pub(super) block_number: Option<&'a str>,
    #[serde(rename = "type")]
    pub(super) kind: Option<&'a str>,
    pub(super) chain_id: Option<&'a str>,
    pub(super) nonce: Option<&'a str>,
    pub(super) gas_price: Option<&'a str>,
    pub(super) max_priority_fee_per_gas: Option<&'a str>,
    pub(super) max_fee_per_gas: Option<&'a str>,
    pub(super) gas: Option<&'a str>,
    pub(super) to: Option<&'a str>,
    pub(super) value: Option<&'a str>,
    pub(super) input: Option<&'a str>,
    pub(super) data: Option<&'a str>,
    pub(super) access_list: Option<Vec<AccessJson<'a>>>,
    pub(super) max_fee_per_blob_gas: Option<&'a str>,
    pub(super) blob_versioned_hashes: Option<Vec<&'a str>>,
    pub(super) authorization_list: Option<Vec<AuthorizationJson<'a>>>,
    pub(super) y_parity: Option<&'a str>,
    pub(super) v: Option<&'a str>,
    pub(super) r: Option<&'a str>,
    pub(super) s: Option<&'a str>,
}

/// An entry of an access list (EIP-2930).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessJson<'a> {
    pub(super) address: Option<&'a str>,
    #[serde(default, borrow)]
    pub(super) storage_keys: Vec<&'a str>,
}

/// An entry of an authorization list (EIP-7702).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthorizationJson<'a> {
    pub(super) chain_id: Option<&'a str>,
    pub(super) address: Option<&'a str>,
    pub(super) nonce: Option<&'a str>,
    pub(super) y_parity: Option<&'a str>,
    pub(super) v: Option<&'a str>,
    pub(super) r: Option<&'a str>,
    pub(super) s: Option<&'a str>,
}

/// A withdrawal (EIP-4895).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WithdrawalJson<'a> {
    pub(super) index: Option<&'a str>,
    pub(super) validator_index: Option<&'a str>,
    pub(super) address: Option<&'a str>,
    pub(super) amount: Option<&'a str>,
}

// === impl TransactionJson ===

impl TransactionJson<'_> {
    /// Whether no root covers it.
    pub(super) fn is_outside_roots(&self) -> bool {
        state_sync::is_outside_roots(self.hash, self.block_number, self.block_hash)
    }
}

/// A receipt, as far as it is hashed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReceiptJson<'a> {
    pub(super) transaction_hash: Option<&'a str>,
    pub(super) block_hash: Option<&'a str>,
    pub(super) block_number: Option<&'a str>,
    #[serde(rename = "type")]
    pub(super) kind: Option<&'a str>,
    pub(super) root: Option<&'a str>,
    pub(super) status: Option<&'a str>,
    pub(super) cumulative_gas_used: Option<&'a str>,
    pub(super) logs: Option<Vec<LogJson<'a>>>,
    pub(super) deposit_nonce: Option<&'a str>,
    pub(super) deposit_receipt_version: Option<&'a str>,
}

// === impl ReceiptJson ===

impl ReceiptJson<'_> {
    /// Whether no root covers it.
    pub(super) fn is_outside_roots(&self) -> bool {
        state_sync::is_outside_roots(self.transaction_hash, self.block_number, self.block_hash)
    }

    /// Whether it says that it is of that block.
    pub(super) fn is_of(&self, id: BlockId) -> bool {
        let hash = self.block_hash.and_then(|hash| hash.parse::<B256>().ok());
        hash == Some(id.hash) && hex::short("blockNumber", self.block_number) == Ok(id.number)
    }
}

/// A log, as far as it is hashed.
#[derive(Deserialize)]
pub(super) struct LogJson<'a> {
    pub(super) address: Option<&'a str>,
    #[serde(borrow)]
    pub(super) topics: Vec<&'a str>,
    pub(super) data: Option<&'a str>,
}
