//! Besu (`ethereum/api/…/internal/results/*Result.java`, orders by `@JsonPropertyOrder`).
//!
//! Blocks carry the total difficulty, which the store may not know.

use super::BlockField as Block;
use super::LogField as Log;
use super::ReceiptField as Receipt;
use super::TransactionField as Transaction;
use super::{Client, Profile, geth};

/// Besu 25.
pub(super) const BESU: Profile = Profile {
    client: Client::Besu,
    block: &BLOCK,
    uncle: &UNCLE,
    transaction: [&LEGACY, &TYPED, &TYPED, &TYPED, &TYPED],
    receipt: &RECEIPT,
    log: &LOG,
    receipt_log: &LOG,
    ..geth::GETH
};

const BLOCK: [Block; 27] = [
    Block::Number,
    Block::Hash,
    Block::MixHash,
    Block::ParentHash,
    Block::Nonce,
    Block::Sha3Uncles,
    Block::LogsBloom,
    Block::TransactionsRoot,
    Block::StateRoot,
    Block::ReceiptsRoot,
    Block::Miner,
    Block::Difficulty,
    Block::TotalDifficulty,
    Block::ExtraData,
    Block::BaseFeePerGas,
    Block::Size,
    Block::GasLimit,
    Block::GasUsed,
    Block::Timestamp,
    Block::Uncles,
    Block::Transactions,
    Block::WithdrawalsRoot,
    Block::Withdrawals,
    Block::BlobGasUsed,
    Block::ExcessBlobGas,
    Block::ParentBeaconBlockRoot,
    Block::RequestsHash,
];

const UNCLE: [Block; 20] = [
    Block::Number,
    Block::Hash,
    Block::MixHash,
    Block::ParentHash,
    Block::Nonce,
    Block::Sha3Uncles,
    Block::LogsBloom,
    Block::TransactionsRoot,
    Block::StateRoot,
    Block::ReceiptsRoot,
    Block::Miner,
    Block::Difficulty,
    Block::TotalDifficulty,
    Block::ExtraData,
    Block::BaseFeePerGas,
    Block::Size,
    Block::GasLimit,
    Block::GasUsed,
    Block::Timestamp,
    Block::Uncles,
];

const LEGACY: [Transaction; 17] = [
    Transaction::BlockHash,
    Transaction::BlockNumber,
    Transaction::BlockTimestamp,
    Transaction::ChainId,
    Transaction::From,
    Transaction::Gas,
    Transaction::GasPrice,
    Transaction::Hash,
    Transaction::Input,
    Transaction::Nonce,
    Transaction::To,
    Transaction::TransactionIndex,
    Transaction::Type,
    Transaction::Value,
    Transaction::V,
    Transaction::R,
    Transaction::S,
];

const TYPED: [Transaction; 24] = [
    Transaction::AccessList,
    Transaction::BlockHash,
    Transaction::BlockNumber,
    Transaction::BlockTimestamp,
    Transaction::ChainId,
    Transaction::From,
    Transaction::Gas,
    Transaction::GasPrice,
    Transaction::MaxPriorityFeePerGas,
    Transaction::MaxFeePerGas,
    Transaction::MaxFeePerBlobGas,
    Transaction::Hash,
    Transaction::Input,
    Transaction::Nonce,
    Transaction::To,
    Transaction::TransactionIndex,
    Transaction::Type,
    Transaction::Value,
    Transaction::YParity,
    Transaction::V,
    Transaction::R,
    Transaction::S,
    Transaction::BlobVersionedHashes,
    Transaction::AuthorizationList,
];

const RECEIPT: [Receipt; 17] = [
    Receipt::BlockHash,
    Receipt::BlockNumber,
    Receipt::ContractAddress,
    Receipt::CumulativeGasUsed,
    Receipt::From,
    Receipt::GasUsed,
    Receipt::EffectiveGasPrice,
    Receipt::Logs,
    Receipt::LogsBloom,
    Receipt::Root,
    Receipt::Status,
    Receipt::To,
    Receipt::TransactionHash,
    Receipt::TransactionIndex,
    Receipt::Type,
    Receipt::BlobGasUsed,
    Receipt::BlobGasPrice,
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
