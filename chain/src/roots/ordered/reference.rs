//! How a trie's nodes name each other.

use alloy_primitives::{B256, keccak256};

use crate::keccak::Message;

/// How a node is named in its parent: by its hash, or by itself if it is shorter than one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    bytes: [u8; Self::MAX],
    len: u8,
}

// === impl Reference ===

impl Reference {
    /// A hash as a string item.
    const MAX: usize = 33;
    /// Prefix of a string of 32 bytes.
    const HASH: u8 = 0xa0;

    /// The name of a node with this hash.
    pub(super) fn to(node: &Message<'_>, hash: B256) -> Self {
        let mut bytes = [0; Self::MAX];
        let [prefix, rest @ ..] = &mut bytes;
        if node.len() < rest.len() {
            return Self::itself(&node.to_vec());
        }
        *prefix = Self::HASH;
        *rest = hash.0;
        Self { bytes, len: Self::MAX as u8 }
    }

    /// A node that is shorter than a hash.
    fn itself(node: &[u8]) -> Self {
        let mut bytes = [0; Self::MAX];
        bytes.iter_mut().zip(node).for_each(|(byte, from)| *byte = *from);
        Self { bytes, len: node.len().min(Self::MAX) as u8 }
    }

    /// As it stands in the parent.
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }

    /// The hash of the node: a root is always named by it.
    pub(super) fn hash(&self) -> B256 {
        match self.as_slice() {
            [Self::HASH, hash @ ..] => B256::try_from(hash).unwrap_or_default(),
            node => keccak256(node),
        }
    }
}
