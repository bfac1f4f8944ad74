//! A chain with something in it: minted up to some height, then mined on by a real Bor with Polygon's contracts.

use std::path::Path;
use std::time::Duration;

use alloy_primitives::hex;
use hypasis_chain::dev::bor::BorOptions;
use hypasis_tests::bor::{Bor, Event, Heimdall, LOGGER, Minted, Node, RICH, number, polygon_contracts};
use hypasis_tests::transaction::{Account, Legacy};
use serde_json::{Value, json};

/// Sprints of the mined part, in blocks and seconds.
pub(super) const SPRINT: u64 = 4;
/// Blocks that are mined, one a second.
const MINED: u64 = 28;
/// Time for them.
const MINING: Duration = Duration::from_secs(120);

/// A Bor with a chain that grows no more.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) minted: Minted,
    /// The Bor asks it as long as it runs.
    pub(super) heimdall: Heimdall,
    pub(super) bor: Bor,
    pub(super) head: u64,
}

/// `minted` empty blocks, and behind them 28 that were mined, with transactions, logs, and events with and without
/// logs. `None` where Bor is not installed.
pub(super) fn content(dir: &Path, options: BorOptions, minted: u64) -> Option<Content> {
    let (minted, heimdall, node) = imported(dir, options, minted)?;
    let bor = node.clone().mining(&minted.chain).start(&dir.join("a"))?;
    let head = mine(&heimdall, bor);
    let bor = node.start(&dir.join("a"))?;
    assert_eq!(bor.head(), head, "what was mined is still there");
    Some(Content { minted, heimdall, bor, head })
}

/// A chain with Polygon's contracts whose first blocks lie in the folder of Bor `a`, which has been ended in order.
pub(super) fn imported(dir: &Path, options: BorOptions, blocks: u64) -> Option<(Minted, Heimdall, Node)> {
    let alloc = Some(polygon_contracts()?);
    let sprint = vec![(0, SPRINT)];
    let mut minted = Minted::new(dir, BorOptions { alloc, sprint, ..options });
    let heimdall = minted.heimdall();
    let node = Node::new(&minted.genesis, &heimdall);
    let bor = node.start(&dir.join("a"))?;
    bor.import(&minted.file(blocks));
    bor.terminate();
    Some((minted, heimdall, node))
}

/// Events and transactions while it mines; then it is ended in order. Returns its height.
fn mine(heimdall: &Heimdall, mut bor: Bor) -> u64 {
    let begun = bor.head();
    let account = Account::with_key(RICH);
    let mut sender = Sender::new(&bor, account);
    for step in 0..MINED {
        bor.mined(begun + step + 1, MINING);
        if step < MINED / 2 {
            (0..step % 12).for_each(|_| drop(sender.log(&bor)));
        }
        if step % 6 == 1 {
            told(heimdall, LOGGER, step);
            told(heimdall, "0x00000000000000000000000000000000000000ee", step);
        }
    }
    let head = bor.head();
    let events = (begun..=head).filter(|height| has_event(&bor, *height)).count();
    assert!(events >= 2, "only {events} sprints began with events:\n{}", bor.log());
    bor.terminate();
    head
}

/// Whether the last transaction of that block is a state sync, in either era.
fn has_event(bor: &Bor, height: u64) -> bool {
    let block = bor.ask("eth_getBlockByNumber", json!([format!("{height:#x}"), true]));
    let last = block["transactions"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
    last["from"] == "0x0000000000000000000000000000000000000000"
}

/// An event with some data for a contract.
pub(super) fn told(heimdall: &Heimdall, contract: &str, step: u64) {
    let data = hex::decode(format!("{:064x}", step + 1)).unwrap();
    heimdall.event(Event { contract: contract.to_owned(), data });
}

/// Sends transactions one after the other.
#[derive(Debug)]
pub(super) struct Sender {
    account: Account,
    chain_id: u64,
    nonce: u64,
}

impl Sender {
    pub(super) fn new(bor: &Bor, account: Account) -> Self {
        let nonce = bor.ask("eth_getTransactionCount", json!([account.address(), "latest"]));
        let chain_id = number(&bor.ask("eth_chainId", json!([])));
        Self { nonce: number(&nonce), account, chain_id }
    }

    /// One that makes the logging contract log.
    pub(super) fn log(&mut self, bor: &Bor) -> Value {
        let draft = Legacy {
            chain_id: Some(self.chain_id),
            nonce: self.nonce,
            gas_price: 100_000_000_000,
            gas: 60_000,
            input: self.nonce.to_be_bytes().to_vec(),
        };
        self.nonce += 1;
        bor.ask("eth_sendRawTransaction", json!([hex::encode_prefixed(draft.sign(&self.account))]))
    }
}
