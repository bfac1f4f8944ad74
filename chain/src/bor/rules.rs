//! The rules of Bor's headers, by themselves and towards their parents. Who may seal them is in
//! [`producers`](super::producers).
//!
//! Source: Bor `consensus/bor/bor.go` (`verifyHeader`, `verifyCascadingFields`). Stricter than Bor: nonce, coinbase
//! and the fields that Ethereum has appended must be as Bor's own producers make them, a list in the extra data must
//! be one from Cancun on, and validator bytes and higher difficulties end with Rio.

use alloy_primitives::{Address, B256, U256};

use super::extra::Extra;
use super::span::{SPAN_LENGTH, VALIDATORS_MAX};
use super::{BorConfig, BorFork, base_fee, seal};
use crate::genesis::EMPTY_UNCLES_HASH;
use crate::header::{Header, field};
use crate::spec::{ChainSpec, Fork};
use crate::verify::Fault;

/// Fields that Ethereum has appended since Shanghai. Bor has none of them, though those forks are active there.
const FOREIGN: [(usize, &str); 5] = [
    (field::WITHDRAWALS_ROOT, "withdrawalsRoot"),
    (field::BLOB_GAS_USED, "blobGasUsed"),
    (field::EXCESS_BLOB_GAS, "excessBlobGas"),
    (field::PARENT_BEACON_ROOT, "parentBeaconBlockRoot"),
    (field::REQUESTS_HASH, "requestsHash"),
];

/// Checks what a header must keep by itself; its gas is checked already.
pub(crate) fn check_header(spec: &ChainSpec, bor: &BorConfig, header: &Header<'_>) -> Result<(), Fault> {
    let number = header.number();
    if header.field(field::MIX_HASH) != Some(B256::ZERO.as_slice()) {
        return rule("mixHash", "is not zero");
    }
    if header.field(field::NONCE) != Some([0; 8].as_slice()) {
        return rule("nonce", "is not zero");
    }
    if header.beneficiary() != Address::ZERO {
        return rule("miner", "is not zero");
    }
    if header.uncles_hash() != EMPTY_UNCLES_HASH {
        return rule("sha3Uncles", "speaks of uncles");
    }
    check_difficulty(bor, header)?;
    check_fields(spec, header)?;
    let extra = Extra::parse(header.extra_data(), spec.is_active(Fork::Cancun, number, header.timestamp()))?;
    check_extra(bor, number, &extra)?;
    seal::check_form(&extra)
}

/// Checks what a header must keep towards its parent; numbers and gas limit are checked already.
pub(crate) fn check_succession(
    spec: &ChainSpec,
    bor: &BorConfig,
    parent: &Header<'_>,
    child: &Header<'_>,
) -> Result<(), Fault> {
    check_time(bor, parent, child, 0)?;
    base_fee::check(spec, bor, parent, child)
}

/// Checks that `child` is not earlier than the producer that is `succession` turns behind the first may be.
pub(crate) fn check_time(
    bor: &BorConfig,
    parent: &Header<'_>,
    child: &Header<'_>,
    succession: u64,
) -> Result<(), Fault> {
    let expected = parent.timestamp().saturating_add(delay(bor, child.number(), succession));
    if child.timestamp() < expected {
        return Err(Fault::Number { field: "timestamp", found: child.timestamp(), expected });
    }
    Ok(())
}

/// Seconds between a block at `number` and its parent, at least.
fn delay(bor: &BorConfig, number: u64, succession: u64) -> u64 {
    let period = bor.period.at(number).unwrap_or_default();
    if bor.is_active(BorFork::Rio, number) {
        return period;
    }
    let producer = bor.producer_delay.at(number).filter(|_| bor.is_sprint_start(number)).unwrap_or(period);
    let backup = succession.saturating_mul(bor.backup_multiplier.at(number).unwrap_or_default());
    producer.saturating_add(backup).max(period)
}

fn check_difficulty(bor: &BorConfig, header: &Header<'_>) -> Result<(), Fault> {
    let found = header.difficulty();
    // The span in which Rio begins may have been made with several producers still.
    let rio = bor.fork(BorFork::Rio).map(|rio| rio.saturating_add(SPAN_LENGTH));
    let single = rio.is_some_and(|first| header.number() >= first);
    let most = if single { 1 } else { VALIDATORS_MAX as u64 };
    let nearest = found.clamp(U256::ONE, U256::from(most));
    if found == nearest {
        Ok(())
    } else {
        Err(Fault::Amount { field: "difficulty", found, expected: nearest })
    }
}

fn check_fields(spec: &ChainSpec, header: &Header<'_>) -> Result<(), Fault> {
    match (spec.is_london(header.number()), header.field(field::BASE_FEE)) {
        (true, None) => return rule("baseFeePerGas", "is absent"),
        (false, Some(_)) => return rule("baseFeePerGas", "is present before London"),
        (true, Some(bytes)) if bytes.len() > 31 || bytes.first() == Some(&0) => {
            return rule("baseFeePerGas", "has a wrong length or form");
        }
        _ => {}
    }
    match FOREIGN.iter().rev().find(|(position, _)| header.field(*position).is_some()) {
        Some((_, name)) => rule(name, "is present although Bor has none"),
        None if header.field_count() > field::BASE_FEE + 1 => rule("header", "has more fields than Bor's"),
        None => Ok(()),
    }
}

fn check_extra(bor: &BorConfig, number: u64, extra: &Extra<'_>) -> Result<(), Fault> {
    if !extra.validators.is_empty() {
        if bor.is_active(BorFork::Rio, number) {
            return rule("extraData", "has validator bytes after Rio");
        }
        if !bor.is_sprint_end(number) {
            return rule("extraData", "has validator bytes within a sprint");
        }
    }
    let complete = extra.gas_target.is_some() && extra.base_fee_denominator.is_some();
    if bor.is_active(BorFork::Giugliano, number) && !complete {
        return rule("extraData", "lacks the gas target or the base fee denominator");
    }
    Ok(())
}

fn rule(field: &'static str, rule: &'static str) -> Result<(), Fault> {
    Err(Fault::Rule { field, rule })
}
