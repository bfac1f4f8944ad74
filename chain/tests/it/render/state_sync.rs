//! Polygon's state syncs as Bor has rendered them, beside blocks and inside of them.

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use hypasis_chain::bor::state_sync::{derived_hash, receipt, settle};
use hypasis_chain::receipt::Receipt;
use hypasis_chain::render::{self, Beside, Client, LogFilter, Parts, Profile, RenderError};
use hypasis_chain::rlp::{write_list, write_string, write_uint};
use hypasis_chain::{Block, BlockId, ChainSpec, Header, Receipts, rebuild, sender};
use serde_json::{Value, json};

use super::Held;
use crate::support::{json as file, lines, text};

const RECORDED: &str = "polygon/state_sync_block_135808";

/// The recorded block and what stands beside it.
fn recorded() -> (Held, Bytes) {
    let lines = lines("polygon/mainnet_blocks.jsonl");
    let line = lines.iter().find(|line| line["number"] == 135_808).unwrap();
    let held = Held::from_line(line).unwrap();
    let receipts = format!("[{}]", text(&format!("{RECORDED}/receipt_state_sync.json")));
    let id = BlockId { number: held.number, hash: held.hash };
    let (inside, extra) = rebuild::beside(&receipts, id).unwrap();
    assert_eq!(inside, 0);
    (held, extra.unwrap())
}

fn with_beside(
    held: &Held,
    extra: &[u8],
    write: impl Fn(&mut Vec<u8>, &Parts<'_>, &Receipts<'_>) -> Result<(), RenderError>,
) -> Result<Value, RenderError> {
    let spec = ChainSpec::named("polygon").unwrap();
    let receipts = held.receipts.clone().unwrap_or(vec![0xc0]);
    let text = held.render(&spec, &Profile::of(Client::Bor), |out, parts| {
        let beside = receipt(extra)?.map_or(Beside::Nothing, Beside::Receipt);
        write(out, &Parts { beside, ..*parts }, &Receipts::parse(&receipts)?)
    });
    Ok(serde_json::from_str(&text?).unwrap())
}

/// A recorded answer in today's form: logs have told their block's time since.
fn today(mut recorded: Value, held: &Held) -> Value {
    let time = format!("{:#x}", Header::parse(&held.header).unwrap().timestamp());
    for log in recorded["logs"].as_array_mut().into_iter().flatten() {
        log["blockTimestamp"] = json!(time);
    }
    recorded
}

#[test]
fn a_real_block_with_a_state_sync_beside_it_renders_as_bor_rendered_it() {
    let (held, extra) = recorded();
    let mut block = file(&format!("{RECORDED}/block.json"));
    // Bor has left it out since.
    block.as_object_mut().unwrap().remove("totalDifficulty");
    let full = with_beside(&held, &extra, |out, parts, _| render::block(out, parts, true)).unwrap();
    assert_eq!(full, block);
    let transaction = with_beside(&held, &extra, |out, parts, _| {
        render::transaction(out, parts, 0).map(|found| assert!(found))
    });
    assert_eq!(transaction.unwrap(), block["transactions"][0]);
    let hash = block["transactions"][0]["hash"].clone();
    assert_eq!(hash, derived_hash(held.number, held.hash).to_string());
    block["transactions"] = json!([hash]);
    let hashes = with_beside(&held, &extra, |out, parts, _| render::block(out, parts, false)).unwrap();
    assert_eq!(hashes, block);
}

#[test]
fn its_receipt_renders_as_bor_rendered_it_alone_in_the_list_and_in_logs() {
    let (held, extra) = recorded();
    let expected = today(file(&format!("{RECORDED}/receipt_state_sync.json")), &held);
    let one = with_beside(&held, &extra, |out, parts, receipts| {
        render::receipt(out, parts, receipts, 0).map(|found| assert!(found))
    });
    assert_eq!(one.unwrap(), expected);
    let all = with_beside(&held, &extra, render::block_receipts).unwrap();
    assert_eq!(all, json!([expected]));
    let logs = |filter: LogFilter| {
        with_beside(&held, &extra, |out, parts, receipts| {
            out.push(b'[');
            render::logs(out, parts, receipts, &filter, &mut 0)?;
            out.push(b']');
            Ok(())
        })
        .unwrap()
    };
    assert_eq!(logs(LogFilter::default()), expected["logs"]);
    let address = expected["logs"][2]["address"].as_str().unwrap().parse().unwrap();
    assert_eq!(logs(LogFilter { addresses: vec![address], topics: vec![] }), json!([expected["logs"][2]]));
    // Bor's own structure: no type, an empty root beside the status, no gas price.
    let mut own = expected.clone();
    own.as_object_mut().unwrap().retain(|key, _| !["type", "from", "to"].contains(&key.as_str()));
    own["root"] = json!("0x");
    own["effectiveGasPrice"] = Value::Null;
    own["contractAddress"] = json!(format!("0x{}", "0".repeat(40)));
    let receipt = with_beside(&held, &extra, |out, parts, receipts| {
        render::bor_block_receipt(out, parts, receipts).map(|found| assert!(found))
    });
    assert_eq!(receipt.unwrap(), own);
}

