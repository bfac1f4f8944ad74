//! Nodes that lie, contradict each other, stall, or belong elsewhere: nothing of it is ever stored or served.
//!
//! The nodes lie over a real port, beside an honest one. Where a test needs every liar to be asked, the honest node
//! answers 503 until each has told its lie.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hypasis_chain::dev::{Corruption, DevChain, DevForks, corrupt};
use hypasis_tests::appliance::{Appliance, upstream};
use hypasis_tests::hosted::{Hosted, assert_held, chain, checkpoint};
use hypasis_tests::http::{call, get};
use hypasis_upstream::dev::Lie;
use serde_json::{Value, json};
use tempfile::tempdir;

mod heads;
mod strangers;

/// Head and checkpoint of the chains that are lied about. The head itself is told truly: a node that cannot tell its
/// head is no node.
const HEAD: u64 = 17;
/// Longest wait for any one thing.
const LIMIT: Duration = Duration::from_secs(90);
/// Workers claim few heights at once, so that many nodes are asked.
const SMALL_CLAIMS: &str = "[sync.backward]\nbatch_size = 8\n";

#[test]
fn no_lie_below_the_checkpoint_reaches_the_store_and_each_is_named() {
    let chain = chain(HEAD, 60, 1, DevForks::default());
    let lies = told(&chain, 1..HEAD, true);
    assert!(lies.len() >= 45, "only {} lies: {lies:?}", lies.len());
    tell_below(&chain, &lies, true);
}

#[test]
fn no_lie_in_json_below_the_checkpoint_reaches_the_store_and_each_is_named() {
    let chain = chain(HEAD, 60, 1, DevForks::default());
    let lies = told(&chain, 1..HEAD, false);
    assert!(lies.len() >= 35, "only {} lies: {lies:?}", lies.len());
    tell_below(&chain, &lies, false);
}

#[test]
fn lies_that_only_older_blocks_offer_are_caught_too() {
    let chain = chain(40, 12, 3, DevForks::staged(16));
    for lie in [Corruption::UncleMissing, Corruption::ReceiptField(1)] {
        assert!((1..40).any(|number| corrupt(&chain.block(number), lie).is_some()), "{lie:?} is never told");
        tell_below(&chain, &[lie], true);
    }
}

/// Each of `lies` is told by a node of its own about every block; the honest node comes when all are named.
fn tell_below(chain: &Arc<DevChain>, lies: &[Corruption], raw: bool) {
    let dir = tempdir().unwrap();
    let head = chain.head().number;
    let honest = Hosted::start("honest", chain);
    let liars: Vec<Hosted> = lies.iter().map(|lie| liar(chain, *lie, 1..head)).collect();
    for node in liars.iter().chain([&honest]) {
        node.node.offer_raw(raw);
    }
    honest.node.fail(true);
    let config = format!("{}{SMALL_CLAIMS}", checkpoint(chain, head));
    let mut appliance = start(dir.path(), &config, liars.iter().chain([&honest]));
    appliance.until(|_, admin| all_named(admin, &liars), LIMIT, "to name all liars");
    for (liar, lie) in liars.iter().zip(lies) {
        let fault = appliance.upstream(&liar.id)["last_fault"].clone();
        assert!(names(*lie, fault.as_str().unwrap()), "{lie:?} was called: {fault}");
    }
    honest.node.fail(false);
    appliance.filled(head, LIMIT);
    assert_held(&appliance, chain, 0..=head);
    assert_eq!(blamed(appliance.admin, &honest), 0);
    let block = get(appliance.admin, "/api/v1/blocks/7").json();
    assert_eq!(block["verified"]["level"], "full", "{block}");
}

#[test]
fn no_lie_above_the_checkpoint_moves_the_head_or_reaches_the_store() {
    // Two chains, equal to the last byte: the honest node's stays behind until all lies are told.
    let (theirs, ours) = (chain(40, 60, 1, DevForks::default()), chain(40, 60, 1, DevForks::default()));
    let dir = tempdir().unwrap();
    let honest = Hosted::start("honest", &ours);
    let lies = told(&chain(42, 60, 1, DevForks::default()), 41..42, true);
    assert!(lies.len() >= 45, "only {} lies: {lies:?}", lies.len());
    let liars: Vec<Hosted> = lies.iter().map(|lie| liar(&theirs, *lie, 41..42)).collect();
    let nodes = liars.iter().chain([&honest]);
    let mut appliance = start(dir.path(), &checkpoint(&ours, 40), nodes);
    appliance.filled(40, LIMIT);
    theirs.advance(2);
    appliance.until(
        |rpc, admin| {
            assert_eq!(head_of(rpc), "0x28", "the head moved onto a lie");
            all_named(admin, &liars)
        },
        LIMIT,
        "to name all liars",
    );
    for (liar, lie) in liars.iter().zip(&lies) {
        let fault = appliance.upstream(&liar.id)["last_fault"].clone();
        assert!(names(*lie, fault.as_str().unwrap()), "{lie:?} was called: {fault}");
    }
    assert_held(&appliance, &ours, 0..=40);
    ours.advance(2);
    appliance.filled(42, LIMIT);
    assert_held(&appliance, &ours, 0..=42);
    assert_eq!(blamed(appliance.admin, &honest), 0);
}

