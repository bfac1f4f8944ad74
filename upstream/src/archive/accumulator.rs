//! The accumulator of era1 files: `hash_tree_root(List[HeaderRecord, 8192])` of SSZ.
//!
//! A header record is `{block-hash: Bytes32, total-difficulty: Uint256}`, so its root is one SHA-256 over 64
//! bytes. The list is a binary tree of depth 13, padded with zeros, with its length mixed in at the top.

use alloy_primitives::{B256, U256};
use sha2::{Digest, Sha256};

use super::ERA_BLOCKS;

/// Depth of the tree: 2^13 is [`ERA_BLOCKS`].
const DEPTH: u32 = 13;
const _: () = assert!(1 << DEPTH == ERA_BLOCKS);

/// Collects the records of a file in order.
#[derive(Clone, Debug, Default)]
pub struct Accumulator {
    leaves: Vec<B256>,
}

// === impl Accumulator ===

impl Accumulator {
    /// Takes the next block; those beyond [`ERA_BLOCKS`] make the root `None`.
    pub fn push(&mut self, hash: B256, total_difficulty: U256) {
        if self.leaves.len() as u64 <= ERA_BLOCKS {
            self.leaves.push(pair(hash, B256::from(total_difficulty.to_le_bytes::<32>())));
        }
    }

    /// The root over all blocks, if they fit.
    pub fn root(&self) -> Option<B256> {
        let count = self.leaves.len() as u64;
        if count > ERA_BLOCKS {
            return None;
        }
        let (mut level, mut zero) = (self.leaves.clone(), B256::ZERO);
        for _ in 0..DEPTH {
            level = level
                .chunks(2)
                .map(|nodes| match *nodes {
                    [left, right] => pair(left, right),
                    [left] => pair(left, zero),
                    _ => zero,
                })
                .collect();
            zero = pair(zero, zero);
        }
        let top = level.first().copied().unwrap_or(zero);
        Some(pair(top, B256::from(U256::from(count).to_le_bytes::<32>())))
    }
}

fn pair(left: B256, right: B256) -> B256 {
    let mut hasher = Sha256::new();
    hasher.update(left);
    hasher.update(right);
    B256::from(<[u8; 32]>::from(hasher.finalize()))
}
