//! What a node serves, as it says at the start of a session and, from eth/69, when that changes.

use alloy_eip2124::{ForkHash, ForkId};
use alloy_primitives::{B256, U256};
use alloy_rlp::Encodable;
use bytes::{Bytes, BytesMut};

use super::{Dialect, EthVersion, StatusBor69};
use crate::rlp::{self, Reader, RlpError, write_list};

/// Status in the form that was or will be on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusMessage {
    /// eth/68.
    Legacy(Status),
    /// eth/69 and eth/70.
    Eth69(StatusEth69),
    /// eth/69 and later as Bor speaks it.
    Bor69(StatusBor69),
}

/// Status of eth/68: `[version, network, td, head-hash, genesis, fork-id]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The version that was negotiated.
    pub version: EthVersion,
    /// The network id.
    pub chain: u64,
    /// The total difficulty of the head.
    pub total_difficulty: U256,
    /// The head's hash.
    pub blockhash: B256,
    /// The genesis hash.
    pub genesis: B256,
    /// The fork id at the head.
    pub forkid: ForkId,
}

/// Status of eth/69 and eth/70 (EIP-7642): `[version, network, genesis, fork-id, earliest, latest,
/// latest-hash]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusEth69 {
    /// The version that was negotiated.
    pub version: EthVersion,
    /// The network id.
    pub chain: u64,
    /// The genesis hash.
    pub genesis: B256,
    /// The fork id at the latest block.
    pub forkid: ForkId,
    /// The first block whose body and receipts are served. Headers are assumed from genesis on.
    pub earliest: u64,
    /// The last block that is served.
    pub latest: u64,
    /// Its hash.
    pub blockhash: B256,
}

/// What every form of Status says; what a form lacks is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnifiedStatus {
    /// The version that was negotiated.
    pub version: EthVersion,
    /// The network id.
    pub chain: u64,
    /// The genesis hash.
    pub genesis: B256,
    /// The fork id at the latest block.
    pub forkid: ForkId,
    /// The total difficulty: eth/68, and Bor always.
    pub total_difficulty: Option<U256>,
    /// The hash of the latest block.
    pub blockhash: B256,
    /// The first block whose body and receipts are served: from eth/69.
    pub earliest_block: Option<u64>,
    /// The number of the latest block: from eth/69.
    pub latest_block: Option<u64>,
}

/// `[earliest, latest, latest-hash]`: the range that is served has changed (EIP-7642). Geth sends it at most
/// once in 32 blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRangeUpdate {
    /// The first block whose body and receipts are served.
    pub earliest: u64,
    /// The last block that is served.
    pub latest: u64,
    /// Its hash.
    pub latest_hash: B256,
}

/// Why a range cannot be: its sender is disconnected (go-ethereum `BlockRangeUpdatePacket.Validate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockRangeError {
    /// The range ends before it begins.
    #[error("the range begins at block {earliest} and ends before it, at {latest}")]
    Reversed {
        /// Where it begins.
        earliest: u64,
        /// Where it ends.
        latest: u64,
    },
    /// No block has this hash.
    #[error("the hash of the latest block is zero")]
    ZeroHash,
}

// === impl StatusMessage ===

impl StatusMessage {
    /// The version that the message claims.
    pub fn version(&self) -> EthVersion {
        match self {
            Self::Legacy(status) => status.version,
            Self::Eth69(status) => status.version,
            Self::Bor69(status) => status.version,
        }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        write_list(out, |out| match self {
            Self::Legacy(status) => status.write(out),
            Self::Eth69(status) => status.write(out),
            Self::Bor69(status) => status.write(out),
        });
    }

    /// The form follows from the session; the version inside must be the session's.
    pub(super) fn read(version: EthVersion, dialect: Dialect, payload: &Bytes) -> Result<Self, RlpError> {
        let mut list = Reader::whole(payload, "status")?;
        let claimed: u32 = list.value("version")?;
        if claimed != u32::from(u8::from(version)) {
            return Err(RlpError::Value { field: "version" });
        }
        let status = match (version, dialect) {
            (EthVersion::Eth68, _) => Self::Legacy(Status::read(version, &mut list)?),
            (_, Dialect::Ethereum) => Self::Eth69(StatusEth69::read(version, &mut list)?),
            (_, Dialect::Bor) => Self::Bor69(StatusBor69::read(version, &mut list)?),
        };
        list.finish("status")?;
        Ok(status)
    }
}

