//! A contract with the interface of RootChain: what reads it cannot tell the difference.
//!
//! Storage: slot 0 is the id of the last header block; a header block's root, start, end, time and proposer are in five
//! slots from 16 × its id on. `submit` stands for `submitCheckpoint`, without the signatures of validators.

use std::ops::RangeInclusive;

use alloy_primitives::{B256, U256, hex, keccak256};
use hypasis_chain::Header;
use hypasis_chain::bor::checkpoint;
use hypasis_chain::dev::DevChain;
use serde_json::{Value, json};

use super::assembler::Assembler;
use crate::anvil::Anvil;

/// Operations that the contract is made of (Yellow Paper, appendix H.2).
mod op {
    pub(super) const STOP: u8 = 0x00;
    pub(super) const ADD: u8 = 0x01;
    pub(super) const EQ: u8 = 0x14;
    pub(super) const SHL: u8 = 0x1b;
    pub(super) const SHR: u8 = 0x1c;
    pub(super) const CALLER: u8 = 0x33;
    pub(super) const CALLDATALOAD: u8 = 0x35;
    pub(super) const CODECOPY: u8 = 0x39;
    pub(super) const TIMESTAMP: u8 = 0x42;
    pub(super) const MSTORE: u8 = 0x52;
    pub(super) const SLOAD: u8 = 0x54;
    pub(super) const SSTORE: u8 = 0x55;
    pub(super) const DUP1: u8 = 0x80;
    pub(super) const DUP2: u8 = 0x81;
    pub(super) const LOG4: u8 = 0xa4;
    pub(super) const RETURN: u8 = 0xf3;
    pub(super) const REVERT: u8 = 0xfd;
}

/// Ids go in steps of this.
const STEP: u16 = 10_000;
/// Slots of a header block are found at its id shifted by so many bits.
const SLOT_BITS: u8 = 4;
const SUBMIT: &str = "submit(bytes32,uint256,uint256)";
const EVENT: &str = "NewHeaderBlock(address,uint256,uint256,uint256,uint256,bytes32)";

/// The contract on a running Anvil.
#[derive(Debug)]
pub struct RootChain<'a> {
    anvil: &'a Anvil,
    /// Its address.
    pub address: String,
}

// === impl RootChain ===

impl<'a> RootChain<'a> {
    /// Deploys it.
    pub fn deploy(anvil: &'a Anvil) -> Self {
        let hash = anvil.send(json!({ "data": hex::encode_prefixed(creation()), "gas": "0x100000" }));
        anvil.mine(1);
        let receipt = anvil.receipt(&hash);
        let address = receipt["contractAddress"].as_str().unwrap_or_else(|| panic!("{receipt}")).to_owned();
        Self { anvil, address }
    }

    /// Writes a checkpoint of `range` with a root, in a block of its own; it is not finalized by that.
    pub fn submit(&self, root: B256, range: RangeInclusive<u64>) {
        let words = [root, word(*range.start()), word(*range.end())];
        let data = [&keccak256(SUBMIT)[..4], &words.concat()].concat();
        let call = json!({ "to": self.address, "data": hex::encode_prefixed(data), "gas": "0x100000" });
        let hash = self.anvil.send(call);
        self.anvil.mine(1);
        let receipt: Value = self.anvil.receipt(&hash);
        assert_eq!(receipt["status"], "0x1", "{receipt}");
    }
}

/// The root that validators would sign over a range of a chain.
pub fn root_over(chain: &DevChain, range: RangeInclusive<u64>) -> B256 {
    let headers = chain.headers(*range.start()..range.end() + 1);
    let headers: Vec<_> = headers.iter().map(|raw| Header::parse(raw).expect("a header")).collect();
    checkpoint::root(&headers).expect("a range of a checkpoint")
}

fn word(number: u64) -> B256 {
    U256::from(number).into()
}

/// Copies the code behind itself and returns it.
fn creation() -> Vec<u8> {
    let code = runtime();
    let mut creation = Assembler::default();
    creation.push(&u16::try_from(code.len()).expect("the code is short").to_be_bytes()).ops(&[op::DUP1]);
    // This beginning has 12 bytes.
    creation.number(12).number(0).ops(&[op::CODECOPY]).number(0).ops(&[op::RETURN]);
    [creation.code(), code].concat()
}

fn runtime() -> Vec<u8> {
    let mut code = Assembler::default();
    code.number(0).ops(&[op::CALLDATALOAD]).number(0xe0).ops(&[op::SHR]);
    for (signature, label) in
        [("currentHeaderBlock()", "current"), ("headerBlocks(uint256)", "block"), (SUBMIT, "submit")]
    {
        code.ops(&[op::DUP1]).push(&keccak256(signature)[..4]).ops(&[op::EQ]).jump_if(label);
    }
    code.number(0).number(0).ops(&[op::REVERT]);

    code.label("current").number(0).ops(&[op::SLOAD]).number(0).ops(&[op::MSTORE]);
    code.number(32).number(0).ops(&[op::RETURN]);

    code.label("block");
    for field in 0..5 {
        code.number(4).ops(&[op::CALLDATALOAD]).number(SLOT_BITS).ops(&[op::SHL]);
        code.number(field).ops(&[op::ADD, op::SLOAD]).number(32 * field).ops(&[op::MSTORE]);
    }
    code.number(160).number(0).ops(&[op::RETURN]);

    // The stack holds the new id from here on.
    code.label("submit").number(0).ops(&[op::SLOAD]).push(&STEP.to_be_bytes()).ops(&[op::ADD]);
    code.ops(&[op::DUP1]).number(0).ops(&[op::SSTORE]);
    for field in 0..5_u8 {
        match field {
            3 => code.ops(&[op::TIMESTAMP]),
            4 => code.ops(&[op::CALLER]),
            argument => code.number(4 + 32 * argument).ops(&[op::CALLDATALOAD]),
        };
        code.ops(&[op::DUP2]).number(SLOT_BITS).ops(&[op::SHL]).number(field).ops(&[op::ADD, op::SSTORE]);
    }
    // The event's data: start, end, root; its topics: itself, proposer, id, reward (0).
    for (place, argument) in [(0, 36), (32, 68), (64, 4)] {
        code.number(argument).ops(&[op::CALLDATALOAD]).number(place).ops(&[op::MSTORE]);
    }
    code.number(0).ops(&[op::DUP2, op::CALLER]).push(keccak256(EVENT).as_slice());
    code.number(96).number(0).ops(&[op::LOG4, op::STOP]);
    code.code()
}
