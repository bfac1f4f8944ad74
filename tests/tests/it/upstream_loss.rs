//! The node goes and comes back: what is held is answered all the while, what is not is refused clearly, and nobody
//! has to restart anything.

use std::time::Duration;

use hypasis_chain::dev::DevForks;
use hypasis_tests::appliance::{Appliance, upstream};
use hypasis_tests::hosted::{Hosted, assert_held, chain};
use hypasis_tests::http::{Answer, post, request};
use serde_json::{Value, json};
use tempfile::tempdir;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn answers_go_on_while_the_node_is_gone_and_it_is_taken_back_without_a_restart() {
    let chain = chain(120, 5, 1, DevForks::default());
    let mut node = Hosted::start("node", &chain);
    node.node.fix("eth_gasPrice", "\"0x7\"");
    let dir = tempdir().unwrap();
    let config = dir.path().join("hypasis.toml");
    std::fs::write(&config, node.config("")).unwrap();
    let mut appliance = Appliance::start(dir.path(), &["--config", config.to_str().unwrap()]);
    appliance.filled(120, LIMIT);
    let questions = [
        request("eth_chainId", json!([])),
        request("eth_blockNumber", json!([])),
        request("debug_getRawBlock", json!(["0x64"])),
        request("debug_getRawReceipts", json!(["latest"])),
    ];
    let before: Vec<String> = questions.iter().map(|body| post(appliance.rpc, body).body).collect();
    for _ in 0..2 {
        node.stop();
        // From the first moment on, and still when the loss is noticed.
        assert_refused(&post(appliance.rpc, &request("eth_gasPrice", json!([]))));
        appliance.until(|_, admin| upstream(admin, "node")["up"] == false, LIMIT, "to notice the loss");
        for body in ["eth_gasPrice", "eth_sendRawTransaction", "no_such_method"] {
            assert_refused(&post(appliance.rpc, &request(body, json!([]))));
        }
        let during: Vec<String> = questions.iter().map(|body| post(appliance.rpc, body).body).collect();
        assert_eq!(during, before);
        assert_batch(&appliance);
        let ready = hypasis_tests::http::get(appliance.admin, "/readyz");
        assert_eq!(ready.status, 200, "{}", ready.body);
        node.resume();
        appliance.until(
            |rpc, _| post(rpc, &request("eth_gasPrice", json!([]))).json()["result"] == "0x7",
            LIMIT,
            "to pass calls to the node again",
        );
    }
    let head = chain.advance(5);
    appliance.filled(head.number, LIMIT);
    assert_held(&appliance, &chain, 0..=head.number);
}

/// A batch of what is held and what is not: each member has its own answer.
fn assert_batch(appliance: &Appliance) {
    let calls = [("eth_chainId", 1), ("eth_gasPrice", 2), ("eth_blockNumber", 3)]
        .map(|(method, id)| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": [] }));
    let answer = post(appliance.rpc, &Value::from(calls.to_vec()).to_string()).json();
    assert_eq!(answer[0], json!({ "jsonrpc": "2.0", "id": 1, "result": "0x539" }));
    assert!(answer[1]["error"]["code"].is_i64() && answer[1]["id"] == 2, "{answer}");
    assert_eq!(answer[2], json!({ "jsonrpc": "2.0", "id": 3, "result": "0x78" }));
}

/// A JSON-RPC error in the form that every client reads, that says what is wrong.
fn assert_refused(answer: &Answer) {
    let json = answer.json();
    assert_eq!(answer.status, 200, "{json}");
    assert_eq!((&json["jsonrpc"], &json["id"]), (&json!("2.0"), &json!(1)), "{json}");
    assert!(json.get("result").is_none(), "{json}");
    let (code, message) = (json["error"]["code"].as_i64(), json["error"]["message"].as_str());
    assert!(code.is_some_and(|code| (-32_099..=-32_000).contains(&code)), "{json}");
    assert!(message.is_some_and(|message| message.contains("upstream")), "{json}");
}
