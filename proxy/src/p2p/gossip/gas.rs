//! Gas that a transaction uses before it does anything.

use hypasis_chain::rlp::{Item, RlpError};
use hypasis_chain::transaction::Fields;

/// Base price of a transaction (Yellow Paper `G_transaction`), and of one that creates a contract (EIP-2).
const TRANSACTION: u64 = 21_000;
const CREATION: u64 = 53_000;
/// A byte of input: zero; other, before and since EIP-2028.
const ZERO_BYTE: u64 = 4;
const BYTE_FRONTIER: u64 = 68;
const BYTE: u64 = 16;
/// A word of init code (EIP-3860).
const INIT_CODE_WORD: u64 = 2;
/// An entry and a key of an access list (EIP-2930).
const LISTED_ADDRESS: u64 = 2_400;
const LISTED_KEY: u64 = 1_900;
/// An authorization (EIP-7702 `PER_EMPTY_ACCOUNT_COST`).
const AUTHORIZATION: u64 = 25_000;
/// The floor under input (EIP-7623): a token is a quarter of a byte, a zero byte is one token.
const FLOOR_TOKEN: u64 = 10;
const TOKENS_OF_BYTE: u64 = 4;

/// Which prices hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prices {
    pub(super) homestead: bool,
    pub(super) istanbul: bool,
    pub(super) shanghai: bool,
    pub(super) prague: bool,
}

/// Intrinsic gas or, from Prague on, the floor under it, whichever is more. Numbers stay small: input and
/// lists are bounded by the transaction's size.
pub(super) fn needed(fields: &Fields<'_>, prices: &Prices) -> Result<u64, RlpError> {
    let creates = fields.to.is_none();
    let (zeros, others) = bytes_of(fields.input);
    let byte = if prices.istanbul { BYTE } else { BYTE_FRONTIER };
    let mut gas = if creates && prices.homestead { CREATION } else { TRANSACTION };
    gas = gas.saturating_add(zeros.saturating_mul(ZERO_BYTE)).saturating_add(others.saturating_mul(byte));
    if creates && prices.shanghai {
        gas = gas.saturating_add(zeros.saturating_add(others).div_ceil(32).saturating_mul(INIT_CODE_WORD));
    }
    if let Some(list) = fields.access_list {
        gas = gas.saturating_add(access_list(list)?);
    }
    if let Some(authorizations) = fields.authorizations {
        let count = authorizations.items()?.count() as u64;
        gas = gas.saturating_add(count.saturating_mul(AUTHORIZATION));
    }
    let tokens = zeros.saturating_add(others.saturating_mul(TOKENS_OF_BYTE));
    let floor = TRANSACTION.saturating_add(tokens.saturating_mul(FLOOR_TOKEN));
    Ok(if prices.prague { gas.max(floor) } else { gas })
}

/// `[[address, [key…]]…]`
fn access_list(list: Item<'_>) -> Result<u64, RlpError> {
    let mut gas = 0_u64;
    for entry in list.items()? {
        let mut entry = entry?.items()?;
        entry.field("address")?.fixed::<20>("address")?;
        gas = gas.saturating_add(LISTED_ADDRESS);
        for key in entry.field("storageKeys")?.items()? {
            key?.fixed::<32>("storageKeys")?;
            gas = gas.saturating_add(LISTED_KEY);
        }
        if !entry.rest().is_empty() {
            return Err(RlpError::Trailing);
        }
    }
    Ok(gas)
}

fn bytes_of(input: &[u8]) -> (u64, u64) {
    let zeros = input.iter().filter(|byte| **byte == 0).count() as u64;
    (zeros, (input.len() as u64).saturating_sub(zeros))
}
