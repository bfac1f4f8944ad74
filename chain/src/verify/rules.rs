//! The rules of headers (level `header`), by family.
//!
//! Ethereum: Geth's `consensus/{beacon,ethash,misc}`. Left out are what only a full node or a clock can judge:
//! the seal, the difficulty's size, the distance from now. Polygon's are in [`crate::bor`]. Chains of no known family
//! are held to what every chain keeps. A fork that the spec does not know frees a header from all rules that it could
//! have changed.

use alloy_primitives::U256;

use super::Fault;
use crate::bor::{self, BorConfig};
use crate::genesis::{EMPTY_UNCLES_HASH, INITIAL_BASE_FEE};
use crate::header::{Header, field};
use crate::spec::blobs::GAS_PER_BLOB;
use crate::spec::{Activation, ChainSpec, Engine, Family, Fork};

/// Longest extra data where it is not a seal (Yellow Paper 4.3.4).
const EXTRA_DATA_MAX: usize = 32;

/// Least gas limit (Yellow Paper 4.3.4).
const GAS_LIMIT_MIN: u64 = 5_000;

/// Greatest gas limit (EIP-1985).
const GAS_LIMIT_MAX: u64 = i64::MAX as u64;

/// A gas limit moves by less than this part of its parent's.
const GAS_LIMIT_BOUND: u64 = 1_024;

/// EIP-1559: the gas limit is this many times the target, and the base fee moves by an eighth at most.
const ELASTICITY: u64 = 2;
const BASE_FEE_BOUND: u64 = 8;

/// Extra data of the ten blocks from the DAO fork on, where a chain supports it (Geth `params/dao.go`).
const DAO_EXTRA: &[u8] = b"dao-hard-fork";
const DAO_BLOCKS: u64 = 10;

/// Fields by position behind the nonce and the fork that brought them.
const OPTIONAL: [(usize, Fork, &str); 6] = [
    (field::BASE_FEE, Fork::London, "baseFeePerGas"),
    (field::WITHDRAWALS_ROOT, Fork::Shanghai, "withdrawalsRoot"),
    (field::BLOB_GAS_USED, Fork::Cancun, "blobGasUsed"),
    (field::EXCESS_BLOB_GAS, Fork::Cancun, "excessBlobGas"),
    (field::PARENT_BEACON_ROOT, Fork::Cancun, "parentBeaconBlockRoot"),
    (field::REQUESTS_HASH, Fork::Prague, "requestsHash"),
];

/// Whose rules a header is held to.
enum Rules<'a> {
    Ethereum,
    Bor(&'a BorConfig),
    Unknown,
}

// === impl Rules ===

impl<'a> Rules<'a> {
    fn at(spec: &'a ChainSpec, header: &Header<'_>) -> Self {
        match (spec.family, &spec.bor) {
            _ if !spec.is_known_at(header.number(), header.timestamp()) => Self::Unknown,
            (Family::Ethereum, _) => Self::Ethereum,
            (Family::Bor, Some(bor)) if bor.is_known_at(header.number()) => Self::Bor(bor),
            (Family::Bor | Family::Unknown, _) => Self::Unknown,
        }
    }
}

/// Checks what a header must keep by itself (part of level `header`). Block 0 keeps nothing: its hash is known.
pub fn check_header(spec: &ChainSpec, header: &Header<'_>) -> Result<(), Fault> {
    if header.number() == 0 {
        return Ok(());
    }
    at_most("gasUsed", header.gas_used(), header.gas_limit())?;
    let rules = Rules::at(spec, header);
    if matches!(rules, Rules::Unknown) {
        return Ok(());
    }
    if header.gas_limit() < GAS_LIMIT_MIN {
        return number("gasLimit", header.gas_limit(), GAS_LIMIT_MIN);
    }
    at_most("gasLimit", header.gas_limit(), GAS_LIMIT_MAX)?;
    if let Rules::Bor(bor) = rules {
        return bor::rules::check_header(spec, bor, header);
    }
    check_seal_fields(spec, header)?;
    check_optional_fields(spec, header)?;
    check_dao_extra(spec, header)
}

