//! The conversations of `execution-apis`, which a Geth has answered: the same bytes come out.

use hypasis_chain::body::split_block;
use hypasis_chain::render::{self, Client, LogFilter, Profile};
use hypasis_chain::rlp::Item;
use hypasis_chain::{Body, ChainSpec, Header, Receipts};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Held, hash, quantity, slim_receipts};
use crate::support::testdata;

/// One question and the node's answer, byte for byte.
struct Conversation {
    params: Vec<Value>,
    result: String,
}

#[test]
fn blocks_come_out_as_geth_wrote_them() {
    let chain = Chain::load();
    let mut compared = 0;
    for method in ["eth_getBlockByNumber", "eth_getBlockByHash"] {
        for told in conversations(method) {
            if told.result == "null" {
                continue;
            }
            let block = chain.named_by(&told);
            let full = told.params[1].as_bool().unwrap();
            let ours =
                block.render(&chain.spec, &chain.profile, |out, parts| render::block(out, parts, full));
            assert_eq!(ours.unwrap(), told.result, "{method} {:?}", told.params);
            compared += 1;
        }
    }
    assert_eq!(compared, 10);
}

#[test]
fn transactions_come_out_as_geth_wrote_them() {
    let chain = Chain::load();
    let mut compared = 0;
    for method in [
        "eth_getTransactionByHash",
        "eth_getTransactionByBlockHashAndIndex",
        "eth_getTransactionByBlockNumberAndIndex",
    ] {
        for told in conversations(method) {
            if told.result == "null" {
                continue;
            }
            let block = chain.named_by(&told);
            let index = index_in(&told);
            let ours = block.render(&chain.spec, &chain.profile, |out, parts| {
                assert!(render::transaction(out, parts, index)?, "no transaction {index}");
                Ok(())
            });
            assert_eq!(ours.unwrap(), told.result, "{method} {:?}", told.params);
            compared += 1;
        }
    }
    assert_eq!(compared, 9);
}

#[test]
fn receipts_come_out_as_geth_wrote_them() {
    let chain = Chain::load();
    let mut compared = 0;
    for told in conversations("eth_getTransactionReceipt") {
        if told.result == "null" {
            continue;
        }
        let answer: Value = serde_json::from_str(&told.result).unwrap();
        let block = chain.named_by(&told);
        let index = index_in(&told);
        let list = slim_receipts(&with_predecessors(&answer, index));
        let ours = block.render(&chain.spec, &chain.profile, |out, parts| {
            assert!(
                render::receipt(out, parts, &Receipts::parse(&list).unwrap(), index)?,
                "no receipt {index}"
            );
            Ok(())
        });
        assert_eq!(ours.unwrap(), told.result, "{:?}", told.params);
        compared += 1;
    }
    assert_eq!(compared, 7);
}

#[test]
fn block_receipts_come_out_as_geth_wrote_them() {
    let chain = Chain::load();
    let mut compared = 0;
    for told in conversations("eth_getBlockReceipts") {
        if told.result == "null" {
            continue;
        }
        let answer: Vec<Value> = serde_json::from_str(&told.result).unwrap();
        let block =
            answer.first().map_or_else(|| chain.at(0), |first| chain.at(quantity(&first["blockNumber"])));
        let list = slim_receipts(&answer);
        let ours = block.render(&chain.spec, &chain.profile, |out, parts| {
            render::block_receipts(out, parts, &Receipts::parse(&list).unwrap())
        });
        assert_eq!(ours.unwrap(), told.result, "{:?}", told.params);
        compared += 1;
    }
    assert_eq!(compared, 5);
}

#[test]
fn logs_come_out_as_geth_wrote_them() {
    let chain = Chain::load();
    let mut compared = 0;
    for told in conversations("eth_getLogs") {
        if told.result.is_empty() {
            continue;
        }
        let question = &told.params[0];
        let answer: Vec<Value> = serde_json::from_str(&told.result).unwrap();
        let blocks = match question.get("blockHash") {
            Some(block) => vec![chain.blocks.iter().find(|held| held.hash == hash(block)).unwrap()],
            None => (quantity(&question["fromBlock"])..=quantity(&question["toBlock"]))
                .map(|number| chain.at(number))
                .collect(),
        };
        let filter = filter_of(question);
        let mut ours = String::new();
        let mut count = 0;
        for block in blocks {
            let logs: Vec<&Value> =
                answer.iter().filter(|log| hash(&log["blockHash"]) == block.hash).collect();
            assert!(logs.is_empty() || filter.may_match(&Header::parse(&block.header).unwrap()));
            let list = receipts_with(block, &logs);
            let more = block.render(&chain.spec, &chain.profile, |out, parts| {
                render::logs(out, parts, &Receipts::parse(&list).unwrap(), &filter, &mut count)
            });
            ours.push_str(&more.unwrap());
        }
        assert_eq!(format!("[{ours}]"), told.result, "{question}");
        assert_eq!(count, answer.len());
        compared += 1;
    }
    assert_eq!(compared, 6);
}