#[test]
fn without_what_stands_beside_it_a_block_is_refused_and_with_nothing_there_it_is_bare() {
    let (held, _) = recorded();
    let spec = ChainSpec::named("polygon").unwrap();
    let bor = Profile::of(Client::Bor);
    let none = Receipts::parse(&[0xc0]).unwrap();
    let unknown = Err(RenderError::Unknown("state sync beside the block"));
    assert_eq!(held.render(&spec, &bor, |out, parts| render::block(out, parts, true)), unknown);
    assert_eq!(held.render(&spec, &bor, |out, parts| render::transaction(out, parts, 0).map(drop)), unknown);
    assert_eq!(
        held.render(&spec, &bor, |out, parts| render::receipt(out, parts, &none, 0).map(drop)),
        unknown
    );
    assert_eq!(held.render(&spec, &bor, |out, parts| render::block_receipts(out, parts, &none)), unknown);
    let logs =
        held.render(&spec, &bor, |out, parts| render::logs(out, parts, &none, &LogFilter::default(), &mut 0));
    assert_eq!(logs, unknown);
    let bare = with_beside(&held, &[0xc0], |out, parts, _| render::block(out, parts, true)).unwrap();
    assert_eq!(bare["transactions"], json!([]));
    let empty = with_beside(&held, &[0xc0], render::block_receipts).unwrap();
    assert_eq!(empty, json!([]));
    // Other clients' forms of it are not known.
    let (_, extra) = recorded();
    let erigon = held.render(&spec, &Profile::of(Client::Erigon), |out, parts| {
        let beside = Beside::Receipt(Receipt::parse(&extra)?);
        render::block(out, &Parts { beside, ..*parts }, true)
    });
    assert!(erigon.is_err());
}

#[test]
fn behind_other_transactions_it_goes_on_counting_where_they_end() {
    let (_, extra) = recorded();
    let lines = lines("polygon/mainnet_blocks.jsonl");
    let line = lines.iter().find(|line| line["number"] == 9_013_760).unwrap();
    let mut held = Held::from_line(line).unwrap();
    held.receipts = Some(receipts_of(&held));
    let (spec, id) = (ChainSpec::named("polygon").unwrap(), BlockId { number: held.number, hash: held.hash });
    let header: Bytes = held.header.clone().into();
    let block = Block { id, header, body: held.body.clone().into(), receipts: None, extra: Some(extra) };
    let settled = settle(&spec, block).unwrap().extra.unwrap();
    let full = with_beside(&held, &settled, |out, parts, _| render::block(out, parts, true)).unwrap();
    let transactions = full["transactions"].as_array().unwrap();
    let count = transactions.len() - 1;
    assert!(count > 0);
    let last = &transactions[count];
    assert_eq!(last["transactionIndex"], format!("{count:#x}"));
    assert_eq!(last["hash"], derived_hash(held.number, held.hash).to_string());
    let receipts = with_beside(&held, &settled, render::block_receipts).unwrap();
    let (before, receipt) = (&receipts[count - 1], &receipts[count]);
    assert_eq!(receipt["cumulativeGasUsed"], full["gasUsed"]);
    assert_eq!(receipt["cumulativeGasUsed"], before["cumulativeGasUsed"]);
    assert_eq!(receipt["gasUsed"], "0x0");
    let logs: usize = (0..count).map(|index| receipts[index]["logs"].as_array().unwrap().len()).sum();
    assert_eq!(receipt["logs"][0]["logIndex"], format!("{logs:#x}"));
}

