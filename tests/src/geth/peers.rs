//! A Geth that has peers, all of them on loopback.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Geth, Release, offline};
use crate::process::{Process, free_address};

/// How it finds peers by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// Not at all.
    #[default]
    Off,
    /// By node discovery v4 alone.
    V4,
    /// By node discovery v5 alone.
    V5,
    /// By both.
    Both,
}

/// A Geth with its devp2p port on.
#[derive(Clone, Debug)]
pub struct Network {
    release: Release,
    imports: bool,
    static_nodes: Vec<String>,
    bootnodes: Vec<String>,
    discovery: Discovery,
    sync_target: Option<String>,
    peers_max: usize,
}

// === impl Network ===

impl Network {
    /// One that has the whole chain of its release and serves it.
    pub fn full(release: Release) -> Self {
        Self { imports: true, ..Self::fresh(release) }
    }

    /// One that has block 0 alone.
    pub fn fresh(release: Release) -> Self {
        Self {
            release,
            imports: false,
            static_nodes: Vec::new(),
            bootnodes: Vec::new(),
            discovery: Discovery::Off,
            sync_target: None,
            peers_max: 50,
        }
    }

    /// Stays connected with this node.
    pub fn static_node(mut self, enode: &str) -> Self {
        self.static_nodes.push(enode.to_owned());
        self
    }

    /// Finds its peers, beginning with this node.
    pub fn bootnode(mut self, enode: &str, discovery: Discovery) -> Self {
        self.bootnodes.push(enode.to_owned());
        self.discovery(discovery)
    }

    /// Lets itself be found.
    pub fn discovery(mut self, discovery: Discovery) -> Self {
        self.discovery = discovery;
        self
    }

    /// Takes its release's head for what is to be synced to, as a consensus client would say it.
    pub fn syncing(mut self) -> Self {
        self.sync_target = Some(self.release.head_hash());
        self.peers_max = 1;
        self
    }

    /// Starts it in a folder of its own in `dir`; `None` where this Geth is not installed.
    pub fn start(&self, dir: &Path) -> Option<Geth> {
        let program = self.release.program()?;
        let (data, chain) = (dir.join("geth"), self.release.chain());
        std::fs::create_dir_all(&data).expect("the data directory can be made");
        offline(&program, &data, "init", &chain.join("genesis.json"));
        if self.imports {
            offline(&program, &data, "import", &chain.join("chain.rlp"));
        }
        let config = data.join("config.toml");
        std::fs::write(&config, self.config()).expect("the configuration can be written");
        let address = free_address();
        let mut command = Command::new(program);
        command
            .arg("--datadir")
            .arg(&data)
            .arg("--config")
            .arg(&config)
            .args(["--syncmode", "full", "--gcmode", "archive", "--state.scheme", "hash", "--nat", "none"])
            .args(["--networkid", &network_id(&chain), "--ipcdisable", "--netrestrict", "127.0.0.0/8"])
            .args(["--authrpc.port", &free_address().port().to_string()])
            .args(["--http", "--http.api", "admin,debug,eth,net", "--http.port", &address.port().to_string()])
            .args(["--maxpeers", &self.peers_max.to_string(), "--verbosity", "4"]);
        match self.discovery {
            Discovery::Off => command.arg("--nodiscover"),
            Discovery::V4 => command.args(["--discovery.v4=true", "--discovery.v5=false"]),
            Discovery::V5 => command.args(["--discovery.v4=false", "--discovery.v5=true"]),
            Discovery::Both => command.args(["--discovery.v4=true", "--discovery.v5=true"]),
        };
        if self.discovery != Discovery::Off {
            // Without the flag Geth asks the nodes of the public network.
            command.args(["--bootnodes", &self.bootnodes.join(","), "--discovery.dns", ""]);
        }
        if let Some(target) = &self.sync_target {
            command.args(["--synctarget", target]);
        }
        let mut process = Process::start(command, &data.join("geth.log"));
        process.listening(address);
        Some(Geth { process, address })
    }

    /// What Geth takes from a file alone: its port on loopback, and whom it stays with.
    fn config(&self) -> String {
        let listen = free_address();
        let nodes = json!(self.static_nodes);
        format!("[Node.P2P]\nListenAddr = \"{listen}\"\nDiscAddr = \"{listen}\"\nStaticNodes = {nodes}\n")
    }
}

fn network_id(chain: &Path) -> String {
    let text = std::fs::read(chain.join("genesis.json")).expect("genesis.json");
    let genesis: Value = serde_json::from_slice(&text).expect("genesis.json is JSON");
    genesis["config"]["chainId"].to_string()
}
