//! A real Geth with its 600-block test chain.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::{Process, free_address};
use crate::{built, tool};

/// Height of the test chain's head.
pub const HEAD: u64 = 600;

/// A running Geth.
#[derive(Debug)]
pub struct Geth {
    process: Process,
    /// Where it answers JSON-RPC.
    pub address: SocketAddr,
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
            let status = Command::new(&geth)
                .args(["--datadir".as_ref(), data.as_os_str(), "--gcmode".as_ref(), "archive".as_ref()])
                .args(["--state.scheme", "hash", "--verbosity", "1", arguments[0]])
                .arg(chain.join(arguments[1]))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("geth runs");
            assert!(status.success(), "geth {} failed", arguments[0]);
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

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends the node.
    pub fn stop(self) {
        self.process.kill();
    }
}

/// The folder of Geth's test chain: `genesis.json`, `chain.rlp`, ….
pub fn chain_folder() -> PathBuf {
    built().parent().expect("target").join("tools/geth-chain")
}