#[test]
fn recorded_raw_receipts_give_the_recorded_root_and_a_rendering_of_each() {
    let chain = Chain::load();
    let mut receipts = 0;
    for told in conversations("debug_getRawReceipts") {
        if told.result.is_empty() {
            continue;
        }
        let raw: Vec<Value> = serde_json::from_str(&told.result).unwrap();
        let raw: Vec<Vec<u8>> = raw.iter().map(super::bytes).collect();
        let list = hypasis_chain::receipt::slim_list(raw.iter().map(Vec::as_slice)).unwrap();
        let block = chain.at(quantity(&told.params[0]));
        let rendered = block.render(&chain.spec, &chain.profile, |out, parts| {
            render::block_receipts(out, parts, &Receipts::parse(&list).unwrap())
        });
        let rendered: Vec<Value> = serde_json::from_str(&rendered.unwrap()).unwrap();
        // JSON and back is the identity, so nothing of a receipt is lost or made up.
        assert_eq!(slim_receipts(&rendered), list);
        receipts += rendered.len();
    }
    assert!(receipts > 0, "no receipts were recorded");
}

/// The chain of the conversations.
struct Chain {
    spec: ChainSpec,
    profile: Profile,
    blocks: Vec<Held>,
}

impl Chain {
    fn load() -> Self {
        let folder = testdata().join("rpc_fixtures/execution-apis");
        let spec =
            ChainSpec::from_genesis_json(&std::fs::read(folder.join("genesis.json")).unwrap()).unwrap();
        let genesis = spec.genesis.clone().expect("a genesis that can be built");
        let mut blocks = vec![Held {
            hash: genesis.id.hash,
            number: 0,
            header: genesis.header.to_vec(),
            body: genesis.body.to_vec(),
            receipts: None,
        }];
        let bytes = std::fs::read(folder.join("chain.rlp")).unwrap();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (header, body) = split_block(Item::read(&mut rest).unwrap().raw()).unwrap();
            let parsed = Header::parse(header).unwrap();
            let (hash, number) = (parsed.hash(), parsed.number());
            if number > 0 {
                blocks.push(Held { hash, number, header: header.to_vec(), body, receipts: None });
            }
        }
        Self { spec, profile: Profile::of(Client::Geth), blocks }
    }

    fn at(&self, number: u64) -> &Held {
        let held = &self.blocks[usize::try_from(number).unwrap()];
        assert_eq!(held.number, number);
        held
    }

    /// The block that an answer is about.
    fn named_by(&self, told: &Conversation) -> &Held {
        let answer: Value = serde_json::from_str(&told.result).unwrap();
        let named = answer.get("blockHash").unwrap_or_else(|| &answer["hash"]);
        self.blocks.iter().find(|held| held.hash == hash(named)).expect("a block of the chain")
    }
}

fn conversations(method: &str) -> Vec<Conversation> {
    #[derive(Deserialize)]
    struct Request {
        params: Vec<Value>,
    }
    #[derive(Deserialize)]
    struct Response<'a> {
        #[serde(borrow)]
        result: Option<&'a RawValue>,
    }
    let folder = testdata().join("rpc_fixtures/execution-apis").join(method);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let line = |mark: &str| text.lines().find_map(|line| line.strip_prefix(mark)).unwrap();
        let request: Request = serde_json::from_str(line(">> ")).unwrap();
        let response = line("<< ");
        let result = if response.contains("\"result\":null") {
            "null".to_owned()
        } else {
            let response: Response<'_> = serde_json::from_str(response).unwrap();
            response.result.map(|raw| raw.get().to_owned()).unwrap_or_default()
        };
        found.push(Conversation { params: request.params, result });
    }
    found
}

fn index_in(told: &Conversation) -> usize {
    let answer: Value = serde_json::from_str(&told.result).unwrap();
    usize::try_from(quantity(&answer["transactionIndex"])).unwrap()
}

/// A recorded receipt behind others that make up its gas and its place.
fn with_predecessors(answer: &Value, index: usize) -> Vec<Value> {
    let before = quantity(&answer["cumulativeGasUsed"]) - quantity(&answer["gasUsed"]);
    let logs = answer["logs"].get(0).map_or(0, |log| quantity(&log["logIndex"]));
    let log = json!({ "address": format!("0x{:040x}", 1), "topics": [], "data": "0x" });
    let mut receipts = vec![
        json!({ "type": "0x0", "status": "0x1", "cumulativeGasUsed": format!("{before:#x}"), "logs": [] });
        index
    ];
    if let Some(last) = receipts.last_mut() {
        last["logs"] = Value::Array(vec![log; usize::try_from(logs).unwrap()]);
    }
    receipts.push(answer.clone());
    receipts
}

/// Receipts of a block that have these logs at their places and, before the first, others of somebody else.
fn receipts_with(block: &Held, logs: &[&Value]) -> Vec<u8> {
    let transactions = Body::parse(&block.body).unwrap().transaction_count();
    let others = logs.first().map_or(0, |log| quantity(&log["logIndex"]));
    let other = json!({ "address": format!("0x{:040x}", 1), "topics": [], "data": "0x" });
    let receipts: Vec<Value> = (0..transactions)
        .map(|index| {
            let own = logs.iter().filter(|log| quantity(&log["transactionIndex"]) == index as u64);
            let mut all = vec![other.clone(); if index == 0 { others as usize } else { 0 }];
            all.extend(own.map(|log| (*log).clone()));
            json!({ "type": "0x0", "status": "0x1", "cumulativeGasUsed": "0x1", "logs": all })
        })
        .collect();
    slim_receipts(&receipts)
}

fn filter_of(question: &Value) -> LogFilter {
    let many = |value: &Value| match value {
        Value::Array(values) => values.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    LogFilter {
        addresses: many(&question["address"])
            .iter()
            .map(|address| address.as_str().unwrap().parse().unwrap())
            .collect(),
        topics: many(&question["topics"]).iter().map(|any| many(any).iter().map(hash).collect()).collect(),
    }
}
