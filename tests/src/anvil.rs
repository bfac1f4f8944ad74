//! A real Anvil: a node whose blocks and reorgs a test commands.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::http::call;
use crate::process::{Process, free_address};
use crate::tool;

/// A running Anvil.
#[derive(Debug)]
pub struct Anvil {
    process: Process,
    /// Where it answers JSON-RPC.
    pub address: SocketAddr,
}

// === impl Anvil ===

impl Anvil {
    /// Starts a node that mines only on command; `None` where Anvil is not installed.
    pub fn start(dir: &Path, arguments: &[&str]) -> Option<Self> {
        let address = free_address();
        let mut command = Command::new(tool("anvil")?);
        command.args(["--port", &address.port().to_string(), "--no-mining", "--quiet"]).args(arguments);
        let mut process = Process::start(command, &dir.join("anvil.log"));
        process.listening(address);
        Some(Self { process, address })
    }

    /// Mines `count` blocks.
    pub fn mine(&self, count: u64) {
        let answer = call(self.address, "anvil_mine", json!([format!("{count:#x}")]));
        assert!(answer.get("error").is_none(), "{answer}");
    }

    /// Replaces the last `depth` blocks by other ones, each with the given transactions.
    pub fn reorg(&self, depth: u64) {
        let answer = call(self.address, "anvil_reorg", json!([depth, []]));
        assert!(answer.get("error").is_none(), "{answer}");
    }

    /// Sends value between two of the node's own accounts; mined with the next block.
    pub fn transfer(&self, nonce_hint: u64) -> Value {
        let from = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
        let to = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";
        let value = format!("{:#x}", nonce_hint + 1);
        call(self.address, "eth_sendTransaction", json!([{ "from": from, "to": to, "value": value }]))
    }

    /// Deploys the contract that [`transact`](Self::transact) calls, in a block of its own: it emits a log when it
    /// is made and whenever it is called. Returns its address.
    pub fn deploy(&self) -> Value {
        // Constructor: a word in memory, LOG2 of it, then the code behind. Code: the same with LOG1.
        let code =
            concat!("602a60005260aa60bb60206000a2600d601a600039600d6000f3", "602a60005260aa60206000a100");
        let hash = self.send(json!({ "data": format!("0x{code}") }));
        self.mine(1);
        let receipt = call(self.address, "eth_getTransactionReceipt", json!([hash]));
        let contract = receipt["result"]["contractAddress"].clone();
        assert!(contract.is_string(), "{receipt}");
        contract
    }

    /// Sends a transaction of each type that the node signs (legacy, EIP-2930, EIP-1559, EIP-7702), calls of the
    /// contract with logs, a failing creation and a failing call; mined with the next block.
    pub fn transact(&self, contract: &Value) {
        let (price, other) = ("0x12a05f200", "0x70997970c51812dc3a010c7d01b50e0d17dc79c8");
        let key = format!("0x{:064x}", 7);
        // Signed by nobody in particular: the node takes it and applies nothing.
        let signed = json!({ "chainId": "0x7a69", "address": contract, "nonce": "0x9", "yParity": "0x0",
            "r": format!("0x{}", "1f".repeat(32)), "s": format!("0x{}", "02".repeat(32)) });
        for fields in [
            json!({ "to": contract, "gasPrice": price }),
            json!({ "to": contract, "gasPrice": price, "data": "0x00ff",
                "accessList": [{ "address": other, "storageKeys": [key] }, { "address": contract, "storageKeys": [] }] }),
            json!({ "to": contract, "maxFeePerGas": price, "maxPriorityFeePerGas": "0x1" }),
            json!({ "to": other, "maxFeePerGas": price, "value": "0xde0b6b3a7640000" }),
            json!({ "to": other, "maxFeePerGas": price, "gas": "0x30000", "authorizationList": [signed] }),
            json!({ "data": "0xfe", "gas": "0x20000", "gasPrice": price }),
        ] {
            self.send(fields);
        }
    }

    /// The receipt of a mined transaction.
    pub fn receipt(&self, hash: &Value) -> Value {
        call(self.address, "eth_getTransactionReceipt", json!([hash]))["result"].clone()
    }

    /// Sends a transaction of the node's first account, mined with the next block; returns its hash.
    pub fn send(&self, mut fields: Value) -> Value {
        fields["from"] = json!("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
        let answer = call(self.address, "eth_sendTransaction", json!([fields]));
        assert!(answer["result"].is_string(), "{fields}: {answer}");
        answer["result"].clone()
    }

    /// Ends the node.
    pub fn stop(self) {
        self.process.kill();
    }
}
