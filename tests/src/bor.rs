//! A real Bor: alone, mining, importing a minted chain, or syncing from its peers; all of it on loopback.
//!
//! Bor asks Heimdall who may sign and which events are to be committed; [`Heimdall`] stands in for it, where a test
//! commands what it says, and [`Heimdalld`] is a real one. Nodes that agree about a chain must share one, since its
//! answers are a part of consensus.

mod chains;
mod heimdall;
mod heimdalld;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use alloy_primitives::{Address, B256, hex};
use hypasis_chain::dev::bor::BorChain;
use serde_json::{Value, json};

use crate::http::call;
use crate::process::{Process, finish, free_address};
use crate::tool;

pub use chains::{LOGGER, Minted, RICH, polygon_contracts, write_chain};
pub use heimdall::{Event, Heimdall, Milestone, Span};
pub use heimdalld::{Heimdalld, Validator};

/// Longest time of `admin_importChain` over a few thousand blocks.
const IMPORTING: Duration = Duration::from_secs(120);

/// Which versions of `eth` a Bor offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// eth/69 and eth/68.
    #[default]
    Newest,
    /// The same Bor, built so that it offers eth/68 alone.
    Eth68,
}

/// A Bor that is to be started.
#[derive(Clone, Debug)]
pub struct Node {
    release: Release,
    genesis: PathBuf,
    heimdall: SocketAddr,
    address: Option<SocketAddr>,
    miner: Option<(Address, B256)>,
    static_nodes: Vec<String>,
    peers_max: usize,
    state_sync_logs: bool,
}

/// A running Bor.
#[derive(Debug)]
pub struct Bor {
    process: Process,
    /// Where it answers JSON-RPC.
    pub address: SocketAddr,
}

// === impl Release ===

impl Release {
    /// The program, if it is installed.
    pub fn program(self) -> Option<PathBuf> {
        tool(match self {
            Self::Newest => "bor",
            Self::Eth68 => "bor-68",
        })
    }
}

// === impl Node ===

impl Node {
    /// One that has block 0 of this genesis file alone.
    pub fn new(genesis: &Path, heimdall: &Heimdall) -> Self {
        Self::asking(genesis, heimdall.address())
    }

    /// The same with whatever Heimdall answers there.
    pub fn asking(genesis: &Path, heimdall: SocketAddr) -> Self {
        Self {
            release: Release::Newest,
            genesis: genesis.to_owned(),
            heimdall,
            address: None,
            miner: None,
            static_nodes: Vec::new(),
            peers_max: 10,
            state_sync_logs: false,
        }
    }

    /// Another release.
    pub fn release(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// Mines as the first validator of its chain, a block a second.
    pub fn mining(mut self, chain: &BorChain) -> Self {
        self.miner = chain.validators().first().map(|(address, _)| (*address, chain.secret(0)));
        self
    }

    /// Mines as that validator, and answers where its Heimdall looks for it.
    pub fn mining_for(mut self, validator: &Validator, address: SocketAddr) -> Self {
        self.miner = Some((validator.address, validator.secret));
        self.address = Some(address);
        self
    }

    /// Stays connected with this node.
    pub fn static_node(mut self, enode: &str) -> Self {
        self.static_nodes.push(enode.to_owned());
        self
    }

    /// Shows the logs of state syncs that stand beside blocks in `eth_getLogs`.
    pub fn showing_state_sync_logs(mut self) -> Self {
        self.state_sync_logs = true;
        self
    }

    /// Syncs with the first peer it gets: below its wanted number of peers it would wait ten seconds for more.
    pub fn syncing(mut self) -> Self {
        self.peers_max = 1;
        self
    }

    /// Starts it in a folder of its own in `dir`; `None` where this Bor is not installed. A folder that was started in
    /// before goes on with what it has.
    pub fn start(&self, dir: &Path) -> Option<Bor> {
        let program = self.release.program()?;
        let data = dir.join("bor");
        std::fs::create_dir_all(&data).expect("the data directory can be made");
        let config = data.join("config.toml");
        let nodes = json!(self.static_nodes);
        std::fs::write(&config, format!("[p2p]\n  [p2p.discovery]\n    static-nodes = {nodes}\n"))
            .expect("the configuration can be written");
        let (address, p2p) = (self.address.unwrap_or_else(free_address), free_address());
        let port = |address: SocketAddr| address.port().to_string();
        let mut command = Command::new(&program);
        command.arg("server").arg("--chain").arg(&self.genesis).arg("--datadir").arg(&data);
        command.arg("--config").arg(&config).args(["--syncmode", "full", "--gcmode", "archive"]).args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port(p2p),
            "--nat",
            "none",
            "--nodiscover",
            "--v4disc=false",
            "--v5disc=false",
            "--netrestrict",
            "127.0.0.0/8",
            "--maxpeers",
            &self.peers_max.to_string(),
            "--bor.heimdall",
            &format!("http://{}", self.heimdall),
            "--http",
            "--http.addr",
            "127.0.0.1",
            "--http.port",
            &port(address),
            "--http.api",
            "eth,net,web3,txpool,bor,admin,debug",
            "--grpc.addr",
            &free_address().to_string(),
            "--authrpc.port",
            &port(free_address()),
            "--ipcdisable",
            "--cache",
            "64",
            "--verbosity",
            "3",
        ]);
        if self.state_sync_logs {
            command.arg("--bor.logs");
        }
        if let Some((address, secret)) = self.miner {
            let (password, address) = (unlockable(&program, &data, secret), address.to_string());
            command.args(["--mine", "--miner.etherbase", &address, "--unlock", &address]);
            command.arg("--allow-insecure-unlock").arg("--password").arg(password);
        }
        let mut process = Process::start(command, &data.join("bor.log"));
        process.listening(address);
        Some(Bor { process, address })
    }
}