#[test]
fn since_madhugiri_it_renders_inside_of_the_block_without_a_signature() {
    // `0x7f ‖ rlp([[id, contract, data, hash]])` (PIP-74), and its receipt.
    let (mut event, mut events, mut list) = (Vec::new(), Vec::new(), Vec::new());
    write_uint(&mut event, 3_159_630);
    write_string(&mut event, &[0x10; 20]);
    write_string(&mut event, &[1, 2, 3]);
    write_string(&mut event, &[0x20; 32]);
    write_list(&mut events, &event);
    write_list(&mut list, &events);
    let envelope = [&[0x7f][..], &list].concat();
    let (mut transactions, mut parts, mut body) = (Vec::new(), Vec::new(), Vec::new());
    write_string(&mut transactions, &envelope);
    write_list(&mut parts, &transactions);
    parts.push(0xc0);
    write_list(&mut body, &parts);
    let header = header(85_523_136);
    let held = Held {
        hash: keccak256(&header),
        number: 85_523_136,
        header,
        body,
        receipts: Some(vec![0xc5, 0xc4, 0x7f, 0x01, 0x80, 0xc0]),
    };
    let full = with_beside(&held, &[0xc0], |out, parts, _| render::block(out, parts, true)).unwrap();
    let zero = format!("0x{}", "0".repeat(40));
    let expected = json!({
        "blockHash": held.hash.to_string(), "blockNumber": format!("{:#x}", held.number), "from": zero, "gas": "0x0", "gasPrice": "0x0",
        "maxFeePerGas": "0x0", "maxPriorityFeePerGas": "0x0", "hash": keccak256(&envelope).to_string(), "input": "0x",
        "nonce": "0x0", "to": zero, "transactionIndex": "0x0", "value": "0x0", "type": "0x7f", "v": "0x0", "r": "0x0",
        "s": "0x0", "yParity": "0x0",
    });
    assert_eq!(full["transactions"], json!([expected]));
    let receipts = with_beside(&held, &[0xc0], render::block_receipts).unwrap();
    assert_eq!(receipts[0]["type"], "0x7f");
    assert_eq!(receipts[0]["effectiveGasPrice"], "0x0");
    assert_eq!([&receipts[0]["from"], &receipts[0]["to"]], [&json!(zero), &json!(zero)]);
    assert_eq!(receipts[0]["contractAddress"], Value::Null);
    let parsed = hypasis_chain::Transaction::parse(&envelope).unwrap();
    assert_eq!(sender::recover(&parsed), Some(alloy_primitives::Address::ZERO));
    // Nobody else has such transactions.
    let ethereum = ChainSpec::named("ethereum").unwrap();
    let refused =
        held.render(&ethereum, &Profile::of(Client::Bor), |out, parts| render::block(out, parts, true));
    assert_eq!(refused, Err(RenderError::Unknown("transaction type")));
}

/// A receipt with a log for each transaction; the last one has the block's gas.
fn receipts_of(held: &Held) -> Vec<u8> {
    let gas = Header::parse(&held.header).unwrap().gas_used();
    let body = hypasis_chain::Body::parse(&held.body).unwrap();
    let count = body.transaction_count() as u64;
    let (mut log, mut logs, mut payload, mut list) = <(Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
    write_string(&mut log, &[1; 20]);
    write_list(&mut log, &[]);
    write_string(&mut log, &[]);
    write_list(&mut logs, &log);
    for (index, transaction) in (1..).zip(body.transactions()) {
        let mut fields = Vec::new();
        for value in [transaction.unwrap().kind().into(), 1, gas * index / count] {
            write_uint(&mut fields, value);
        }
        write_list(&mut fields, &logs);
        write_list(&mut payload, &fields);
    }
    write_list(&mut list, &payload);
    list
}

/// A header of Polygon's form at a height.
fn header(number: u64) -> Vec<u8> {
    let mut fields = Vec::new();
    for _ in 0..2 {
        write_string(&mut fields, &[0; 32]);
    }
    write_string(&mut fields, &[0; 20]);
    for _ in 0..3 {
        write_string(&mut fields, &[0; 32]);
    }
    write_string(&mut fields, &[0; 256]);
    for value in [1, number, 30_000_000, 0, 1_770_000_000] {
        write_uint(&mut fields, value);
    }
    write_string(&mut fields, &[0; 97]);
    write_string(&mut fields, B256::ZERO.as_slice());
    write_string(&mut fields, &[0; 8]);
    write_uint(&mut fields, 25_000_000_000);
    let mut header = Vec::new();
    write_list(&mut header, &fields);
    header
}
