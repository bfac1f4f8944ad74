//! A block header by position.
//!
//! Fifteen fields since Frontier, up to 24 on Avalanche, and on AuRa chains a step and a seal where others have
//! mix hash and nonce. So only what every family shares is checked on parsing; the rest stays bytes until asked.

use alloy_primitives::{Address, B256, Bloom, U256, keccak256};

use crate::keccak::{Message, hash_all};
use crate::rlp::{Item, RlpError};

/// More fields than any known chain's header (Avalanche Granite: 24).
pub const HEADER_FIELDS_MAX: usize = 32;

/// A header's bytes with the places of its fields.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    raw: &'a [u8],
    fields: [&'a [u8]; HEADER_FIELDS_MAX],
    count: usize,
    number: u64,
    gas_limit: u64,
    gas_used: u64,
    timestamp: u64,
}

/// Positions of the fields, as in the Yellow Paper and the EIPs that appended some.
pub mod field {
    /// Hash of the parent's header.
    pub const PARENT_HASH: usize = 0;
    /// Keccak of the RLP list of uncles.
    pub const UNCLES_HASH: usize = 1;
    /// Beneficiary, `miner` in JSON.
    pub const BENEFICIARY: usize = 2;
    /// State root.
    pub const STATE_ROOT: usize = 3;
    /// Transactions root.
    pub const TRANSACTIONS_ROOT: usize = 4;
    /// Receipts root.
    pub const RECEIPTS_ROOT: usize = 5;
    /// Logs bloom, 256 bytes.
    pub const LOGS_BLOOM: usize = 6;
    /// Difficulty; zero after the merge.
    pub const DIFFICULTY: usize = 7;
    /// Height.
    pub const NUMBER: usize = 8;
    /// Gas limit.
    pub const GAS_LIMIT: usize = 9;
    /// Gas used.
    pub const GAS_USED: usize = 10;
    /// Seconds since the epoch.
    pub const TIMESTAMP: usize = 11;
    /// Extra data; up to 100 KiB on Polygon.
    pub const EXTRA_DATA: usize = 12;
    /// Mix hash, `prevRandao` after the merge; the step on AuRa chains.
    pub const MIX_HASH: usize = 13;
    /// Nonce, 8 bytes; the seal on AuRa chains.
    pub const NONCE: usize = 14;
    /// EIP-1559.
    pub const BASE_FEE: usize = 15;
    /// EIP-4895.
    pub const WITHDRAWALS_ROOT: usize = 16;
    /// EIP-4844.
    pub const BLOB_GAS_USED: usize = 17;
    /// EIP-4844.
    pub const EXCESS_BLOB_GAS: usize = 18;
    /// EIP-4788.
    pub const PARENT_BEACON_ROOT: usize = 19;
    /// EIP-7685.
    pub const REQUESTS_HASH: usize = 20;
}

/// The hashes of headers in RLP, in their order: made beside each other, for a fraction of what each costs alone.
pub fn hashes<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Vec<B256> {
    hash_all(&headers.into_iter().map(Message::from).collect::<Vec<_>>())
}

// === impl Header ===

impl<'a> Header<'a> {
    /// Finds the fields of one header; everything after the fifteenth is optional.
    pub fn parse(raw: &'a [u8]) -> Result<Self, RlpError> {
        let mut fields: [&'a [u8]; HEADER_FIELDS_MAX] = [&[]; HEADER_FIELDS_MAX];
        let mut header = Self { raw, fields, count: 0, number: 0, gas_limit: 0, gas_used: 0, timestamp: 0 };
        for (position, item) in Item::parse(raw)?.items()?.enumerate() {
            let item = item?;
            let payload = match position {
                field::PARENT_HASH => item.fixed::<32>("parentHash")?,
                field::UNCLES_HASH => item.fixed::<32>("sha3Uncles")?,
                field::BENEFICIARY => item.fixed::<20>("miner")?.as_slice(),
                field::STATE_ROOT => item.fixed::<32>("stateRoot")?,
                field::TRANSACTIONS_ROOT => item.fixed::<32>("transactionsRoot")?,
                field::RECEIPTS_ROOT => item.fixed::<32>("receiptsRoot")?,
                field::LOGS_BLOOM => item.fixed::<256>("logsBloom")?,
                field::DIFFICULTY => {
                    item.uint256("difficulty")?;
                    item.payload()
                }
                field::NUMBER => {
                    header.number = item.uint("number")?;
                    item.payload()
                }
                field::GAS_LIMIT => {
                    header.gas_limit = item.uint("gasLimit")?;
                    item.payload()
                }
                field::GAS_USED => {
                    header.gas_used = item.uint("gasUsed")?;
                    item.payload()
                }
                field::TIMESTAMP => {
                    header.timestamp = item.uint("timestamp")?;
                    item.payload()
                }
                _ => item.string()?,
            };
            *fields.get_mut(position).ok_or(RlpError::TooMany(HEADER_FIELDS_MAX))? = payload;
            header.count = position + 1;
        }
        if header.count <= field::NONCE {
            return Err(RlpError::Missing("nonce"));
        }
        header.fields = fields;
        Ok(header)
    }

    /// The bytes that the chain hashes.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Keccak of the header's RLP: the block hash on every chain that is not flagged otherwise.
    pub fn hash(&self) -> B256 {
        keccak256(self.raw)
    }

    /// How many fields the header has, 15 or more.
    pub fn field_count(&self) -> usize {
        self.count
    }

    /// The payload of the field at `position`, if the header is that long.
    pub fn field(&self, position: usize) -> Option<&'a [u8]> {
        self.fields.get(..self.count)?.get(position).copied()
    }

