//! Behind a real Geth: filled completely, then the node goes and its answers stay.

pub(crate) mod questions;

use std::collections::BTreeMap;
use std::time::Duration;

use hypasis_tests::appliance::Appliance;
use hypasis_tests::geth::{Geth, HEAD, chain_folder};
use hypasis_tests::http::{Answer, post, post_with, request};
use serde_json::json;
use tempfile::tempdir;

const FILLING: Duration = Duration::from_secs(180);
const COMPARING: Duration = Duration::from_secs(60);

#[test]
fn thousands_of_recorded_answers_come_back_identical_when_geth_is_gone() {
    let dir = tempdir().unwrap();
    let Some(geth) = Geth::start(dir.path()) else { return };
    let config = dir.path().join("hypasis.toml");
    std::fs::write(&config, "[store]\nfinality_depth = 100\n").unwrap();
    let mut appliance = start(dir.path(), &geth, &["--config", config.to_str().unwrap()]);
    appliance.filled(HEAD, FILLING);
    appliance.calibrated(COMPARING);
    let status = appliance.status();
    assert_eq!(status["rpc"]["passed_through_forms"], json!([]), "Geth's forms are all written here");
    let recorded: Vec<(String, Answer)> = questions::all(geth.address, HEAD)
        .into_iter()
        .map(|body| (body.clone(), post(geth.address, &body)))
        .collect();
    assert!(recorded.len() > 12_000, "only {} questions", recorded.len());
    geth.stop();
    let mut sources = BTreeMap::<String, usize>::new();
    let mut differing = Vec::new();
    for (question, expected) in &recorded {
        let answer = post(appliance.rpc, question);
        *sources.entry(answer.header("hypasis-source").unwrap_or("-").to_owned()).or_default() += 1;
        if answer.body != expected.body || answer.status != expected.status {
            differing.push(format!(
                "{question}\n  geth {}\n  ours {}",
                shorten(&expected.body),
                shorten(&answer.body)
            ));
        }
    }
    assert!(
        differing.is_empty(),
        "{} differ ({sources:?}), first:\n{}",
        differing.len(),
        differing[..differing.len().min(5)].join("\n")
    );
    let local: usize = ["store", "memory", "local"].iter().filter_map(|source| sources.get(*source)).sum();
    assert_eq!(local, recorded.len(), "{sources:?}");
}

#[test]
fn a_restart_without_the_node_serves_at_once() {
    let dir = tempdir().unwrap();
    let Some(geth) = Geth::start(dir.path()) else { return };
    let mut appliance = start(dir.path(), &geth, &[]);
    appliance.filled(HEAD, FILLING);
    let block = request("eth_getBlockByNumber", json!(["0x11", true]));
    let expected = post(geth.address, &block).body;
    geth.stop();
    assert_eq!(appliance.terminate(), Some(0), "SIGTERM ends it cleanly");
    let genesis = chain_folder().join("genesis.json");
    let dead = hypasis_tests::process::free_address();
    let again = Appliance::start(
        dir.path(),
        &["--chain", genesis.to_str().unwrap(), "--upstream", &format!("http://{dead}")],
    );
    assert_eq!(post(again.rpc, &block).body, expected);
    assert_eq!(again.call("eth_blockNumber", json!([]))["result"], format!("{HEAD:#x}"));
    let ready = hypasis_tests::http::get(again.admin, "/readyz");
    assert_eq!(ready.status, 200, "ready with every upstream down: {}", ready.body);
}

