//! Trust anchored on Ethereum: a real Anvil with a contract of RootChain's interface, several endpoints before it.

mod bor;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use hypasis_chain::dev::{Corruption, DevChain, DevForks};
use hypasis_chain::header::field;
use hypasis_tests::anvil::Anvil;
use hypasis_tests::appliance::{Appliance, binary};
use hypasis_tests::hosted::{Hosted, assert_held, chain};
use hypasis_tests::http::{get, post, request};
use hypasis_tests::l1::{L1Endpoint, RootChain, root_over};
use hypasis_upstream::dev::Lie;
use serde_json::{Value, json};
use tempfile::tempdir;

const LIMIT: Duration = Duration::from_secs(120);
/// Blocks of L1 on top of one that make it finalized.
const FINALITY: u64 = 3;

#[test]
fn a_checkpoint_appears_advances_outlives_a_lying_endpoint_and_l1_away() {
    let dir = tempdir().unwrap();
    let Some(anvil) = Anvil::start(dir.path(), &["--slots-in-an-epoch", "1"]) else { return };
    let contract = RootChain::deploy(&anvil);
    let chain = chain(300, 2, 1, DevForks::default());
    let node = Hosted::start("node", &chain);
    let endpoints = [(); 3].map(|()| L1Endpoint::before(anvil.address));
    endpoints[2].lie(true);
    submit(&contract, &anvil, &chain, 1, 64);
    let config = config(dir.path(), &contract, &endpoints, &[&node]);
    let mut appliance = Appliance::start(dir.path(), &["--config", &config]);

    // It appears, with its proof, although one endpoint lies.
    appliance.until(|_, admin| page(admin)["number"] == 64, LIMIT, "to trust the first checkpoint");
    let first = page(appliance.admin);
    assert_eq!(first["hash"], json!(chain.id_at(64).hash));
    assert_eq!(first["source"], "ethereum-l1");
    assert_eq!(first["named_by"], json!(["node"]));
    let proof = &first["proof"];
    assert_eq!(
        (&proof["header_block"], &proof["start"], &proof["end"]),
        (&json!(10_000), &json!(1), &json!(64))
    );
    assert_eq!(proof["root"], json!(root_over(&chain, 1..=64)));
    assert_eq!(proof["endpoints"], json!(["l1-1", "l1-2"]), "the liar vouches for nothing");
    assert_eq!(first["covered"], json!([[1, 64]]));
    let shown = std::process::Command::new(binary())
        .args(["status", "--admin", &format!("http://{}", appliance.admin)])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("checkpoint  64 (ethereum-l1), covered up to 64"), "{shown}");
    let liar = &first["l1"]["endpoints"][2];
    assert!(liar["dissents"].as_u64().unwrap() > 0, "{liar}");
    assert!(liar["fault"].as_str().unwrap().contains("contradicts the others"), "{liar}");

    // It advances, by the contract's events; and by its list where nobody gives events.
    submit(&contract, &anvil, &chain, 65, 128);
    covered(&mut appliance, 128);
    assert!(endpoints[0].asked_for_logs() > 0, "the event was looked for");
    endpoints.iter().for_each(|endpoint| endpoint.deny_logs(true));
    submit(&contract, &anvil, &chain, 129, 150);
    covered(&mut appliance, 150);
    appliance.filled(300, LIMIT);

    // L1 goes away: that is said, and nothing else changes; also over a restart.
    endpoints.iter().for_each(|endpoint| endpoint.away(true));
    submit(&contract, &anvil, &chain, 151, 200);
    appliance.until(|_, admin| page(admin)["l1"]["trouble"].is_string(), LIMIT, "to notice that L1 is away");
    assert_eq!(page(appliance.admin)["covered"], json!([[1, 150]]));
    assert_eq!(metric(&appliance, "hypasis_checkpoint_l1_up"), 0);
    assert_eq!(appliance.status()["halted"], Value::Null);
    assert_eq!(appliance.terminate(), Some(0));
    let mut appliance = Appliance::start(dir.path(), &["--config", &config]);
    let question = request("eth_getBlockByNumber", json!(["0x10", false]));
    let answer = post(appliance.rpc, &question);
    assert!(matches!(answer.header("hypasis-source"), Some("store" | "memory")), "{}", answer.body);
    appliance.until(|_, admin| page(admin)["l1"]["trouble"].is_string(), LIMIT, "to ask L1 in vain");
    let kept = page(appliance.admin);
    assert_eq!((&kept["number"], &kept["covered"]), (&json!(64), &json!([[1, 150]])));
    assert_eq!(kept["proof"], first["proof"]);

    // It is back, and so is the liar; blocks that are made only now are compared once they are held.
    endpoints.iter().for_each(|endpoint| endpoint.away(false));
    covered(&mut appliance, 200);
    assert_eq!(page(appliance.admin)["l1"]["trouble"], Value::Null);
    contract.submit(root_of_advanced(&chain, 201, 330), 201..=330);
    anvil.mine(FINALITY);
    covered(&mut appliance, 330);
    assert_held(&appliance, &chain, 0..=330);
    assert_eq!(metric(&appliance, "hypasis_checkpoint_number"), 64);
    assert_eq!(metric(&appliance, "hypasis_checkpoint_covered_number"), 330);
    assert_eq!(metric(&appliance, "hypasis_checkpoint_l1_up"), 1);
    assert!(metric(&appliance, "hypasis_checkpoint_endpoint_dissents_total{endpoint=\"l1-3\"}") > 0);
    assert_eq!(metric(&appliance, "hypasis_checkpoint_endpoint_dissents_total{endpoint=\"l1-1\"}"), 0);
    assert!(!appliance.log().contains("hunter2"), "a URL with its secret is in the log");
    assert!(!page(appliance.admin).to_string().contains("hunter2"));
}

