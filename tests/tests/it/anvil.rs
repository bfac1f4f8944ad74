//! Behind a real Anvil: the head is followed, reorgs switch everything at once, nothing stale is said.

use std::time::Duration;

use hypasis_tests::anvil::Anvil;
use hypasis_tests::appliance::Appliance;
use hypasis_tests::http::{call, post, request};
use serde_json::{Value, json};
use tempfile::tempdir;

const FOLLOWING: Duration = Duration::from_secs(60);

#[test]
fn reorgs_of_depth_1_to_64_leave_no_stale_answer() {
    let dir = tempdir().unwrap();
    let Some(anvil) = Anvil::start(dir.path(), &[]) else { return };
    let contract = anvil.deploy();
    for nonce in 0..90 {
        anvil.transfer(nonce);
        if nonce % 8 == 0 {
            anvil.transact(&contract);
        }
        anvil.mine(1);
    }
    let mut appliance = Appliance::start(dir.path(), &["--upstream", &format!("http://{}", anvil.address)]);
    follow(&mut appliance, &anvil);
    appliance.calibrated(FOLLOWING);
    let (mut comparable, mut local) = (0, 0);
    for depth in [1, 2, 3, 5, 8, 13, 21, 34, 55, 64] {
        let orphan = latest(&anvil);
        anvil.reorg(depth);
        anvil.transact(&contract);
        anvil.mine(1);
        follow(&mut appliance, &anvil);
        assert_ne!(latest(&anvil)["hash"], orphan["hash"], "the reorg of depth {depth} happened");
        let head = number(&latest(&anvil));
        for height in head.saturating_sub(depth + 2)..=head {
            for question in questions(&anvil, height) {
                let (ours, theirs) = (post(appliance.rpc, &question), post(anvil.address, &question));
                assert_eq!(ours.body, theirs.body, "after a reorg of depth {depth}: {question}");
                comparable += 1;
                local +=
                    usize::from(matches!(ours.header("hypasis-source"), Some("store" | "memory" | "local")));
            }
        }
    }
    assert!(
        local * 100 >= comparable * 95,
        "{local} of {comparable} answers were local\n{}",
        appliance.status()
    );
    assert!(comparable > 2_000, "only {comparable} answers were compared");
}

#[test]
fn every_form_of_anvil_is_written_here_and_what_it_lacks_stays_lacking() {
    let dir = tempdir().unwrap();
    let Some(anvil) = Anvil::start(dir.path(), &[]) else { return };
    let contract = anvil.deploy();
    for _ in 0..3 {
        anvil.transact(&contract);
        anvil.mine(1);
    }
    let mut appliance = Appliance::start(dir.path(), &["--upstream", &format!("http://{}", anvil.address)]);
    follow(&mut appliance, &anvil);
    appliance.calibrated(FOLLOWING);
    let status = appliance.status();
    let passing = status["rpc"]["passed_through_forms"].as_array().unwrap().clone();
    assert!(passing.iter().all(|form| form["lacking"] == true), "forms that differ: {passing:#?}");
    for height in 0..=number(&latest(&anvil)) {
        for question in questions(&anvil, height) {
            let (ours, theirs) = (post(appliance.rpc, &question), post(anvil.address, &question));
            assert_eq!(ours.body, theirs.body, "{question}");
            let source = ours.header("hypasis-source");
            assert!(matches!(source, Some("store" | "memory")), "{question} came from {source:?}");
        }
        for method in ["debug_getRawBlock", "debug_getRawHeader", "eth_getHeaderByNumber"] {
            let question = request(method, json!([format!("{height:#x}")]));
            let (ours, theirs) = (post(appliance.rpc, &question), post(anvil.address, &question));
            assert_eq!(ours.body, theirs.body, "{question}");
        }
    }
    let wide =
        request("eth_getLogs", json!([{ "fromBlock": "0x0", "toBlock": "latest", "address": contract }]));
    let (ours, theirs) = (post(appliance.rpc, &wide), post(anvil.address, &wide));
    assert_eq!(ours.body, theirs.body);
    assert!(theirs.json()["result"].as_array().unwrap().len() >= 10, "{}", theirs.body);
}

#[test]
fn the_head_is_never_ahead_of_what_is_served() {
    let dir = tempdir().unwrap();
    let Some(anvil) = Anvil::start(dir.path(), &[]) else { return };
    anvil.mine(10);
    let mut appliance = Appliance::start(dir.path(), &["--upstream", &format!("http://{}", anvil.address)]);
    follow(&mut appliance, &anvil);
    for _ in 0..30 {
        anvil.mine(1);
        for _ in 0..5 {
            let head = appliance.call("eth_blockNumber", json!([]))["result"].clone();
            for method in ["eth_getBlockByNumber", "eth_getBlockReceipts"] {
                let params =
                    if method == "eth_getBlockByNumber" { json!([head, false]) } else { json!([head]) };
                let answer = appliance.call(method, params);
                assert!(answer["result"] != Value::Null, "{method} of the served head {head}: {answer}");
            }
        }
    }
    follow(&mut appliance, &anvil);
}

/// Waits until the appliance serves the node's head from its own store.
fn follow(appliance: &mut Appliance, anvil: &Anvil) {
    let expected = latest(anvil)["hash"].clone();
    appliance.until(
        |_, admin| {
            let status = hypasis_tests::http::get(admin, "/api/v1/status").json();
            status["head"]["hash"] == expected && status["served_locally"] == true
        },
        FOLLOWING,
        "to follow the head",
    );
}

fn questions(anvil: &Anvil, height: u64) -> Vec<String> {
    let height = format!("{height:#x}");
    let block = call(anvil.address, "eth_getBlockByNumber", json!([height, false]))["result"].clone();
    let mut questions = vec![
        request("eth_getBlockByNumber", json!([height, true])),
        request("eth_getBlockByHash", json!([block["hash"], false])),
        request("eth_getBlockReceipts", json!([height])),
        request("eth_getBlockTransactionCountByNumber", json!([height])),
        request("eth_getBlockTransactionCountByHash", json!([block["hash"]])),
        request("eth_getUncleCountByBlockNumber", json!([height])),
        request("eth_getUncleByBlockNumberAndIndex", json!([height, "0x0"])),
        request("eth_getLogs", json!([{ "blockHash": block["hash"] }])),
        request("eth_getLogs", json!([{ "fromBlock": height, "toBlock": height }])),
    ];
    for (index, transaction) in block["transactions"].as_array().unwrap().iter().enumerate() {
        let index = format!("{index:#x}");
        for method in ["eth_getTransactionByHash", "eth_getTransactionReceipt", "eth_getRawTransactionByHash"]
        {
            questions.push(request(method, json!([transaction])));
        }
        for kind in ["Transaction", "RawTransaction"] {
            questions.push(request(&format!("eth_get{kind}ByBlockNumberAndIndex"), json!([height, index])));
            questions
                .push(request(&format!("eth_get{kind}ByBlockHashAndIndex"), json!([block["hash"], index])));
        }
    }
    questions
}

fn latest(anvil: &Anvil) -> Value {
    call(anvil.address, "eth_getBlockByNumber", json!(["latest", false]))["result"].clone()
}

fn number(block: &Value) -> u64 {
    let text = block["number"].as_str().unwrap();
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}