/// The lies that show in what a node says of every block of the range, raw or in JSON: a field too many is not in any
/// JSON, and of some nonsense a node can make no answer at all.
fn told(chain: &Arc<DevChain>, heights: Range<u64>, raw: bool) -> Vec<Corruption> {
    let methods: [(&str, &[Value]); 2] = if raw {
        [("debug_getRawBlock", &[]), ("debug_getRawReceipts", &[])]
    } else {
        [("eth_getBlockByNumber", &[Value::Bool(true)]), ("eth_getBlockReceipts", &[])]
    };
    let node = Hosted::start("any", chain);
    let said = |lie: Option<Corruption>| -> Vec<Vec<Value>> {
        node.node.lie(lie.map(|corruption| Lie { corruption, heights: heights.clone() }));
        let at = |number: u64| {
            let params = |more: &[Value]| [&[json!(format!("{number:#x}"))], more].concat();
            methods
                .map(|(method, more)| call(node.address, method, params(more).into())["result"].clone())
                .to_vec()
        };
        heights.clone().map(at).collect()
    };
    let honest = said(None);
    let shows = |lie: &Corruption| {
        let lied = said(Some(*lie));
        lied.iter()
            .zip(&honest)
            .all(|(lied, honest)| lied != honest && lied.iter().all(|said| !said.is_null()))
    };
    Corruption::all().into_iter().filter(shows).collect()
}

/// A node that tells `lie` about the blocks of a range.
fn liar(chain: &Arc<DevChain>, lie: Corruption, heights: Range<u64>) -> Hosted {
    let hosted = Hosted::start(&format!("liar-{lie:?}").replace(['(', ')'], "-"), chain);
    hosted.node.lie(Some(Lie { corruption: lie, heights }));
    hosted
}

/// Whether the words of a fault name what the lie is about.
fn names(lie: Corruption, fault: &str) -> bool {
    use Corruption::*;
    let any = |words: &[&str]| words.iter().any(|word| fault.contains(word));
    match lie {
        HeaderField(_) | HeaderLonger | HeaderShorter => any(&["hash", "in place of"]),
        UncleInvented | UncleMissing => any(&["ncles"]),
        WithdrawalField(_) | WithdrawalInvented | WithdrawalsMissing => any(&["withdrawals"]),
        TransactionField(_) | TransactionType | TransactionMissing | TransactionTwice
        | TransactionsSwapped => any(&["transactions"]),
        ReceiptField(_) | ReceiptLastGas | ReceiptMissing | ReceiptTwice | ReceiptsSwapped | LogField(_)
        | LogTopic | LogMissing | LogTwice => any(&["receipts", "logsBloom", "gasUsed"]),
    }
}

/// Starts the appliance on these nodes.
fn start<'a>(dir: &std::path::Path, config: &str, nodes: impl IntoIterator<Item = &'a Hosted>) -> Appliance {
    let nodes: String = nodes.into_iter().map(|node| node.config("")).collect();
    start_with(dir, &format!("{nodes}{config}"))
}

fn start_with(dir: &std::path::Path, config: &str) -> Appliance {
    let path = dir.join("hypasis.toml");
    std::fs::write(&path, config).unwrap();
    Appliance::start(dir, &["--config", path.to_str().unwrap()])
}

/// Whether each of them was found lying.
fn all_named(admin: SocketAddr, liars: &[Hosted]) -> bool {
    let all = get(admin, "/api/v1/upstreams").json();
    let innocent: Vec<&Value> = all.as_array().unwrap().iter().filter(|node| node["blamed"] == 0).collect();
    !innocent.iter().any(|node| liars.iter().any(|liar| node["id"] == liar.id.as_str()))
}

fn blamed(admin: SocketAddr, node: &Hosted) -> u64 {
    upstream(admin, &node.id)["blamed"].as_u64().unwrap()
}

fn head_of(rpc: SocketAddr) -> String {
    call(rpc, "eth_blockNumber", json!([]))["result"].as_str().unwrap().to_owned()
}
