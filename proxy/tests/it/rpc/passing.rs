//! What is not answered here passes through.

use std::sync::Arc;

use hypasis_proxy::config::RpcConfig;
use hypasis_proxy::rpc::Submit;

use super::rig::{Node, Port, echo, spec};
use crate::support::store;

#[tokio::test]
async fn unknown_methods_reach_the_node_as_they_were_written() {
    let node = Node::start(echo()).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    let body = r#"{ "jsonrpc":"2.0","method" : "odd_method", "params":[ {"b":1, "a": 1e2} ],"id":"x" }"#;
    let answer = port.post(body).await;
    assert_eq!(answer.json()["result"][0], "odd_method");
    assert_eq!(answer.json()["id"], "x");
    assert_eq!(node.bodies.lock().as_slice(), [body]);
    assert_eq!(answer.header("hypasis-source"), Some("upstream:n0"));
    assert_eq!(answer.header("hypasis-miss"), Some("unknown-method"));
}

#[tokio::test]
async fn errors_of_a_node_come_back_with_code_message_and_data() {
    let error = r#""error":{"code":3,"message":"execution reverted: \u00e4","data":"0x08c379a0"}"#;
    let node = Node::start(Arc::new(move |_, _| error.to_owned())).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    let answer = port.post(r#"{"jsonrpc":"2.0","id":5,"method":"eth_call","params":[{},"latest"]}"#).await;
    assert_eq!(answer.text(), format!(r#"{{"jsonrpc":"2.0","id":5,{error}}}"#));
    assert_eq!(answer.header("hypasis-miss"), Some("state"));
}

#[tokio::test]
async fn a_transaction_is_sent_exactly_once_also_when_many_send_the_same() {
    let node = Node::start(echo()).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x01"]}"#;
    let answers = futures_util::future::join_all((0..5).map(|_| port.post(body))).await;
    assert!(answers.iter().all(|answer| answer.json()["result"][0] == "eth_sendRawTransaction"));
    assert!(answers.iter().all(|answer| answer.header("hypasis-source") == Some("upstream:n0")));
    assert_eq!(node.count(), 5, "each caller's send is one send");
}

#[tokio::test]
async fn what_a_node_has_accepted_is_handed_to_the_peers_and_nothing_else() {
    const HASH: &str = r#""result":"0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060""#;
    let script = |method: &str, params: &serde_json::Value| match (method, params[0].as_str()) {
        ("eth_sendRawTransaction", Some("0x02c0")) => HASH.to_owned(),
        ("eth_getTransactionCount", _) => HASH.to_owned(),
        _ => r#""error":{"code":-32000,"message":"nonce too low"}"#.to_owned(),
    };
    let node = Node::start(Arc::new(script)).await;
    let (sender, receiver) = std::sync::mpsc::channel();
    let submit = Submit::new(move |raw| sender.send(raw).unwrap());
    let port = Port::submitting(store(), spec(), RpcConfig::default(), &[&node], Some(submit)).await;
    let call =
        |method, param| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":["{param}"]}}"#);
    let refused = port.post(&call("eth_sendRawTransaction", "0x03c0")).await;
    assert_eq!(refused.json()["error"]["message"], "nonce too low");
    port.post(&call("eth_getTransactionCount", "0x02c0")).await;
    let batch = [call("eth_sendRawTransaction", "0x02c0"), call("eth_sendRawTransaction", "0x04c0")];
    let answers = port.post(&format!("[{}]", batch.join(","))).await.json();
    assert!(answers[0]["result"].is_string() && answers[1]["error"].is_object(), "{answers}");
    drop(port);
    let submitted: Vec<_> = receiver.try_iter().collect();
    assert_eq!(submitted, [&[0x02, 0xc0][..]]);
}

#[tokio::test]
async fn equal_reads_in_flight_ask_once_and_each_gets_its_own_id() {
    let node = Node::start(echo()).await;
    let port = Arc::new(Port::start(store(), spec(), RpcConfig::default(), &[&node]).await);
    node.hold.send_replace(true);
    let ask = |id: usize| {
        let port = Arc::clone(&port);
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":"{id}","method":"eth_call","params":[{{"to":"0x00"}},"latest"]}}"#
        );
        tokio::spawn(async move { port.post(&body).await })
    };
    let first = ask(0);
    node.arrived.notified().await;
    let others: Vec<_> = (1..8).map(ask).collect();
    // Other methods are not held up by it, and show when the eight have been seen by the port.
    while port.rpc.status()["answers"]["local"].as_u64() < Some(1) {
        port.post(r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#).await;
    }
    tokio::task::yield_now().await;
    node.hold.send_replace(false);
    let first = first.await.unwrap();
    assert_eq!(first.header("hypasis-source"), Some("upstream:n0"));
    for (id, answer) in (1..).zip(futures_util::future::join_all(others).await) {
        let answer = answer.unwrap();
        assert_eq!(answer.json()["id"], format!("{id}"));
        assert_eq!(answer.json()["result"][0], "eth_call");
    }
    assert!(node.count() < 8, "asked {} times", node.count());
}

#[tokio::test]
async fn state_by_block_hash_is_kept_and_by_tag_is_not() {
    let node = Node::start(echo()).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    let hash = format!("0x{}", "ab".repeat(32));
    let by = |block: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x{}",{block}]}}"#,
            "00".repeat(20)
        )
    };
    let pinned = by(&format!("\"{hash}\""));
    let first = port.post(&pinned).await;
    let second = port.post(&pinned).await;
    assert_eq!(first.header("hypasis-source"), Some("upstream:n0"));
    assert_eq!(second.header("hypasis-source"), Some("memory"));
    assert_eq!(first.body, second.body);
    assert_eq!(node.count(), 1);
    for block in ["\"latest\"", "\"pending\"", "\"0x10\""] {
        port.post(&by(block)).await;
        let again = port.post(&by(block)).await;
        assert_eq!(again.header("hypasis-source"), Some("upstream:n0"), "{block}");
    }
    assert_eq!(node.count(), 7);
}

#[tokio::test]
async fn null_and_errors_are_never_kept() {
    for said in ["\"result\":null", "\"error\":{\"code\":-32000,\"message\":\"missing trie node\"}"] {
        let node = Node::start(Arc::new(move |_, _| said.to_owned())).await;
        let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"eth_getProof","params":["0x00",[],"0x{}"]}}"#,
            "ab".repeat(32)
        );
        port.post(&body).await;
        port.post(&body).await;
        assert!(node.count() >= 2, "{said} was kept");
    }
}

