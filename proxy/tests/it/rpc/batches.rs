//! Batches, whose members go their own ways.

use hypasis_proxy::config::RpcConfig;
use serde_json::Value;

use super::rig::{Node, Port, echo, spec};
use crate::support::store;

#[tokio::test]
async fn members_from_here_and_from_nodes_keep_their_order_and_ids() {
    let node = Node::start(echo()).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    let body = r#"[{"jsonrpc":"2.0","id":9,"method":"eth_gasPrice"},
        {"jsonrpc":"2.0","id":9,"method":"eth_chainId"},
        {"jsonrpc":"2.0","id":"b","method":"eth_feeHistory","params":["0x1"]},
        {"jsonrpc":"2.0","method":"eth_syncing"},
        7,
        {"jsonrpc":"2.0","id":null,"method":"eth_maxPriorityFeePerGas"}]"#;
    let answer = port.post(body).await;
    let json = answer.json();
    let ids: Vec<&Value> = json.as_array().unwrap().iter().map(|member| &member["id"]).collect();
    assert_eq!(ids, [&Value::from(9), &Value::from(9), &Value::from("b"), &Value::Null, &Value::Null]);
    assert_eq!(json[0]["result"][0], "eth_gasPrice");
    assert_eq!(json[1]["result"], "0x539");
    assert_eq!(json[2]["result"][1][0], "0x1");
    assert_eq!(json[3]["error"]["code"], -32600);
    assert_eq!(json[4]["result"][0], "eth_maxPriorityFeePerGas");
    assert_eq!(answer.header("hypasis-source"), Some("upstream:n0, local, upstream:n0, local, upstream:n0"));
}

#[tokio::test]
async fn reads_travel_as_one_batch_and_a_send_keeps_its_place() {
    let node = Node::start(echo()).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    let call =
        |id: u32, method: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":[]}}"#);
    let methods = ["eth_gasPrice", "eth_baseFee", "eth_sendRawTransaction", "eth_accounts", "eth_gasPrice"];
    let body = format!(
        "[{}]",
        (0..).zip(methods).map(|(id, method)| call(id, method)).collect::<Vec<_>>().join(",")
    );
    let answer = port.post(&body).await.json();
    for (place, method) in methods.iter().enumerate() {
        assert_eq!(answer[place]["result"][0], *method);
    }
    let shapes: Vec<usize> = node
        .bodies
        .lock()
        .iter()
        .map(|body| serde_json::from_slice::<Value>(body).unwrap().as_array().map_or(1, Vec::len))
        .collect();
    assert_eq!(shapes, [2, 1, 2], "two reads, the send alone, two reads");
}

#[tokio::test]
async fn a_large_batch_counts_its_sources() {
    let node = Node::start(echo()).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    let local = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    let far = r#"{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice"}"#;
    let members: Vec<&str> = std::iter::repeat_n(local, 40).chain(std::iter::repeat_n(far, 3)).collect();
    let answer = port.post(&format!("[{}]", members.join(","))).await;
    assert_eq!(answer.header("hypasis-source"), Some("local=40, upstream:n0=3"));
    assert_eq!(answer.json().as_array().unwrap().len(), 43);
}

#[tokio::test]
async fn members_that_a_node_leaves_out_are_asked_again_singly() {
    let node = Node::start(std::sync::Arc::new(|method, _| format!("\"result\":\"{method}\""))).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    // More members than one batch to a node may have.
    let calls: Vec<String> =
        (0..250).map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_gasPrice"}}"#)).collect();
    let answer = port.post(&format!("[{}]", calls.join(","))).await.json();
    let ids: Vec<u64> =
        answer.as_array().unwrap().iter().map(|member| member["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (0..250).collect::<Vec<u64>>());
    assert_eq!(node.count(), 3);
}
