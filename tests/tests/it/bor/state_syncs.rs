//! State syncs beside blocks, as two ways of running a real Bor show them.

use std::path::Path;

use hypasis_chain::dev::bor::{BorForks, BorOptions};
use hypasis_tests::appliance::Appliance;
use hypasis_tests::bor::Node;
use hypasis_tests::http::{call, post, request};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::content::{Content, content};
use super::{FILLING, configured};

/// Heights that are minted before Bor mines on.
const MINTED: u64 = 40;

#[test]
fn logs_of_state_syncs_are_shown_if_and_only_if_bor_shows_them() {
    let dir = tempdir().unwrap();
    let options =
        BorOptions { forks: BorForks { rio: 1, ..BorForks::before_rio() }, ..BorOptions::default() };
    let Some(Content { minted, heimdall, bor, head }) = content(dir.path(), options, MINTED) else { return };
    let asks = questions(head);
    let plain: Vec<String> = asks.iter().map(|ask| post(bor.address, ask).body).collect();
    let mut appliance = behind(dir.path(), "without", &minted.genesis, bor.address);
    let without = answers(&mut appliance, head, &asks);
    bor.terminate();
    let bor = Node::new(&minted.genesis, &heimdall).showing_state_sync_logs().start(&dir.path().join("a"));
    let bor = bor.expect("the same Bor");
    let shown: Vec<String> = asks.iter().map(|ask| post(bor.address, ask).body).collect();
    let mut appliance = behind(dir.path(), "with", &minted.genesis, bor.address);
    let with = answers(&mut appliance, head, &asks);
    assert_ne!(plain, shown, "some logs stand beside blocks");
    for (number, ask) in asks.iter().enumerate() {
        assert_eq!(without[number].trim_end(), plain[number].trim_end(), "without --bor.logs: {ask}");
        assert_eq!(with[number].trim_end(), shown[number].trim_end(), "with --bor.logs: {ask}");
    }
    // What the methods of one block show does not depend on it.
    let logs = |address, height: u64| -> Vec<Value> {
        let receipts = call(address, "eth_getBlockReceipts", json!([format!("{height:#x}")]));
        let receipts = receipts["result"].as_array().cloned().unwrap_or_default();
        receipts.iter().flat_map(|receipt| receipt["logs"].as_array().cloned().unwrap_or_default()).collect()
    };
    for height in 0..=head {
        assert_eq!(logs(appliance.rpc, height), logs(bor.address, height), "block {height}");
    }
}

/// Every block, all of them, and by address and topic.
fn questions(head: u64) -> Vec<String> {
    let height = |number: u64| format!("{number:#x}");
    let one = |number: u64| json!([{ "fromBlock": height(number), "toBlock": height(number) }]);
    let mut filters: Vec<Value> = (0..=head).map(one).collect();
    let all = json!({ "fromBlock": "0x0", "toBlock": height(head) });
    for criteria in [
        json!({}),
        json!({ "address": hypasis_tests::bor::LOGGER }),
        json!({ "address": "0x00000000000000000000000000000000000000ee" }),
        json!({ "topics": [format!("0x{:064x}", 1)] }),
    ] {
        let mut filter = all.clone();
        filter.as_object_mut().unwrap().extend(criteria.as_object().unwrap().clone());
        filters.push(json!([filter]));
    }
    filters.into_iter().map(|params| request("eth_getLogs", params)).collect()
}

fn behind(dir: &Path, name: &str, genesis: &Path, bor: std::net::SocketAddr) -> Appliance {
    let dir = dir.join(name);
    std::fs::create_dir_all(&dir).unwrap();
    configured(&dir, genesis, &format!("[[upstream]]\nid = \"a\"\nurl = \"http://{bor}\"\n"))
}

/// What the store answers once it knows the node's forms.
fn answers(appliance: &mut Appliance, head: u64, asks: &[String]) -> Vec<String> {
    appliance.filled(head, FILLING);
    appliance.calibrated(FILLING);
    let answered = asks.iter().map(|ask| {
        let answer = post(appliance.rpc, ask);
        let source = answer.header("hypasis-source").unwrap_or("-").to_owned();
        assert!(
            ["store", "memory"].contains(&source.as_str()),
            "{ask}: {source}, {:?}",
            answer.header("hypasis-miss")
        );
        answer.body
    });
    answered.collect()
}
