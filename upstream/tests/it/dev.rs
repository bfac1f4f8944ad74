//! The development chain as a source and as a node.

use std::sync::Arc;

use alloy_primitives::B256;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hypasis_chain::dev::{Corruption, DevChain, DevOptions};
use hypasis_chain::{Block, BlockId, Body, Header, Receipts, verify};
use hypasis_upstream::dev::{DevNode, DevSource, Lie, Responder};
use hypasis_upstream::{Source, SourceError};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const HISTORY: u64 = 200;

fn chain() -> Arc<DevChain> {
    let options = DevOptions { history: HISTORY, transactions: 4, period_ms: 1_000, seed: 7 };
    Arc::new(DevChain::new(options, 1_700_000_000))
}

fn check_fully(block: &Block) {
    let header = Header::parse(&block.header).unwrap();
    verify::check_identity(&header, block.id.number, block.id.hash).unwrap();
    verify::check_body(&header, &Body::parse(&block.body).unwrap()).unwrap();
    verify::check_receipts(&header, &Receipts::parse(block.receipts.as_ref().unwrap()).unwrap()).unwrap();
}

#[tokio::test]
async fn a_source_has_no_head_before_its_history_is_minted() {
    let source = DevSource::new(Arc::from("dev"), chain());
    assert_eq!((source.heads().borrow().latest, source.score()), (None, 0));
    assert!(matches!(source.headers(0, 1).await, Err(SourceError::Unavailable { .. })));
    let head = source.advance(0).await.unwrap();
    let heads = source.heads().borrow().clone();
    assert_eq!((head.number, heads.latest), (HISTORY, Some(head)));
    assert_eq!(heads.finalized.unwrap().number, HISTORY - 64);
}

#[tokio::test]
async fn a_source_gives_linked_verified_blocks_up_to_its_head_and_nothing_above() {
    let source = DevSource::new(Arc::from("dev"), chain());
    let head = source.advance(0).await.unwrap().number;
    let headers = source.headers(head - 20, 1_000).await.unwrap();
    assert_eq!(headers.len(), 21);
    let wanted: Vec<BlockId> = headers
        .iter()
        .map(|raw| Header::parse(raw).unwrap())
        .map(|header| BlockId { number: header.number(), hash: header.hash() })
        .collect();
    let blocks = source.blocks(&wanted, true).await.unwrap();
    assert_eq!(blocks.iter().map(|block| block.id).collect::<Vec<_>>(), wanted);
    blocks.iter().for_each(check_fully);
    assert!(source.blocks(&wanted, false).await.unwrap().iter().all(|block| block.receipts.is_none()));
    assert!(matches!(source.headers(head + 1, 1).await, Err(SourceError::Absent(_))));
    let above = [BlockId { number: u64::MAX, hash: B256::ZERO }];
    assert!(matches!(source.blocks(&above, true).await, Err(SourceError::Absent(_))));
}

#[tokio::test(start_paused = true)]
async fn a_running_source_mints_a_block_each_period() {
    let source = DevSource::new(Arc::from("dev"), chain());
    let mut heads = source.heads();
    let running = tokio::spawn({
        let source = source.clone();
        async move { source.run().await }
    });
    for number in HISTORY..HISTORY + 4 {
        heads.changed().await.unwrap();
        assert_eq!(heads.borrow_and_update().latest.unwrap().number, number);
    }
    running.abort();
}

#[tokio::test]
async fn after_a_reorg_the_new_head_is_published_and_replaced_blocks_are_still_found_by_hash() {
    let source = DevSource::new(Arc::from("dev"), chain());
    let old = source.advance(0).await.unwrap();
    let new = source.reorg(3, 4).await.unwrap();
    assert_eq!(new.number, old.number + 1);
    assert_eq!(source.heads().borrow().latest, Some(new));
    let replaced = source.block_by_hash(old.hash).await.unwrap().unwrap();
    assert_eq!(replaced.id, old);
    check_fully(&replaced);
    assert_eq!(source.blocks(&[old], true).await.unwrap(), [replaced]);
    let now = source.chain().id_at(old.number);
    assert_ne!(now.hash, old.hash);
    assert_eq!(source.blocks(&[now], true).await.unwrap()[0].id, now);
}

