//! What families of chains do differently in one and the same protocol.

use super::bor;
use super::{EthMessageID, EthVersion, MAX_MESSAGE_SIZE};

/// Whose `eth` a session speaks. It follows from the chain (network id, genesis), never from the version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// As specified: Ethereum and its test networks.
    #[default]
    Ethereum,
    /// Polygon's Bor: total difficulty and announced blocks live on after eth/68.
    Bor,
}

// === impl Dialect ===

impl Dialect {
    /// The versions that nodes of this family speak among themselves, the preferred first. Those of Ethereum gave up
    /// eth/68 one after the other, but some speak it still; Bor has none above 69.
    pub fn versions(self) -> &'static [EthVersion] {
        match self {
            Self::Ethereum => EthVersion::ALL,
            Self::Bor => &[EthVersion::Eth69, EthVersion::Eth68],
        }
    }

    /// Whether blocks are announced (`NewBlockHashes`, `NewBlock`). Geth disconnects on them from eth/69 on
    /// (EIP-7642 and the merge made them pointless); Bor follows its head by them.
    pub fn announces_blocks(self, version: EthVersion) -> bool {
        match self {
            Self::Ethereum => version <= EthVersion::Eth68,
            Self::Bor => true,
        }
    }

    /// Whether Status carries the total difficulty.
    pub fn has_total_difficulty(self, version: EthVersion) -> bool {
        version <= EthVersion::Eth68 || self == Self::Bor
    }

    /// The largest payload of a message, uncompressed.
    pub fn max_message_size(self, id: EthMessageID) -> usize {
        match self {
            Self::Ethereum => MAX_MESSAGE_SIZE,
            Self::Bor => bor::max_message_size(id),
        }
    }
}
