//! What is asked. Each case is a set of call bodies with a place for the id.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::geth::HEAD;
use crate::http::call;

/// Where the id goes.
pub const ID: &str = "@ID@";
/// Size of the one-block case's answer that is looked for, as in the published figures of others.
const BLOCK_BYTES: usize = 36_500;

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Case {
    /// What a reader calls it.
    pub name: String,
    /// Bodies asked in turn, with [`ID`] in them.
    pub bodies: Vec<String>,
    /// Seconds-scale answers (a heavy call of Geth) get fewer connections.
    pub connections: u32,
}

/// The cases, chosen from the chain behind `geth`.
pub fn cases(geth: SocketAddr) -> Vec<Case> {
    let block = height_with(geth, "eth_getBlockByNumber", |height| json!([height, true]), BLOCK_BYTES);
    let receipts = height_with(geth, "eth_getBlockReceipts", |height| json!([height]), 5_900);
    let logs = json!([{ "fromBlock": "0x64", "toBlock": "0xc7" }]);
    let mixed = (0..10).map(|n| match n % 3 {
        0 => body("eth_getBlockByNumber", &json!([format!("{:#x}", 100 + n), false])),
        1 => body("eth_getBlockReceipts", &json!([format!("{:#x}", 100 + n)])),
        _ => body("eth_chainId", &json!([])),
    });
    let case = |name: String, bodies| Case { name, bodies, connections: 64 };
    vec![
        case("`eth_chainId`".into(), vec![body("eth_chainId", &json!([]))]),
        case(
            format!("one block with transactions, {}", size(block.1)),
            vec![body("eth_getBlockByNumber", &json!([block.0, true]))],
        ),
        case("600 heights in turn".into(), heights()),
        case(
            format!("block receipts, {}", size(receipts.1)),
            vec![body("eth_getBlockReceipts", &json!([receipts.0]))],
        ),
        case("`eth_getLogs` over 100 blocks".into(), vec![body("eth_getLogs", &logs)]),
        case("batch of 10 mixed".into(), vec![format!("[{}]", mixed.collect::<Vec<_>>().join(","))]),
    ]
}

/// One call for each height of the chain.
pub fn heights() -> Vec<String> {
    (1..=HEAD).map(|number| body("eth_getBlockByNumber", &json!([format!("{number:#x}"), false]))).collect()
}

fn body(method: &str, params: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{ID},"method":"{method}","params":{params}}}"#)
}

/// The height whose answer is nearest to `bytes`, and that answer's size.
fn height_with(
    geth: SocketAddr,
    method: &str,
    params: impl Fn(String) -> Value,
    bytes: usize,
) -> (String, usize) {
    let sizes = (1..=HEAD).map(|number| {
        let height = format!("{number:#x}");
        let answer = call(geth, method, params(height.clone())).to_string();
        (height, answer.len())
    });
    sizes.min_by_key(|(_, size)| size.abs_diff(bytes)).expect("the chain has blocks")
}

fn size(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / 1e3)
}
