//! Mainnet blocks that nodes have answered about.

use std::collections::HashMap;
use std::path::Path;

use alloy_primitives::B256;
use hypasis_chain::render::diff::first_difference;
use hypasis_chain::render::{self, Client, Profile};
use hypasis_chain::{Body, ChainSpec, Header, Receipts};
use serde_json::Value;

use super::{Held, hash, quantity, slim_receipts};
use crate::support::{lines, testdata};

#[test]
fn erigons_recorded_answers_come_out_again() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let profile = Profile::of(Client::Erigon);
    let blocks = mainnet();
    let mut compared: HashMap<&str, usize> = HashMap::new();
    for method in [
        "eth_getBlockByNumber",
        "eth_getBlockByHash",
        "eth_getBlockReceipts",
        "eth_getTransactionByHash",
        "eth_getTransactionByBlockHashAndIndex",
        "eth_getTransactionByBlockNumberAndIndex",
        "eth_getTransactionReceipt",
    ] {
        for (file, answer) in erigon(method) {
            let probe = answer.get(0).unwrap_or(&answer);
            let named = probe.get("blockHash").or_else(|| probe.get("hash")).and_then(Value::as_str);
            let Some(block) = named.and_then(|named| blocks.get(&named.parse::<B256>().unwrap())) else {
                continue;
            };
            // A receipt alone needs those before it.
            if method == "eth_getTransactionReceipt" && block.receipts.is_none() {
                continue;
            }
            let ours = block.render(&spec, &profile, |out, parts| match method {
                "eth_getBlockByNumber" | "eth_getBlockByHash" => {
                    let full = answer["transactions"].get(0).is_some_and(Value::is_object);
                    render::block(out, parts, full)
                }
                "eth_getBlockReceipts" => {
                    let list = slim_receipts(answer.as_array().unwrap());
                    render::block_receipts(out, parts, &Receipts::parse(&list)?)
                }
                "eth_getTransactionReceipt" => {
                    let list = block.receipts.as_ref().expect("skipped above");
                    let index = quantity(&answer["transactionIndex"]) as usize;
                    render::receipt(out, parts, &Receipts::parse(list)?, index).map(drop)
                }
                _ => {
                    let index = quantity(&answer["transactionIndex"]) as usize;
                    render::transaction(out, parts, index).map(drop)
                }
            });
            let difference = first_difference(&ours.unwrap(), &answer.to_string());
            assert_eq!(difference, None, "{method} {file}");
            *compared.entry(method).or_default() += 1;
        }
    }
    assert!(compared.values().sum::<usize>() >= 4, "too little was compared: {compared:?}");
}

#[test]
fn a_busy_block_and_its_receipts_come_out_as_recorded() {
    let folder = testdata().join("rpc_fixtures/squid/ethereum/18500000");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let (block_json, receipts_json) = (read("block.json"), read("receipts.json"));
    let recorded: Value = serde_json::from_str(&block_json).unwrap();
    let receipts: Vec<Value> = serde_json::from_str(&receipts_json).unwrap();
    let spec = ChainSpec::named("ethereum").unwrap();
    let profile = Profile::of(Client::Geth);
    let held = mainnet().remove(&hash(&recorded["hash"])).expect("the block's bytes");

    let ours = held.render(&spec, &profile, |out, parts| render::block(out, parts, true)).unwrap();
    assert_eq!(first_difference(&ours, &without_later_fields(recorded)), None);

    let list = slim_receipts(&receipts);
    let ours = held
        .render(&spec, &profile, |out, parts| render::block_receipts(out, parts, &Receipts::parse(&list)?));
    assert_eq!(first_difference(&ours.unwrap(), &receipts_json), None);
}

