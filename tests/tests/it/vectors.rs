//! Recorded conversations of real nodes: all pass through unchanged, and what the store holds it says itself, word for
//! word, when the node is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use hypasis_tests::appliance::Appliance;
use hypasis_tests::geth::Geth;
use hypasis_tests::http::{post, post_with};
use hypasis_tests::recorded::{Conversation, erigon, execution_apis, said};
use hypasis_tests::replay::Replay;
use hypasis_tests::testdata;
use serde_json::Value;
use serde_json::value::RawValue;
use tempfile::tempdir;

/// Conversations (files) of `execution-apis`.
const CONVERSATIONS: usize = 116;
/// Calls in them that blocks and receipts answer; the others ask for state, for the node itself, or for what does not
/// exist.
const LOCAL: usize = 58;
/// Files of recorded mainnet conversations that hold an answer: 9 of 153 do not.
const MAINNET_FILES: usize = 144;
/// Height of the suite's chain.
const HEAD: u64 = 54;
/// The suite's head is what its consensus client called final.
const CHECKPOINT: &str = "static:54:0xd226371d0b1551adb03fb52b71f08e3e11247fe9b1af994768af8cdaa8e7dcd7";

#[test]
fn the_116_conversations_pass_through_unchanged() {
    let recorded = execution_apis(&suite());
    assert_eq!(files(&recorded), CONVERSATIONS);
    let latest = result_of(&recorded, "eth_getBlockByNumber", r#"["latest",true]"#);
    let genesis = result_of(&recorded, "eth_getBlockByNumber", r#"["0x0",true]"#);
    let node = Replay::start(
        &recorded,
        &[
            ("web3_clientVersion", "[]", r#""Geth/v1.17.5-stable/linux-amd64/go1.26""#),
            ("eth_getBlockByNumber", r#"["latest",false]"#, &latest),
            ("eth_getBlockByNumber", r#"["0x0",false]"#, &genesis),
        ],
    );
    let chain = suite().join("genesis.json");
    pass_through(&node, chain.to_str().unwrap(), &recorded);
}

#[test]
fn the_recorded_mainnet_conversations_pass_through_unchanged() {
    let recorded = erigon(&testdata().join("rpc_fixtures/erigon-rpc-tests/mainnet"));
    assert_eq!(files(&recorded), MAINNET_FILES);
    let genesis = "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3";
    let genesis = format!(r#"{{"number":"0x0","hash":"{genesis}","timestamp":"0x0"}}"#);
    let latest = format!(r#"{{"number":"0x1800000","hash":"0x{:064x}","timestamp":"0x6a000000"}}"#, 7);
    let node = Replay::start(
        &recorded,
        &[
            ("web3_clientVersion", "[]", r#""erigon/3.0.0/linux-amd64/go1.24""#),
            ("eth_getBlockByNumber", r#"["latest",false]"#, &latest),
            ("eth_getBlockByNumber", r#"["0x0",false]"#, &genesis),
        ],
    );
    pass_through(&node, "ethereum", &recorded);
}

/// Asks everything twice: as a client does, and past the store, where the very bytes must come back.
fn pass_through(node: &Replay, chain: &str, recorded: &[Conversation]) {
    let dir = tempdir().unwrap();
    let url = format!("http://{}", node.address);
    let mut appliance = Appliance::start(dir.path(), &["--chain", chain, "--upstream", &url]);
    appliance.until(|_, admin| up(admin), Duration::from_secs(60), "to look at the node");
    for call in recorded {
        let ours = post(appliance.rpc, &call.request);
        assert_eq!(ours.status, 200, "{}", call.file);
        assert_eq!(said(&ours.body), call.said, "{}", call.file);
        if call.said.1.contains("-32600") {
            // No call at all: no node needs to be asked to say so.
            continue;
        }
        let before = node.asked(&call.request);
        let ours = post_with(appliance.rpc, &call.request, &[("hypasis-route", "upstream")]);
        assert_eq!(said(&ours.body), call.said, "{} past the store", call.file);
        assert_eq!(ours.header("hypasis-source"), Some("upstream:upstream-1"), "{}", call.file);
        assert!(node.asked(&call.request) > before, "{} never came to the node", call.file);
        let request: Value = serde_json::from_str(&call.request).unwrap();
        assert_eq!(ours.json()["id"], request["id"], "{}", call.file);
    }
    let members: Vec<&str> = recorded.iter().map(|call| call.request.as_str()).collect();
    let answer = post(appliance.rpc, &format!("[{}]", members.join(",")));
    let answers: Vec<&RawValue> = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answers.len(), recorded.len());
    for (answer, call) in answers.iter().zip(recorded) {
        assert_eq!(said(answer.get()), call.said, "{} in a batch", call.file);
    }
}

#[test]
fn the_store_answers_its_share_of_the_116_when_the_node_is_gone() {
    let recorded = execution_apis(&suite());
    let dir = tempdir().unwrap();
    let Some(geth) = Geth::start_on(dir.path(), &suite()) else { return };
    let (chain, url) = (suite().join("genesis.json"), format!("http://{}", geth.address));
    let arguments = ["--chain", chain.to_str().unwrap(), "--upstream", &url, "--checkpoint", CHECKPOINT];
    let mut appliance = Appliance::start(dir.path(), &arguments);
    appliance.filled(HEAD, Duration::from_secs(120));
    geth.stop();
    appliance.until(|_, admin| !up(admin), Duration::from_secs(60), "to notice that the node is gone");
    let (mut local, mut refused) = (BTreeMap::<String, usize>::new(), Vec::new());
    for call in &recorded {
        let answer = post(appliance.rpc, &call.request);
        let request: Value = serde_json::from_str(&call.request).unwrap();
        let method = request["method"].as_str().unwrap().to_owned();
        if answer.json()["error"]["message"] == "no upstream is available" {
            refused.push((method, call));
            continue;
        }
        assert!(matches!(answer.header("hypasis-source"), Some("store" | "memory" | "local")), "{answer:?}");
        assert_eq!(said(&answer.body), call.said, "{}", call.file);
        *local.entry(method).or_default() += 1;
    }
    let count: usize = local.values().sum();
    assert_eq!((count, refused.len()), (LOCAL, recorded.len() - LOCAL), "{local:#?}");
    // Of what blocks and receipts tell, only that something does not exist is left to a node.
    for (method, call) in refused {
        assert!(!local.contains_key(&method) || call.said.1 == "null", "{}: {:?}", call.file, call.said);
    }
}

fn suite() -> PathBuf {
    testdata().join("rpc_fixtures/execution-apis")
}

fn files(recorded: &[Conversation]) -> usize {
    recorded.iter().map(|call| &call.file).collect::<BTreeSet<_>>().len()
}

/// The recorded result of a call.
fn result_of(recorded: &[Conversation], method: &str, params: &str) -> String {
    let asked = |call: &&Conversation| call.request.contains(method) && call.request.contains(params);
    recorded.iter().find(asked).unwrap().said.1.clone()
}

/// Whether any upstream is up.
fn up(admin: std::net::SocketAddr) -> bool {
    let upstreams = hypasis_tests::http::get(admin, "/api/v1/upstreams").json();
    upstreams.as_array().unwrap().iter().any(|upstream| upstream["up"] == true)
}
