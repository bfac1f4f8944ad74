//! A real Geth with its own test chain, alone or among peers.

mod peers;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::call;
use crate::process::{Process, free_address};
use crate::{built, tool};

pub use peers::{Discovery, Network};

/// Height of the test chain's head.
pub const HEAD: u64 = 600;

/// Which Geth, and the chain that its version ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// v1.17.5: eth/69 and newer; 600 blocks, merged from the start.
    Newest,
    /// v1.15.11: eth/68 alone; 500 blocks, proof of work up to block 71.
    Eth68,
}

/// A running Geth.
#[derive(Debug)]
pub struct Geth {
    process: Process,
    /// Where it answers JSON-RPC.
    pub address: SocketAddr,
}

// === impl Release ===

impl Release {
    /// The program, if it is installed.
    pub fn program(self) -> Option<PathBuf> {
        tool(match self {
            Self::Newest => "geth",
            Self::Eth68 => "geth-1.15",
        })
    }

    /// The folder of its chain: `genesis.json`, `chain.rlp`, ….
    pub fn chain(self) -> PathBuf {
        let name = match self {
            Self::Newest => "geth-chain",
            Self::Eth68 => "geth-chain-1.15",
        };
        built().parent().expect("target").join("tools").join(name)
    }

    /// Height of its chain's head.
    pub fn head(self) -> u64 {
        match self {
            Self::Newest => HEAD,
            Self::Eth68 => 500,
        }
    }

    /// Hash of its chain's head, as the chain's own files say.
    pub fn head_hash(self) -> String {
        let text = std::fs::read(self.chain().join("headfcu.json")).expect("headfcu.json");
        let call: Value = serde_json::from_slice(&text).expect("headfcu.json is JSON");
        call["params"][0]["headBlockHash"].as_str().expect("it names the head").to_owned()
    }
}

// === impl Geth ===

impl Geth {
    /// Imports Geth's own test chain into `dir` and serves it; `None` where Geth is not installed.
    pub fn start(dir: &Path) -> Option<Self> {
        Self::start_on(dir, &chain_folder())
    }

    /// Imports the chain of a folder (`genesis.json`, `chain.rlp`) into `dir` and serves it; `None` where Geth is
    /// not installed.
    pub fn start_on(dir: &Path, chain: &Path) -> Option<Self> {
        let geth = tool("geth")?;
        let data = dir.join("geth");
        for arguments in [["init", "genesis.json"], ["import", "chain.rlp"]] {
            offline(&geth, &data, arguments[0], &chain.join(arguments[1]));
        }
        Some(Self::serve(&data))
    }

    /// Serves a data directory that holds the chain already.
    pub fn serve(data: &Path) -> Self {
        let address = free_address();
        let mut command = Command::new(tool("geth").expect("it was found before"));
        command
            .args(["--datadir".as_ref(), data.as_os_str()])
            .args(["--gcmode", "archive", "--state.scheme", "hash", "--nodiscover", "--nat", "none"])
            .args(["--networkid", "3503995874084926", "--ipcdisable", "--maxpeers", "0", "--port", "0"])
            .args(["--authrpc.port", &free_address().port().to_string()])
            .args([
                "--http",
                "--http.api",
                "eth,debug,net,web3,txpool",
                "--http.port",
                &address.port().to_string(),
            ]);
        let mut process = Process::start(command, &data.join("geth.log"));
        process.listening(address);
        Self { process, address }
    }

    /// Waits until its head is this block.
    pub fn reached(&mut self, number: u64, hash: &str, limit: Duration) {
        let address = self.address;
        let there = || {
            let block = call(address, "eth_getBlockByNumber", json!(["latest", false]));
            let head = &block["result"];
            head["number"] == format!("{number:#x}") && head["hash"] == hash
        };
        self.process.until(|_| there(), limit, "to reach the head");
    }

    /// Its `enode://…`.
    pub fn enode(&self) -> String {
        self.node_info("enode")
    }

    /// Its `enr:…`.
    pub fn record(&self) -> String {
        self.node_info("enr")
    }

    /// The enodes of its peers.
    pub fn peers(&self) -> Vec<String> {
        let peers = call(self.address, "admin_peers", json!([]));
        let peers = peers["result"].as_array().cloned().unwrap_or_default();
        peers.iter().filter_map(|peer| peer["enode"].as_str().map(str::to_owned)).collect()
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        self.process.log_text()
    }

    /// Ends the node.
    pub fn stop(self) {
        self.process.kill();
    }

    fn node_info(&self, key: &str) -> String {
        let info = call(self.address, "admin_nodeInfo", json!([]));
        info["result"][key].as_str().unwrap_or_else(|| panic!("no {key} in {info}")).to_owned()
    }
}

/// The folder of Geth's test chain: `genesis.json`, `chain.rlp`, ….
pub fn chain_folder() -> PathBuf {
    Release::Newest.chain()
}

/// Runs a command of Geth's that ends by itself.
fn offline(geth: &Path, data: &Path, command: &str, file: &Path) {
    let status = Command::new(geth)
        .args(["--datadir".as_ref(), data.as_os_str(), "--gcmode".as_ref(), "archive".as_ref()])
        .args(["--state.scheme", "hash", "--verbosity", "1", command])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("geth runs");
    assert!(status.success(), "geth {command} failed");
}
