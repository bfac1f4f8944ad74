//! What follows from the parent's gas: base fee and excess blob gas.

use super::forks::DevFork;
use crate::spec::BlobParams;
use crate::spec::blobs::GAS_PER_BLOB;

/// Base fee of the first block of London and of a genesis block, in wei (EIP-1559).
pub(super) const BASE_FEE_INITIAL: u64 = 1_000_000_000;
/// Execution gas that a blob's price must pay for at least (EIP-7918).
const BLOB_BASE_COST: u64 = 1 << 13;
/// EIP-1559: a block is full at twice its target, and moves the base fee by at most an eighth.
const ELASTICITY: u64 = 2;
const CHANGE_DENOMINATOR: u128 = 8;

/// Base fee of the block after one with these values (EIP-1559).
pub(super) fn next_base_fee(base_fee: u64, gas_used: u64, gas_limit: u64) -> u64 {
    let target = (gas_limit / ELASTICITY).max(1);
    let distance = u128::from(gas_used.abs_diff(target));
    let change = u128::from(base_fee) * distance / u128::from(target) / CHANGE_DENOMINATOR;
    let change = u64::try_from(change).unwrap_or(u64::MAX);
    match gas_used.cmp(&target) {
        std::cmp::Ordering::Equal => base_fee,
        std::cmp::Ordering::Greater => base_fee.saturating_add(change.max(1)),
        std::cmp::Ordering::Less => base_fee.saturating_sub(change),
    }
}

/// Excess blob gas of a block of `fork` whose parent has these values (EIP-4844, since Osaka EIP-7918).
pub(super) fn next_excess_blob_gas(fork: DevFork, excess: u64, blob_gas_used: u64, base_fee: u64) -> u64 {
    let Some(params) = fork.blobs() else { return 0 };
    let gas = excess.saturating_add(blob_gas_used);
    let target = params.target * GAS_PER_BLOB;
    if gas < target {
        return 0;
    }
    if fork >= DevFork::Osaka {
        let floor = u128::from(BLOB_BASE_COST) * u128::from(base_fee);
        if floor > u128::from(GAS_PER_BLOB) * u128::from(blob_base_fee(params, excess)) {
            return excess.saturating_add(blob_gas_used * (params.max - params.target) / params.max);
        }
    }
    gas - target
}

/// Price of a unit of blob gas in wei: `e^(excess / fraction)` by the integer series of EIP-4844. The same as the
/// spec's, but each block asks, and on this chain all numbers fit 128 bits.
pub(super) fn blob_base_fee(params: BlobParams, excess: u64) -> u64 {
    let (excess, fraction) = (u128::from(excess), u128::from(params.base_fee_update_fraction));
    let mut sum = 0_u128;
    let mut term = fraction;
    let mut step = 1_u128;
    while term > 0 {
        sum = sum.saturating_add(term);
        term = term.saturating_mul(excess) / (fraction * step);
        step += 1;
    }
    u64::try_from(sum / fraction).unwrap_or(u64::MAX)
}
