//! What is asked of a node with a short chain, and of the appliance in front of it.

use std::net::SocketAddr;

use hypasis_tests::http::{call, request};
use serde_json::{Value, json};

/// Heights of one log search.
const LOGS_STEP: u64 = 25;

/// Every method that the store answers, for every block and for the transactions and uncles in it.
pub(crate) fn all(node: SocketAddr, head: u64) -> Vec<String> {
    let mut questions = vec![
        request("eth_chainId", json!([])),
        request("net_version", json!([])),
        request("eth_blockNumber", json!([])),
        request("eth_getBlockByNumber", json!(["latest", true])),
        request("eth_getBlockByNumber", json!(["earliest", false])),
        request("eth_getHeaderByNumber", json!(["latest"])),
        request("eth_getBlockReceipts", json!(["latest"])),
        request("eth_getBlockTransactionCountByNumber", json!(["latest"])),
    ];
    for number in 0..=head {
        let height = format!("{number:#x}");
        let block = call(node, "eth_getBlockByNumber", json!([height, false]))["result"].clone();
        about_block(&mut questions, &height, &block);
        for (index, transaction) in block["transactions"].as_array().unwrap().iter().enumerate() {
            about_transaction(&mut questions, &height, &block["hash"], index, transaction);
        }
    }
    about_logs(&mut questions, node, head);
    questions
}

fn about_block(questions: &mut Vec<String>, height: &str, block: &Value) {
    let hash = &block["hash"];
    for full in [true, false] {
        questions.push(request("eth_getBlockByNumber", json!([height, full])));
        questions.push(request("eth_getBlockByHash", json!([hash, full])));
    }
    for method in ["eth_getBlockReceipts", "debug_getRawHeader", "debug_getRawBlock", "debug_getRawReceipts"]
    {
        for argument in [json!(height), json!(hash), json!({ "blockHash": hash })] {
            questions.push(request(method, json!([argument])));
        }
    }
    for (method, by) in [
        ("eth_getBlockTransactionCountByNumber", json!(height)),
        ("eth_getBlockTransactionCountByHash", hash.clone()),
        ("eth_getUncleCountByBlockNumber", json!(height)),
        ("eth_getUncleCountByBlockHash", hash.clone()),
        ("eth_getHeaderByNumber", json!(height)),
        ("eth_getHeaderByHash", hash.clone()),
    ] {
        questions.push(request(method, json!([by])));
    }
    for index in 0..=block["uncles"].as_array().unwrap().len() {
        let index = format!("{index:#x}");
        questions.push(request("eth_getUncleByBlockNumberAndIndex", json!([height, index])));
        questions.push(request("eth_getUncleByBlockHashAndIndex", json!([hash, index])));
    }
    let behind = format!("{:#x}", block["transactions"].as_array().unwrap().len());
    questions.push(request("eth_getTransactionByBlockNumberAndIndex", json!([height, behind])));
    questions.push(request("eth_getLogs", json!([{ "blockHash": hash }])));
}

fn about_transaction(
    questions: &mut Vec<String>,
    height: &str,
    hash: &Value,
    index: usize,
    transaction: &Value,
) {
    for method in [
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getRawTransactionByHash",
        "debug_getRawTransaction",
    ] {
        questions.push(request(method, json!([transaction])));
    }
    let index = format!("{index:#x}");
    for kind in ["Transaction", "RawTransaction"] {
        questions.push(request(&format!("eth_get{kind}ByBlockNumberAndIndex"), json!([height, index])));
        questions.push(request(&format!("eth_get{kind}ByBlockHashAndIndex"), json!([hash, index])));
    }
}

/// Ranges from one height to all, by addresses and topics that there are.
fn about_logs(questions: &mut Vec<String>, node: SocketAddr, head: u64) {
    let mut ask = |filter: Value| questions.push(request("eth_getLogs", json!([filter])));
    for from in (0..=head).step_by(LOGS_STEP as usize) {
        let to = (from + LOGS_STEP - 1).min(head);
        ask(json!({ "fromBlock": format!("{from:#x}"), "toBlock": format!("{to:#x}") }));
    }
    let all = json!({ "fromBlock": "0x0", "toBlock": format!("{head:#x}") });
    let logs = call(node, "eth_getLogs", json!([all]))["result"].clone();
    let logs = logs.as_array().unwrap();
    assert!(logs.len() > 100, "the chain has {} logs", logs.len());
    ask(all.clone());
    ask(json!({ "fromBlock": "earliest", "toBlock": "latest" }));
    ask(json!({}));
    let wide = |more: Value| {
        let mut filter = all.clone();
        filter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        filter
    };
    for pair in logs.chunks(logs.len() / 20).filter_map(|logs| logs.get(..2)) {
        let [address, other] = [0, 1].map(|index| pair[index]["address"].clone());
        let [topic, second] = [0, 1].map(|index| pair[index]["topics"][0].clone());
        ask(wide(json!({ "address": address })));
        ask(wide(json!({ "address": [address, other] })));
        ask(wide(json!({ "topics": [topic] })));
        ask(wide(json!({ "topics": [[topic, second]] })));
        ask(wide(json!({ "address": [address], "topics": [null, topic] })));
        ask(wide(json!({ "address": other, "topics": [[], []] })));
        ask(json!({ "blockHash": pair[0]["blockHash"], "address": address, "topics": [topic] }));
    }
    ask(wide(json!({ "topics": [format!("0x{}", "ab".repeat(32))] })));
}

