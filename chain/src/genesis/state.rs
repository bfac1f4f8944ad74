//! The state root over a genesis file's accounts.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles};

use super::file::Account;
use crate::rlp::{write_list, write_string, write_uint, write_uint256};

/// Root of the trie keccak(address) → `[nonce, balance, storage root, code hash]`. Empty accounts count, storage
/// slots of zero do not, as when Geth commits a genesis.
pub fn state_root(alloc: &BTreeMap<Address, Account>) -> B256 {
    let leaves = alloc.iter().map(|(address, account)| (keccak256(address), leaf(account)));
    root(leaves.collect())
}

fn leaf(account: &Account) -> Vec<u8> {
    let storage = account.storage.iter().filter(|(_, value)| !value.is_zero());
    let storage = storage.map(|(key, value)| (keccak256(key), slot(value))).collect();
    let mut fields = Vec::with_capacity(110);
    write_uint(&mut fields, account.nonce);
    write_uint256(&mut fields, account.balance);
    write_string(&mut fields, root(storage).as_slice());
    write_string(&mut fields, keccak256(&account.code).as_slice());
    let mut leaf = Vec::with_capacity(fields.len().saturating_add(3));
    write_list(&mut leaf, &fields);
    leaf
}

fn slot(value: &B256) -> Vec<u8> {
    let mut leaf = Vec::with_capacity(33);
    write_uint256(&mut leaf, U256::from_be_bytes(value.0));
    leaf
}

/// The map's order is the one that the builder demands.
fn root(leaves: BTreeMap<B256, Vec<u8>>) -> B256 {
    if leaves.is_empty() {
        return EMPTY_ROOT_HASH;
    }
    let mut builder = HashBuilder::default();
    for (key, leaf) in leaves {
        builder.add_leaf(Nibbles::unpack(key), &leaf);
    }
    builder.root()
}
