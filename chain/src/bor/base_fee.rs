//! How Bor's base fee follows from its parent: EIP-1559 with parameters of Bor's own forks.
//!
//! Source: Bor `consensus/misc/eip1559/eip1559.go`, `params/protocol_params.go`. Until Lisovo it is exact; since then
//! each producer may set it, within 5 % of the parent's. Chicago (PIP-88) changes what instructions cost, Valencia what
//! state syncs may take: headers are checked as before.

use std::cmp::Ordering;

use alloy_primitives::U256;

use super::{BorConfig, BorFork};
use crate::genesis::INITIAL_BASE_FEE;
use crate::header::Header;
use crate::spec::ChainSpec;
use crate::verify::Fault;

/// Part of the gas limit that a block should use: half of it, from Dandeli on 65 of 100.
const TARGET_HALF: (u64, u64) = (1, 2);
const TARGET_DANDELI: (u64, u64) = (65, 100);

/// Most that the base fee moves from Lisovo on, in parts of a hundred.
const CHANGE_PERCENT_MAX: u64 = 5;

/// Checks the base fee of `child`, which has one.
pub fn check(
    spec: &ChainSpec,
    bor: &BorConfig,
    parent: &Header<'_>,
    child: &Header<'_>,
) -> Result<(), Fault> {
    let Some(found) = child.base_fee() else { return Ok(()) };
    let before = parent.base_fee().filter(|_| spec.is_london(parent.number()));
    if let Some(before) = before.filter(|_| bor.is_active(BorFork::Lisovo, child.number())) {
        return within(found, before);
    }
    match next(bor, parent, before) {
        Some(expected) if expected != found => Err(Fault::Amount { field: "baseFeePerGas", found, expected }),
        _ => Ok(()),
    }
}

/// The base fee of a child of `parent`, whose own is `before`; `None` where numbers leave 256 bits.
fn next(bor: &BorConfig, parent: &Header<'_>, before: Option<U256>) -> Option<U256> {
    let Some(before) = before else { return Some(U256::from(INITIAL_BASE_FEE)) };
    let target = target(bor, parent);
    let distance = U256::from(parent.gas_used().abs_diff(target));
    let moved = before.checked_mul(distance)?.checked_div(U256::from(target))?;
    let moved = moved / U256::from(denominator(bor, parent.number()));
    match parent.gas_used().cmp(&target) {
        Ordering::Equal => Some(before),
        Ordering::Greater => before.checked_add(moved.max(U256::ONE)),
        Ordering::Less => Some(before.saturating_sub(moved)),
    }
}

fn within(found: U256, before: U256) -> Result<(), Fault> {
    let most = before.saturating_mul(U256::from(CHANGE_PERCENT_MAX)) / U256::from(100);
    let most = most.max(U256::ONE);
    let (lowest, highest) = (before.saturating_sub(most), before.saturating_add(most));
    let nearest = found.clamp(lowest, highest);
    if nearest == found {
        Ok(())
    } else {
        Err(Fault::Amount { field: "baseFeePerGas", found, expected: nearest })
    }
}

fn target(bor: &BorConfig, parent: &Header<'_>) -> u64 {
    let dandeli = bor.is_active(BorFork::Dandeli, parent.number());
    let (part, whole) = if dandeli { TARGET_DANDELI } else { TARGET_HALF };
    // The gas limit is below 2^63, so the product fits 128 bits.
    let target = u128::from(parent.gas_limit()) * u128::from(part) / u128::from(whole);
    u64::try_from(target).unwrap_or(u64::MAX)
}

/// How slowly the base fee moves behind a parent at that height.
pub fn denominator(bor: &BorConfig, parent: u64) -> u64 {
    if bor.is_active(BorFork::Bhilai, parent) {
        64
    } else if bor.is_active(BorFork::Delhi, parent) {
        16
    } else {
        8
    }
}