/// Calls that fail or find nothing: whose words count are the node's.
pub(super) fn faults() -> Vec<String> {
    let nowhere = format!("0x{}", "ab".repeat(32));
    let mut faults = Vec::new();
    for takes_none in ["eth_chainId", "net_version", "eth_blockNumber"] {
        for params in [json!([1]), json!(["latest"]), json!([null]), json!({}), json!("x"), Value::Null] {
            faults.push(request(takes_none, params));
        }
    }
    for by_hash in [
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getRawTransactionByHash",
        "debug_getRawTransaction",
        "eth_getHeaderByHash",
        "eth_getBlockTransactionCountByHash",
        "eth_getUncleCountByBlockHash",
    ] {
        faults.extend(wrong_arguments(by_hash, &json!(nowhere)));
    }
    for by_number in [
        "eth_getBlockReceipts",
        "debug_getRawHeader",
        "debug_getRawBlock",
        "debug_getRawReceipts",
        "eth_getHeaderByNumber",
        "eth_getBlockTransactionCountByNumber",
        "eth_getUncleCountByBlockNumber",
    ] {
        faults.extend(wrong_arguments(by_number, &json!("0x259")));
        faults.push(request(by_number, json!(["finalized"])));
        faults.push(request(by_number, json!(["0xffffffffffffffffff"])));
        faults.push(request(by_number, json!([nowhere])));
    }
    for (method, block) in [
        ("eth_getBlockByNumber", json!("0x259")),
        ("eth_getBlockByHash", json!(nowhere)),
        ("eth_getBlockByNumber", json!("safe")),
    ] {
        for rest in [json!(true), json!("true"), json!(1), Value::Null] {
            faults.push(request(method, json!([block, rest])));
        }
        faults.push(request(method, json!([block])));
        faults.push(request(method, json!([block, true, false])));
    }
    for method in [
        "eth_getTransactionByBlockNumberAndIndex",
        "eth_getRawTransactionByBlockNumberAndIndex",
        "eth_getUncleByBlockNumberAndIndex",
    ] {
        for params in [
            json!(["0x5"]),
            json!(["0x5", 1]),
            json!(["0x5", "0x01"]),
            json!(["0x5", "0xffff"]),
            json!(["0x259", "0x0"]),
            json!(["0x5", "-0x1"]),
        ] {
            faults.push(request(method, params));
        }
    }
    for filter in wrong_filters(&nowhere) {
        faults.push(request("eth_getLogs", json!([filter])));
    }
    faults
}

fn wrong_arguments(method: &str, absent: &Value) -> Vec<String> {
    let params = [
        json!([absent]),
        json!([]),
        json!([null]),
        json!([1]),
        json!(["0x"]),
        json!(["0x1g"]),
        json!(["12"]),
        json!([true]),
        json!([{}]),
        json!([absent, "more"]),
        json!({ "named": absent }),
    ];
    params.into_iter().map(|params| request(method, params)).collect()
}

fn wrong_filters(nowhere: &str) -> [Value; 13] {
    [
        json!({ "fromBlock": "0x20", "toBlock": "0x10" }),
        json!({ "fromBlock": "0x1", "toBlock": "0x300" }),
        json!({ "fromBlock": "0x300" }),
        json!({ "blockHash": nowhere }),
        json!({ "blockHash": nowhere, "fromBlock": "0x1" }),
        json!({ "fromBlock": "0x01" }),
        json!({ "fromBlock": "1" }),
        json!({ "address": "0x12" }),
        json!({ "address": 5 }),
        json!({ "topics": "0x12" }),
        json!({ "topics": ["0x12"] }),
        json!({ "topics": [null, null, null, null, nowhere] }),
        json!("latest"),
    ]
}
