//! Extra data of Bor's headers: 32 bytes of the producer's own, what the era brings, 65 bytes of seal.
//!
//! In the middle stand validator bytes, 40 for each validator: its address and its power as 20 bytes. They are there
//! at sprint ends until Rio. Before Cancun they stand bare; from Cancun on the middle is the list
//! `[validator bytes, [[transaction, …], …], gas target, base fee denominator]`, whose last two came with Giugliano
//! (Bor `core/types/block.go`). What follows them belongs to later forks.

use alloy_primitives::Address;

use super::span::{Producer, VALIDATORS_MAX};
use crate::rlp::{Item, RlpError};
use crate::verify::Fault;

/// Bytes in front that a producer may fill as it likes.
pub const VANITY: usize = 32;

/// Bytes of the seal at the end: r, s, and the parity of y.
pub const SEAL: usize = 65;

/// Longest extra data that is looked at: dependencies of thousands of transactions take some 100 KiB.
pub const EXTRA_DATA_MAX: usize = 1 << 20;

/// Bytes of one validator.
const VALIDATOR: usize = 40;

/// The parts of a header's extra data.
#[derive(Clone, Copy, Debug)]
pub struct Extra<'a> {
    /// What the seal is made over: all but the seal.
    pub sealed: &'a [u8],
    /// Validator bytes, as they stand there.
    pub validators: &'a [u8],
    /// Giugliano: gas that a block should use.
    pub gas_target: Option<u64>,
    /// Giugliano: how slowly the base fee moves.
    pub base_fee_denominator: Option<u64>,
    /// r ‖ s ‖ parity.
    pub seal: &'a [u8; SEAL],
}

// === impl Extra ===

impl<'a> Extra<'a> {
    /// Reads extra data; `list` tells whether the middle is a list (from Cancun on).
    pub fn parse(bytes: &'a [u8], list: bool) -> Result<Self, Fault> {
        if bytes.len() > EXTRA_DATA_MAX {
            return fault("is longer than any real one");
        }
        let parts = bytes.split_last_chunk::<SEAL>().filter(|(sealed, _)| sealed.len() >= VANITY);
        let Some((sealed, seal)) = parts else {
            return fault("has no room for 32 bytes of vanity and 65 of seal");
        };
        let middle = sealed.get(VANITY..).unwrap_or_default();
        let mut extra =
            Self { sealed, validators: middle, gas_target: None, base_fee_denominator: None, seal };
        if list {
            extra.read(middle).map_err(|error| Fault::Malformed { part: "extraData", error })?;
        }
        if !extra.validators.len().is_multiple_of(VALIDATOR)
            || extra.validators.len() / VALIDATOR > VALIDATORS_MAX
        {
            return fault("has validator bytes that are no list of validators");
        }
        Ok(extra)
    }

    /// The validators that its bytes name, in their order; empty if there are none.
    pub fn producers(&self) -> Vec<Producer> {
        self.validators.chunks_exact(VALIDATOR).filter_map(producer).collect()
    }

    fn read(&mut self, middle: &'a [u8]) -> Result<(), RlpError> {
        let mut items = Item::parse(middle)?.items()?;
        self.validators = items.field("validatorBytes")?.string()?;
        for transaction in items.field("txDependency")?.items()? {
            for index in transaction?.items()? {
                index?.uint("txDependency")?;
            }
        }
        let mut optional = |field| items.next().map(|item| item?.uint(field)).transpose();
        self.gas_target = optional("gasTarget")?;
        self.base_fee_denominator = optional("baseFeeChangeDenominator")?;
        Ok(())
    }
}

/// The bytes of `producers` as a header carries them at a sprint's end.
pub fn validator_bytes(producers: &[Producer]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(producers.len().saturating_mul(VALIDATOR));
    for producer in producers {
        bytes.extend_from_slice(producer.signer.as_slice());
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&producer.power.to_be_bytes());
    }
    bytes
}

fn producer(bytes: &[u8]) -> Option<Producer> {
    let (signer, power) = bytes.split_at_checked(20)?;
    let power = power.last_chunk::<8>()?;
    Some(Producer { signer: Address::try_from(signer).ok()?, power: u64::from_be_bytes(*power) })
}

fn fault<T>(rule: &'static str) -> Result<T, Fault> {
    Err(Fault::Rule { field: "extraData", rule })
}
