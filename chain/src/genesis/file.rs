//! The JSON of a genesis file: Geth's `core.Genesis` and `types.Account`.

use std::collections::BTreeMap;
use std::fmt;

use alloy_primitives::{Address, B256, U256};
use serde::de::{self, Deserializer, Visitor};
use serde_json::{Map, Value};

use super::GenesisHeader;
use crate::spec::SpecError;

/// Largest file that is read: mainnet's own is under 1 MiB.
const GENESIS_FILE_MAX: usize = 64 << 20;

/// A genesis file.
#[derive(Clone, Debug)]
pub struct GenesisFile {
    /// The `config` section as it stands.
    pub config: Map<String, Value>,
    /// The header's fields that the file gives.
    pub header: GenesisHeader,
    /// Accounts with which the chain starts.
    pub alloc: BTreeMap<Address, Account>,
    /// Whether the file wants something that is not known here, so that block 0 cannot be built.
    pub is_beyond_known: bool,
}

/// An account with which a chain starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Account {
    /// Wei.
    #[serde(deserialize_with = "quantity256")]
    pub balance: U256,
    /// Counter.
    #[serde(default, deserialize_with = "quantity")]
    pub nonce: u64,
    /// Contract code.
    #[serde(default, deserialize_with = "bytes")]
    pub code: Vec<u8>,
    /// Storage.
    #[serde(default, deserialize_with = "storage")]
    pub storage: BTreeMap<B256, B256>,
}

/// The file as written.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    config: Map<String, Value>,
    #[serde(default, deserialize_with = "quantity")]
    nonce: u64,
    #[serde(default, deserialize_with = "quantity")]
    timestamp: u64,
    #[serde(default, deserialize_with = "bytes")]
    extra_data: Vec<u8>,
    #[serde(deserialize_with = "quantity")]
    gas_limit: u64,
    #[serde(deserialize_with = "quantity256")]
    difficulty: U256,
    #[serde(default, alias = "mixhash")]
    mix_hash: B256,
    #[serde(default)]
    coinbase: Address,
    #[serde(deserialize_with = "alloc")]
    alloc: BTreeMap<Address, Account>,
    #[serde(default, deserialize_with = "quantity")]
    number: u64,
    #[serde(default, deserialize_with = "quantity")]
    gas_used: u64,
    #[serde(default)]
    parent_hash: B256,
    base_fee_per_gas: Option<Quantity>,
    excess_blob_gas: Option<Quantity>,
    blob_gas_used: Option<Quantity>,
    slot_number: Option<Quantity>,
}

// === impl GenesisFile ===

impl GenesisFile {
    /// Reads a file's text.
    pub fn parse(text: &[u8]) -> Result<Self, SpecError> {
        if text.len() > GENESIS_FILE_MAX {
            return Err(SpecError::Genesis(format!("longer than {GENESIS_FILE_MAX} bytes")));
        }
        let raw: Raw = serde_json::from_slice(text).map_err(|error| SpecError::Genesis(error.to_string()))?;
        let blob_gas = raw.excess_blob_gas.or(raw.blob_gas_used).map(|_| {
            let short = |quantity: Option<Quantity>| u64::try_from(quantity.unwrap_or_default().0);
            Ok((short(raw.blob_gas_used)?, short(raw.excess_blob_gas)?))
        });
        let blob_gas = blob_gas.transpose().map_err(|_: alloy_primitives::ruint::FromUintError<u64>| {
            SpecError::Genesis("blob gas has more than 64 bits".to_owned())
        })?;
        let binary = ["enableUBTAtGenesis", "enableVerkleAtGenesis"]
            .iter()
            .any(|key| raw.config.get(*key).is_some_and(|on| on == &Value::Bool(true)));
        let header = GenesisHeader {
            parent_hash: raw.parent_hash,
            coinbase: raw.coinbase,
            state_root: B256::ZERO,
            difficulty: raw.difficulty,
            number: raw.number,
            gas_limit: raw.gas_limit,
            gas_used: raw.gas_used,
            timestamp: raw.timestamp,
            extra_data: raw.extra_data,
            mix_hash: raw.mix_hash,
            nonce: raw.nonce,
            base_fee: raw.base_fee_per_gas.map(|quantity| quantity.0),
            withdrawals: false,
            blob_gas,
            requests: false,
        };
        let is_beyond_known = binary || raw.slot_number.is_some();
        Ok(Self { config: raw.config, header, alloc: raw.alloc, is_beyond_known })
    }
}

/// A number as Geth takes it: bare, or quoted in decimal or with `0x` in hex.
#[derive(Clone, Copy, Debug, Default)]
struct Quantity(U256);

impl<'de> de::Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or one in a string, decimal or 0x-hex")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
                Ok(Quantity(U256::from(value)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                    Some(digits) => (digits, 16),
                    None => (text, 10),
                };
                if digits.is_empty() && text.is_empty() {
                    return Ok(Quantity(U256::ZERO));
                }
                let value = U256::from_str_radix(digits, radix);
                value.map(Quantity).map_err(|_| E::custom(format_args!("`{text}` is no number of 256 bits")))
            }
        }
        input.deserialize_any(Form)
    }
}

fn quantity256<'de, D: Deserializer<'de>>(input: D) -> Result<U256, D::Error> {
    <Quantity as de::Deserialize>::deserialize(input).map(|quantity| quantity.0)
}

fn quantity<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    let value: Option<Quantity> = de::Deserialize::deserialize(input)?;
    u64::try_from(value.unwrap_or_default().0).map_err(|_| de::Error::custom("more than 64 bits"))
}

fn bytes<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u8>, D::Error> {
    let text: Option<String> = de::Deserialize::deserialize(input)?;
    const_hex::decode(text.unwrap_or_default()).map_err(de::Error::custom)
}

/// Addresses come with and without `0x`.
fn alloc<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<Address, Account>, D::Error> {
    let raw: BTreeMap<String, Account> = de::Deserialize::deserialize(input)?;
    let mut alloc = BTreeMap::new();
    for (address, account) in raw {
        let bytes: [u8; 20] = const_hex::decode_to_array(&address).map_err(de::Error::custom)?;
        if alloc.insert(Address::from(bytes), account).is_some() {
            return Err(de::Error::custom(format_args!("account {address} comes twice")));
        }
    }
    Ok(alloc)
}

/// Keys and values may be shorter than 32 bytes.
fn storage<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<B256, B256>, D::Error> {
    let raw: Option<BTreeMap<String, String>> = de::Deserialize::deserialize(input)?;
    let mut storage = BTreeMap::new();
    for (key, value) in raw.unwrap_or_default() {
        if storage.insert(word(&key)?, word(&value)?).is_some() {
            return Err(de::Error::custom(format_args!("storage slot {key} comes twice")));
        }
    }
    Ok(storage)
}

fn word<E: de::Error>(text: &str) -> Result<B256, E> {
    let bytes = const_hex::decode(text).map_err(E::custom)?;
    if bytes.len() > 32 {
        return Err(E::custom("more than 32 bytes"));
    }
    Ok(B256::left_padding_from(&bytes))
}