#[tokio::test]
async fn routes_are_obeyed() {
    let node = Node::start(echo()).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    let chain = r#"{"jsonrpc":"2.0","id":1,"method":"net_version"}"#;
    let forced = port.post_with(chain, "hypasis-route: upstream\r\n").await;
    assert_eq!(forced.header("hypasis-source"), Some("upstream:n0"));
    assert_eq!(forced.header("hypasis-miss"), Some("route"));
    for (method, reason) in
        [("eth_call", "state"), ("odd_method", "unknown-method"), ("eth_sendRawTransaction", "node")]
    {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[]}}"#);
        let answer = port.post_with(&body, "hypasis-route: store\r\n").await;
        assert_eq!(answer.json()["error"]["code"], -32001);
        assert_eq!(answer.json()["error"]["data"], reason);
        assert_eq!(answer.header("hypasis-miss"), Some(reason));
    }
    assert_eq!(node.count(), 1);
}

#[tokio::test]
async fn without_any_node_the_error_says_so_in_geths_form() {
    let port = Port::start(store(), spec(), RpcConfig::default(), &[]).await;
    let answer = port.post(r#"{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice"}"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["error"]["code"], -32000);
    assert_eq!(answer.json()["error"]["message"], "no upstream is available");
}

#[tokio::test]
async fn dangerous_methods_are_refused_on_an_open_listener_in_any_spelling() {
    let node = Node::start(echo()).await;
    let open = |allow: &[&str]| RpcConfig {
        listen: "0.0.0.0:8545".parse().unwrap(),
        allow: allow.iter().map(|text| (*text).to_owned()).collect(),
        ..RpcConfig::default()
    };
    let port = Port::start(store(), spec(), open(&[]), &[&node]).await;
    for method in [
        "admin_addPeer",
        "ADMIN_addPeer",
        "debug_setHead",
        "Debug_SetHead",
        "engine_newPayloadV4",
        "miner_start",
        "personal_sign",
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
        let answer = port.post(&body).await.json();
        assert_eq!(answer["error"]["code"], -32601, "{method}");
        assert_eq!(
            answer["error"]["message"],
            format!("the method {method} does not exist/is not available")
        );
    }
    assert_eq!(node.count(), 0);
    let port = Port::start(store(), spec(), open(&["admin_*"]), &[&node]).await;
    port.post(r#"{"jsonrpc":"2.0","id":1,"method":"admin_peers"}"#).await;
    assert_eq!(node.count(), 1);
}