    /// Height.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Gas limit.
    pub fn gas_limit(&self) -> u64 {
        self.gas_limit
    }

    /// Gas used by all transactions.
    pub fn gas_used(&self) -> u64 {
        self.gas_used
    }

    /// Seconds since the epoch.
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// Hash of the parent's header.
    pub fn parent_hash(&self) -> B256 {
        self.hash_at(field::PARENT_HASH)
    }

    /// Keccak of the RLP list of uncles.
    pub fn uncles_hash(&self) -> B256 {
        self.hash_at(field::UNCLES_HASH)
    }

    /// Beneficiary, `miner` in JSON.
    pub fn beneficiary(&self) -> Address {
        Address::try_from(self.field(field::BENEFICIARY).unwrap_or_default()).unwrap_or_default()
    }

    /// State root.
    pub fn state_root(&self) -> B256 {
        self.hash_at(field::STATE_ROOT)
    }

    /// Transactions root.
    pub fn transactions_root(&self) -> B256 {
        self.hash_at(field::TRANSACTIONS_ROOT)
    }

    /// Receipts root.
    pub fn receipts_root(&self) -> B256 {
        self.hash_at(field::RECEIPTS_ROOT)
    }

    /// Logs bloom, 256 bytes.
    pub fn logs_bloom(&self) -> &'a [u8] {
        self.field(field::LOGS_BLOOM).unwrap_or_default()
    }

    /// Whether the bloom may contain `value` (an address or a topic).
    pub fn bloom_may_contain(&self, value: &[u8]) -> bool {
        let bloom = self.logs_bloom();
        bloom.len() == 256 && {
            let hash = keccak256(value);
            [0, 2, 4].into_iter().all(|i| {
                let pair = hash.get(i..i + 2).and_then(|pair| pair.try_into().ok()).unwrap_or_default();
                let bit = usize::from(u16::from_be_bytes(pair)) & 0x7ff;
                bloom.get(255 - bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
            })
        }
    }

    /// Difficulty.
    pub fn difficulty(&self) -> U256 {
        U256::from_be_slice(self.field(field::DIFFICULTY).unwrap_or_default())
    }

    /// Extra data.
    pub fn extra_data(&self) -> &'a [u8] {
        self.field(field::EXTRA_DATA).unwrap_or_default()
    }

    /// Base fee in wei, where the header carries one. A string of 32 bytes is none: Avalanche has a hash there.
    pub fn base_fee(&self) -> Option<U256> {
        self.field(field::BASE_FEE).filter(|bytes| bytes.len() < 32).map(U256::from_be_slice)
    }

    /// Withdrawals root.
    pub fn withdrawals_root(&self) -> Option<B256> {
        self.field(field::WITHDRAWALS_ROOT).and_then(|bytes| B256::try_from(bytes).ok())
    }

    /// Blob gas used.
    pub fn blob_gas_used(&self) -> Option<u64> {
        self.field(field::BLOB_GAS_USED).and_then(short_uint)
    }

    /// Excess blob gas, from which the blob base fee follows.
    pub fn excess_blob_gas(&self) -> Option<u64> {
        self.field(field::EXCESS_BLOB_GAS).and_then(short_uint)
    }

    fn hash_at(&self, position: usize) -> B256 {
        self.field(position).and_then(|bytes| B256::try_from(bytes).ok()).unwrap_or_default()
    }
}

/// A header's logs bloom as a type that can be merged and compared.
impl<'a> From<&Header<'a>> for Bloom {
    fn from(header: &Header<'a>) -> Self {
        Self::try_from(header.logs_bloom()).unwrap_or_default()
    }
}

fn short_uint(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}
