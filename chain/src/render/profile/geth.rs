//! Geth 1.17 (`internal/ethapi/api.go`, `core/types/gen_log_json.go`) and Bor, which forked from it.
//!
//! Blocks, headers, uncles and receipts are Go maps, whose keys come out sorted; transactions and logs are
//! structures in the order of their fields.

use super::BlockField as Block;
use super::LogField as Log;
use super::ReceiptField as Receipt;
use super::TransactionField as Transaction;
use super::{Client, Profile};

/// Geth 1.17.
pub(super) const GETH: Profile = Profile {
    client: Client::Geth,
    block: &BLOCK,
    header: &HEADER,
    uncle: &UNCLE,
    transaction: [&TRANSACTION; 5],
    receipt: &RECEIPT,
    log: &LOG,
    receipt_log: &LOG,
};

/// Bor 2.7 (the same files there). Its headers lack what Geth's got with and after Shanghai, which the fields' absence
/// already says; its transactions do not tell their block's time.
pub(super) const BOR: Profile = Profile { client: Client::Bor, transaction: [&BOR_TRANSACTION; 5], ..GETH };

const BLOCK: [Block; 26] = [
    Block::BaseFeePerGas,
    Block::BlobGasUsed,
    Block::Difficulty,
    Block::ExcessBlobGas,
    Block::ExtraData,
    Block::GasLimit,
    Block::GasUsed,
    Block::Hash,
    Block::LogsBloom,
    Block::Miner,
    Block::MixHash,
    Block::Nonce,
    Block::Number,
    Block::ParentBeaconBlockRoot,
    Block::ParentHash,
    Block::ReceiptsRoot,
    Block::RequestsHash,
    Block::Sha3Uncles,
    Block::Size,
    Block::StateRoot,
    Block::Timestamp,
    Block::Transactions,
    Block::TransactionsRoot,
    Block::Uncles,
    Block::Withdrawals,
    Block::WithdrawalsRoot,
];

const UNCLE: [Block; 24] = [
    Block::BaseFeePerGas,
    Block::BlobGasUsed,
    Block::Difficulty,
    Block::ExcessBlobGas,
    Block::ExtraData,
    Block::GasLimit,
    Block::GasUsed,
    Block::Hash,
    Block::LogsBloom,
    Block::Miner,
    Block::MixHash,
    Block::Nonce,
    Block::Number,
    Block::ParentBeaconBlockRoot,
    Block::ParentHash,
    Block::ReceiptsRoot,
    Block::RequestsHash,
    Block::Sha3Uncles,
    Block::Size,
    Block::StateRoot,
    Block::Timestamp,
    Block::TransactionsRoot,
    Block::Uncles,
    Block::WithdrawalsRoot,
];

const HEADER: [Block; 22] = [
    Block::BaseFeePerGas,
    Block::BlobGasUsed,
    Block::Difficulty,
    Block::ExcessBlobGas,
    Block::ExtraData,
    Block::GasLimit,
    Block::GasUsed,
    Block::Hash,
    Block::LogsBloom,
    Block::Miner,
    Block::MixHash,
    Block::Nonce,
    Block::Number,
    Block::ParentBeaconBlockRoot,
    Block::ParentHash,
    Block::ReceiptsRoot,
    Block::RequestsHash,
    Block::Sha3Uncles,
    Block::StateRoot,
    Block::Timestamp,
    Block::TransactionsRoot,
    Block::WithdrawalsRoot,
];

const TRANSACTION: [Transaction; 24] = [
    Transaction::BlockHash,
    Transaction::BlockNumber,
    Transaction::BlockTimestamp,
    Transaction::From,
    Transaction::Gas,
    Transaction::GasPrice,
    Transaction::MaxFeePerGas,
    Transaction::MaxPriorityFeePerGas,
    Transaction::MaxFeePerBlobGas,
    Transaction::Hash,
    Transaction::Input,
    Transaction::Nonce,
    Transaction::To,
    Transaction::TransactionIndex,
    Transaction::Value,
    Transaction::Type,
    Transaction::AccessList,
    Transaction::ChainId,
    Transaction::BlobVersionedHashes,
    Transaction::AuthorizationList,
    Transaction::V,
    Transaction::R,
    Transaction::S,
    Transaction::YParity,
];

const BOR_TRANSACTION: [Transaction; 23] = [
    Transaction::BlockHash,
    Transaction::BlockNumber,
    Transaction::From,
    Transaction::Gas,
    Transaction::GasPrice,
    Transaction::MaxFeePerGas,
    Transaction::MaxPriorityFeePerGas,
    Transaction::MaxFeePerBlobGas,
    Transaction::Hash,
    Transaction::Input,
    Transaction::Nonce,
    Transaction::To,
    Transaction::TransactionIndex,
    Transaction::Value,
    Transaction::Type,
    Transaction::AccessList,
    Transaction::ChainId,
    Transaction::BlobVersionedHashes,
    Transaction::AuthorizationList,
    Transaction::V,
    Transaction::R,
    Transaction::S,
    Transaction::YParity,
];

const RECEIPT: [Receipt; 17] = [
    Receipt::BlobGasPrice,
    Receipt::BlobGasUsed,
    Receipt::BlockHash,
    Receipt::BlockNumber,
    Receipt::ContractAddress,
    Receipt::CumulativeGasUsed,
    Receipt::EffectiveGasPrice,
    Receipt::From,
    Receipt::GasUsed,
    Receipt::Logs,
    Receipt::LogsBloom,
    Receipt::Root,
    Receipt::Status,
    Receipt::To,
    Receipt::TransactionHash,
    Receipt::TransactionIndex,
    Receipt::Type,
];

const LOG: [Log; 10] = [
    Log::Address,
    Log::Topics,
    Log::Data,
    Log::BlockNumber,
    Log::TransactionHash,
    Log::TransactionIndex,
    Log::BlockHash,
    Log::BlockTimestamp,
    Log::LogIndex,
    Log::Removed,
];
