//! Where Bor differs from the specification, all in one place.
//!
//! * Status/69 has eight items, not seven: the total difficulty comes third, since Bor goes on choosing peers
//!   by it.
//! * `NewBlockHashes` and `NewBlock` live on at eth/69
//!   ([`Dialect::announces_blocks`](super::Dialect::announces_blocks)).
//! * Receipts messages may be larger than 10 MiB.
//! * Receipts of eth/69 end with the state-sync receipt, which is outside of the receipts root before the
//!   Madhugiri fork. Nothing here depends on it, since lists stay bytes; whoever verifies them must know it.

use alloy_eip2124::ForkId;
use alloy_primitives::{B256, U256};
use alloy_rlp::Encodable;
use bytes::BytesMut;

use super::status::{read_fork_id, write_fork_id};
use super::{EthMessageID, EthVersion, MAX_BOR_RECEIPTS_SIZE, MAX_MESSAGE_SIZE};
use crate::rlp::{self, Reader, RlpError};

/// Status as Bor speaks it at eth/69: `[version, network, td, genesis, fork-id, earliest, latest,
/// latest-hash]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusBor69 {
    /// The version that was negotiated.
    pub version: EthVersion,
    /// The network id.
    pub chain: u64,
    /// The total difficulty of the latest block.
    pub total_difficulty: U256,
    /// The genesis hash.
    pub genesis: B256,
    /// The fork id at the latest block.
    pub forkid: ForkId,
    /// The first block whose body and receipts are served.
    pub earliest: u64,
    /// The last block that is served.
    pub latest: u64,
    /// Its hash.
    pub blockhash: B256,
}

// === impl StatusBor69 ===

impl StatusBor69 {
    pub(super) fn write(&self, out: &mut BytesMut) {
        u8::from(self.version).encode(out);
        self.chain.encode(out);
        self.total_difficulty.encode(out);
        self.genesis.encode(out);
        write_fork_id(out, self.forkid);
        self.earliest.encode(out);
        self.latest.encode(out);
        self.blockhash.encode(out);
    }

    pub(super) fn read(version: EthVersion, list: &mut Reader<'_>) -> Result<Self, RlpError> {
        Ok(Self {
            version,
            chain: list.value("network-id")?,
            total_difficulty: rlp::total_difficulty(list)?,
            genesis: list.value("genesis")?,
            forkid: read_fork_id(list)?,
            earliest: list.value("earliest")?,
            latest: list.value("latest")?,
            blockhash: list.value("latest-hash")?,
        })
    }
}

/// Bor lets receipts messages fill a whole frame.
pub(super) fn max_message_size(id: EthMessageID) -> usize {
    if id == EthMessageID::Receipts { MAX_BOR_RECEIPTS_SIZE } else { MAX_MESSAGE_SIZE }
}