/// Checks what a header must keep towards its parent, besides [`check_link`](super::check_link) (part of level
/// `header`).
pub fn check_succession(spec: &ChainSpec, parent: &Header<'_>, child: &Header<'_>) -> Result<(), Fault> {
    let (height, time) = (child.number(), child.timestamp());
    match Rules::at(spec, child) {
        Rules::Ethereum => {}
        Rules::Bor(bor) => {
            bor::rules::check_succession(spec, bor, parent, child)?;
            return check_gas_limit(spec, parent, child);
        }
        Rules::Unknown => return Ok(()),
    }
    if time <= parent.timestamp() {
        return number("timestamp", time, parent.timestamp().saturating_add(1));
    }
    if parent.number() > 0 && parent.difficulty().is_zero() && !child.difficulty().is_zero() {
        return rule("difficulty", "is back after the merge");
    }
    check_gas_limit(spec, parent, child)?;
    if spec.is_london(height) {
        // A parent that should have a base fee and has none was refused by itself.
        let (found, expected) = (child.base_fee(), next_base_fee(spec, parent));
        if let (Some(found), Some(expected)) = (found, expected)
            && found != expected
        {
            return Err(Fault::Amount { field: "baseFeePerGas", found, expected });
        }
    }
    check_excess_blob_gas(spec, parent, child)
}

/// The base fee of a child of `parent` (EIP-1559); `None` where the parent has none although it should, or where
/// numbers leave 256 bits.
fn next_base_fee(spec: &ChainSpec, parent: &Header<'_>) -> Option<U256> {
    if !spec.is_london(parent.number()) {
        return Some(U256::from(INITIAL_BASE_FEE));
    }
    let base_fee = parent.base_fee()?;
    let target = parent.gas_limit() / ELASTICITY;
    let distance = U256::from(parent.gas_used().abs_diff(target));
    let moved = base_fee.checked_mul(distance)?.checked_div(U256::from(target))? / U256::from(BASE_FEE_BOUND);
    match parent.gas_used().cmp(&target) {
        std::cmp::Ordering::Equal => Some(base_fee),
        std::cmp::Ordering::Greater => base_fee.checked_add(moved.max(U256::ONE)),
        std::cmp::Ordering::Less => base_fee.checked_sub(moved),
    }
}

/// Difficulty, nonce, uncles and extra data: what proof of stake has emptied (EIP-3675).
fn check_seal_fields(spec: &ChainSpec, header: &Header<'_>) -> Result<(), Fault> {
    let length = |position| header.field(position).map(<[u8]>::len);
    if length(field::MIX_HASH) != Some(32) {
        return rule("mixHash", "has not 32 bytes");
    }
    if length(field::NONCE) != Some(8) {
        return rule("nonce", "has not 8 bytes");
    }
    let staked = header.difficulty().is_zero();
    if !staked && spec.is_merged(header.number(), header.timestamp()) {
        return rule("difficulty", "is not zero after the merge");
    }
    if staked && spec.merge_block.is_some_and(|merge| header.number() < merge) {
        return rule("difficulty", "is zero before the merge");
    }
    if staked && header.field(field::NONCE).is_some_and(|nonce| nonce.iter().any(|byte| *byte != 0)) {
        return rule("nonce", "is not zero after the merge");
    }
    if staked && header.uncles_hash() != EMPTY_UNCLES_HASH {
        return rule("sha3Uncles", "speaks of uncles after the merge");
    }
    if (staked || spec.engine == Engine::Ethash) && header.extra_data().len() > EXTRA_DATA_MAX {
        return rule("extraData", "is longer than 32 bytes");
    }
    Ok(())
}

