//! Calls that try to be two things at once, to get around a rule, or to fill memory.

use hypasis_proxy::config::{RpcConfig, Size};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use super::rig::{Node, Port, echo, read_answer, spec};
use crate::support::store;

fn call(id: usize, method: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": [] }).to_string()
}

/// A node whose every answer has as many bytes.
async fn large(bytes: usize) -> Node {
    Node::start(std::sync::Arc::new(move |_, _| format!("\"result\":\"{}\"", "a".repeat(bytes)))).await
}

#[tokio::test]
async fn a_node_is_sent_the_call_that_was_judged_whatever_else_the_message_holds() {
    let node = Node::start(echo()).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","METHOD":"eth_gasPrice","params":[2]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"admin_addPeer","method":"eth_gasPrice","params":[2]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice","params":[1],"Params":[2]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice","params":[1],"p\u0061rams":[2]}"#,
        r#"{"jsonrpc":"2.0","id":9,"ID":1,"method":"eth_gasPrice","params":[2]}"#,
        // Go folds the long s as well.
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_gasPrice\",\"params\":[2],\"param\u{17f}\":[1]}",
    ] {
        let plain = r#"{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice","params":[2]}"#;
        assert_eq!(port.post(body).await.json()["result"], json!(["eth_gasPrice", [2]]), "{body}");
        assert_eq!(node.bodies.lock().pop().unwrap(), plain, "{body}");
        assert_eq!(port.post(&format!("[{body}]")).await.json()[0]["result"], json!(["eth_gasPrice", [2]]));
        assert_eq!(node.bodies.lock().pop().unwrap(), plain, "[{body}]");
    }
    // Further members that nobody takes for another pass as they came.
    let odd = r#"{"chain":5, "method":"eth_gasPrice" ,"id":1,"jsonrpc":"2.0"}"#;
    port.post(odd).await;
    assert_eq!(node.bodies.lock().pop().unwrap(), odd);
}

#[tokio::test]
async fn dangerous_methods_are_refused_in_any_case_in_batches_and_on_any_route() {
    let node = Node::start(echo()).await;
    let config = RpcConfig { listen: "0.0.0.0:0".parse().unwrap(), ..RpcConfig::default() };
    let port = Port::start(store(), spec(), config, &[&node]).await;
    for method in
        ["admin_peers", "ADMIN_Peers", "personal_sign", "miner_start", "engine_newPayloadV4", "debug_SETHEAD"]
    {
        for lines in ["", "hypasis-route: upstream\r\n", "hypasis-route: store\r\n"] {
            let answer = port.post_with(&call(1, method), lines).await.json();
            assert_eq!(answer["error"]["code"], -32601, "{method} {lines}");
            let batch = format!("[{},{}]", call(1, "eth_chainId"), call(2, method));
            assert_eq!(
                port.post_with(&batch, lines).await.json()[1]["error"]["code"],
                -32601,
                "{method} {lines}"
            );
        }
        let escaped = call(1, method).replace("_", "\\u005f");
        assert_eq!(port.post(&escaped).await.json()["error"]["code"], -32601, "{escaped}");
        let silent = call(1, method).replace("\"id\":1,", "");
        assert_eq!(port.post(&silent).await.text(), "");
    }
    let sent =
        node.bodies.lock().iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect::<String>();
    assert!(!sent.contains("admin") && !sent.to_lowercase().contains("sethead"), "{sent}");
}

#[tokio::test]
async fn a_batch_stops_asking_once_its_answers_are_too_large() {
    let node = large(100_000).await;
    let config = RpcConfig { max_response: Size(350_000), ..RpcConfig::default() };
    let port = Port::start(store(), spec(), config, &[&node]).await;
    for method in ["eth_sendRawTransaction", "txpool_content"] {
        let before = node.count();
        let batch: Vec<_> = (0..50).map(|id| call(id, method)).collect();
        let answer = port.post(&format!("[{}]", batch.join(","))).await.json();
        let results = answer.as_array().unwrap().iter().filter(|member| member["result"].is_string()).count();
        let refused = answer.as_array().unwrap().iter().filter(|member| member["error"]["code"] == -32003);
        assert_eq!((results, refused.count()), (4, 46), "{method}: the one that exceeds it is still given");
        assert_eq!(node.count() - before, 4, "{method}");
    }
}

