//! Signatures at the price of a multiplication.
//!
//! ECDSA costs a curve multiplication because each signature takes a new secret `k`. The keys of this chain are
//! public anyway, so every account signs with one fixed `k`, whose point is computed once:
//! `s = k⁻¹ (z + r d) = k⁻¹ z + k⁻¹ r d` is then one multiplication and one addition modulo the group's order. The
//! signatures are valid and recover to their signer; two of them give the key away. **Never send funds to these
//! accounts on a chain that matters.**

use alloy_primitives::{Address, B256, keccak256};
use secp256k1::constants::CURVE_ORDER;
use secp256k1::{All, PublicKey, Scalar, Secp256k1, SecretKey};

use super::cast::label;

/// An account with all of its signature that does not depend on what is signed.
#[derive(Debug)]
pub(super) struct Signer {
    /// The account's address.
    pub(super) address: Address,
    /// `r`, big-endian.
    r: [u8; 32],
    /// Whether the point of `k` has an odd y.
    odd: bool,
    /// `k⁻¹`.
    inverse: SecretKey,
    /// `k⁻¹ r`.
    slope: SecretKey,
    /// `k⁻¹ r d`.
    offset: Scalar,
}

/// A signature with low `s` (EIP-2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature {
    /// The parity bit.
    pub(super) odd: bool,
    /// First half, big-endian.
    pub(super) r: [u8; 32],
    /// Second half, big-endian.
    pub(super) s: [u8; 32],
}

// === impl Signer ===

impl Signer {
    /// The `index`th account. Its key is a hash of the index.
    pub(super) fn new(index: u64) -> Self {
        let curve = Secp256k1::new();
        let secret = account(index);
        let (nonce, odd, r) = nonce(&curve, label("nonce", index));
        let inverse = invert(nonce);
        let slope = times(inverse, &r);
        Self {
            address: address(&PublicKey::from_secret_key(&curve, &secret)),
            r: r.secret_bytes(),
            odd,
            inverse,
            slope,
            offset: Scalar::from(times(slope, &secret)),
        }
    }

    /// Signs a hash.
    pub(super) fn sign(&self, hash: B256) -> Signature {
        self.finish(hash, &self.offset)
    }

    /// Signs a hash in the name of an account that exists for this one signature.
    pub(super) fn sign_as(&self, mut stranger: B256, hash: B256) -> Signature {
        // Without its top bit any number but zero is a key.
        if let Some(top) = stranger.first_mut() {
            *top &= 0x7f;
        }
        self.finish(hash, &Scalar::from(times(self.slope, &secret(stranger))))
    }

    fn finish(&self, hash: B256, offset: &Scalar) -> Signature {
        // The fallbacks would need a hash that is zero or not below the order, once in 2¹²⁸ hashes.
        let hash = Scalar::from_be_bytes(hash.0).unwrap_or(Scalar::ONE);
        let product = self.inverse.mul_tweak(&hash).unwrap_or(self.inverse);
        let s = product.add_tweak(offset).unwrap_or(self.inverse);
        if s.secret_bytes() > HALF_ORDER {
            Signature { odd: !self.odd, r: self.r, s: s.negate().secret_bytes() }
        } else {
            Signature { odd: self.odd, r: self.r, s: s.secret_bytes() }
        }
    }
}

/// Half of the group's order, rounded down: the greatest low `s`.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d,
    0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// The key of the `index`th account.
pub(super) fn account(index: u64) -> SecretKey {
    secret(label("account", index))
}

/// The first hash in the chain of hashes from `start` that is a key.
fn secret(mut start: B256) -> SecretKey {
    loop {
        match SecretKey::from_byte_array(start.0) {
            Ok(key) => return key,
            Err(_) => start = keccak256(start),
        }
    }
}

/// A `k`, the parity of its point and its `r`, from the first hash that has an `r` below the order.
fn nonce(curve: &Secp256k1<All>, mut start: B256) -> (SecretKey, bool, SecretKey) {
    loop {
        let nonce = secret(start);
        let [prefix, x @ ..] = PublicKey::from_secret_key(curve, &nonce).serialize();
        match SecretKey::from_byte_array(x) {
            Ok(r) => return (nonce, prefix == 3, r),
            Err(_) => start = keccak256(start),
        }
    }
}

/// The inverse modulo the order, as the power `order - 2` (Fermat).
fn invert(value: SecretKey) -> SecretKey {
    let mut exponent = CURVE_ORDER;
    if let Some(last) = exponent.last_mut() {
        *last -= 2;
    }
    let bits = exponent.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
    bits.skip(1).fold(value, |power, bit| {
        let square = times(power, &power);
        if bit { times(square, &value) } else { square }
    })
}

/// The product modulo the order, which is prime: neither factor is zero, so neither is the product.
fn times(a: SecretKey, b: &SecretKey) -> SecretKey {
    a.mul_tweak(&Scalar::from(*b)).unwrap_or(a)
}

fn address(key: &PublicKey) -> Address {
    let [_, point @ ..] = key.serialize_uncompressed();
    Address::from_word(keccak256(point))
}
