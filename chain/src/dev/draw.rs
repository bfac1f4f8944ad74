//! Dice that fall the same way in every process.

use alloy_primitives::B256;

/// A stream of numbers from SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixer, no state to keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw(u64);

/// Things of a block that are drawn apart, so that one can be made without the other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    /// Header fields nothing else determines.
    Header = 1,
    /// How many transactions there are.
    Count,
    /// What each transaction does and uses.
    Plan,
    /// Fields of one transaction.
    Transaction,
    /// Logs of one transaction.
    Logs,
    /// Withdrawals.
    Withdrawals,
    /// Uncles.
    Uncles,
}

// === impl Draw ===

impl Draw {
    /// No stream yet.
    pub(super) const ZERO: Self = Self(0);

    /// The stream for one thing of one block: `salt` tells forks of equal height apart.
    pub(super) fn new(seed: u64, salt: u64, number: u64, stream: Stream) -> Self {
        let start = mix(mix(mix(seed.wrapping_add(GAMMA)) ^ salt) ^ number);
        Self(mix(start ^ (stream as u64) << 56))
    }

    /// A stream of its own for the `index`th part.
    pub(super) fn part(self, index: u64) -> Self {
        Self(mix(self.0 ^ mix(index.wrapping_add(GAMMA))))
    }

    /// Sixty-four even bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub(super) fn within(&mut self, low: u64, high: u64) -> u64 {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// True once in `count` times.
    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Thirty-two even bytes.
    pub(super) fn word(&mut self) -> B256 {
        let mut word = B256::ZERO;
        for chunk in word.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.bits().to_be_bytes());
        }
        word
    }
}

/// The odd number nearest to 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
