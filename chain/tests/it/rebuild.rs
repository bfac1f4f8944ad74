//! Blocks and receipts rebuilt from the JSON of several clients.

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::rebuild::{self, RebuildError};
use hypasis_chain::{Body, Header, Receipts, verify};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{conversation, hex, json, lines, raw_blocks, testdata, vectors};

/// Every result in a folder of recorded answers of Erigon.
fn erigon(chain: &str) -> Vec<Value> {
    let root = testdata().join("rpc_fixtures/erigon-rpc-tests").join(chain);
    let mut results = Vec::new();
    for folder in std::fs::read_dir(root).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let tests: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            for test in tests.as_array().unwrap() {
                results.push(test["response"]["result"].clone());
            }
        }
    }
    results
}

fn is_block(result: &Value) -> bool {
    result.get("parentHash").is_some() && result.get("transactionsRoot").is_some()
}

fn is_full(block: &Value) -> bool {
    block["transactions"].as_array().is_some_and(|list| list.iter().all(Value::is_object))
}

fn are_receipts(result: &Value) -> bool {
    result
        .as_array()
        .is_some_and(|list| list.first().is_some_and(|one| one.get("cumulativeGasUsed").is_some()))
}

/// Rebuilds header and body and checks hash and roots.
fn check_block(block: &Value) -> Bytes {
    let text = block.to_string();
    let raw = rebuild::header(&text).unwrap_or_else(|error| panic!("{}: {error}", block["number"]));
    let header = Header::parse(&raw).unwrap();
    assert_eq!(header.hash().as_slice(), hex(&block["hash"]), "{}", block["number"]);
    if is_full(block) && block["uncles"].as_array().is_none_or(Vec::is_empty) {
        let body = rebuild::body(&text, &[]).unwrap();
        verify::check_body(&header, &Body::parse(&body).unwrap()).unwrap();
    }
    raw
}

#[test]
fn a_block_of_mainnet_is_rebuilt_to_the_byte() {
    let block = json("rpc_fixtures/squid/ethereum/18500000/block.json");
    let receipts = json("rpc_fixtures/squid/ethereum/18500000/receipts.json");
    let real =
        vectors("ethereum/mainnet_blocks.jsonl").into_iter().find(|block| block.id.number == 18_500_000);
    let real = real.unwrap().block().unwrap();
    assert_eq!(rebuild::header(&block.to_string()).unwrap(), real.header);
    assert_eq!(rebuild::body(&block.to_string(), &[]).unwrap(), real.body);
    assert_eq!(Some(rebuild::receipts(&receipts.to_string()).unwrap()), real.receipts);
}

#[test]
fn blocks_as_erigon_writes_them_keep_hash_and_roots() {
    let mut count = 0;
    for chain in ["mainnet", "gnosis"] {
        for block in erigon(chain).iter().filter(|result| is_block(result)) {
            // Of Gnosis' block 0 some answers leave out the step that is hashed.
            if block.get("auraSeal").is_none() {
                check_block(block);
                count += 1;
            }
        }
    }
    assert!(count >= 25, "{count}");
}

#[test]
fn receipts_as_erigon_writes_them_keep_root_and_blooms() {
    let results = erigon("mainnet");
    let headers: Vec<Bytes> = results.iter().filter(|result| is_block(result)).map(check_block).collect();
    let known = vectors("ethereum/mainnet_blocks.jsonl");
    let headers: Vec<Header<'_>> = headers
        .iter()
        .chain(known.iter().map(|block| &block.header))
        .map(|raw| Header::parse(raw).unwrap())
        .collect();
    let (mut blooms, mut roots) = (0, 0);
    for json in results.iter().filter(|result| are_receipts(result)) {
        let slim = rebuild::receipts(&json.to_string()).unwrap();
        let receipts = Receipts::parse(&slim).unwrap();
        for (receipt, json) in receipts.iter().zip(json.as_array().unwrap()) {
            assert_eq!(receipt.unwrap().bloom().unwrap().as_slice(), hex(&json["logsBloom"]));
            blooms += 1;
        }
        let hash = B256::from_slice(&hex(&json[0]["blockHash"]));
        if let Some(header) = headers.iter().find(|header| header.hash() == hash) {
            verify::check_receipts(header, &receipts).unwrap();
            roots += 1;
        }
    }
    assert!(blooms > 1_000 && roots >= 2, "{blooms} {roots}");
}

