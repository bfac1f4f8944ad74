//! An unmodified Bor that knows nobody but the appliance syncs from it, and follows the head.
//!
//! A has the chain, B is fresh. Full sync executes everything, so that B reaching the head proves each block.

use std::path::Path;
use std::time::{Duration, Instant};

use hypasis_chain::dev::bor::{BorForks, BorOptions};
use hypasis_tests::appliance::Appliance;
use hypasis_tests::bor::{Bor, Heimdall, LOGGER, Minted, Node, RICH, Release};
use hypasis_tests::http::get;
use hypasis_tests::transaction::Account;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use super::content::{SPRINT, Sender, imported, told};
use super::{FILLING, configured};

/// Blocks of the chain that is synced.
const BLOCKS: u64 = 3_000;
/// Time for them; a Bor that lost its peer dials again after half a minute.
const SYNCING: Duration = Duration::from_secs(120);
/// No later than this after the source has it, B has a block.
const BEHIND: Duration = Duration::from_secs(3);
/// So slow that next to nothing is stored while B syncs.
const SLOW: &str = "fill_rate = 20";

/// Where the appliance has the chain from.
#[derive(Clone, Copy, Debug)]
enum By {
    Rpc,
    Enode,
}

#[test]
fn from_a_full_store_with_the_source_gone_over_eth_69() {
    full(Release::Newest, By::Rpc);
}

#[test]
fn from_a_full_store_with_the_source_gone_over_eth_68() {
    full(Release::Eth68, By::Rpc);
}

#[test]
fn from_a_store_that_a_peer_filled_with_the_peer_gone() {
    full(Release::Newest, By::Enode);
}

#[test]
fn from_an_empty_store_over_eth_69() {
    empty(Release::Newest, By::Rpc);
}

#[test]
fn from_an_empty_store_over_eth_68() {
    empty(Release::Eth68, By::Rpc);
}

#[test]
fn from_an_empty_store_behind_a_peer() {
    empty(Release::Newest, By::Enode);
}

#[test]
fn the_head_is_followed_across_sprints_spans_and_events_over_eth_69() {
    follows(BorForks::default(), Release::Newest, By::Rpc);
}

#[test]
fn the_head_is_followed_across_sprints_spans_and_events_over_eth_68() {
    follows(BorForks::default(), Release::Eth68, By::Rpc);
}

#[test]
fn the_head_is_followed_behind_a_peer() {
    follows(BorForks::default(), Release::Newest, By::Enode);
}

#[test]
fn the_head_is_followed_across_events_before_madhugiri() {
    follows(BorForks { rio: 1, ..BorForks::before_rio() }, Release::Newest, By::Rpc);
}

/// Producers that change with each sprint and span, in every era.
fn options() -> BorOptions {
    let forks = BorForks {
        rio: 1_856,
        madhugiri: 2_000,
        dandeli: 2_100,
        lisovo: 2_200,
        giugliano: 2_300,
        ..BorForks::staged(200)
    };
    BorOptions { validators: vec![10, 30, 20, 5, 1], producers: 3, span: 160, forks, ..BorOptions::default() }
}

/// A with the whole minted chain.
fn source(dir: &TempDir) -> Option<(Minted, Heimdall, Bor)> {
    let mut minted = Minted::new(dir.path(), options());
    let heimdall = minted.heimdall();
    let bor = Node::new(&minted.genesis, &heimdall).start(&dir.path().join("a"))?;
    bor.import(&minted.file(BLOCKS));
    Some((minted, heimdall, bor))
}

fn full(release: Release, by: By) {
    let dir = tempdir().unwrap();
    let Some((minted, heimdall, source)) = source(&dir) else { return };
    let mut appliance = behind(dir.path(), &minted.genesis, &source, by, "");
    appliance.filled(BLOCKS, FILLING);
    source.stop();
    syncs(&dir, &minted, &heimdall, &appliance, release);
}

fn empty(release: Release, by: By) {
    let dir = tempdir().unwrap();
    let Some((minted, heimdall, source)) = source(&dir) else { return };
    let mut appliance = behind(dir.path(), &minted.genesis, &source, by, SLOW);
    appliance.until(|_, admin| head(admin) == BLOCKS, FILLING, "to know the head");
    syncs(&dir, &minted, &heimdall, &appliance, release);
}

