//! What a source says to stand beside a block: its own rule, and how nodes' JSON tells it.

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::bor::state_sync::{
    BYTES_MAX, NONE, are_beside, check, derived_hash, may_stand_beside, settle,
};
use hypasis_chain::receipt::Receipt;
use hypasis_chain::rlp::{write_list, write_string, write_uint};
use hypasis_chain::{Block, BlockId, ChainSpec, rebuild};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{json as file, text, vectors};

const RECORDED: &str = "polygon/state_sync_block_135808";

fn polygon() -> ChainSpec {
    ChainSpec::named("polygon").unwrap()
}

/// A recorded block at that height, with `extra` beside it.
fn block(number: u64, extra: &[u8]) -> Block {
    let vectors = vectors("polygon/mainnet_blocks.jsonl");
    let vector = vectors.iter().find(|vector| vector.id.number == number).unwrap();
    let (header, body) = (vector.header.clone(), vector.body.clone().unwrap());
    Block { id: vector.id, header, body, receipts: None, extra: Some(Bytes::copy_from_slice(extra)) }
}

/// `[kind, status, cumulative gas, [[address, topics, data]…]]`
fn extra(kind: u64, gas: u64, topics: usize) -> Vec<u8> {
    let (mut list, mut log, mut logs, mut fields, mut out) =
        <(Vec<_>, Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
    for _ in 0..topics {
        write_string(&mut list, &[9; 32]);
    }
    write_string(&mut log, &[1; 20]);
    write_list(&mut log, &list);
    write_string(&mut log, b"data");
    write_list(&mut logs, &log);
    for value in [kind, 1, gas] {
        write_uint(&mut fields, value);
    }
    write_list(&mut fields, &logs);
    write_list(&mut out, &fields);
    out
}

fn said(block: Block) -> String {
    settle(&polygon(), block).unwrap_err().to_string()
}

#[test]
fn a_receipt_is_kept_with_the_gas_of_its_block_whatever_the_source_says() {
    let gas = 0x07_fe28;
    for claimed in [0, 1, gas, u64::MAX] {
        let settled = settle(&polygon(), block(9_013_760, &extra(0, claimed, 3))).unwrap();
        assert_eq!(settled.extra.as_deref(), Some(&extra(0, gas, 3)[..]), "{claimed}");
        assert_eq!(Receipt::parse(&settled.extra.unwrap()).unwrap().cumulative_gas(), gas);
    }
    assert_eq!(settle(&polygon(), block(9_013_760, NONE)).unwrap().extra.as_deref(), Some(NONE));
    let untold = Block { extra: None, ..block(9_013_760, NONE) };
    assert_eq!(settle(&polygon(), untold).unwrap().extra, None);
}

#[test]
fn a_state_sync_where_none_can_stand_is_a_lie_and_none_there_is_no_news() {
    assert!(said(block(9_013_761, &extra(0, 0, 1))).contains("no state sync can stand beside"));
    assert_eq!(settle(&polygon(), block(9_013_761, NONE)).unwrap().extra, None);
    let ethereum = ChainSpec::named("ethereum").unwrap();
    assert!(settle(&ethereum, block(9_013_760, &extra(0, 0, 1))).is_err());
    let spec = polygon();
    for (number, may) in
        [(0, false), (64, true), (16, false), (38_189_056, true), (38_189_072, true), (80_084_784, true)]
    {
        assert_eq!(may_stand_beside(&spec, number), may, "{number}");
    }
    // Madhugiri, and any sprint since.
    assert!([80_084_800, 85_523_136].iter().all(|number| !may_stand_beside(&spec, *number)));
    assert!(are_beside(&spec) && !are_beside(&ethereum));
}

#[test]
fn what_has_not_the_form_of_a_receipt_is_refused() {
    assert!(said(block(9_013_760, &extra(0x7f, 0, 1))).contains("form of a state sync"));
    assert!(said(block(9_013_760, &extra(0, 0, 5))).contains("more than four topics"));
    let mut cut = extra(0, 0, 2);
    cut.pop();
    assert!(said(block(9_013_760, &cut)).contains("malformed extra"));
    assert!(said(block(9_013_760, &vec![0; BYTES_MAX + 1])).contains("larger than"));
    let (mut fields, mut rooted) = (vec![0x80], Vec::new());
    write_string(&mut fields, &[3; 32]);
    fields.extend_from_slice(&[0x80, 0xc0]);
    write_list(&mut rooted, &fields);
    assert!(said(block(9_013_760, &rooted)).contains("where a status belongs"));
}

#[test]
fn a_node_tells_it_by_one_receipt_more_than_the_roots_cover() {
    let id = block(135_808, NONE).id;
    let receipt = file(&format!("{RECORDED}/receipt_state_sync.json"));
    let (inside, beside) = rebuild::beside(&json!([receipt]).to_string(), id).unwrap();
    assert_eq!(inside, 0);
    check(&beside.unwrap()).unwrap();
    assert_eq!(rebuild::beside("[]", id).unwrap(), (0, None));
    let full = text(&format!("{RECORDED}/block.json"));
    let mut hashes = file(&format!("{RECORDED}/block.json"));
    hashes["transactions"] = json!([derived_hash(id.number, id.hash).to_string()]);
    assert!(rebuild::shows_beside(&full, id).unwrap());
    assert!(rebuild::shows_beside(&hashes.to_string(), id).unwrap());
    hashes["transactions"] = json!([]);
    assert!(!rebuild::shows_beside(&hashes.to_string(), id).unwrap());
    // Another hash than the derived one is an ordinary receipt.
    let mut other = receipt.clone();
    other["transactionHash"] = json!(B256::repeat_byte(1).to_string());
    assert_eq!(rebuild::beside(&json!([other]).to_string(), id).unwrap(), (1, None));
    // One that is right in itself, of another block.
    let elsewhere = BlockId { number: id.number + 64, ..id };
    assert!(rebuild::beside(&json!([receipt]).to_string(), elsewhere).is_err());
}

#[test]
fn a_body_in_json_takes_its_state_sync_raw() {
    let mut json: Value = file(&format!("{RECORDED}/block.json"));
    let envelope = [0x7f, 0xc0];
    let hash = alloy_primitives::keccak256(envelope);
    json["transactions"] = json!([{ "type": "0x7f", "hash": hash.to_string() }]);
    let text = json.to_string();
    assert_eq!(rebuild::state_sync_inside(&text).unwrap(), Some(hash));
    let refused = rebuild::body(&text, &[]);
    assert_eq!(refused, Err(rebuild::RebuildError::TransactionType(0x7f)));
    let body = rebuild::body_with(&text, &[], Some(&envelope)).unwrap();
    assert_eq!(body.as_ref(), [0xc5, 0xc3, 0x82, 0x7f, 0xc0, 0xc0]);
    assert_eq!(
        rebuild::state_sync_inside(&file(&format!("{RECORDED}/block.json")).to_string()).unwrap(),
        None
    );
}

proptest! {
    #[test]
    fn hostile_extras_are_errors_and_what_passes_is_sound(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut changed = extra(0, 7, 2);
        let place = at.index(changed.len());
        changed[place] = byte;
        for bytes in [bytes, changed] {
            if let Ok(settled) = settle(&polygon(), block(135_808, &bytes)) {
                let settled = settled.extra.unwrap();
                prop_assert!(check(&settled).is_ok());
            }
        }
    }
}