#[tokio::test]
async fn answers_of_nodes_are_charged_to_all_clients_until_they_are_taken() {
    let node = large(12 << 20).await;
    let config = RpcConfig { max_in_flight: Size(30 << 20), ..RpcConfig::default() };
    let port = Port::start(store(), spec(), config, &[&node]).await;
    let mut held = Vec::new();
    for id in 0..2 {
        let body = call(id, "txpool_content");
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        // Little of the answer fits into buffers between the two.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let mut socket = socket.connect(port.address).await.unwrap();
        socket.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
        // Its answer has begun: all of it is here and waits for the client.
        socket.readable().await.unwrap();
        held.push(socket);
    }
    let refused = port.post(&call(3, "txpool_content")).await.json();
    assert_eq!(refused["error"]["code"], -32005, "{refused}");
    assert_eq!(port.post(&call(4, "eth_chainId")).await.json()["result"], "0x539", "small calls go on");
    assert_eq!(read_answer(&mut held.remove(0)).await.status, 200);
    assert!(port.post(&call(5, "txpool_content")).await.json()["result"].is_string(), "there is room again");
}

#[tokio::test]
async fn ids_numbers_and_names_of_any_size_come_back_as_they_were() {
    let node = Node::start(echo()).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    for id in ["1e400", "-0.0", &"9".repeat(1 << 20), &format!("\"{}\"", "x".repeat(1 << 20))] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_chainId"}}"#);
        let answer = port.post(&body).await;
        assert_eq!(answer.text(), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"0x539"}}"#));
    }
    let name = "x".repeat(1 << 20);
    assert_eq!(port.post(&call(1, &name)).await.json()["result"][0], Value::from(name));
    for body in
        [&b"\xef\xbb\xbf{}"[..], b"\0", b"{\"jsonrpc\":\"2.0\",\0\"id\":1}", b"{\"id\":\"\0\"}", b"[1,]"]
    {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = port.raw(&[head.as_bytes(), body].concat()).await.json();
        assert_eq!(answer["error"]["code"], -32700, "{body:?}");
    }
}

#[tokio::test]
async fn filters_with_a_million_addresses_are_left_to_the_node() {
    let node = Node::start(std::sync::Arc::new(|_, _| "\"result\":[]".to_owned())).await;
    let config = RpcConfig { max_body: Size(64 << 20), ..RpcConfig::default() };
    let port = Port::start(store(), spec(), config, &[&node]).await;
    let address = format!("\"0x{}\"", "ab".repeat(20));
    let many = vec![address.as_str(); 1_000_000].join(",");
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{{"address":[{many}]}}]}}"#);
    let answer = port.post(&body).await;
    assert_eq!(answer.header("hypasis-source"), Some("upstream:n0"));
    let stored = port.post_with(&body, "hypasis-route: store\r\n").await;
    assert_eq!(stored.json()["error"]["code"], -32602);
}

#[tokio::test]
async fn a_method_has_series_only_once_it_was_called() {
    let port = Port::start(store(), spec(), RpcConfig::default(), &[]).await;
    let page = || {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &port.registry).unwrap();
        page
    };
    assert!(!page().contains("method="), "{}", page());
    for _ in 0..3 {
        port.post(&call(1, "eth_chainId")).await;
    }
    let page = page();
    let line = r#"hypasis_rpc_requests_total{method="eth_chainId",source="local",outcome="success"} 3"#;
    assert!(page.contains(line), "{page}");
    assert_eq!(page.lines().filter(|line| line.starts_with("hypasis_rpc_requests_total{")).count(), 1);
    assert_eq!(port.rpc.status()["answers"]["local"], 3);
}

#[tokio::test]
async fn a_new_filter_in_a_batch_leads_to_its_node() {
    let script = |method: &str, params: &Value| match method {
        "eth_newBlockFilter" => "\"result\":\"0x7\"".to_owned(),
        _ => format!("\"result\":{}", json!([method, params])),
    };
    let node = Node::start(std::sync::Arc::new(script)).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    let changes = r#"{"jsonrpc":"2.0","id":2,"method":"eth_getFilterChanges","params":["0x7"]}"#;
    assert_eq!(port.post(changes).await.json()["error"]["message"], "filter not found");
    let batch = format!("[{},{},{changes}]", call(1, "eth_newBlockFilter"), call(3, "eth_gasPrice"));
    let answer = port.post(&batch).await.json();
    assert_eq!(
        (&answer[0]["result"], &answer[2]["result"][0]),
        (&json!("0x7"), &json!("eth_getFilterChanges"))
    );
    assert_eq!(port.post(changes).await.json()["result"][1], json!(["0x7"]));
}
