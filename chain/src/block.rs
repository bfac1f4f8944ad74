//! A whole block on its way from a source to the store.

use alloy_primitives::B256;
use bytes::Bytes;

/// Height and hash: which block is meant, whatever fork it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct BlockId {
    /// Height.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
}

/// A block's bytes. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Height and hash.
    pub id: BlockId,
    /// Header RLP: what is hashed.
    pub header: Bytes,
    /// Body RLP in devp2p form, `[transactions, uncles, withdrawals?, …]`.
    pub body: Bytes,
    /// Receipts as a slim (eth/69) RLP list, where the source had them.
    pub receipts: Option<Bytes>,
    /// What the roots do not cover, where the source had it: on Polygon before Madhugiri the receipt of a state sync
    /// ([`crate::bor::state_sync`]). `None` is not known; on blocks that can have none it stays `None`.
    pub extra: Option<Bytes>,
}
