//! Keys of an ordered trie: indices in RLP, as nibbles.

use std::cmp::Ordering;
use std::ops::Range;

use crate::rlp::write_string;

/// The RLP of an index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Its bytes, from the highest on.
    bits: u128,
    len: u32,
}

/// What a path leads to; the number is what its compact form says of it (Yellow Paper, appendix C).
#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    Branch = 0,
    Leaf = 2,
}

/// Bits of a nibble.
const NIBBLE: u32 = 4;
/// Indices below this are their own RLP, all but 0, which is 0x80 and so comes behind them.
const SINGLE: usize = 0x80;

// === impl Key ===

impl Key {
    pub(super) fn of(index: usize) -> Self {
        let (bytes, count) = match index {
            0 => (0x80, 1),
            1..SINGLE => (index as u128, 1),
            _ => {
                let count = index.ilog2() / 8 + 1;
                ((0x80 + u128::from(count)) << (8 * count) | index as u128, count + 1)
            }
        };
        Self { bits: bytes << (u128::BITS - 8 * count), len: 2 * count }
    }

    /// The index whose key comes after `place` others, of `count`.
    pub(super) fn index(place: usize, count: usize) -> usize {
        match place.cmp(&Self::place(0, count)) {
            Ordering::Less => place + 1,
            Ordering::Equal => 0,
            Ordering::Greater => place,
        }
    }

    /// How many keys of `count` come before that of `index`.
    pub(super) fn place(index: usize, count: usize) -> usize {
        match index {
            0 => count.saturating_sub(1).min(SINGLE - 1),
            1..SINGLE => index - 1,
            _ => index,
        }
    }

    /// How many nibbles there are.
    pub(super) fn len(self) -> u32 {
        self.len
    }

    pub(super) fn nibble(self, at: u32) -> u8 {
        (self.bits << (NIBBLE * at) >> (u128::BITS - NIBBLE)) as u8
    }

    /// How many nibbles two keys have in common. None is the beginning of another.
    pub(super) fn shared(self, other: Self) -> u32 {
        (self.bits ^ other.bits).leading_zeros() / NIBBLE
    }

    /// Appends some of the nibbles in compact form, as a string item.
    pub(super) fn write_path(self, to: Node, nibbles: Range<u32>, out: &mut Vec<u8>) {
        let count = nibbles.end.saturating_sub(nibbles.start);
        let path =
            (self.bits << (NIBBLE * nibbles.start)).checked_shr(u128::BITS - NIBBLE * count).unwrap_or(0);
        let odd = count % 2;
        let flag = u128::from(to as u8) | u128::from(odd);
        let whole = (flag << (NIBBLE * (1 - odd)) << (NIBBLE * count) | path).to_be_bytes();
        let bytes = whole.get(whole.len() - (count / 2 + 1) as usize..).unwrap_or_default();
        write_string(out, bytes);
    }
}