/// The fields that forks have appended: each there from its fork on, none before.
fn check_optional_fields(spec: &ChainSpec, header: &Header<'_>) -> Result<(), Fault> {
    let (height, time) = (header.number(), header.timestamp());
    let mut expected = field::BASE_FEE;
    for (position, fork, name) in OPTIONAL {
        let active = spec.is_active(fork, height, time);
        match (active, header.field(position)) {
            (true, None) => return rule(name, "is absent"),
            (false, Some(_)) => return rule(name, "is present before its fork"),
            (true, Some(bytes)) => check_form(position, name, bytes)?,
            (false, None) => {}
        }
        expected = if active { position.saturating_add(1) } else { expected };
    }
    if header.field_count() > expected {
        return rule("header", "has more fields than its fork");
    }
    let (Some(params), Some(used)) = (spec.blob_params(height, time), header.blob_gas_used()) else {
        return Ok(());
    };
    at_most("blobGasUsed", used, params.max.saturating_mul(GAS_PER_BLOB))?;
    if used % GAS_PER_BLOB != 0 {
        return rule("blobGasUsed", "is no whole number of blobs");
    }
    Ok(())
}

/// Parsing takes any string behind the nonce, since families differ there.
fn check_form(position: usize, name: &'static str, bytes: &[u8]) -> Result<(), Fault> {
    let integer = |size: usize| bytes.len() <= size && bytes.first() != Some(&0);
    let fits = match position {
        field::BASE_FEE => integer(31),
        field::BLOB_GAS_USED | field::EXCESS_BLOB_GAS => integer(8),
        _ => bytes.len() == 32,
    };
    if fits { Ok(()) } else { rule(name, "has a wrong length or form") }
}

fn check_dao_extra(spec: &ChainSpec, header: &Header<'_>) -> Result<(), Fault> {
    let Some(Activation::Block(first)) = spec.forks.activation(Fork::Dao) else { return Ok(()) };
    // Only the chain that took the fork is known to have taken it.
    let taken = spec.chain_id == 1;
    let within = header.number().checked_sub(first).is_some_and(|offset| offset < DAO_BLOCKS);
    if taken && within && header.extra_data() != DAO_EXTRA {
        return rule("extraData", "is not that of the DAO fork");
    }
    Ok(())
}

fn check_gas_limit(spec: &ChainSpec, parent: &Header<'_>, child: &Header<'_>) -> Result<(), Fault> {
    let at_london = spec.is_london(child.number()) && !spec.is_london(parent.number());
    let base = parent.gas_limit().saturating_mul(if at_london { ELASTICITY } else { 1 });
    if child.gas_limit().abs_diff(base) >= base / GAS_LIMIT_BOUND {
        return number("gasLimit", child.gas_limit(), base);
    }
    Ok(())
}

fn check_excess_blob_gas(spec: &ChainSpec, parent: &Header<'_>, child: &Header<'_>) -> Result<(), Fault> {
    let (height, time) = (child.number(), child.timestamp());
    let (Some(params), Some(found)) = (spec.blob_params(height, time), child.excess_blob_gas()) else {
        return Ok(());
    };
    let excess = parent.excess_blob_gas().unwrap_or_default();
    let used = parent.blob_gas_used().unwrap_or_default();
    let reserve = if spec.is_osaka(height, time) { parent.base_fee() } else { None };
    match params.next_excess(excess, used, reserve) {
        Some(expected) if expected != found => number("excessBlobGas", found, expected),
        _ => Ok(()),
    }
}

fn at_most(field: &'static str, found: u64, expected: u64) -> Result<(), Fault> {
    if found > expected { number(field, found, expected) } else { Ok(()) }
}

fn number(field: &'static str, found: u64, expected: u64) -> Result<(), Fault> {
    Err(Fault::Number { field, found, expected })
}

fn rule(field: &'static str, rule: &'static str) -> Result<(), Fault> {
    Err(Fault::Rule { field, rule })
}
