//! What the store holds is answered by the store.

use hypasis_cache::{Kind, Store};
use hypasis_chain::dev::{DevChain, DevOptions};
use hypasis_chain::{Block, Body, Level};
use hypasis_proxy::config::RpcConfig;
use serde_json::Value;

use super::rig::{Node, Port, echo};
use crate::support::store_of;

fn chain() -> DevChain {
    DevChain::new(DevOptions { history: 40, transactions: 12, period_ms: 1_000, seed: 7 }, 1_700_000_000)
}

/// Writes blocks as history, complete and final.
pub(crate) fn fill(store: &Store, blocks: &[Block]) {
    let trust =
        hypasis_cache::Trust { level: Level::Full, source: "test".into(), checkpoint: None, verified_at: 0 };
    let (first, last) = (blocks[0].id.number, blocks[blocks.len() - 1].id.number);
    let kinds = vec![Kind::Header, Kind::Body, Kind::Receipts, Kind::Index];
    let mut part = store.begin_part(first..=last, kinds).unwrap();
    for block in blocks {
        let body = Body::parse(&block.body).unwrap();
        let transaction_hashes = body.transactions().map(|transaction| transaction.unwrap().hash()).collect();
        let verified = hypasis_cache::Verified { block: block.clone(), transaction_hashes, senders: None };
        part.append(&verified).unwrap();
    }
    part.finish(&trust).unwrap();
}

