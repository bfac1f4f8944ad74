//! Signed transactions.

use alloy_primitives::{Address, B256, U256, hex, keccak256};
use bytes::Bytes;
use hypasis_chain::rlp::{write_list, write_string, write_uint, write_uint256};
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use serde_json::{Value, json};

use crate::geth::{Geth, Release};
use crate::http::call;

/// Somebody who can sign.
#[derive(Clone, Debug)]
pub struct Account {
    key: SecretKey,
}

/// A legacy transaction before it is signed.
#[derive(Clone, Debug)]
pub struct Legacy {
    /// The chain that it is signed for; `None`: valid on all.
    pub chain_id: Option<u64>,
    /// How many transactions the account has sent before.
    pub nonce: u64,
    /// Wei for a unit of gas.
    pub gas_price: u64,
    /// Most gas that it may use.
    pub gas: u64,
    /// What goes with it, to the address of twenty bytes `0xaa`, which nobody owns.
    pub input: Vec<u8>,
}

// === impl Account ===

impl Account {
    /// An account that has nothing.
    pub fn poor() -> Self {
        Self { key: SecretKey::from_byte_array([7; 32]).expect("a valid key") }
    }

    /// The one with this key.
    pub fn with_key(key: B256) -> Self {
        Self { key: SecretKey::from_byte_array(key.0).expect("a valid key") }
    }

    /// One of those that a release's chain made rich.
    pub fn rich(release: Release) -> Self {
        let text = std::fs::read(release.chain().join("accounts.json")).expect("accounts.json");
        let accounts: Value = serde_json::from_slice(&text).expect("accounts.json is JSON");
        let first = accounts.as_object().and_then(|all| all.values().next()).expect("an account");
        let key: B256 = first["key"].as_str().and_then(|key| key.parse().ok()).expect("a key");
        Self::with_key(key)
    }

    /// Its address.
    pub fn address(&self) -> Address {
        let public = PublicKey::from_secret_key(&Secp256k1::new(), &self.key).serialize_uncompressed();
        Address::from_slice(&keccak256(&public[1..])[12..])
    }

    /// A transfer of nothing that a node takes now: hash and what is sent.
    pub fn transfer(&self, node: &Geth) -> (B256, String) {
        let number = |method: &str, params: Value| {
            let answer = call(node.address, method, params);
            let digits = answer["result"].as_str().unwrap_or_else(|| panic!("{answer}"));
            u64::from_str_radix(digits.trim_start_matches("0x"), 16).expect("a number")
        };
        let draft = Legacy {
            chain_id: Some(number("eth_chainId", json!([]))),
            nonce: number("eth_getTransactionCount", json!([self.address(), "pending"])),
            gas_price: 100_000_000_000,
            gas: 21_000,
            input: Vec::new(),
        };
        let raw = draft.sign(self);
        (keccak256(&raw), hex::encode_prefixed(&raw))
    }
}

// === impl Legacy ===

impl Legacy {
    /// As it travels.
    pub fn sign(&self, account: &Account) -> Bytes {
        let mut fields = Vec::new();
        write_uint(&mut fields, self.nonce);
        write_uint(&mut fields, self.gas_price);
        write_uint(&mut fields, self.gas);
        write_string(&mut fields, &[0xaa; 20]);
        write_uint(&mut fields, 0);
        write_string(&mut fields, &self.input);
        let mut signed = fields.clone();
        if let Some(chain_id) = self.chain_id {
            // EIP-155
            write_uint(&mut signed, chain_id);
            write_uint(&mut signed, 0);
            write_uint(&mut signed, 0);
        }
        let hash = Message::from_digest(keccak256(list(&signed)).0);
        let signature = Secp256k1::new().sign_ecdsa_recoverable(hash, &account.key);
        let (recovery, signature) = signature.serialize_compact();
        let odd = u64::from(i32::from(recovery) != 0);
        write_uint(&mut fields, self.chain_id.map_or(27, |chain_id| chain_id * 2 + 35) + odd);
        signature.chunks(32).for_each(|half| write_uint256(&mut fields, U256::from_be_slice(half)));
        list(&fields).into()
    }
}

fn list(fields: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_list(&mut out, fields);
    out
}
