//! Polygon's state syncs, and Bor's own methods, as the port answers them.

use std::sync::Arc;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::bor::checkpoint;
use hypasis_chain::rlp::write_list;
use hypasis_chain::{Block, BlockId, ChainSpec, Header, rebuild};
use hypasis_proxy::config::RpcConfig;
use serde_json::{Value, json};

use super::held::fill;
use super::rig::{Answer, Node, Port};
use crate::support::{store_by, testdata};

const NUMBER: &str = "0x21280";
const DERIVED: &str = "0xf658e64d2c7dd6a2e32d48c582bbf9db0c45c95db72b4ddd23fe73764849dbdc";

fn recorded(file: &str) -> Value {
    let path = testdata().join("polygon/state_sync_block_135808").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Polygon's block 135,808, which begins a sprint, with what the source told of what stands beside it.
fn block(told: bool) -> Block {
    let (json, receipt) = (recorded("block.json"), recorded("receipt_state_sync.json"));
    let header = rebuild::header(&json.to_string()).unwrap();
    let id = BlockId { number: 135_808, hash: json["hash"].as_str().unwrap().parse().unwrap() };
    assert_eq!(Header::parse(&header).unwrap().hash(), id.hash);
    let (_, extra) = rebuild::beside(&json!([receipt]).to_string(), id).unwrap();
    let mut body = Vec::new();
    write_list(&mut body, &[0xc0, 0xc0]);
    Block {
        id,
        header,
        body: body.into(),
        receipts: Some(Bytes::from_static(&[0xc0])),
        extra: extra.filter(|_| told),
    }
}

async fn port(blocks: &[Block], nodes: &[&Node]) -> Port {
    let spec = ChainSpec::named("polygon").unwrap();
    let store = store_by(137, Some(Arc::new(spec.clone())));
    fill(&store, blocks);
    Port::start(store, spec, RpcConfig::default(), nodes).await
}

async fn ask(port: &Port, method: &str, params: Value) -> Answer {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    port.post(&call.to_string()).await
}

async fn result(port: &Port, method: &str, params: Value) -> Value {
    let answer = ask(port, method, params).await;
    assert_eq!(answer.header("hypasis-source"), Some("store"), "{method}: {}", answer.text());
    answer.json()["result"].clone()
}

/// The recorded answers in today's form.
fn expected() -> (Value, Value) {
    let (mut block, mut receipt) = (recorded("block.json"), recorded("receipt_state_sync.json"));
    block.as_object_mut().unwrap().remove("totalDifficulty");
    for log in receipt["logs"].as_array_mut().unwrap() {
        log["blockTimestamp"] = block["timestamp"].clone();
    }
    (block, receipt)
}

#[tokio::test]
async fn recorded_answers_about_a_state_sync_are_reproduced_by_every_way_to_it() {
    let port = port(&[block(true)], &[]).await;
    let (full, receipt) = expected();
    let hash = full["hash"].clone();
    let mut hashes = full.clone();
    hashes["transactions"] = json!([DERIVED]);
    let transaction = full["transactions"][0].clone();
    for (method, params, expected) in [
        ("eth_getBlockByNumber", json!([NUMBER, true]), full.clone()),
        ("eth_getBlockByHash", json!([hash, false]), hashes),
        ("eth_getTransactionByHash", json!([DERIVED]), transaction.clone()),
        ("eth_getTransactionByBlockNumberAndIndex", json!([NUMBER, "0x0"]), transaction),
        ("eth_getTransactionByBlockHashAndIndex", json!([hash, "0x1"]), Value::Null),
        ("eth_getBlockTransactionCountByNumber", json!([NUMBER]), json!("0x1")),
        ("eth_getBlockTransactionCountByHash", json!([hash]), json!("0x1")),
        ("eth_getTransactionReceipt", json!([DERIVED]), receipt.clone()),
        ("eth_getBlockReceipts", json!([NUMBER]), json!([receipt])),
        ("eth_getTransactionReceiptsByBlock", json!([NUMBER]), json!([receipt])),
        // What stands beside the block is in no raw form.
        ("eth_getRawTransactionByHash", json!([DERIVED]), json!("0x")),
        ("eth_getRawTransactionByBlockNumberAndIndex", json!([NUMBER, "0x0"]), json!("0x")),
        ("debug_getRawReceipts", json!([NUMBER]), json!([])),
        // Bor shows its logs with `--bor.logs` only.
        ("eth_getLogs", json!([{ "fromBlock": NUMBER, "toBlock": NUMBER }]), json!([])),
    ] {
        assert_eq!(result(&port, method, params).await, expected, "{method}");
    }
    let own = result(&port, "eth_getBorBlockReceipt", json!([hash])).await;
    assert_eq!(own["logs"], receipt["logs"]);
    assert_eq!([&own["root"], &own["effectiveGasPrice"]], [&json!("0x"), &Value::Null]);
}

#[tokio::test]
async fn while_it_is_not_told_whatever_would_show_it_is_a_miss_with_its_reason() {
    let port = port(&[block(false)], &[]).await;
    let hash = recorded("block.json")["hash"].clone();
    for (method, params) in [
        ("eth_getBlockByNumber", json!([NUMBER, true])),
        ("eth_getBlockByHash", json!([hash, false])),
        ("eth_getTransactionByBlockNumberAndIndex", json!([NUMBER, "0x0"])),
        ("eth_getBlockTransactionCountByNumber", json!([NUMBER])),
        ("eth_getBlockReceipts", json!([NUMBER])),
        ("eth_getBorBlockReceipt", json!([hash])),
    ] {
        let answer = ask(&port, method, params).await;
        assert_eq!(answer.header("hypasis-miss"), Some("state-sync"), "{method}: {}", answer.text());
        assert!(answer.json()["error"].is_object(), "{method}");
    }
    let unknown = ask(&port, "eth_getTransactionReceipt", json!([DERIVED])).await;
    assert_eq!(unknown.header("hypasis-miss"), Some("not-indexed"));
    // What is the same with it and without is answered.
    for (method, params) in [
        ("eth_getHeaderByNumber", json!([NUMBER])),
        ("debug_getRawBlock", json!([NUMBER])),
        ("debug_getRawReceipts", json!([NUMBER])),
        ("eth_getUncleCountByBlockNumber", json!([NUMBER])),
        ("eth_getLogs", json!([{ "fromBlock": NUMBER, "toBlock": NUMBER }])),
    ] {
        result(&port, method, params).await;
    }
}

/// A Bor that says of the block's logs what the test wants.
async fn bor(logs: String) -> Node {
    let script = move |method: &str, params: &Value| match (method, params[0].as_str()) {
        ("web3_clientVersion", _) => "\"result\":\"bor/v2.7.2/linux-amd64/go1.26\"".to_owned(),
        ("eth_getLogs", _) => format!("\"result\":{logs}"),
        ("eth_chainId" | "eth_syncing" | "eth_capabilities", _)
        | ("eth_getBlockByNumber", Some("latest" | "finalized" | "safe" | "0x0")) => String::new(),
        _ => "\"error\":{\"code\":-32000,\"message\":\"not recorded\"}".to_owned(),
    };
    Node::replay(Arc::new(script)).await
}

#[tokio::test]
async fn logs_are_shown_or_left_out_as_the_node_does() {
    let alone = port(&[block(true)], &[]).await;
    let receipts = ask(&alone, "eth_getBlockReceipts", json!([NUMBER])).await;
    let text = receipts.text();
    let (from, to) = (text.find("\"logs\":").unwrap() + 7, text.find(",\"logsBloom\"").unwrap());
    for logs in [text[from..to].to_owned(), "[]".to_owned()] {
        let node = bor(logs.clone()).await;
        let port = port(&[block(true)], &[&node]).await;
        let span = json!([{ "fromBlock": NUMBER, "toBlock": NUMBER }]);
        let asking = async {
            loop {
                let answer = ask(&port, "eth_getLogs", span.clone()).await;
                assert_eq!(
                    answer.json()["result"].to_string(),
                    serde_json::from_str::<Value>(&logs).unwrap().to_string()
                );
                match answer.header("hypasis-source") {
                    Some("store") => break,
                    _ => assert_eq!(answer.header("hypasis-miss"), Some("calibrating"), "{}", answer.head),
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), asking).await.expect("a verdict");
        let passed = port.rpc.status()["passed_through_forms"].clone();
        assert!(!passed.to_string().contains("logs"), "{passed}");
        // Those that a filter passes over anyway need no verdict.
        let other = json!([{ "fromBlock": NUMBER, "toBlock": NUMBER, "address": format!("0x{:040x}", 1) }]);
        assert_eq!(result(&port, "eth_getLogs", other).await, json!([]));
    }
}

#[tokio::test]
async fn bor_knows_no_safe_block_and_says_so_in_its_own_words() {
    let port = port(&[block(true)], &[]).await;
    for tag in ["safe", "finalized"] {
        for method in ["eth_getBlockByNumber", "eth_getBlockReceipts"] {
            let params = if method == "eth_getBlockReceipts" { json!([tag]) } else { json!([tag, false]) };
            let error = ask(&port, method, params).await.json()["error"].clone();
            assert_eq!(error["code"], -32_000, "{method}");
            assert_eq!(error["message"], format!("{tag} block not found"), "{method}");
        }
    }
}

#[tokio::test]
async fn roots_of_checkpoints_and_authors_are_those_of_the_held_headers() {
    let lines =
        std::fs::read_to_string(testdata().join("polygon/checkpoint_9825948_9827227/blocks_first1024.jsonl"));
    let (mut headers, mut body) = (Vec::new(), Vec::new());
    write_list(&mut body, &[0xc0, 0xc0]);
    for line in lines.unwrap().lines().take(300) {
        headers.push(rebuild::header(line).unwrap());
    }
    let blocks: Vec<Block> = headers.iter().map(|raw| header_alone(raw, &body)).collect();
    let first = blocks[0].id.number;
    let port = port(&blocks, &[]).await;
    for (from, to) in [(0, 0), (0, 2), (7, 262), (0, 299)] {
        let range: Vec<Header<'_>> =
            headers[from..=to].iter().map(|raw| Header::parse(raw).unwrap()).collect();
        let root: B256 = checkpoint::root(&range).unwrap();
        for method in ["bor_getRootHash", "eth_getRootHash"] {
            let params = json!([first + from as u64, first + to as u64]);
            let told = result(&port, method, params).await;
            assert_eq!(told, root.to_string()[2..], "{method} {from}..={to}");
        }
    }
    // The seals were recovered by somebody else as well.
    let authors = testdata().join("polygon/checkpoint_9825948_9827227/signers_first64.json");
    let authors: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(authors).unwrap()).unwrap();
    for (author, block) in authors.iter().zip(&blocks) {
        let height = json!([format!("{:#x}", block.id.number)]);
        assert_eq!(result(&port, "bor_getAuthor", height).await, *author);
    }
    let by_hash = result(&port, "bor_getAuthor", json!([blocks[9].id.hash.to_string()])).await;
    assert_eq!(by_hash, authors[9]);
    // Who asks without a block means the latest one, which is the node's to name.
    let latest = ask(&port, "bor_getAuthor", json!([])).await;
    assert_eq!(latest.header("hypasis-miss"), Some("head-not-held"));
    // Those whom the end of the sprint before named: the producers of the span, of whom one is each author.
    let span = testdata().join("polygon/heimdall/mainnet_spans/span_1536.json");
    let span: Value = serde_json::from_str(&std::fs::read_to_string(span).unwrap()).unwrap();
    let producers = span["selected_producers"].as_array().unwrap().iter();
    let mut producers: Vec<String> =
        producers.map(|one| one["signer"].as_str().unwrap().to_lowercase()).collect();
    producers.sort();
    let sprint = first.next_multiple_of(64);
    for number in [sprint, sprint + 1, sprint + 63, sprint + 64] {
        let told = result(&port, "bor_getSigners", json!([format!("{number:#x}")])).await;
        assert_eq!(told, json!(producers), "{number}");
        let hash = blocks[(number - first) as usize].id.hash.to_string();
        assert_eq!(result(&port, "bor_getSignersAtHash", json!([hash])).await, told);
        let author = result(&port, "bor_getAuthor", json!([hash])).await;
        assert!(producers.iter().any(|one| author == json!(one)), "{author}");
    }
    // What named those of the first sprint is not held.
    let before = ask(&port, "bor_getSigners", json!([format!("{:#x}", sprint - 1)])).await;
    assert_ne!(before.header("hypasis-source"), Some("store"), "{}", before.text());
    for wrong in [json!([first + 5, first + 4]), json!([first, first + (1 << 15)]), json!([first - 1, first])]
    {
        let answer = ask(&port, "bor_getRootHash", wrong.clone()).await;
        assert!(answer.json()["error"].is_object(), "{wrong}: {}", answer.text());
    }
    // Other chains have no such method.
    let ethereum =
        Port::start(store_by(1, None), ChainSpec::named("ethereum").unwrap(), RpcConfig::default(), &[]);
    let answer = ask(&ethereum.await, "bor_getRootHash", json!([1, 1])).await;
    assert_eq!(answer.header("hypasis-miss"), Some("unknown-method"), "{}", answer.text());
}

/// A block of which only the header is real.
fn header_alone(raw: &Bytes, body: &[u8]) -> Block {
    let header = Header::parse(raw).unwrap();
    let id = BlockId { number: header.number(), hash: header.hash() };
    let (body, receipts) = (Bytes::copy_from_slice(body), Some(Bytes::from_static(&[0xc0])));
    Block { id, header: raw.clone(), body, receipts, extra: None }
}