#[test]
fn two_endpoints_that_contradict_each_other_start_nothing_until_they_agree() {
    let dir = tempdir().unwrap();
    let Some(anvil) = Anvil::start(dir.path(), &["--slots-in-an-epoch", "1"]) else { return };
    let contract = RootChain::deploy(&anvil);
    let chain = chain(100, 2, 1, DevForks::default());
    let node = Hosted::start("node", &chain);
    let endpoints = [(); 2].map(|()| L1Endpoint::before(anvil.address));
    endpoints[1].lie(true);
    submit(&contract, &anvil, &chain, 1, 50);
    let config = config(dir.path(), &contract, &endpoints, &[&node]);
    let mut appliance = Appliance::start(dir.path(), &["--config", &config]);
    let says = |admin, what: &str| {
        let answer = get(admin, "/api/v1/checkpoint");
        answer.status == 404 && answer.json()["error"].as_str().is_some_and(|error| error.contains(what))
    };
    appliance.until(|_, admin| says(admin, "contradict each other"), LIMIT, "to say that L1 is disputed");
    assert_eq!(appliance.status()["store"]["history_blocks"], 0, "nothing is stored without a checkpoint");
    // One endpoint of two is not enough either.
    endpoints[1].away(true);
    appliance.until(
        |_, admin| says(admin, "1 of 2 endpoints answered"),
        LIMIT,
        "to say that one is not enough",
    );
    endpoints[1].away(false);
    endpoints[1].lie(false);
    appliance.until(|_, admin| page(admin)["number"] == 50, LIMIT, "to trust what both say");
    appliance.filled(100, LIMIT);
}

#[test]
fn a_source_whose_headers_do_not_add_up_is_blamed_and_another_one_believed() {
    let dir = tempdir().unwrap();
    let Some(anvil) = Anvil::start(dir.path(), &["--slots-in-an-epoch", "1"]) else { return };
    let contract = RootChain::deploy(&anvil);
    let chain = chain(100, 2, 1, DevForks::default());
    let (liar, honest) = (Hosted::start("a-liar", &chain), Hosted::start("honest", &chain));
    let lie = Lie { corruption: Corruption::HeaderField(field::RECEIPTS_ROOT), heights: 20..21 };
    liar.node.lie(Some(lie));
    honest.node.fail(true);
    let endpoint = [L1Endpoint::before(anvil.address)];
    submit(&contract, &anvil, &chain, 1, 50);
    let config = config(dir.path(), &contract, &endpoint, &[&liar, &honest]);
    let mut appliance = Appliance::start(dir.path(), &["--config", &config]);
    let refused = |admin| {
        let page = page(admin);
        let error = page["error"].as_str().unwrap_or_default();
        error.contains("no source has the headers of header block 10000") && error.contains("a-liar")
    };
    appliance.until(|_, admin| refused(admin), LIMIT, "to find the only source's headers wrong");
    honest.node.fail(false);
    appliance.until(|_, admin| page(admin)["number"] == 50, LIMIT, "to take the headers of the other");
    assert_eq!(page(appliance.admin)["hash"], json!(chain.id_at(50).hash));
    assert!(appliance.upstream("a-liar")["blamed"].as_u64().unwrap() > 0);
    assert_eq!(appliance.upstream("honest")["blamed"], 0);
    appliance.filled(100, LIMIT);
    assert_held(&appliance, &chain, 0..=100);
}

