//! Chains for Bor: minted, as files that it imports, and with Polygon's own contracts where it is to mine on.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use alloy_primitives::{B256, b256};
use hypasis_chain::dev::bor::{BorChain, BorMinter, BorOptions, block_rlp};
use serde_json::{Value, json};

use super::heimdall::{Heimdall, Span};
use crate::{built, tool};

/// Secret of an account that is rich in the genesis of Bor's own tests.
pub const RICH: B256 = b256!("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291");
/// A contract that logs whatever it is told, with its caller as the topic.
pub const LOGGER: &str = "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// `CALLDATASIZE, 0, 0, CALLDATACOPY, CALLER, CALLDATASIZE, 0, LOG1, STOP`.
const LOGGER_CODE: &str = "0x36600060003733366000a100";

/// A minted chain in a folder: `genesis.json`, and files of blocks.
#[derive(Debug)]
pub struct Minted {
    /// The chain.
    pub chain: BorChain,
    /// Where the next block stands.
    pub minter: BorMinter,
    /// Its genesis file.
    pub genesis: PathBuf,
    folder: PathBuf,
    files: usize,
}

// === impl Minted ===

impl Minted {
    /// A chain with these options in a folder, which is made.
    pub fn new(folder: &Path, options: BorOptions) -> Self {
        let chain = BorChain::new(options).expect("possible options");
        std::fs::create_dir_all(folder).expect("the folder can be made");
        let genesis = folder.join("genesis.json");
        std::fs::write(&genesis, chain.genesis_json()).expect("the genesis can be written");
        Self { minter: chain.minter(), chain, genesis, folder: folder.to_owned(), files: 0 }
    }

    /// A Heimdall that knows its spans.
    pub fn heimdall(&self) -> Heimdall {
        let (chain, id) = (self.chain.clone(), self.chain.options().chain_id);
        let validators = chain.validators();
        Heimdall::start(id, move |span| {
            let span = chain.span(span);
            let producers = span.producers.iter().map(|place| (*place as u64 + 1, validators[*place]));
            let producers =
                producers.map(|(id, (address, power))| (id, address.to_string(), power)).collect();
            Span { id: span.id, blocks: span.blocks, producers }
        })
    }

    /// The next `count` blocks as a file.
    pub fn file(&mut self, count: u64) -> PathBuf {
        self.files += 1;
        let path = self.folder.join(format!("chain-{}.rlp", self.files));
        write_chain(&path, &mut self.minter, count);
        path
    }
}

/// Writes the next `count` blocks behind each other.
pub fn write_chain(path: &Path, minter: &mut BorMinter, count: u64) {
    let mut file = BufWriter::new(std::fs::File::create(path).expect("the file can be made"));
    for _ in 0..count {
        file.write_all(&block_rlp(&minter.mint())).expect("the file can be written");
    }
    file.flush().expect("the file can be written");
}

/// Polygon's own contracts as accounts of a genesis file, a rich account ([`RICH`]), and [`LOGGER`]. `None` where Bor
/// is not installed.
pub fn polygon_contracts() -> Option<Value> {
    tool("bor")?;
    let file = built().parent().expect("target").join("tools/bor-chain/genesis.json");
    let text = std::fs::read(file).expect("the genesis of Bor's tests");
    let mut genesis: Value = serde_json::from_slice(&text).expect("it is JSON");
    let mut accounts = genesis["alloc"].take();
    accounts[LOGGER] = json!({ "balance": "0x0", "code": LOGGER_CODE });
    Some(accounts)
}