// === impl Bor ===

impl Bor {
    /// Calls a method and returns its result; panics with an error.
    pub fn ask(&self, method: &str, params: Value) -> Value {
        let answer = call(self.address, method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Imports a file of blocks, as one RLP item each; panics with Bor's own words if it refuses one.
    pub fn import(&self, file: &Path) {
        self.try_import(file).unwrap_or_else(|refused| panic!("{refused}"));
    }

    /// Imports a file of blocks; the error is Bor's own.
    pub fn try_import(&self, file: &Path) -> Result<(), String> {
        let file = file.to_str().expect("a path of the tests");
        let body = crate::http::request("admin_importChain", json!([file]));
        let answer = crate::http::post_within(self.address, &body, IMPORTING).json();
        match answer["error"]["message"].as_str() {
            None => Ok(()),
            Some(refused) => Err(refused.to_owned()),
        }
    }

    /// Height of its head.
    pub fn head(&self) -> u64 {
        number(&self.ask("eth_blockNumber", json!([])))
    }

    /// Hash of its block at a height; `Null` where it has none.
    pub fn hash(&self, number: u64) -> Value {
        self.ask("eth_getBlockByNumber", json!([format!("{number:#x}"), false]))["hash"].clone()
    }

    /// Waits until it has this block on its chain.
    pub fn reached(&mut self, number: u64, hash: &Value, limit: Duration) {
        let address = self.address;
        let block = || {
            call(address, "eth_getBlockByNumber", json!([format!("{number:#x}"), false]))["result"]["hash"]
                .clone()
        };
        self.process.until(|_| block() == *hash, limit, &format!("to have block {number}"));
    }

    /// Waits until its head is at least this high.
    pub fn mined(&mut self, height: u64, limit: Duration) {
        let address = self.address;
        let head = || number(&call(address, "eth_blockNumber", json!([]))["result"]);
        self.process.until(|_| head() >= height, limit, &format!("to have block {height}"));
    }

    /// Waits until `ready` says so.
    pub fn until(&mut self, mut ready: impl FnMut() -> bool, limit: Duration, what: &str) {
        self.process.until(|_| ready(), limit, what);
    }

    /// Its `enode://…`.
    pub fn enode(&self) -> String {
        let info = self.ask("admin_nodeInfo", json!([]));
        info["enode"].as_str().unwrap_or_else(|| panic!("no enode in {info}")).to_owned()
    }

    /// Its peers: `enode`, `caps`, `protocols`, ….
    pub fn peers(&self) -> Vec<Value> {
        self.ask("admin_peers", json!([])).as_array().cloned().unwrap_or_default()
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        self.process.log_text()
    }

    /// Ends the node at once.
    pub fn stop(self) {
        self.process.kill();
    }

    /// Ends the node in order, so that it can be started again with all that it has.
    pub fn terminate(self) {
        self.process.terminate();
    }
}

/// The number that a quantity says; 0 for anything else.
pub fn number(quantity: &Value) -> u64 {
    let text = quantity.as_str().and_then(|text| text.strip_prefix("0x"));
    text.and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0)
}

/// Puts the miner's key into the node's store; returns the file that opens it.
fn unlockable(program: &Path, data: &Path, secret: B256) -> PathBuf {
    let (key, password) = (data.join("key.hex"), data.join("password"));
    if password.exists() {
        return password;
    }
    std::fs::write(&key, hex::encode(secret)).expect("the key can be written");
    std::fs::write(&password, "opens\n").expect("the password can be written");
    let mut shell = Command::new("sh");
    shell.args(["-c", "printf 'opens\\nopens\\n' | \"$0\" account import --datadir \"$1\" \"$2\""]);
    shell.arg(program).arg(data).arg(&key);
    finish(shell, Duration::from_secs(60));
    password
}