// === impl Status ===

impl Status {
    fn write(&self, out: &mut BytesMut) {
        u8::from(self.version).encode(out);
        self.chain.encode(out);
        self.total_difficulty.encode(out);
        self.blockhash.encode(out);
        self.genesis.encode(out);
        write_fork_id(out, self.forkid);
    }

    fn read(version: EthVersion, list: &mut Reader<'_>) -> Result<Self, RlpError> {
        Ok(Self {
            version,
            chain: list.value("network-id")?,
            total_difficulty: rlp::total_difficulty(list)?,
            blockhash: list.value("head-hash")?,
            genesis: list.value("genesis")?,
            forkid: read_fork_id(list)?,
        })
    }
}

// === impl StatusEth69 ===

impl StatusEth69 {
    fn write(&self, out: &mut BytesMut) {
        u8::from(self.version).encode(out);
        self.chain.encode(out);
        self.genesis.encode(out);
        write_fork_id(out, self.forkid);
        self.earliest.encode(out);
        self.latest.encode(out);
        self.blockhash.encode(out);
    }

    fn read(version: EthVersion, list: &mut Reader<'_>) -> Result<Self, RlpError> {
        Ok(Self {
            version,
            chain: list.value("network-id")?,
            genesis: list.value("genesis")?,
            forkid: read_fork_id(list)?,
            earliest: list.value("earliest")?,
            latest: list.value("latest")?,
            blockhash: list.value("latest-hash")?,
        })
    }
}

// === impl UnifiedStatus ===

impl UnifiedStatus {
    /// Begins a status, field by field.
    pub fn builder() -> StatusBuilder {
        StatusBuilder::default()
    }

    /// The form that the version and dialect demand. A total difficulty or range that is not known is sent as
    /// zero, and the latest number as the earliest.
    pub fn into_message(self, dialect: Dialect) -> StatusMessage {
        let Self { version, chain, genesis, forkid, blockhash, .. } = self;
        let total_difficulty = self.total_difficulty.unwrap_or_default();
        let earliest = self.earliest_block.unwrap_or_default();
        let latest = self.latest_block.unwrap_or(earliest);
        match (version, dialect) {
            (EthVersion::Eth68, _) => {
                StatusMessage::Legacy(Status { version, chain, total_difficulty, blockhash, genesis, forkid })
            }
            (_, Dialect::Ethereum) => StatusMessage::Eth69(StatusEth69 {
                version,
                chain,
                genesis,
                forkid,
                earliest,
                latest,
                blockhash,
            }),
            (_, Dialect::Bor) => StatusMessage::Bor69(StatusBor69 {
                version,
                chain,
                total_difficulty,
                genesis,
                forkid,
                earliest,
                latest,
                blockhash,
            }),
        }
    }

    /// The range that is served, where the form says it.
    pub fn range(&self) -> Option<BlockRangeUpdate> {
        let (earliest, latest) = (self.earliest_block?, self.latest_block?);
        Some(BlockRangeUpdate { earliest, latest, latest_hash: self.blockhash })
    }
}

impl From<StatusMessage> for UnifiedStatus {
    fn from(message: StatusMessage) -> Self {
        match message {
            StatusMessage::Legacy(status) => Self {
                version: status.version,
                chain: status.chain,
                genesis: status.genesis,
                forkid: status.forkid,
                total_difficulty: Some(status.total_difficulty),
                blockhash: status.blockhash,
                earliest_block: None,
                latest_block: None,
            },
            StatusMessage::Eth69(status) => Self {
                version: status.version,
                chain: status.chain,
                genesis: status.genesis,
                forkid: status.forkid,
                total_difficulty: None,
                blockhash: status.blockhash,
                earliest_block: Some(status.earliest),
                latest_block: Some(status.latest),
            },
            StatusMessage::Bor69(status) => Self {
                version: status.version,
                chain: status.chain,
                genesis: status.genesis,
                forkid: status.forkid,
                total_difficulty: Some(status.total_difficulty),
                blockhash: status.blockhash,
                earliest_block: Some(status.earliest),
                latest_block: Some(status.latest),
            },
        }
    }
}