#[test]
fn what_is_not_answered_locally_passes_through_byte_for_byte() {
    let dir = tempdir().unwrap();
    let Some(geth) = Geth::start(dir.path()) else { return };
    let appliance = start(dir.path(), &geth, &[]);
    let account = "0x658bdf435d810c91414ec09147daa6db62406379";
    for body in [
        request("web3_clientVersion", json!([])),
        request("eth_getBalance", json!([account, "0x10"])),
        request("eth_getBalance", json!([account, "latest"])),
        request("eth_call", json!([{ "to": account, "data": "0x" }, "latest"])),
        request("eth_feeHistory", json!(["0x5", "latest", [25.0]])),
        request("debug_traceBlockByNumber", json!(["0x5", {}])),
        request("eth_getBlockByNumber", json!(["2", true])),
        request("eth_getBlockByNumber", json!([])),
        request("no_such_method", json!([1, { "a": [true, null] }])),
        r#"{"jsonrpc":"2.0","id":"a string","method":"eth_chainId"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":12345678901234567890123,"method":"eth_chainId","params":[]}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1.50,"method":"net_version","params":[]}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":null,"method":"eth_chainId"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#.to_owned(),
        r#"{"id":1,"method":"eth_chainId"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}"#.to_owned(),
        "[]".to_owned(),
        "{".to_owned(),
        "[1,2]".to_owned(),
        r#"[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},{"jsonrpc":"2.0","method":"eth_chainId"},{"jsonrpc":"2.0","id":1,"method":"nope"}]"#.to_owned(),
    ] {
        let (ours, theirs) = (post(appliance.rpc, &body), post(geth.address, &body));
        assert_eq!((ours.status, &ours.body), (theirs.status, &theirs.body), "{body}");
        assert_eq!(ours.header("content-type"), theirs.header("content-type"), "{body}");
    }
}

#[test]
fn what_fails_fails_in_the_words_of_geth() {
    let dir = tempdir().unwrap();
    let Some(geth) = Geth::start(dir.path()) else { return };
    let mut appliance = start(dir.path(), &geth, &[]);
    appliance.filled(HEAD, FILLING);
    appliance.calibrated(COMPARING);
    let faults = questions::faults();
    assert!(faults.len() > 150, "only {} faults", faults.len());
    let mut differing = Vec::new();
    for body in &faults {
        let (ours, theirs) = (post(appliance.rpc, body), post(geth.address, body));
        if (ours.status, &ours.body) != (theirs.status, &theirs.body) {
            differing.push(format!(
                "{body}\n  geth {}\n  ours {}",
                shorten(&theirs.body),
                shorten(&ours.body)
            ));
        }
    }
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}

#[test]
fn the_store_route_never_asks_the_node() {
    let dir = tempdir().unwrap();
    let Some(geth) = Geth::start(dir.path()) else { return };
    let mut appliance = start(dir.path(), &geth, &[]);
    appliance.filled(HEAD, FILLING);
    let state = request("eth_getBalance", json!(["0x658bdf435d810c91414ec09147daa6db62406379", "0x10"]));
    let refused = post_with(appliance.rpc, &state, &[("hypasis-route", "store")]).json();
    assert_eq!(refused["error"]["code"], -32001, "{refused}");
    assert!(refused["error"]["data"].is_string() || refused["error"]["data"].is_object(), "{refused}");
    let held =
        post_with(appliance.rpc, &request("eth_blockNumber", json!([])), &[("hypasis-route", "store")]);
    assert_eq!(held.json()["result"], format!("{HEAD:#x}"));
    let asked =
        post_with(appliance.rpc, &request("eth_chainId", json!([])), &[("hypasis-route", "upstream")]);
    assert!(
        asked.header("hypasis-source").is_some_and(|source| source.starts_with("upstream:")),
        "{asked:?}"
    );
}

fn start(dir: &std::path::Path, geth: &Geth, more: &[&str]) -> Appliance {
    let genesis = chain_folder().join("genesis.json");
    let url = format!("http://{}", geth.address);
    let mut arguments = vec!["--chain", genesis.to_str().unwrap(), "--upstream", &url];
    arguments.extend_from_slice(more);
    Appliance::start(dir, &arguments)
}

fn shorten(text: &str) -> String {
    text.chars().take(600).collect()
}
