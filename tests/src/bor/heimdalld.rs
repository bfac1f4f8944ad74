//! A real Heimdall: a network of one validator, whose Bor it watches and agrees on milestones of.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use serde_json::Value;

use crate::process::{Process, finish, free_address};
use crate::tool;

/// A validator's Heimdall, made and not yet started.
#[derive(Debug)]
pub struct Validator {
    program: PathBuf,
    folder: PathBuf,
    /// Its address, with which its Bor signs blocks too.
    pub address: Address,
    /// The secret behind it.
    pub secret: B256,
}

/// A running Heimdall.
#[derive(Debug)]
pub struct Heimdalld {
    process: Process,
    /// Where its REST interface answers.
    pub address: SocketAddr,
}

// === impl Validator ===

impl Validator {
    /// The only one of a network for the Bor chain with that id; `None` where Heimdall is not installed.
    pub fn new(dir: &Path, chain_id: u64) -> Option<Self> {
        let program = tool("heimdalld")?;
        let folder = dir.join("heimdall");
        let mut command = Command::new(&program);
        command.arg("create-testnet").arg("--home").arg(&folder).arg("--output-dir").arg(&folder);
        command.args(["--v", "1", "--n", "0", "--chain-id", &format!("heimdall-{chain_id}")]);
        let printed = finish(command, Duration::from_secs(60));
        let dump = std::fs::read(folder.join("signer-dump.json")).unwrap_or_else(|_| panic!("{printed}"));
        let dump: Value = serde_json::from_slice(&dump).expect("the keys of the network");
        let text = |name: &str| dump[0][name].as_str().unwrap_or_default().to_owned();
        let address = text("address").parse().expect("an address");
        let secret = text("priv_key").parse().expect("a secret");
        Some(Self { program, folder, address, secret })
    }

    /// Starts it for the Bor that answers, or will answer, there.
    pub fn start(&self, bor: SocketAddr) -> Heimdalld {
        let home = self.folder.join("node0/heimdalld");
        let (rest, comet, p2p, grpc) = (free_address(), free_address(), free_address(), free_address());
        // Beside ports of its own: it would look for itself by a name that does not resolve, and profile itself.
        set(
            &home.join("config/config.toml"),
            &[
                ("laddr = \"tcp://0.0.0.0:26657\"", format!("laddr = \"tcp://{comet}\"")),
                ("laddr = \"tcp://0.0.0.0:26656\"", format!("laddr = \"tcp://{p2p}\"")),
                ("persistent_peers = ", "persistent_peers = \"\"".to_owned()),
                ("pprof_laddr = ", "pprof_laddr = \"\"".to_owned()),
            ],
        );
        set(
            &home.join("config/app.toml"),
            &[
                ("address = \"tcp://0.0.0.0:1317\"", format!("address = \"tcp://{rest}\"")),
                ("address = \"localhost:9090\"", format!("address = \"{grpc}\"")),
                ("bor_rpc_url = ", format!("bor_rpc_url = \"http://{bor}\"")),
                ("comet_bft_rpc_url = ", format!("comet_bft_rpc_url = \"http://{comet}\"")),
            ],
        );
        let mut command = Command::new(&self.program);
        command.arg("start").arg("--home").arg(&home).args(["--chain", "local"]);
        let mut process = Process::start(command, &self.folder.join("heimdalld.log"));
        process.listening(rest);
        Heimdalld { process, address: rest }
    }
}

// === impl Heimdalld ===

impl Heimdalld {
    /// All that it has logged.
    pub fn log(&self) -> String {
        self.process.log_text()
    }
}

/// Replaces each line that begins so.
fn set(file: &Path, lines: &[(&str, String)]) {
    let text = std::fs::read_to_string(file).expect("a configuration file");
    let mut missing: Vec<&str> = lines.iter().map(|(begin, _)| *begin).collect();
    let replaced = text.lines().map(|line| match lines.iter().find(|(begin, _)| line.starts_with(begin)) {
        Some((begin, new)) => {
            missing.retain(|other| other != begin);
            new.as_str()
        }
        None => line,
    });
    let text: String = replaced.flat_map(|line| [line, "\n"]).collect();
    assert!(missing.is_empty(), "{} has no line that begins with {missing:?}", file.display());
    std::fs::write(file, text).expect("the configuration can be written");
}