fn call(method: &str, params: &Value) -> String {
    serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

/// A port before a store that holds blocks 0 to `last`, with the nodes given.
async fn held(last: u64, nodes: &[&Node]) -> (Port, DevChain) {
    let chain = chain();
    let spec = chain.spec();
    let store = store_of(spec.chain_id);
    fill(&store, &chain.blocks(0..last + 1));
    store.set_finalized(chain.id_at(last)).unwrap();
    (Port::start(store, spec, RpcConfig::default(), nodes).await, chain)
}

#[tokio::test]
async fn every_local_method_is_answered_with_all_nodes_down() {
    let (port, chain) = held(40, &[]).await;
    let block = (1..=40)
        .map(|number| chain.block(number))
        .find(|block| Body::parse(&block.body).unwrap().transaction_count() > 1)
        .unwrap();
    let (hash, number) = (block.id.hash.to_string(), format!("{:#x}", block.id.number));
    let transaction = Body::parse(&block.body).unwrap().transaction(0).unwrap().unwrap().hash().to_string();
    let calls = [
        ("eth_getBlockByNumber", serde_json::json!([number, true])),
        ("eth_getBlockByHash", serde_json::json!([hash, false])),
        ("eth_getHeaderByNumber", serde_json::json!([number])),
        ("eth_getHeaderByHash", serde_json::json!([hash])),
        ("eth_getBlockTransactionCountByNumber", serde_json::json!([number])),
        ("eth_getBlockTransactionCountByHash", serde_json::json!([hash])),
        ("eth_getUncleCountByBlockNumber", serde_json::json!([number])),
        ("eth_getUncleCountByBlockHash", serde_json::json!([hash])),
        ("eth_getTransactionByHash", serde_json::json!([transaction])),
        ("eth_getTransactionByBlockHashAndIndex", serde_json::json!([hash, "0x0"])),
        ("eth_getTransactionByBlockNumberAndIndex", serde_json::json!([number, "0x1"])),
        ("eth_getRawTransactionByHash", serde_json::json!([transaction])),
        ("eth_getRawTransactionByBlockNumberAndIndex", serde_json::json!([number, "0x0"])),
        ("eth_getTransactionReceipt", serde_json::json!([transaction])),
        ("eth_getBlockReceipts", serde_json::json!([hash])),
        ("eth_getLogs", serde_json::json!([{ "fromBlock": "0x1", "toBlock": "0x28" }])),
        ("debug_getRawHeader", serde_json::json!([number])),
        ("debug_getRawBlock", serde_json::json!([hash])),
        ("debug_getRawReceipts", serde_json::json!([number])),
        ("debug_getRawTransaction", serde_json::json!([transaction])),
    ];
    for (method, params) in calls {
        let first = port.post(&call(method, &params)).await;
        let json = first.json();
        assert!(json["error"].is_null() && !json["result"].is_null(), "{method} {params}: {}", first.text());
        assert_eq!(first.header("hypasis-source"), Some("store"), "{method}");
        let second = port.post(&call(method, &params)).await;
        assert_eq!(
            (second.header("hypasis-source"), &second.body),
            (Some("memory"), &first.body),
            "{method}"
        );
    }
    let answer = port.post(&call("eth_getBlockByNumber", &serde_json::json!(["latest", false]))).await.json();
    assert_eq!(answer["result"]["number"], "0x28");
    let answer = port.post(&call("eth_blockNumber", &serde_json::json!([]))).await.json();
    assert_eq!(answer["result"], "0x28");
    let raw = port.post(&call("debug_getRawHeader", &serde_json::json!([number]))).await.json();
    assert_eq!(raw["result"], format!("0x{}", const_hex::encode(&block.header)));
}

#[tokio::test]
async fn unknown_hashes_and_heights_are_never_said_to_be_nothing() {
    let (port, _) = held(40, &[]).await;
    let hash = format!("0x{}", "ab".repeat(32));
    for (method, params, reason) in [
        ("eth_getTransactionByHash", serde_json::json!([hash]), "not-indexed"),
        ("eth_getBlockByHash", serde_json::json!([hash, false]), "not-indexed"),
        ("eth_getBlockByNumber", serde_json::json!(["0x1000", false]), "above-head"),
    ] {
        let answer = port.post(&call(method, &params)).await;
        assert_eq!(answer.json()["error"]["code"], -32000, "{method}");
        assert_eq!(answer.header("hypasis-miss"), Some(reason));
        let answer = port.post_with(&call(method, &params), "hypasis-route: store\r\n").await.json();
        assert_eq!(
            (&answer["error"]["code"], &answer["error"]["data"]),
            (&Value::from(-32001), &Value::from(reason))
        );
    }
    // What a held block provably has not is nothing.
    let answer = port
        .post(&call("eth_getTransactionByBlockNumberAndIndex", &serde_json::json!(["0x1", "0xffff"])))
        .await;
    assert_eq!(answer.text(), r#"{"jsonrpc":"2.0","id":1,"result":null}"#);
}

#[tokio::test]
async fn parameters_are_refused_in_geths_words_where_no_node_is() {
    let (port, _) = held(3, &[]).await;
    for (method, params, message) in [
        ("eth_chainId", "[1]", "too many arguments, want at most 0"),
        ("net_version", "{}", "non-array args"),
        ("eth_blockNumber", r#"["latest"]"#, "too many arguments, want at most 0"),
        ("eth_getBlockByNumber", "[]", "missing value for required argument 0"),
        ("eth_getBlockByNumber", r#"["2",true]"#, "invalid argument 0: hex string without 0x prefix"),
        (
            "eth_getBlockByNumber",
            r#"["0x01",true]"#,
            "invalid argument 0: hex number with leading zero digits",
        ),
        ("eth_getBlockByNumber", r#"["0x1"]"#, "missing value for required argument 1"),
        ("eth_getBlockByNumber", r#"["0x1",true,3]"#, "too many arguments, want at most 2"),
        ("eth_getBlockByNumber", "{}", "non-array args"),
        (
            "eth_getBlockByHash",
            r#"["0x12",true]"#,
            "invalid argument 0: hex string has length 2, want 64 for common.Hash",
        ),
        ("debug_getRawBlock", r#"["2"]"#, "invalid argument 0: hex string without 0x prefix"),
        ("eth_getLogs", r#"[{"fromBlock":"0x2","toBlock":"0x1"}]"#, "invalid block range params"),
        (
            "eth_getLogs",
            r#"[{"fromBlock":"0x1","toBlock":"0x99"}]"#,
            "block range extends beyond current head block",
        ),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let answer = port.post(&body).await.json();
        assert_eq!(
            (&answer["error"]["code"], &answer["error"]["message"]),
            (&Value::from(-32602), &Value::from(message)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_node_that_is_up_is_asked_until_its_forms_are_known() {
    let node = Node::start(echo()).await;
    let (port, _) = held(40, &[&node]).await;
    let body = call("eth_getBlockByNumber", &serde_json::json!(["0x5", false]));
    let answer = port.post(&body).await;
    assert_eq!(answer.header("hypasis-source"), Some("upstream:n0"));
    assert_eq!(answer.header("hypasis-miss"), Some("calibrating"));
    let stored = port.post_with(&body, "hypasis-route: store\r\n").await;
    assert_eq!(stored.header("hypasis-source"), Some("store"));
    assert_eq!(stored.json()["result"]["number"], "0x5");
}

#[tokio::test]
async fn a_range_that_is_partly_held_is_merged_in_order() {
    let node = Node::start(std::sync::Arc::new(|method, params| {
        if method != "eth_getLogs" || params[0].is_null() {
            // What the port asks on its own account.
            return "\"result\":null".to_owned();
        }
        format!("\"result\":[{{\"from\":{},\"to\":{}}}]", params[0]["fromBlock"], params[0]["toBlock"])
    }))
    .await;
    let (port, _) = held(10, &[&node]).await;
    port.served.publish(hypasis_proxy::served::Served {
        latest: Some(hypasis_chain::BlockId { number: 20, hash: Default::default() }),
        upstream: true,
        ..port.served.now()
    });
    // No log has this topic, so that what is held gives nothing and needs no comparison.
    let filter = serde_json::json!([{ "fromBlock": "0x5", "toBlock": "0xf", "topics": [format!("0x{}", "ab".repeat(32))] }]);
    let answer = port.post(&call("eth_getLogs", &filter)).await;
    assert_eq!(answer.text(), r#"{"jsonrpc":"2.0","id":1,"result":[{"from":"0xb","to":"0xf"}]}"#);
    assert_eq!(answer.header("hypasis-source"), Some("store+upstream:n0"));
    assert_eq!(answer.header("hypasis-miss"), Some("gap"));
}
