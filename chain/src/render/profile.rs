//! In which form a client writes its answers, as data.
//!
//! A profile is a handful of lists that name the fields in the order in which the client writes them. A field
//! that is not in a list is not written; one that is, is written where the block has it (a base fee before London
//! or withdrawals before Shanghai are left out by every client). Where a client still differs from its profile,
//! calibration finds the difference and passes the method through.

mod alloy;
mod besu;
mod erigon;
mod geth;
mod nethermind;

use std::fmt;
use std::str::FromStr;

use crate::spec::{ChainSpec, Family};

/// The forms in which client families differ. It is kept by its [`name`](Profile::name).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "Client", from = "Client")]
pub struct Profile {
    /// Which client's forms these are.
    pub client: Client,
    /// `eth_getBlockBy*`.
    pub block: &'static [BlockField],
    /// `eth_getHeaderBy*`.
    pub header: &'static [BlockField],
    /// `eth_getUncleBy*`.
    pub uncle: &'static [BlockField],
    /// Transactions in blocks and alone, by type.
    pub transaction: [&'static [TransactionField]; 5],
    /// Receipts in lists and alone.
    pub receipt: &'static [ReceiptField],
    /// Logs in `eth_getLogs`.
    pub log: &'static [LogField],
    /// Logs in receipts.
    pub receipt_log: &'static [LogField],
}

/// Client families whose JSON differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "names of programs")]
pub enum Client {
    /// 1.17.
    Geth,
    Bor,
    Erigon,
    Nethermind,
    Reth,
    Besu,
    Anvil,
}

/// Fields of a block, a header or an uncle, named as in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of fields")]
pub enum BlockField {
    BaseFeePerGas,
    BlobGasUsed,
    Difficulty,
    ExcessBlobGas,
    ExtraData,
    GasLimit,
    GasUsed,
    Hash,
    LogsBloom,
    Miner,
    MixHash,
    Nonce,
    Number,
    ParentBeaconBlockRoot,
    ParentHash,
    ReceiptsRoot,
    RequestsHash,
    Sha3Uncles,
    /// Bytes of the block's RLP.
    Size,
    /// `size` without the empty list of withdrawals, which Anvil shows but does not count.
    SizeWithoutWithdrawals,
    StateRoot,
    Timestamp,
    /// Needs [`Parts::total_difficulty`](super::Parts::total_difficulty).
    TotalDifficulty,
    Transactions,
    TransactionsRoot,
    Uncles,
    Withdrawals,
    WithdrawalsRoot,
}

/// Fields of a transaction, named as in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of fields")]
pub enum TransactionField {
    AccessList,
    AuthorizationList,
    BlobVersionedHashes,
    BlockHash,
    BlockNumber,
    BlockTimestamp,
    /// Left out of legacy transactions that no chain is bound to.
    ChainId,
    From,
    Gas,
    /// What was paid for a unit of gas.
    GasPrice,
    Hash,
    Input,
    MaxFeePerBlobGas,
    MaxFeePerGas,
    MaxPriorityFeePerGas,
    Nonce,
    R,
    S,
    To,
    TransactionIndex,
    Type,
    V,
    Value,
    /// Left out of legacy transactions.
    YParity,
}

/// Fields of a receipt, named as in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of fields")]
pub enum ReceiptField {
    BlobGasPrice,
    /// `blobGasPrice` of every transaction in a block that knows blobs, as Anvil writes it.
    BlobGasPriceOfBlock,
    BlobGasUsed,
    BlockHash,
    BlockNumber,
    /// `blockTimestamp` as a decimal number without quotes.
    BlockTimestampDecimal,
    /// Where the transaction would have created a contract, also if it failed; `null` otherwise.
    ContractAddress,
    CumulativeGasUsed,
    EffectiveGasPrice,
    From,
    GasUsed,
    Logs,
    LogsBloom,
    /// State root, before Byzantium.
    Root,
    /// Since Byzantium.
    Status,
    To,
    TransactionHash,
    TransactionIndex,
    Type,
}

/// Fields of a log, named as in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of fields")]
pub enum LogField {
    Address,
    BlockHash,
    BlockNumber,
    BlockTimestamp,
    Data,
    /// Counted over the whole block.
    LogIndex,
    Removed,
    Topics,
    TransactionHash,
    TransactionIndex,
}

// === impl Profile ===

impl Profile {
    /// The profile of a client.
    pub fn of(client: Client) -> Self {
        match client {
            Client::Geth => geth::GETH,
            Client::Bor => geth::BOR,
            Client::Erigon => erigon::ERIGON,
            Client::Nethermind => nethermind::NETHERMIND,
            Client::Reth => alloy::RETH,
            Client::Besu => besu::BESU,
            Client::Anvil => alloy::ANVIL,
        }
    }

    /// The profile for a node that calls itself `client_version` (`web3_clientVersion`, as in
    /// `Geth/v1.17.5-stable/linux-amd64/go1.25`); a client that is not known gets its chain family's.
    pub fn detect(client_version: &str, spec: &ChainSpec) -> Self {
        let name = client_version.split(['/', ' ']).next().unwrap_or_default();
        match Client::from_str(name) {
            // Bor says `bor`, forks of Geth that keep its name run Bor's chains too.
            Ok(Client::Geth) => Self::for_family(spec.family),
            Ok(client) => Self::of(client),
            Err(_) => Self::for_family(spec.family),
        }
    }

    /// The profile for a store that starts without any node: that of the family's own client.
    pub fn for_family(family: Family) -> Self {
        match family {
            Family::Bor => Self::of(Client::Bor),
            Family::Ethereum | Family::Unknown => Self::of(Client::Geth),
        }
    }

    /// Whether blocks show [`Parts::total_difficulty`](super::Parts::total_difficulty).
    pub fn shows_total_difficulty(&self) -> bool {
        self.block.contains(&BlockField::TotalDifficulty)
    }

    /// A short name to keep it by; [`Client`]'s `FromStr` reads it.
    pub fn name(&self) -> &'static str {
        self.client.name()
    }
}

impl From<Client> for Profile {
    fn from(client: Client) -> Self {
        Self::of(client)
    }
}

impl From<Profile> for Client {
    fn from(profile: Profile) -> Self {
        profile.client
    }
}

// === impl Client ===

impl Client {
    /// Every client with a profile.
    pub const ALL: [Self; 7] =
        [Self::Geth, Self::Bor, Self::Erigon, Self::Nethermind, Self::Reth, Self::Besu, Self::Anvil];

    /// The client's name in lower case, as in the first word of its version.
    pub fn name(self) -> &'static str {
        match self {
            Self::Geth => "geth",
            Self::Bor => "bor",
            Self::Erigon => "erigon",
            Self::Nethermind => "nethermind",
            Self::Reth => "reth",
            Self::Besu => "besu",
            Self::Anvil => "anvil",
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no profile of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no profile is known by the name `{0}`")]
pub struct UnknownClient(pub String);

impl FromStr for Client {
    type Err = UnknownClient;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|client| client.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownClient(name.to_owned()))
    }
}