#[test]
fn stored_hashes_and_senders_change_nothing() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let profile = Profile::of(Client::Geth);
    let mut compared = 0;
    for held in mainnet().values().filter(|held| held.receipts.is_some()) {
        let body = Body::parse(&held.body).unwrap();
        let Some(senders) = hypasis_chain::sender::recover_all(&body) else { continue };
        let hashes: Vec<B256> = body.transactions().map(|transaction| transaction.unwrap().hash()).collect();
        let receipts = Receipts::parse(held.receipts.as_deref().unwrap()).unwrap();
        let both = |stored: bool| {
            held.render(&spec, &profile, |out, parts| {
                let mut parts = *parts;
                if stored {
                    parts.senders = Some(&senders);
                    parts.transaction_hashes = Some(&hashes);
                }
                render::block(out, &parts, true)?;
                render::block_receipts(out, &parts, &receipts)
            })
            .unwrap()
        };
        assert_eq!(both(true), both(false), "block {}", held.number);
        compared += 1;
    }
    assert!(compared > 20, "{compared} blocks");
}

#[test]
fn every_receipt_alone_is_the_one_in_its_blocks_list() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let profile = Profile::of(Client::Geth);
    let mut compared = 0;
    for held in mainnet().values() {
        let Some(list) = &held.receipts else { continue };
        let receipts = Receipts::parse(list).unwrap();
        if receipts.count() > 60 {
            continue;
        }
        let all = held.render(&spec, &profile, |out, parts| render::block_receipts(out, parts, &receipts));
        let all: Vec<Value> = serde_json::from_str(&all.unwrap()).unwrap();
        for (index, expected) in all.iter().enumerate() {
            let one = held.render(&spec, &profile, |out, parts| {
                assert!(render::receipt(out, parts, &receipts, index)?, "receipt {index}");
                Ok(())
            });
            assert_eq!(serde_json::from_str::<Value>(&one.unwrap()).unwrap(), *expected);
            compared += 1;
        }
        let beyond = held.render(&spec, &profile, |out, parts| {
            assert!(!render::receipt(out, parts, &receipts, all.len())?, "a receipt behind the last");
            Ok(())
        });
        assert_eq!(beyond.unwrap(), "");
    }
    assert!(compared > 100, "{compared} receipts");
}

#[test]
fn a_rendered_header_and_size_agree_with_the_bytes() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let profile = Profile::of(Client::Geth);
    for held in mainnet().values() {
        let block = held.render(&spec, &profile, |out, parts| render::block(out, parts, false)).unwrap();
        let block: Value = serde_json::from_str(&block).unwrap();
        let raw = hypasis_chain::body::join_block(&held.header, &held.body).unwrap();
        assert_eq!(quantity(&block["size"]), raw.len() as u64, "block {}", held.number);
        let mut header = Vec::new();
        render::header(&mut header, &profile, &Header::parse(&held.header).unwrap(), held.hash).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        for (key, value) in header.as_object().unwrap() {
            assert_eq!(block[key], *value, "block {} {key}", held.number);
        }
    }
}

/// The mainnet blocks of which all is known that a body needs.
pub(super) fn mainnet() -> HashMap<B256, Held> {
    let lines = lines("ethereum/mainnet_blocks.jsonl");
    lines.iter().filter_map(Held::from_line).map(|held| (held.hash, held)).collect()
}

/// Recorded results of a method that are neither errors nor `null`.
fn erigon(method: &str) -> Vec<(String, Value)> {
    let folder = testdata().join("rpc_fixtures/erigon-rpc-tests/mainnet").join(method);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let name = path.file_name().map(Path::new).unwrap().display().to_string();
        for case in cases {
            let result = &case["response"]["result"];
            if result.is_object() || result.as_array().is_some_and(|list| !list.is_empty()) {
                found.push((name.clone(), result.clone()));
            }
        }
    }
    found
}

/// The recording is older than `blockTimestamp` in transactions (Geth 1.17).
fn without_later_fields(mut recorded: Value) -> String {
    let timestamp = recorded["timestamp"].clone();
    for transaction in recorded["transactions"].as_array_mut().unwrap() {
        transaction["blockTimestamp"] = timestamp.clone();
    }
    recorded.to_string()
}
