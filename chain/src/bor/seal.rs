//! Who sealed a header.
//!
//! A producer signs the keccak of the header's first fifteen fields as a list, its extra data without the seal; from
//! Jaipur on the base fee follows them (Bor `consensus/bor/bor.go`, `encodeSigHeader`).

use alloy_primitives::{Address, B256, Keccak256, U256, uint};

use super::extra::{Extra, SEAL};
use super::{BorConfig, BorFork};
use crate::header::{Header, field};
use crate::rlp::{write_list_prefix, write_string};
use crate::sender;
use crate::verify::Fault;

/// Half of the curve's order: a seal's `s` is never above it.
const HALF_ORDER: U256 = uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);

/// The hash that the producer of `header` has signed; `None` where the extra data has no room for a seal.
pub fn seal_hash(bor: &BorConfig, header: &Header<'_>) -> Option<B256> {
    let (sealed, _) = header.extra_data().split_last_chunk::<SEAL>()?;
    let with_base_fee = bor.is_active(BorFork::Jaipur, header.number());
    let last = if with_base_fee { field::BASE_FEE } else { field::NONCE };
    let mut payload = Vec::with_capacity(header.raw().len());
    for position in field::PARENT_HASH..=last {
        match header.field(position) {
            Some(_) if position == field::EXTRA_DATA => write_string(&mut payload, sealed),
            Some(bytes) => write_string(&mut payload, bytes),
            None => break,
        }
    }
    let mut prefix = Vec::with_capacity(9);
    write_list_prefix(&mut prefix, payload.len());
    let mut hasher = Keccak256::new();
    hasher.update(&prefix);
    hasher.update(&payload);
    Some(hasher.finalize())
}

/// The address whose key sealed `header` (some 40 µs).
pub fn signer(bor: &BorConfig, header: &Header<'_>) -> Result<Address, Fault> {
    let seal = header.extra_data().last_chunk::<SEAL>();
    let hash = seal_hash(bor, header);
    let (Some(seal), Some(hash)) = (seal, hash) else {
        return Err(Fault::Rule { field: "extraData", rule: "has no room for a seal" });
    };
    let (r, rest) = seal.split_at(32);
    let (s, parity) = rest.split_at(32);
    let recovered = sender::signer(&hash, r, s, parity == [1]);
    recovered.ok_or(Fault::Rule { field: "seal", rule: "is no signature of anybody" })
}

/// Checks the form of a seal: the parity is 0 or 1, and `s` is the lower one of two.
pub fn check_form(extra: &Extra<'_>) -> Result<(), Fault> {
    let (signature, parity) = extra.seal.split_at(64);
    if !matches!(parity, [0 | 1]) {
        return Err(Fault::Rule { field: "seal", rule: "ends with a parity other than 0 and 1" });
    }
    let s = signature.get(32..).map(U256::from_be_slice).unwrap_or_default();
    if s > HALF_ORDER {
        return Err(Fault::Rule { field: "seal", rule: "is not in its canonical form" });
    }
    Ok(())
}