#[test]
fn blocks_as_geth_writes_them_are_those_of_its_chain() {
    let raw: Vec<Vec<u8>> = raw_blocks("rpc_fixtures/execution-apis/chain.rlp");
    let mut count = 0;
    for folder in ["eth_getBlockByNumber", "eth_getBlockByHash"] {
        let path = format!("rpc_fixtures/execution-apis/{folder}");
        for file in std::fs::read_dir(testdata().join(&path)).unwrap() {
            let file = format!("{path}/{}", file.unwrap().file_name().to_str().unwrap());
            for (_, answer) in conversation(&file).iter().filter(|(_, answer)| is_block(&answer["result"])) {
                let header = check_block(&answer["result"]);
                let number = Header::parse(&header).unwrap().number();
                if number > 0 {
                    let real = raw.iter().map(|raw| hypasis_chain::body::split_block(raw).unwrap());
                    let mut real = real.filter(|(real, _)| Header::parse(real).unwrap().number() == number);
                    assert_eq!(real.next().unwrap().0, header.as_ref());
                }
                count += 1;
            }
        }
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn receipts_of_all_types_as_geth_writes_them_keep_their_root() {
    for file in ["get-block-receipts-n", "get-block-receipts-latest", "get-block-receipts-by-hash"] {
        let answer =
            &conversation(&format!("rpc_fixtures/execution-apis/eth_getBlockReceipts/{file}.io"))[0].1;
        let slim = rebuild::receipts(&answer["result"].to_string()).unwrap();
        let number = answer["result"][0]["blockNumber"].as_str().unwrap();
        let number = u64::from_str_radix(&number[2..], 16).unwrap();
        let raw = raw_blocks("rpc_fixtures/execution-apis/chain.rlp");
        let mut headers =
            raw.iter().map(|raw| Header::parse(hypasis_chain::body::split_block(raw).unwrap().0).unwrap());
        let header = headers.find(|header| header.number() == number).unwrap();
        verify::check_receipts(&header, &Receipts::parse(&slim).unwrap()).unwrap();
    }
}

#[test]
fn a_thousand_headers_of_polygon_keep_their_hashes() {
    let blocks = lines("polygon/checkpoint_9825948_9827227/blocks_first1024.jsonl");
    assert_eq!(blocks.len(), 1_024);
    blocks.iter().for_each(|block| drop(check_block(block)));
}

#[test]
fn a_state_sync_outside_the_roots_is_left_out_and_nothing_else() {
    let block = json("polygon/state_sync_block_135808/block.json");
    let receipt = json("polygon/state_sync_block_135808/receipt_state_sync.json");
    check_block(&block);
    let body = rebuild::body(&block.to_string(), &[]).unwrap();
    assert_eq!(Body::parse(&body).unwrap().transaction_count(), 0);
    let count = |receipts: Value| {
        let slim = rebuild::receipts(&receipts.to_string()).unwrap();
        Receipts::parse(&slim).unwrap().count()
    };
    assert_eq!(count(json!([receipt])), 0);
    let mut signed = receipt.clone();
    signed["transactionHash"] = json!(B256::repeat_byte(7));
    assert_eq!(count(json!([signed, receipt])), 1);
    assert_eq!(count(json!([receipt, signed])), 2, "only the last one can be");
}

#[test]
fn headers_and_deposit_receipts_of_other_stacks_keep_hash_and_root() {
    for chain in ["optimism/154497277", "arbitrum/150000000"] {
        let raw = check_block_header(&json(&format!("other_chains/squid/{chain}/block.json")));
        let receipts = json(&format!("other_chains/squid/{chain}/receipts.json"));
        let slim = rebuild::receipts(&receipts.to_string()).unwrap();
        let header = Header::parse(&raw).unwrap();
        verify::check_receipts(&header, &Receipts::parse(&slim).unwrap()).unwrap();
    }
    let body = json("other_chains/squid/optimism/154497277/block.json");
    assert_eq!(
        rebuild::body(&body.to_string(), &[]),
        Err(RebuildError::TransactionType(0x7e)),
        "never a guess"
    );
}

fn check_block_header(block: &Value) -> Bytes {
    let raw = rebuild::header(&block.to_string()).unwrap();
    assert_eq!(Header::parse(&raw).unwrap().hash().as_slice(), hex(&block["hash"]));
    raw
}

#[test]
fn uncles_are_asked_for_and_put_in() {
    let real = vectors("ethereum/mainnet_blocks.jsonl").into_iter().filter(|block| block.body.is_some());
    let real = real
        .into_iter()
        .find(|block| Body::parse(block.body.as_ref().unwrap()).unwrap().uncles().count() > 0);
    let real = real.unwrap().body.unwrap();
    let body = Body::parse(&real).unwrap();
    let uncles: Vec<Bytes> = body.uncles().map(|item| Bytes::copy_from_slice(item.unwrap().raw())).collect();
    let hashes: Vec<B256> = uncles.iter().map(alloy_primitives::keccak256).collect();
    let text = json!({ "transactions": [], "uncles": hashes }).to_string();
    assert_eq!(rebuild::body(&text, &[]), Err(RebuildError::Uncles));
    let rebuilt = rebuild::body(&text, &uncles).unwrap();
    assert_eq!(Body::parse(&rebuilt).unwrap().uncles_hash(), body.uncles_hash());
}

#[test]
fn forms_in_which_clients_differ_give_the_same_bytes() {
    let block = json("rpc_fixtures/squid/ethereum/18500000/block.json");
    let (header, body) =
        (rebuild::header(&block.to_string()).unwrap(), rebuild::body(&block.to_string(), &[]).unwrap());
    let mut other = block.clone();
    other["requestsHash"] = Value::Null;
    other["excessBlobGas"] = Value::Null;
    other["totalDifficulty"] = json!("0xc70d815d562d3cfa955");
    other["number"] = json!("0x0011a49a0");
    for transaction in other["transactions"].as_array_mut().unwrap() {
        let fields = transaction.as_object_mut().unwrap();
        // Anvil has `data` too, others no parity; some pad r and s.
        let input = fields.get("input").unwrap().clone();
        fields.insert("data".to_owned(), input);
        fields.remove("yParity");
        let padded = format!("0x{:0>64}", fields["r"].as_str().unwrap().trim_start_matches("0x"));
        fields.insert("r".to_owned(), json!(padded));
        if fields["type"] == "0x0" {
            fields.remove("type");
        }
    }
    assert_eq!(rebuild::header(&other.to_string()).unwrap(), header);
    assert_eq!(rebuild::body(&other.to_string(), &[]).unwrap(), body);
}

#[test]
fn a_state_root_or_a_status_says_how_it_ended() {
    let outcome = |fields: Value| {
        let mut receipt = json!({ "cumulativeGasUsed": "0x5208", "logs": [] });
        receipt.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        rebuild::receipts(&json!([receipt]).to_string())
    };
    let status = outcome(json!({ "status": "0x1" })).unwrap();
    assert_eq!(outcome(json!({ "status": "0x1", "root": "0x" })).unwrap(), status);
    assert_eq!(outcome(json!({ "status": "0x1", "root": null })).unwrap(), status);
    assert_eq!(outcome(json!({ "status": "0x1", "root": B256::ZERO })).unwrap(), status);
    let root = outcome(json!({ "root": B256::repeat_byte(7) })).unwrap();
    assert_eq!(outcome(json!({ "root": B256::repeat_byte(7), "status": null })).unwrap(), root);
    assert_eq!(outcome(json!({})), Err(RebuildError::Field("status")));
    assert_eq!(outcome(json!({ "status": "0x2" })), Err(RebuildError::Field("status")));
}

#[test]
fn what_is_missing_or_malformed_is_named() {
    let block = json("rpc_fixtures/squid/ethereum/18500000/block.json");
    let with = |key: &str, value: Value| {
        let mut block = block.clone();
        block[key] = value;
        block.to_string()
    };
    for (key, value) in [
        ("parentHash", json!("0x12")),
        ("stateRoot", Value::Null),
        ("gasLimit", json!("21000")),
        ("gasUsed", json!("0x")),
        ("number", json!("0x10000000000000000")),
        ("difficulty", json!("0xzz")),
        ("extraData", json!("0x1")),
        ("nonce", json!("0x00")),
        ("baseFeePerGas", Value::Null),
    ] {
        let error = rebuild::header(&with(key, value)).unwrap_err();
        assert!(matches!(error, RebuildError::Field(field) if field == key), "{key}: {error}");
    }
    assert_eq!(
        rebuild::body(&with("withdrawals", Value::Null), &[]),
        Err(RebuildError::Field("withdrawals"))
    );
    let strange = json!([{ "type": "0x76" }]);
    assert_eq!(rebuild::body(&with("transactions", strange), &[]), Err(RebuildError::TransactionType(0x76)));
    let hashes = rebuild::body(&with("transactions", json!([B256::ZERO])), &[]);
    assert!(matches!(hashes, Err(RebuildError::Json(_))), "hashes are no transactions");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_json_never_panics(place in any::<prop::sample::Index>(), bytes in "[ -~]{0,4}", cut in any::<bool>()) {
        thread_local!(static TEXT: (String, String) = {
            let answer = conversation("rpc_fixtures/execution-apis/eth_getBlockByNumber/get-block-prague-fork.io");
            let receipts = conversation("rpc_fixtures/execution-apis/eth_getBlockReceipts/get-block-receipts-n.io");
            (answer[0].1["result"].to_string(), receipts[0].1["result"].to_string())
        });
        let (block, receipts) = TEXT.with(Clone::clone);
        for text in [block, receipts] {
            let at = place.index(text.len());
            let end = if cut { text.len() } else { (at + bytes.len()).min(text.len()) };
            let hostile = format!("{}{bytes}{}", &text[..at], &text[end..]);
            // What is taken is canonical.
            if let Ok(header) = rebuild::header(&hostile) {
                prop_assert!(Header::parse(&header).is_ok());
            }
            if let Ok(body) = rebuild::body(&hostile, &[]) {
                prop_assert!(Body::parse(&body).unwrap().transactions().all(|tx| tx.is_ok()));
            }
            if let Ok(receipts) = rebuild::receipts(&hostile) {
                prop_assert!(Receipts::parse(&receipts).unwrap().iter().all(|receipt| receipt.is_ok()));
            }
        }
    }
}