/// Makes a [`UnifiedStatus`]; what is not set is mainnet's network id, zero, or absent.
#[derive(Clone, Copy, Debug)]
pub struct StatusBuilder {
    status: UnifiedStatus,
}

// === impl StatusBuilder ===

impl StatusBuilder {
    /// The version that was negotiated.
    pub fn version(mut self, version: EthVersion) -> Self {
        self.status.version = version;
        self
    }

    /// The network id.
    pub fn chain(mut self, chain: u64) -> Self {
        self.status.chain = chain;
        self
    }

    /// The genesis hash.
    pub fn genesis(mut self, genesis: B256) -> Self {
        self.status.genesis = genesis;
        self
    }

    /// The fork id at the latest block.
    pub fn forkid(mut self, forkid: ForkId) -> Self {
        self.status.forkid = forkid;
        self
    }

    /// The total difficulty of the latest block.
    pub fn total_difficulty(mut self, total_difficulty: U256) -> Self {
        self.status.total_difficulty = Some(total_difficulty);
        self
    }

    /// The hash of the latest block.
    pub fn blockhash(mut self, blockhash: B256) -> Self {
        self.status.blockhash = blockhash;
        self
    }

    /// The first block whose body and receipts are served, and the latest.
    pub fn range(mut self, earliest: u64, latest: u64) -> Self {
        self.status.earliest_block = Some(earliest);
        self.status.latest_block = Some(latest);
        self
    }

    /// The status.
    pub fn build(self) -> UnifiedStatus {
        self.status
    }
}

impl Default for StatusBuilder {
    fn default() -> Self {
        Self {
            status: UnifiedStatus {
                version: EthVersion::LATEST,
                chain: 1,
                genesis: B256::ZERO,
                forkid: ForkId { hash: ForkHash([0; 4]), next: 0 },
                total_difficulty: None,
                blockhash: B256::ZERO,
                earliest_block: None,
                latest_block: None,
            },
        }
    }
}

// === impl BlockRangeUpdate ===

impl BlockRangeUpdate {
    /// Whether such a range can be. One that cannot costs the session.
    pub fn validate(&self) -> Result<(), BlockRangeError> {
        let Self { earliest, latest, latest_hash } = *self;
        if earliest > latest {
            return Err(BlockRangeError::Reversed { earliest, latest });
        }
        if latest_hash.is_zero() {
            return Err(BlockRangeError::ZeroHash);
        }
        Ok(())
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        write_list(out, |out| {
            self.earliest.encode(out);
            self.latest.encode(out);
            self.latest_hash.encode(out);
        });
    }

    pub(super) fn read(payload: &Bytes) -> Result<Self, RlpError> {
        let mut list = Reader::whole(payload, "range")?;
        let (earliest, latest) = (list.value("earliest")?, list.value("latest")?);
        let latest_hash = list.value("latest-hash")?;
        list.finish("range")?;
        Ok(Self { earliest, latest, latest_hash })
    }
}

/// `[fork-hash, fork-next]` (EIP-2124).
pub(super) fn write_fork_id(out: &mut BytesMut, forkid: ForkId) {
    write_list(out, |out| {
        forkid.hash.0.encode(out);
        forkid.next.encode(out);
    });
}

/// `[fork-hash, fork-next]` (EIP-2124).
pub(super) fn read_fork_id(list: &mut Reader<'_>) -> Result<ForkId, RlpError> {
    let mut list = list.list("fork-id")?;
    let forkid = ForkId { hash: ForkHash(list.value("fork-hash")?), next: list.value("fork-next")? };
    list.finish("fork-id")?;
    Ok(forkid)
}
