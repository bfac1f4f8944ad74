//! What blobs cost: EIP-4844 with the schedule of EIP-7840 and EIP-7892.

use alloy_primitives::U256;

use super::forks::{Fork, Forks};

/// Gas of one blob.
pub const GAS_PER_BLOB: u64 = 1 << 17;

/// EIP-7918: execution gas whose price the blob price shall not fall far below.
const BLOB_BASE_COST: u64 = 1 << 13;

/// A fork's entry of the blob schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobParams {
    /// Blobs a block that leave the price as it is.
    pub target: u64,
    /// Most blobs of a block.
    pub max: u64,
    /// How slowly the price moves.
    pub base_fee_update_fraction: u64,
}

/// The entries by fork.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobSchedule {
    entries: Vec<(Fork, BlobParams)>,
}

/// Forks that may change the schedule, latest first.
const BLOB_FORKS: [Fork; 8] =
    [Fork::Bpo5, Fork::Bpo4, Fork::Bpo3, Fork::Bpo2, Fork::Bpo1, Fork::Osaka, Fork::Prague, Fork::Cancun];

// === impl BlobParams ===

impl BlobParams {
    const fn new(target: u64, max: u64, base_fee_update_fraction: u64) -> Self {
        Self { target, max, base_fee_update_fraction }
    }

    /// Mainnet's entry, which stands in where a genesis file has none; Osaka goes on with Prague's. Nobody has
    /// fixed any for the forks after BPO2.
    pub fn by_default(fork: Fork) -> Option<Self> {
        Some(match fork {
            Fork::Cancun => Self::new(3, 6, 3_338_477),
            Fork::Prague | Fork::Osaka => Self::new(6, 9, 5_007_716),
            Fork::Bpo1 => Self::new(10, 15, 8_346_193),
            Fork::Bpo2 => Self::new(14, 21, 11_684_671),
            _ => return None,
        })
    }

    /// Price of a unit of blob gas in wei; `None` where it would not fit 256 bits, which no real chain comes
    /// near.
    pub fn base_fee(&self, excess_blob_gas: u64) -> Option<U256> {
        fake_exponential(U256::ONE, U256::from(excess_blob_gas), U256::from(self.base_fee_update_fraction))
    }

    /// The excess that follows a parent with `excess` and `used` blob gas. `reserve` is the parent's base fee
    /// from Osaka on (EIP-7918). `None` where numbers leave their range.
    pub fn next_excess(&self, excess: u64, used: u64, reserve: Option<U256>) -> Option<u64> {
        let target = self.target.checked_mul(GAS_PER_BLOB)?;
        let sum = excess.checked_add(used)?;
        if sum < target {
            return Some(0);
        }
        if let Some(base_fee) = reserve {
            let floor = base_fee.checked_mul(U256::from(BLOB_BASE_COST))?;
            let price = self.base_fee(excess)?.checked_mul(U256::from(GAS_PER_BLOB))?;
            if floor > price {
                let above = self.max.checked_sub(self.target)?;
                return excess.checked_add(used.checked_mul(above)?.checked_div(self.max)?);
            }
        }
        sum.checked_sub(target)
    }
}

// === impl BlobSchedule ===

impl BlobSchedule {
    /// A schedule with these entries; for other forks the defaults hold.
    pub fn new(entries: impl IntoIterator<Item = (Fork, BlobParams)>) -> Self {
        Self { entries: entries.into_iter().collect() }
    }

    /// The entry that holds at that height and time. `None` before blobs, and where the active fork has no entry
    /// and no default.
    pub fn at(&self, forks: &Forks, number: u64, time: u64) -> Option<BlobParams> {
        let fork = BLOB_FORKS.into_iter().find(|fork| forks.is_active(*fork, number, time))?;
        self.entry(fork)
    }

    fn entry(&self, fork: Fork) -> Option<BlobParams> {
        let own = |fork| self.entries.iter().find(|(entry, _)| *entry == fork).map(|(_, params)| *params);
        own(fork)
            .or_else(|| (fork == Fork::Osaka).then(|| own(Fork::Prague)).flatten())
            .or_else(|| BlobParams::by_default(fork))
    }
}

/// `factor × e^(numerator / denominator)` by the Taylor series of EIP-4844, `None` on overflow or a zero
/// denominator.
pub fn fake_exponential(factor: U256, numerator: U256, denominator: U256) -> Option<U256> {
    let mut sum = U256::ZERO;
    let mut term = factor.checked_mul(denominator)?;
    let mut i = U256::ONE;
    while !term.is_zero() {
        sum = sum.checked_add(term)?;
        term = term.checked_mul(numerator)?.checked_div(denominator.checked_mul(i)?)?;
        i = i.checked_add(U256::ONE)?;
    }
    sum.checked_div(denominator)
}