fn follows(forks: BorForks, release: Release, by: By) {
    let dir = tempdir().unwrap();
    let options = BorOptions { forks, ..BorOptions::default() };
    let Some((minted, heimdall, node)) = imported(dir.path(), options, 245) else { return };
    let Some(mut a) = node.clone().mining(&minted.chain).start(&dir.path().join("a")) else { return };
    let mut appliance = behind(dir.path(), &minted.genesis, &a, by, "");
    appliance.filled(245, FILLING);
    let enode = appliance.node().0;
    let fresh = node.release(release).syncing().static_node(&enode);
    let Some(mut b) = fresh.start(&dir.path().join("b")) else { return };
    let begun = a.head();
    b.mined(begun, SYNCING);
    let mut sender = Sender::new(&a, Account::with_key(RICH));
    let mut latest = Duration::ZERO;
    // What was imported while syncing is behind; from here on each block counts. Span 0 ends at 255.
    let begun = a.head() + 2;
    b.mined(begun, SYNCING);
    for height in begun + 1..=begun.max(256) + 4 * SPRINT {
        sender.log(&a);
        if height % SPRINT == 1 {
            told(&heimdall, LOGGER, height);
        }
        a.mined(height, SYNCING);
        let there = Instant::now();
        let hash = a.hash(height);
        b.reached(height, &hash, SYNCING);
        latest = latest.max(there.elapsed());
    }
    assert!(latest <= BEHIND, "a block came {latest:?} after A had it\n{}", appliance.log());
    let events = events(&a, begun);
    assert!(!events.is_empty(), "no event was committed:\n{}", a.log());
    for height in events {
        let block = json!([format!("{height:#x}"), true]);
        let receipts = json!([format!("{height:#x}")]);
        for (method, params) in [("eth_getBlockByNumber", block), ("eth_getBlockReceipts", receipts)] {
            let (theirs, ours) = (a.ask(method, params.clone()), appliance.call(method, params.clone()));
            assert_eq!(ours["result"], theirs, "{method} {height}");
            assert_eq!(b.ask(method, params), theirs, "{method} {height}");
        }
    }
    alone(&b, &enode, release);
}

/// Heights from there on whose block holds a state sync.
fn events(bor: &Bor, from: u64) -> Vec<u64> {
    let holds = |height: &u64| {
        let block = bor.ask("eth_getBlockByNumber", json!([format!("{height:#x}"), true]));
        let last = block["transactions"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
        last["from"] == "0x0000000000000000000000000000000000000000"
    };
    (from..=bor.head()).filter(holds).collect()
}

/// Starts B, waits until it has the whole chain, and sees that it had it from the appliance.
fn syncs(dir: &TempDir, minted: &Minted, heimdall: &Heimdall, appliance: &Appliance, release: Release) {
    let enode = appliance.node().0;
    let fresh = Node::new(&minted.genesis, heimdall).release(release).syncing().static_node(&enode);
    let Some(mut fresh) = fresh.start(&dir.path().join("b")) else { return };
    let head = minted.minter.head();
    fresh.reached(head.number, &json!(head.hash), SYNCING);
    alone(&fresh, &enode, release);
    for height in [1, BLOCKS / 2, BLOCKS] {
        let ours = appliance.call("eth_getBlockByNumber", json!([format!("{height:#x}"), false]));
        assert_eq!(fresh.hash(height), ours["result"]["hash"], "block {height}");
    }
}

/// Its one peer is the appliance, over the version that is meant.
fn alone(bor: &Bor, enode: &str, release: Release) {
    let (peers, id) = (bor.peers(), enode.split('@').next().unwrap());
    let version = if release == Release::Eth68 { 68 } else { 69 };
    let is_it = |peer: &Value| {
        peer["enode"].as_str().is_some_and(|peer| peer.starts_with(id))
            && peer["protocols"]["eth"]["version"] == version
    };
    assert!(
        peers.len() == 1 && peers.iter().all(is_it),
        "{peers:?} are not the appliance alone at eth/{version}"
    );
}

fn head(admin: std::net::SocketAddr) -> u64 {
    get(admin, "/api/v1/status").json()["head"]["number"].as_u64().unwrap_or(0)
}

fn behind(dir: &Path, genesis: &Path, source: &Bor, by: By, rate: &str) -> Appliance {
    let url = match by {
        By::Rpc => format!("http://{}", source.address),
        By::Enode => source.enode(),
    };
    configured(dir, genesis, &format!("[[upstream]]\nid = \"a\"\nurl = \"{url}\"\n{rate}\n"))
}
