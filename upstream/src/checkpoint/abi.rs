//! The words of contract calls: arguments and results that are 32 bytes each, nothing of dynamic length.
//!
//! Source: Solidity's Contract ABI Specification, "Formal Specification of the Encoding"; a selector is the first four
//! bytes of the keccak of the signature.

use std::fmt::Write as _;

use alloy_primitives::{Address, B256, U256, keccak256};

use super::endpoint::EndpointError;

/// Bytes of a word.
const WORD: usize = 32;

/// Call data for `signature` as `0x…`.
pub(super) fn call(signature: &str, arguments: &[U256]) -> String {
    let mut out = String::from("0x");
    let selector = keccak256(signature);
    out.push_str(&const_hex::encode(selector.get(..4).unwrap_or_default()));
    for argument in arguments {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}", const_hex::encode(argument.to_be_bytes::<WORD>()));
    }
    out
}

/// A result's or a log's words.
pub(super) struct Words(Vec<u8>);

// === impl Words ===

impl Words {
    /// From the JSON text `"0x…"`, which must hold exactly `count` words.
    pub(super) fn from_json(json: &[u8], count: usize) -> Result<Self, EndpointError> {
        let text: &str =
            serde_json::from_slice(json).map_err(|_| EndpointError::Bad("it answers no bytes"))?;
        Self::from_hex(text, count)
    }

    /// From `0x…`, which must hold exactly `count` words.
    pub(super) fn from_hex(text: &str, count: usize) -> Result<Self, EndpointError> {
        if text == "0x" {
            return Err(EndpointError::Bad("there is no such contract: nothing answers the call"));
        }
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() == count.saturating_mul(2 * WORD));
        let digits = digits.ok_or(EndpointError::Bad("an answer of the contract has another length"))?;
        const_hex::decode(digits)
            .map(Self)
            .map_err(|_| EndpointError::Bad("an answer of the contract is no hex"))
    }

    /// A number of at most 64 bits.
    pub(super) fn uint(&self, position: usize) -> Result<u64, EndpointError> {
        u64::try_from(U256::from_be_bytes(self.word(position)?))
            .map_err(|_| EndpointError::Bad("a number of the contract has more than 64 bits"))
    }

    /// 32 bytes.
    pub(super) fn hash(&self, position: usize) -> Result<B256, EndpointError> {
        self.word(position).map(B256::from)
    }

    /// An address in the last 20 bytes.
    pub(super) fn address(&self, position: usize) -> Result<Address, EndpointError> {
        self.word(position).map(|word| Address::from_word(word.into()))
    }

    fn word(&self, position: usize) -> Result<[u8; WORD], EndpointError> {
        let start = position.saturating_mul(WORD);
        let word = self.0.get(start..start.saturating_add(WORD)).and_then(|word| word.try_into().ok());
        word.ok_or(EndpointError::Bad("an answer of the contract is too short"))
    }
}
