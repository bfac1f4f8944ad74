//! What a block says without writing it down: prices, addresses of new contracts, places of logs.

use alloy_primitives::{Address, U256, keccak256};

use crate::rlp::{write_list, write_string, write_uint};
use crate::transaction::Fields;

/// Gas that one blob takes (EIP-4844, `GAS_PER_BLOB`).
pub const GAS_PER_BLOB: u64 = 1 << 17;

/// What a transaction pays for a unit of gas: `min(tip + base fee, fee cap)` where it names a tip (EIP-1559), its
/// gas price otherwise.
pub fn effective_gas_price(fields: &Fields<'_>, base_fee: Option<U256>) -> U256 {
    // Prices of less than 18 ether a unit are read without the arithmetic of long numbers.
    let number = |bytes: Option<&[u8]>| match bytes.unwrap_or_default() {
        short if short.len() <= 8 => {
            U256::from(short.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
        }
        long => U256::try_from_be_slice(long).unwrap_or_default(),
    };
    match (fields.gas_price, base_fee) {
        (Some(price), _) => number(Some(price)),
        (None, None) => number(fields.max_fee),
        (None, Some(base)) => {
            number(fields.max_priority_fee).saturating_add(base).min(number(fields.max_fee))
        }
    }
}

/// The chain that a legacy transaction with this `v` is bound to (EIP-155); `None` if to none. Zero counts as
/// none, as in Geth.
pub fn legacy_chain_id(v: &[u8]) -> Option<U256> {
    let above: U256 = U256::try_from_be_slice(v)?.checked_sub(U256::from(35))? >> 1_u8;
    (!above.is_zero()).then_some(above)
}

/// Where `sender`'s transaction with this nonce creates its contract (Yellow Paper, section 7).
pub fn contract_address(sender: &Address, nonce: u64) -> Address {
    let mut payload = Vec::with_capacity(30);
    write_string(&mut payload, sender.as_slice());
    write_uint(&mut payload, nonce);
    let mut list = Vec::with_capacity(31);
    write_list(&mut list, &payload);
    Address::from_word(keccak256(list))
}