#[test]
fn a_root_that_contradicts_settled_blocks_ends_sync_loudly_and_serving_goes_on() {
    let dir = tempdir().unwrap();
    let Some(anvil) = Anvil::start(dir.path(), &["--slots-in-an-epoch", "1"]) else { return };
    let contract = RootChain::deploy(&anvil);
    let chain = chain(200, 2, 1, DevForks::default());
    let node = Hosted::start("node", &chain);
    let endpoints = [(); 2].map(|()| L1Endpoint::before(anvil.address));
    submit(&contract, &anvil, &chain, 1, 50);
    let config = config(dir.path(), &contract, &endpoints, &[&node]);
    let mut appliance = Appliance::start(dir.path(), &["--config", &config]);
    appliance.filled(200, LIMIT);
    contract.submit(B256::repeat_byte(7), 51..=100);
    anvil.mine(FINALITY);
    let halted = |admin: SocketAddr| get(admin, "/api/v1/status").json()["halted"].clone();
    for _ in 0..2 {
        appliance.until(|_, admin| halted(admin).is_string(), LIMIT, "to find the contradiction");
        let reason = halted(appliance.admin).as_str().unwrap().to_owned();
        assert!(reason.contains("L1 contradicts the store: header block 20000"), "{reason}");
        assert!(reason.contains(&root_over(&chain, 51..=100).to_string()), "{reason}");
        assert!(reason.contains("l1-1, l1-2"), "{reason}");
        assert_eq!(page(appliance.admin)["covered"], json!([[1, 50]]));
        assert_eq!(metric(&appliance, "hypasis_checkpoint_ranges_mismatched_total"), 1);
        assert_held(&appliance, &chain, 0..=200);
        // A restart forgets nothing of it.
        assert_eq!(appliance.terminate(), Some(0));
        appliance = Appliance::start(dir.path(), &["--config", &config]);
    }
}

#[test]
fn a_root_of_another_branch_of_the_tip_waits_for_the_reorg_that_mends_it() {
    let dir = tempdir().unwrap();
    let Some(anvil) = Anvil::start(dir.path(), &["--slots-in-an-epoch", "1"]) else { return };
    let contract = RootChain::deploy(&anvil);
    // Equal chains; the one has the reorg before it that the other will have.
    let (ours, theirs) = (chain(200, 2, 1, DevForks::default()), chain(200, 2, 1, DevForks::default()));
    theirs.reorg(20, 25);
    let node = Hosted::start("node", &ours);
    let endpoint = [L1Endpoint::before(anvil.address)];
    submit(&contract, &anvil, &ours, 1, 50);
    let config = config(dir.path(), &contract, &endpoint, &[&node]);
    let mut appliance = Appliance::start(dir.path(), &["--config", &config]);
    appliance.filled(200, LIMIT);
    submit(&contract, &anvil, &theirs, 51, 190);
    let halted = |admin| get(admin, "/api/v1/status").json()["halted"].to_string();
    appliance.until(
        |_, admin| halted(admin).contains("a reorg may mend it"),
        LIMIT,
        "to see the other branch's root",
    );
    assert_eq!(page(appliance.admin)["covered"], json!([[1, 50]]));
    ours.reorg(20, 25);
    assert_eq!(ours.id_at(190), theirs.id_at(190));
    covered(&mut appliance, 190);
    appliance.until(|_, admin| halted(admin) == "null", LIMIT, "to go on");
    assert_eq!(metric(&appliance, "hypasis_checkpoint_ranges_mismatched_total"), 0);
}

/// Writes a true checkpoint and finalizes it.
fn submit(contract: &RootChain<'_>, anvil: &Anvil, chain: &DevChain, start: u64, end: u64) {
    contract.submit(root_over(chain, start..=end), start..=end);
    anvil.mine(FINALITY);
}

/// The root over a range that reaches above the present head, which is advanced to its end.
fn root_of_advanced(chain: &Arc<DevChain>, start: u64, end: u64) -> B256 {
    chain.advance(end - chain.head().number);
    root_over(chain, start..=end)
}

fn config(dir: &Path, contract: &RootChain<'_>, endpoints: &[L1Endpoint], nodes: &[&Hosted]) -> String {
    let urls: Vec<_> = endpoints.iter().map(L1Endpoint::url).collect();
    let nodes: String = nodes.iter().map(|node| node.config("")).collect();
    let text = format!(
        "{nodes}[checkpoint]\nsource = \"ethereum-l1\"\nl1_urls = {urls:?}\nroot_chain = \"{}\"\n\
         poll_interval = \"100ms\"\n",
        contract.address
    );
    let path = dir.join("hypasis.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn page(admin: SocketAddr) -> Value {
    get(admin, "/api/v1/checkpoint").json()
}

/// Waits until all heights up to `end` are covered, in one range.
fn covered(appliance: &mut Appliance, end: u64) {
    let expected = json!([[1, end]]);
    appliance.until(|_, admin| page(admin)["covered"] == expected, LIMIT, "to cover the next checkpoint");
}

fn metric(appliance: &Appliance, name: &str) -> u64 {
    let page = appliance.metrics().body;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("no {name} in {page}")).parse::<f64>().unwrap();
    value as u64
}
