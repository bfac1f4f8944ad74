//! A checkpoint in a file, signed by people.
//!
//! Each signature is ECDSA over secp256k1 in the form of EIP-191 (`personal_sign`): any Ethereum wallet can make it,
//! and the signer is recovered from it. What is signed is a text that says everything the file says:
//!
//! ```text
//! Hypasis checkpoint
//! version: 1
//! chain_id: 137
//! number: 81000000
//! hash: 0x…64 lower-case digits
//! total_difficulty: 1234567 (decimal; "none" where the file has none)
//! timestamp: 1763750000
//! ```
//!
//! with a line feed between the lines and none at the end. The hash that is signed is the keccak of byte 0x19,
//! `Ethereum Signed Message:`, a line feed, the text's length in bytes as decimal digits, and the text.

mod file;

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U256, keccak256};
use hypasis_chain::sender;
use secp256k1::{Message, Secp256k1, SecretKey};

pub use file::FILE_BYTES_MAX;

/// The only version of the file so far.
pub const VERSION: u64 = 1;
/// Most signatures of a file, and most signers of a configuration.
pub const SIGNATURES_MAX: usize = 64;
/// Bytes of a signature: r, s, and v as 27 or 28.
pub const SIGNATURE_BYTES: usize = 65;
/// `v` of an even and of an odd point (Yellow Paper, appendix F).
const V: [u8; 2] = [27, 28];
/// Half the curve's order, the highest `s` of EIP-2: the other one would be the same signature in other bytes.
const S_MAX: U256 = U256::from_be_slice(&alloy_primitives::hex!(
    "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"
));

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Height.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
    /// Total difficulty up to and with that block, where it is known.
    pub total_difficulty: Option<U256>,
    /// Seconds since the epoch when the checkpoint was made: for people; it is signed, and compared with nothing.
    pub timestamp: u64,
    /// Signatures.
    pub signatures: Vec<Signature>,
}

/// r, s, v.
pub type Signature = [u8; SIGNATURE_BYTES];

/// Who must have signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers {
    /// Their addresses.
    pub addresses: BTreeSet<Address>,
    /// How many of them.
    pub threshold: usize,
}

/// Why a file is refused. Its makers, or the configuration, are at fault; the same file fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedError {
    /// Not a checkpoint file.
    #[error("it is no checkpoint file: {0}")]
    Malformed(String),
    /// More bytes than any.
    #[error("it has more than {FILE_BYTES_MAX} bytes, which no checkpoint file has")]
    TooLarge,
    /// A newer form.
    #[error("its version is {0}; this program knows version {VERSION}")]
    Version(u64),
    /// Another chain's.
    #[error("it is for chain {found}, and this is chain {expected}")]
    Chain {
        /// What the file says.
        found: u64,
        /// The chain here.
        expected: u64,
    },
    /// A signature that nothing recovers from.
    #[error("signature {0} is none: r, s or v is out of range")]
    Signature(usize),
    /// Made by somebody else, or the content was changed.
    #[error(
        "signature {position} was made by {signer}, who is none of the configured signers; or what the file says was \
         changed after it was signed"
    )]
    Foreign {
        /// Which signature, from 1.
        position: usize,
        /// Who made it.
        signer: Address,
    },
    /// Too few of them.
    #[error("{signed} of the configured signers have signed it; {threshold} must")]
    Threshold {
        /// Different signers.
        signed: usize,
        /// How many must.
        threshold: usize,
    },
    /// No room for one more signature.
    #[error("it has {SIGNATURES_MAX} signatures already, which is the most")]
    Full,
}

// === impl SignedCheckpoint ===

impl SignedCheckpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let Self { chain_id, number, hash, timestamp, .. } = self;
        let difficulty = self.total_difficulty.map_or_else(|| "none".to_owned(), |total| total.to_string());
        format!(
            "Hypasis checkpoint\nversion: {VERSION}\nchain_id: {chain_id}\nnumber: {number}\nhash: {hash:#x}\n\
             total_difficulty: {difficulty}\ntimestamp: {timestamp}"
        )
    }

    /// The hash of that text that is signed (EIP-191, version 0x45).
    pub fn digest(&self) -> B256 {
        let text = self.text();
        keccak256(format!("\x19Ethereum Signed Message:\n{}{text}", text.len()))
    }

    /// Adds the signature of `key`; returns its address. One that is there already is not added again.
    pub fn sign(&mut self, key: &SecretKey) -> Result<Address, SignedError> {
        let message = Message::from_digest(self.digest().0);
        let (parity, compact) =
            Secp256k1::signing_only().sign_ecdsa_recoverable(message, key).serialize_compact();
        let v = if i32::from(parity) % 2 == 0 { V[0] } else { V[1] };
        let mut signature = [v; SIGNATURE_BYTES];
        signature.iter_mut().zip(compact).for_each(|(to, byte)| *to = byte);
        let signer = self.signer(&signature).ok_or(SignedError::Signature(self.signatures.len()))?;
        let known = self.signatures.iter().any(|other| self.signer(other) == Some(signer));
        if !known && self.signatures.len() >= SIGNATURES_MAX {
            return Err(SignedError::Full);
        }
        if !known {
            self.signatures.push(signature);
        }
        Ok(signer)
    }

    /// Who made each signature, in order.
    pub fn signed_by(&self) -> Result<Vec<Address>, SignedError> {
        let signer = |(place, signature): (usize, &Signature)| {
            self.signer(signature).ok_or(SignedError::Signature(place.saturating_add(1)))
        };
        self.signatures.iter().enumerate().map(signer).collect()
    }

    /// Checks chain and signatures: each must be of a configured signer, and enough different ones must have signed.
    /// Returns those, in the order of their addresses.
    pub fn verify(&self, chain_id: u64, signers: &Signers) -> Result<Vec<Address>, SignedError> {
        if self.chain_id != chain_id {
            return Err(SignedError::Chain { found: self.chain_id, expected: chain_id });
        }
        let mut signed = BTreeSet::new();
        for (place, signer) in self.signed_by()?.into_iter().enumerate() {
            if !signers.addresses.contains(&signer) {
                return Err(SignedError::Foreign { position: place.saturating_add(1), signer });
            }
            signed.insert(signer);
        }
        // Nobody at all is never enough.
        if signed.len() < signers.threshold.max(1) {
            return Err(SignedError::Threshold { signed: signed.len(), threshold: signers.threshold });
        }
        Ok(signed.into_iter().collect())
    }

    fn signer(&self, signature: &Signature) -> Option<Address> {
        let (r, rest) = signature.split_at_checked(32)?;
        let (s, v) = rest.split_at_checked(32)?;
        let odd = V.iter().position(|known| v == [*known])? == 1;
        if U256::from_be_slice(s) > S_MAX {
            return None;
        }
        sender::signer(&self.digest(), r, s, odd)
    }
}