fn ask(responder: &Responder, call: &Value) -> Value {
    serde_json::from_slice(&responder.answer(call.to_string().as_bytes())).unwrap()
}

fn call(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

#[test]
fn answers_are_framed_as_a_node_frames_them() {
    let responder = Responder::new(chain());
    let answer = |text: &str| String::from_utf8(responder.answer(text.as_bytes())).unwrap();
    assert_eq!(
        answer(r#"{"jsonrpc":"2.0","id": "a\u0062" ,"method":"eth_chainId"}"#),
        r#"{"jsonrpc":"2.0","id":"a\u0062","result":"0x539"}"#
    );
    assert_eq!(answer(r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#), "", "a notification");
    assert_eq!(answer(r#"[{"jsonrpc":"2.0","method":"eth_chainId"}]"#), "", "only notifications");
    for (text, code) in [
        ("{", -32_700),
        ("[", -32_700),
        ("[]", -32_600),
        ("1", -32_600),
        (r#"{"id":1,"method":"eth_chainId"}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[]}"#, -32_601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["2",true]}"#, -32_602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x02",true]}"#, -32_602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":[]}"#, -32_602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":{}}"#, -32_602),
    ] {
        let answer: Value = serde_json::from_str(&answer(text)).unwrap();
        assert_eq!(answer["error"]["code"], code, "{text}: {answer}");
    }
    let batch = answer(
        r#"[{"jsonrpc":"2.0","id":2,"method":"net_version"},{"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","id":null,"method":"x_y"}]"#,
    );
    assert_eq!(
        batch,
        r#"[{"jsonrpc":"2.0","id":2,"result":"1337"},{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"the method x_y does not exist/is not available"}}]"#
    );
}

#[test]
fn blocks_of_every_method_are_those_of_the_chain() {
    let responder = Responder::new(chain());
    let reference = chain();
    let head = reference.head();
    let number = (1..head.number)
        .rev()
        .find(|n| Body::parse(&reference.block(*n).body).unwrap().transaction_count() > 1)
        .unwrap();
    let block = reference.block(number);
    let (hash, height) = (block.id.hash.to_string(), format!("{number:#x}"));
    let by_number = ask(&responder, &call("eth_getBlockByNumber", json!([height, false])));
    assert_eq!(by_number["result"]["hash"], hash);
    assert_eq!(ask(&responder, &call("eth_getBlockByHash", json!([hash, false]))), by_number);
    let transaction = by_number["result"]["transactions"][1].clone();
    let by_hash = ask(&responder, &call("eth_getTransactionByHash", json!([transaction])));
    assert_eq!(by_hash["result"]["transactionIndex"], "0x1");
    let at = ask(&responder, &call("eth_getTransactionByBlockNumberAndIndex", json!([height, "0x1"])));
    assert_eq!(at, by_hash);
    let receipts = ask(&responder, &call("eth_getBlockReceipts", json!([height])));
    let receipt = ask(&responder, &call("eth_getTransactionReceipt", json!([transaction])));
    assert_eq!(receipts["result"][1], receipt["result"]);
    assert_eq!(receipt["result"]["blockHash"], hash);
    let raw = ask(&responder, &call("debug_getRawHeader", json!([hash])));
    assert_eq!(raw["result"], const_hex::encode_prefixed(&block.header));
    let raw = ask(&responder, &call("debug_getRawReceipts", json!([height])));
    assert_eq!(raw["result"].as_array().unwrap().len(), receipts["result"].as_array().unwrap().len());
    let logs = ask(&responder, &call("eth_getLogs", json!([{ "blockHash": hash }])));
    let all: usize =
        receipts["result"].as_array().unwrap().iter().map(|r| r["logs"].as_array().unwrap().len()).sum();
    assert_eq!(logs["result"].as_array().unwrap().len(), all);
    let count = ask(&responder, &call("eth_getBlockTransactionCountByHash", json!([hash])));
    assert_eq!(count["result"], format!("{:#x}", receipts["result"].as_array().unwrap().len()));
}

#[test]
fn what_does_not_exist_is_null_and_nothing_is_minted_for_it() {
    let responder = Responder::new(chain());
    for (method, params) in [
        ("eth_getBlockByNumber", json!(["0xffffffffffffffff", true])),
        ("eth_getBlockByNumber", json!([format!("{:#x}", HISTORY + 1), true])),
        ("eth_getBlockByHash", json!([B256::repeat_byte(1), false])),
        ("eth_getBlockReceipts", json!([format!("{:#x}", HISTORY + 1)])),
        ("eth_getTransactionByHash", json!([B256::repeat_byte(1)])),
    ] {
        let answer = ask(&responder, &call(method, params));
        assert_eq!(answer.get("result"), Some(&Value::Null), "{method}: {answer}");
    }
    let logs = ask(&responder, &call("eth_getLogs", json!([{ "toBlock": "0xffffffffffffffff" }])));
    assert_eq!(logs["error"]["code"], -32_602);
}

struct Served {
    node: Arc<DevNode>,
    url: String,
    task: JoinHandle<std::io::Result<()>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Served {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let node = DevNode::new(chain());
        let task = tokio::spawn(node.clone().serve(listener));
        Self { node, url, task, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    async fn post(&self, call: &Value) -> (u16, Vec<u8>) {
        let request = hyper::Request::post(&self.url).body(Full::from(call.to_string())).unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        serde_json::from_slice(&self.post(&call(method, params)).await.1).unwrap()
    }
}

#[tokio::test]
async fn a_node_answers_over_http_and_counts_its_calls() {
    let served = Served::start().await;
    assert_eq!(served.ask("eth_blockNumber", json!([])).await["result"], format!("{HISTORY:#x}"));
    served
        .post(&json!([call("eth_blockNumber", json!([])), call("eth_sendRawTransaction", json!([]))]))
        .await;
    assert_eq!((served.node.calls("eth_blockNumber"), served.node.calls("eth_sendRawTransaction")), (2, 1));
    served.node.chain().advance(1);
    assert_eq!(served.ask("eth_blockNumber", json!([])).await["result"], format!("{:#x}", HISTORY + 1));
    served.task.abort();
}

#[tokio::test]
async fn switches_act_at_once() {
    let served = Served::start().await;
    let node = &served.node;
    node.offer_raw(false);
    assert_eq!(served.ask("debug_getRawHeader", json!(["0x5"])).await["error"]["code"], -32_601);
    node.offer_raw(true);
    let truth = served.ask("debug_getRawHeader", json!(["0x5"])).await;
    node.lie(Some(Lie { corruption: Corruption::HeaderField(3), heights: 5..6 }));
    let lie = served.ask("debug_getRawHeader", json!(["0x5"])).await;
    assert!(truth["result"].is_string() && lie["result"].is_string() && truth != lie);
    node.lie(None);
    assert_eq!(served.ask("debug_getRawHeader", json!(["0x5"])).await, truth);
    node.fix("eth_getBalance", r#""0x7""#);
    assert_eq!(served.ask("eth_getBalance", json!(["0x0", "latest"])).await["result"], "0x7");
    node.fail(true);
    assert_eq!(served.post(&call("eth_chainId", json!([]))).await.0, 503);
    node.fail(false);
    node.stall(true);
    let before = node.calls("net_version");
    let mut waiting = Box::pin(served.ask("net_version", json!([])));
    // The request has arrived once it is counted; it must still be open then.
    while node.calls("net_version") == before {
        tokio::select! {
            biased;
            answer = &mut waiting => panic!("a stalled node answered {answer}"),
            () = tokio::task::yield_now() => {}
        }
    }
    node.stall(false);
    assert_eq!(waiting.await["result"], "1337");
    served.task.abort();
}
