//! Senders, against what nodes say and against vectors of the EIPs.

use alloy_primitives::{Address, U256, address};
use hypasis_chain::rlp::{Item, write_list, write_uint, write_uint256};
use hypasis_chain::{Body, Transaction, rebuild, sender};
use serde_json::Value;

use crate::support::{conversation, hex, json, vectors};

/// The group order of secp256k1.
fn order() -> U256 {
    "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141".parse().unwrap()
}

/// A legacy transaction with another signature.
fn signed(transaction: &Transaction<'_>, v: u64, r: U256, s: U256) -> Vec<u8> {
    let mut fields = Vec::new();
    for item in Item::parse(transaction.envelope()).unwrap().items().unwrap().take(6) {
        fields.extend_from_slice(item.unwrap().raw());
    }
    write_uint(&mut fields, v);
    write_uint256(&mut fields, r);
    write_uint256(&mut fields, s);
    let mut envelope = Vec::new();
    write_list(&mut envelope, &fields);
    envelope
}

fn recover(envelope: &[u8]) -> Option<Address> {
    sender::recover(&Transaction::parse(envelope).unwrap())
}

/// The example of EIP-155.
const PROTECTED: &str = "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a0\
    28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a0\
    67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";

#[test]
fn a_bound_legacy_transaction_recovers_as_its_eip_says() {
    let envelope = const_hex::decode(PROTECTED).unwrap();
    let transaction = Transaction::parse(&envelope).unwrap();
    assert_eq!(sender::recover(&transaction), Some(address!("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f")));
    assert_eq!(sender::chain_id(&transaction), Some(U256::ONE));
    let hash = sender::signing_hash(&transaction).unwrap();
    assert_eq!(const_hex::encode(hash), "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
}

#[test]
fn the_first_transaction_of_mainnet_was_sent_before_chain_ids() {
    let block =
        vectors("ethereum/mainnet_blocks.jsonl").into_iter().find(|block| block.id.number == 46_147).unwrap();
    let body = block.body.unwrap();
    let body = Body::parse(&body).unwrap();
    let first = address!("a1e4380a3b1f749673e270229993ee55f35663b4");
    assert_eq!(sender::recover_all(&body), Some(vec![first]));
    assert_eq!(sender::chain_id(&body.transaction(0).unwrap().unwrap()), None);
}

#[test]
fn senders_of_all_types_are_those_that_nodes_name() {
    let mut blocks = vec![json("rpc_fixtures/squid/ethereum/18500000/block.json")];
    for (folder, test) in [("ByHash", "09"), ("ByHash", "01"), ("ByNumber", "05"), ("ByNumber", "07")] {
        let file = format!("rpc_fixtures/erigon-rpc-tests/mainnet/eth_getBlock{folder}/test_{test}.json");
        blocks.push(json(&file)[0]["response"]["result"].clone());
    }
    let mut found = [0; 5];
    for block in &blocks {
        let transactions = block["transactions"].as_array().unwrap();
        let body = rebuild::body(&block.to_string(), &[]).unwrap();
        let senders = sender::recover_all(&Body::parse(&body).unwrap()).unwrap();
        assert_eq!(senders.len(), transactions.len());
        for (sender, transaction) in senders.iter().zip(transactions) {
            assert_eq!(sender.as_slice(), hex(&transaction["from"]), "{}", transaction["hash"]);
            found[kind(transaction)] += 1;
        }
    }
    for file in ["get-setcode-tx", "get-blob-tx", "get-access-list", "get-legacy-tx", "get-dynamic-fee"] {
        let file = format!("rpc_fixtures/execution-apis/eth_getTransactionByHash/{file}.io");
        let transaction = &conversation(&file)[0].1["result"];
        let block = serde_json::json!({ "transactions": [transaction] });
        let body = rebuild::body(&block.to_string(), &[]).unwrap();
        let senders = sender::recover_all(&Body::parse(&body).unwrap()).unwrap();
        assert_eq!(senders[0].as_slice(), hex(&transaction["from"]), "{file}");
        found[kind(transaction)] += 1;
    }
    assert!(found.iter().all(|count| *count > 0), "{found:?}");
}

fn kind(transaction: &Value) -> usize {
    usize::from_str_radix(&transaction["type"].as_str().unwrap()[2..], 16).unwrap()
}

#[test]
fn a_high_s_recovers_as_before_homestead() {
    let envelope = const_hex::decode(PROTECTED).unwrap();
    let transaction = Transaction::parse(&envelope).unwrap();
    let fields = transaction.fields().unwrap().unwrap();
    let (r, s) = (U256::from_be_slice(fields.r), U256::from_be_slice(fields.s));
    let high = signed(&transaction, 38, r, order() - s);
    assert_eq!(recover(&high), recover(&envelope));
}

#[test]
fn signatures_out_of_range_and_impossible_v_have_no_sender() {
    let envelope = const_hex::decode(PROTECTED).unwrap();
    let transaction = Transaction::parse(&envelope).unwrap();
    let fields = transaction.fields().unwrap().unwrap();
    let (r, s) = (U256::from_be_slice(fields.r), U256::from_be_slice(fields.s));
    assert!(recover(&signed(&transaction, 37, r, s)).is_some());
    for (r, s) in [(U256::ZERO, s), (r, U256::ZERO), (order(), s), (r, order()), (U256::MAX, s)] {
        assert_eq!(recover(&signed(&transaction, 37, r, s)), None);
    }
    for v in [0, 1, 26, 29, 34] {
        assert_eq!(recover(&signed(&transaction, v, r, s)), None, "{v}");
    }
}

#[test]
fn a_block_with_a_type_nobody_knows_has_no_senders() {
    let lines = crate::support::lines("other_chains/optimism.jsonl");
    let transactions: Vec<Vec<u8>> = lines[0]["txs"].as_array().unwrap().iter().map(hex).collect();
    let body = crate::support::body_of(&transactions, &[0xc0], None);
    let body = Body::parse(&body).unwrap();
    assert_eq!(sender::recover_all(&body), None);
    let parsed: Vec<_> = body.transactions().map(Result::unwrap).collect();
    let each = sender::recover_many(&parsed);
    assert_eq!(each[0], None);
    assert!(each[1..].iter().all(Option::is_some), "the others have");
}
