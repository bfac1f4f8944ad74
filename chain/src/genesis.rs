//! Block 0, as Geth's `core/genesis.go` makes it from a genesis file.

mod file;
mod state;

use alloy_primitives::{Address, B256, Bloom, U256, b256, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;
use bytes::Bytes;

use crate::block::{Block, BlockId};
use crate::rlp::{write_list, write_string, write_uint, write_uint256};
use crate::spec::{ChainSpec, Family, Fork};

pub use file::{Account, GenesisFile};
pub use state::state_root;

/// Keccak of an empty RLP list: no uncles.
pub const EMPTY_UNCLES_HASH: B256 = b256!("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");

/// SHA-256 of nothing: no requests (EIP-7685).
pub const EMPTY_REQUESTS_HASH: B256 =
    b256!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

/// Base fee of the first block with one (EIP-1559), in wei.
pub const INITIAL_BASE_FEE: u64 = 1_000_000_000;

/// Gas limit where a file says 0 (Geth `params.GenesisGasLimit`).
const DEFAULT_GAS_LIMIT: u64 = 4_712_388;

/// What is left to choose in the header of a block 0. Optional fields are written up to the last present one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GenesisHeader {
    /// Parent's hash, zero but in tests.
    pub parent_hash: B256,
    /// Beneficiary.
    pub coinbase: Address,
    /// State root.
    pub state_root: B256,
    /// Difficulty.
    pub difficulty: U256,
    /// Height, zero but in tests.
    pub number: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// Gas used, zero but in tests.
    pub gas_used: u64,
    /// Seconds since the epoch.
    pub timestamp: u64,
    /// Extra data.
    pub extra_data: Vec<u8>,
    /// Mix hash.
    pub mix_hash: B256,
    /// Nonce.
    pub nonce: u64,
    /// From London on.
    pub base_fee: Option<U256>,
    /// Whether there is an empty list of withdrawals, from Shanghai on.
    pub withdrawals: bool,
    /// Blob gas used and excess blob gas, from Cancun on; a zero beacon root comes with them.
    pub blob_gas: Option<(u64, u64)>,
    /// Whether there is an empty list of requests, from Prague on.
    pub requests: bool,
}

/// Block 0 of a genesis file; `None` where it has something that is not known here.
pub(crate) fn build(file: &GenesisFile, spec: &ChainSpec) -> Option<Block> {
    let header = &file.header;
    let (number, time) = (header.number, header.timestamp);
    if file.is_beyond_known || !spec.is_known_at(number, time) {
        return None;
    }
    let mut header = header.clone();
    if header.gas_limit == 0 {
        header.gas_limit = DEFAULT_GAS_LIMIT;
    }
    if spec.is_active(Fork::London, 0, time) {
        header.base_fee = header.base_fee.or(Some(U256::from(INITIAL_BASE_FEE)));
    }
    header.withdrawals = spec.is_shanghai(number, time);
    let blob_gas = header.blob_gas.take();
    if spec.is_cancun(number, time) {
        header.blob_gas = Some(blob_gas.unwrap_or_default());
    } else if blob_gas.is_some() {
        return None;
    }
    header.requests = spec.is_prague(number, time) && spec.family != Family::Bor;
    header.state_root = state_root(&file.alloc);
    Some(assemble(&header))
}

/// The block with that header and nothing in it.
pub fn assemble(header: &GenesisHeader) -> Block {
    let mut fields = Vec::with_capacity(640);
    write_string(&mut fields, header.parent_hash.as_slice());
    write_string(&mut fields, EMPTY_UNCLES_HASH.as_slice());
    write_string(&mut fields, header.coinbase.as_slice());
    write_string(&mut fields, header.state_root.as_slice());
    write_string(&mut fields, EMPTY_ROOT_HASH.as_slice());
    write_string(&mut fields, EMPTY_ROOT_HASH.as_slice());
    write_string(&mut fields, Bloom::ZERO.as_slice());
    write_uint256(&mut fields, header.difficulty);
    write_uint(&mut fields, header.number);
    write_uint(&mut fields, header.gas_limit);
    write_uint(&mut fields, header.gas_used);
    write_uint(&mut fields, header.timestamp);
    write_string(&mut fields, &header.extra_data);
    write_string(&mut fields, header.mix_hash.as_slice());
    write_string(&mut fields, &header.nonce.to_be_bytes());
    if let Some(base_fee) = header.base_fee {
        write_uint256(&mut fields, base_fee);
    }
    if header.withdrawals {
        write_string(&mut fields, EMPTY_ROOT_HASH.as_slice());
    }
    if let Some((used, excess)) = header.blob_gas {
        write_uint(&mut fields, used);
        write_uint(&mut fields, excess);
        write_string(&mut fields, B256::ZERO.as_slice());
    }
    if header.requests {
        write_string(&mut fields, EMPTY_REQUESTS_HASH.as_slice());
    }
    let mut rlp = Vec::with_capacity(fields.len().saturating_add(3));
    write_list(&mut rlp, &fields);
    let id = BlockId { number: header.number, hash: keccak256(&rlp) };
    let body: &[u8] = if header.withdrawals { &[0xc3, 0xc0, 0xc0, 0xc0] } else { &[0xc2, 0xc0, 0xc0] };
    Block {
        id,
        header: rlp.into(),
        body: Bytes::copy_from_slice(body),
        receipts: Some(Bytes::from_static(&[0xc0])),
        extra: None,
    }
}
