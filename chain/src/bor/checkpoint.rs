//! The root of a checkpoint that Polygon's validators have signed onto Ethereum.
//!
//! A leaf is keccak(number ‖ timestamp ‖ transactions root ‖ receipts root), the numbers as 32 bytes. The leaves of
//! a range in order, filled up with zeros (not hashed ones) to a power of two, make a tree of keccak(left ‖ right)
//! (Bor `consensus/bor/{api,merkle}.go`, pos-contracts `lib/Merkle.sol`). So a root covers numbers, times, bodies and
//! receipts; parent hashes, state roots and extra data it does not.

use alloy_primitives::{B256, Keccak256, U256};

use crate::header::Header;

/// Most blocks of one checkpoint: where Bor's `bor_getRootHash` stops. Heimdall's own limit is 1,024.
pub const BLOCKS_MAX: u64 = 1 << 15;

/// Why headers give no root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The range is empty.
    #[error("a checkpoint covers at least one block")]
    Empty,
    /// The range is longer than any checkpoint.
    #[error("a checkpoint covers at most {BLOCKS_MAX} blocks")]
    TooLong,
    /// The headers are not those of consecutive blocks.
    #[error("header of block {found} where that of block {expected} must follow")]
    Gap {
        /// The number that comes next.
        expected: u64,
        /// The number of the header.
        found: u64,
    },
}

/// A root in the making. It holds one hash for each power of two, however long the range is.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Roots of complete subtrees, largest first, each with its height.
    subtrees: Vec<(u32, B256)>,
    leaves: u64,
}

/// The root over `headers`, which must be those of consecutive blocks. Whether they start and end where the
/// checkpoint does, and link to each other, is for the caller to see to.
pub fn root<'a>(headers: impl IntoIterator<Item = &'a Header<'a>>) -> Result<B256, CheckpointError> {
    let mut tree = Tree::default();
    let mut next = None;
    for header in headers {
        let found = header.number();
        match next {
            Some(expected) if expected != found => return Err(CheckpointError::Gap { expected, found }),
            _ => tree.push(leaf(header))?,
        }
        next = Some(found.saturating_add(1));
    }
    tree.root()
}

/// What a checkpoint covers of a header.
pub fn leaf(header: &Header<'_>) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(U256::from(header.number()).to_be_bytes::<32>());
    hasher.update(U256::from(header.timestamp()).to_be_bytes::<32>());
    hasher.update(header.transactions_root());
    hasher.update(header.receipts_root());
    hasher.finalize()
}

// === impl Tree ===

impl Tree {
    /// Adds the next leaf.
    pub fn push(&mut self, leaf: B256) -> Result<(), CheckpointError> {
        if self.leaves >= BLOCKS_MAX {
            return Err(CheckpointError::TooLong);
        }
        self.leaves = self.leaves.saturating_add(1);
        self.add(0, leaf);
        Ok(())
    }

    /// Leaves so far.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Result<B256, CheckpointError> {
        let mut padded = self.clone();
        let mut zeros = B256::ZERO;
        for height in 0..=BLOCKS_MAX.ilog2() {
            match padded.subtrees.as_slice() {
                [] => break,
                [(_, root)] => return Ok(*root),
                [.., (lowest, _)] if *lowest == height => padded.add(height, zeros),
                _ => {}
            }
            zeros = inner(zeros, zeros);
        }
        Err(CheckpointError::Empty)
    }

    /// Adds a subtree behind the others, and joins equal neighbours.
    fn add(&mut self, mut height: u32, mut root: B256) {
        while let Some((_, left)) = self.subtrees.pop_if(|(other, _)| *other == height) {
            root = inner(left, root);
            height = height.saturating_add(1);
        }
        self.subtrees.push((height, root));
    }
}

fn inner(left: B256, right: B256) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(left);
    hasher.update(right);
    hasher.finalize()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    /// The tree as it is defined: all leaves, filled up, level by level.
    fn naive(leaves: &[B256]) -> B256 {
        let mut level = leaves.to_vec();
        level.resize(leaves.len().next_power_of_two(), B256::ZERO);
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| inner(pair[0], pair[1])).collect();
        }
        level[0]
    }

    #[test]
    fn a_root_made_leaf_by_leaf_is_that_of_the_whole_padded_tree() {
        let leaves: Vec<B256> = (1..=1_100_u64).map(|n| B256::from(U256::from(n))).collect();
        let mut tree = Tree::default();
        assert_eq!(tree.root(), Err(CheckpointError::Empty));
        for (count, leaf) in leaves.iter().enumerate() {
            tree.push(*leaf).unwrap();
            assert_eq!(tree.root().unwrap(), naive(&leaves[..=count]), "{} leaves", count + 1);
        }
    }

    #[test]
    fn a_range_longer_than_any_checkpoint_is_refused() {
        let mut tree = Tree::default();
        for _ in 0..BLOCKS_MAX {
            tree.push(B256::ZERO).unwrap();
        }
        assert!(tree.root().is_ok());
        assert_eq!(tree.push(B256::ZERO), Err(CheckpointError::TooLong));
        assert_eq!(tree.leaves(), BLOCKS_MAX);
    }
}
