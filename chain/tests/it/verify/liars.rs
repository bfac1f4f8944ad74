//! Each field of a real block corrupted in turn. At or below the checkpoint the hash is known, and whatever is not
//! what was asked for is named. Above it a liar may hash his own header; what breaks a link, a root or a rule is
//! named all the same.

use alloy_primitives::{B256, U256};
use bytes::Bytes;
use hypasis_chain::header::field;
use hypasis_chain::rlp::{Item, write_list, write_string, write_uint, write_uint256};
use hypasis_chain::verify::{self, Fault, Level};
use hypasis_chain::{Block, BlockId, ChainSpec, Header};
use proptest::prelude::*;

use crate::support::{Vector, vectors};

fn spec() -> ChainSpec {
    ChainSpec::named("ethereum").unwrap()
}

/// A whole block with transactions of many types, logs and withdrawals.
fn honest() -> Block {
    let blocks = vectors("ethereum/mainnet_blocks.jsonl");
    let whole = blocks.iter().filter(|block| block.id.number >= 22_431_083).filter_map(Vector::block);
    whole.max_by_key(|block| block.id.number).unwrap()
}

/// A list of encoded items.
fn list(items: &[Vec<u8>]) -> Bytes {
    let mut out = Vec::new();
    write_list(&mut out, &items.concat());
    out.into()
}

/// The encoded items of a list.
fn items(raw: &[u8]) -> Vec<Vec<u8>> {
    Item::parse(raw).unwrap().items().unwrap().map(|item| item.unwrap().raw().to_vec()).collect()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_string(&mut out, bytes);
    out
}

fn number(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    write_uint(&mut out, value);
    out
}

/// An item with its last byte turned: a list stays a list, a string a string.
fn turned(raw: &[u8]) -> Vec<u8> {
    let item = Item::parse(raw).unwrap();
    if item.is_list() {
        return match items(raw).split_last() {
            None => vec![0xc1, 0x80],
            Some((last, first)) => list(&[first, &[turned(last)]].concat()).to_vec(),
        };
    }
    match item.payload().split_last() {
        None => vec![1],
        Some((last, first)) => {
            // Not to zero, which would make a shorter integer.
            let last = if *last == 1 { 2 } else { last ^ 1 };
            string(&[first, &[last]].concat())
        }
    }
}

/// The block with another item at `position` of its header.
fn with_field(block: &Block, position: usize, item: Vec<u8>) -> Block {
    let mut fields = items(&block.header);
    fields[position] = item;
    Block { header: list(&fields), ..block.clone() }
}

/// The block under the hash and height that its header now has.
fn rehashed(block: Block) -> Block {
    let header = Header::parse(&block.header).unwrap();
    let id = BlockId { number: header.number(), hash: header.hash() };
    Block { id, ..block }
}

/// What is found wrong with a block at `full` when `asked` was asked for.
fn fault(block: &Block, asked: BlockId) -> Option<Fault> {
    verify::verify(Level::Full, &spec(), block, asked).err()
}

#[test]
fn each_header_field_is_held_by_the_hash() {
    let honest = honest();
    assert_eq!(fault(&honest, honest.id), None);
    let fields = items(&honest.header);
    assert_eq!(fields.len(), 21);
    for (position, item) in fields.iter().enumerate() {
        let lie = with_field(&honest, position, turned(item));
        for level in [Level::None, Level::Header, Level::Light, Level::Full] {
            let fault = verify::verify(level, &spec(), &lie, honest.id).unwrap_err();
            let name = if position == field::NUMBER { "number" } else { "hash" };
            assert_eq!(fault.field(), name, "{position}: {fault}");
        }
    }
    let longer = Block { header: list(&[fields.clone(), vec![number(1)]].concat()), ..honest.clone() };
    assert_eq!(fault(&longer, honest.id).unwrap().field(), "hash");
    let shorter = Block { header: list(&fields[..20]), ..honest.clone() };
    assert_eq!(fault(&shorter, honest.id).unwrap().field(), "hash");
}

#[test]
fn another_block_than_the_one_asked_for_is_refused() {
    let honest = honest();
    let asked = BlockId { number: honest.id.number + 1, ..honest.id };
    assert_eq!(fault(&honest, asked).unwrap().field(), "number");
    let asked = BlockId { hash: B256::ZERO, ..honest.id };
    assert_eq!(fault(&honest, asked).unwrap().field(), "hash");
}

#[test]
fn a_header_with_a_hash_of_its_own_is_named_by_root_or_rule() {
    let honest = honest();
    let mut wide = Vec::new();
    write_uint256(&mut wide, U256::MAX);
    let lies = [
        (field::UNCLES_HASH, string(&[7; 32]), "sha3Uncles"),
        (field::TRANSACTIONS_ROOT, string(&[7; 32]), "transactionsRoot"),
        (field::RECEIPTS_ROOT, string(&[7; 32]), "receiptsRoot"),
        (field::LOGS_BLOOM, string(&[0; 256]), "logsBloom"),
        (field::DIFFICULTY, number(1), "difficulty"),
        (field::GAS_LIMIT, number(4_999), "gasUsed"),
        (field::GAS_LIMIT, number(1 << 63), "gasLimit"),
        (field::GAS_USED, number(21_000), "gasUsed"),
        (field::EXTRA_DATA, string(&[1; 33]), "extraData"),
        (field::MIX_HASH, number(5), "mixHash"),
        (field::NONCE, string(&[1; 8]), "nonce"),
        (field::BASE_FEE, wide, "baseFeePerGas"),
        (field::WITHDRAWALS_ROOT, string(&[7; 32]), "withdrawalsRoot"),
        (field::WITHDRAWALS_ROOT, number(7), "withdrawalsRoot"),
        (field::BLOB_GAS_USED, number(1), "blobGasUsed"),
        (field::BLOB_GAS_USED, number(10 << 17), "blobGasUsed"),
        (field::EXCESS_BLOB_GAS, string(&[1; 9]), "excessBlobGas"),
        (field::PARENT_BEACON_ROOT, number(0), "parentBeaconBlockRoot"),
        (field::REQUESTS_HASH, string(&[1; 31]), "requestsHash"),
    ];
    for (position, item, name) in lies {
        let lie = rehashed(with_field(&honest, position, item));
        assert_eq!(fault(&lie, lie.id).map(|fault| fault.field()), Some(name), "{position}");
    }
    let fields = items(&honest.header);
    let longer =
        rehashed(Block { header: list(&[fields.clone(), vec![number(1)]].concat()), ..honest.clone() });
    assert_eq!(fault(&longer, longer.id).unwrap().field(), "header");
    for (count, name) in [(20, "requestsHash"), (19, "parentBeaconBlockRoot"), (17, "blobGasUsed")] {
        let shorter = rehashed(Block { header: list(&fields[..count]), ..honest.clone() });
        assert_eq!(fault(&shorter, shorter.id).unwrap().field(), name);
    }
}

#[test]
fn a_header_that_does_not_follow_its_parent_is_named() {
    let blocks = vectors("ethereum/mainnet_blocks.jsonl");
    let at = |number| blocks.iter().find(|block| block.id.number == number).unwrap();
    let (parent, child) = (at(22_431_084), at(22_431_085));
    let parent_header = Header::parse(&parent.header).unwrap();
    let check = |position: usize, item: Vec<u8>| {
        let mut fields = items(&child.header);
        fields[position] = item;
        let raw = list(&fields);
        let header = Header::parse(&raw).unwrap();
        verify::check_link(&parent_header, parent.id.hash, &header)
            .and_then(|()| verify::check_succession(&spec(), &parent_header, &header))
            .err()
            .map(|fault| fault.field())
    };
    let header = Header::parse(&child.header).unwrap();
    assert_eq!(check(field::NUMBER, number(22_431_085)), None);
    assert_eq!(check(field::NUMBER, number(22_431_086)), Some("number"));
    assert_eq!(check(field::PARENT_HASH, string(&[7; 32])), Some("parentHash"));
    assert_eq!(check(field::TIMESTAMP, number(parent_header.timestamp() - 1)), Some("timestamp"));
    assert_eq!(check(field::TIMESTAMP, number(parent_header.timestamp())), Some("timestamp"));
    assert_eq!(check(field::DIFFICULTY, number(1)), Some("difficulty"));
    let far = parent_header.gas_limit() + parent_header.gas_limit() / 1024;
    assert_eq!(check(field::GAS_LIMIT, number(far)), Some("gasLimit"));
    assert_eq!(check(field::GAS_LIMIT, number(far - 1)), None);
    let base_fee = header.base_fee().unwrap().to::<u64>();
    assert_eq!(check(field::BASE_FEE, number(base_fee + 1)), Some("baseFeePerGas"));
    let excess = header.excess_blob_gas().unwrap();
    assert_eq!(check(field::EXCESS_BLOB_GAS, number(excess + 1)), Some("excessBlobGas"));
}

#[test]
fn each_part_of_a_body_is_held_by_a_root() {
    let honest = honest();
    let parts = items(&honest.body);
    let transactions = items(&parts[0]);
    let withdrawals = items(&parts[2]);
    let body = |parts: &[Vec<u8>]| Block { body: list(parts), ..honest.clone() };
    let with_transactions =
        |transactions: &[Vec<u8>]| body(&[list(transactions).to_vec(), parts[1].clone(), parts[2].clone()]);
    let with_withdrawals =
        |withdrawals: &[Vec<u8>]| body(&[parts[0].clone(), parts[1].clone(), list(withdrawals).to_vec()]);
    let name = |block: &Block| fault(block, honest.id).map(|fault| fault.field());
    assert_eq!(name(&body(&parts)), None);

    for (i, transaction) in transactions.iter().enumerate() {
        let mut lie = transactions.clone();
        lie[i] = turned(transaction);
        assert_eq!(name(&with_transactions(&lie)), Some("transactionsRoot"), "{i}");
    }
    let mut swapped = transactions.clone();
    swapped.swap(0, 1);
    assert_eq!(name(&with_transactions(&swapped)), Some("transactionsRoot"));
    assert_eq!(name(&with_transactions(&transactions[1..])), Some("transactionsRoot"));
    let more = [transactions.clone(), vec![transactions[0].clone()]].concat();
    assert_eq!(name(&with_transactions(&more)), Some("transactionsRoot"), "one more at the end");
    let legacy = transactions.iter().position(|item| item[0] >= 0xc0);
    if let Some(legacy) = legacy {
        let mut wrapped = transactions.clone();
        wrapped[legacy] = string(&transactions[legacy]);
        assert_eq!(name(&with_transactions(&wrapped)), Some("body"), "a legacy one in a string");
    }

    for (i, withdrawal) in withdrawals.iter().enumerate() {
        for part in 0..4 {
            let mut fields = items(withdrawal);
            fields[part] = turned(&fields[part]);
            let mut lie = withdrawals.clone();
            lie[i] = list(&fields).to_vec();
            assert_eq!(name(&with_withdrawals(&lie)), Some("withdrawalsRoot"), "{i} {part}");
        }
    }
    assert_eq!(name(&body(&parts[..2])), Some("withdrawalsRoot"), "none");
    assert_eq!(name(&body(&[parts[0].clone(), honest_uncle(), parts[2].clone()])), Some("sha3Uncles"));
    for extra in [number(0), number(1), vec![0xc0], string(b"more")] {
        assert_eq!(name(&body(&[parts.clone(), vec![extra]].concat())), Some("body"), "an item too many");
    }
    let two = [number(0), string(b"more")];
    assert_eq!(name(&body(&[parts.clone(), two.to_vec()].concat())), Some("extDataHash"));
    assert_eq!(name(&Block { body: Bytes::from_static(&[0x80]), ..honest.clone() }), Some("body"));
}

#[test]
fn withdrawals_before_their_fork_are_refused() {
    let blocks = vectors("ethereum/mainnet_blocks.jsonl");
    let old = blocks.iter().filter(|block| block.id.number == 16_000_000 || block.id.number == 1_000_000);
    for block in old {
        let body = block.body.clone().unwrap();
        let parts = [items(&body), vec![vec![0xc0]]].concat();
        let header = Header::parse(&block.header).unwrap();
        let body = list(&parts);
        let body = hypasis_chain::Body::parse(&body).unwrap();
        assert_eq!(verify::check_body(&header, &body), Err(Fault::Withdrawals("present")));
    }
}

/// A list with the header of some uncle.
fn honest_uncle() -> Vec<u8> {
    list(&[vectors("ethereum/mainnet_blocks.jsonl")[0].header.to_vec()]).to_vec()
}

#[test]
fn each_part_of_receipts_is_held_by_the_root() {
    let honest = honest();
    let receipts = items(honest.receipts.as_ref().unwrap());
    let name = |receipts: &[Vec<u8>]| {
        let lie = Block { receipts: Some(list(receipts)), ..honest.clone() };
        fault(&lie, honest.id).map(|fault| fault.field())
    };
    assert_eq!(name(&receipts), None);
    let mut parts_seen = 0;
    for (i, receipt) in receipts.iter().enumerate() {
        let fields = items(receipt);
        for part in 0..fields.len() {
            let mut lie = fields.clone();
            // Another type and another outcome have few forms; logs are turned in their last field.
            lie[part] = match part {
                0 => number(u64::from(fields[0] == [0x80])),
                1 => number(u64::from(fields[1] == [0x80])),
                _ => turned(&fields[part]),
            };
            let mut all = receipts.clone();
            all[i] = list(&lie).to_vec();
            let found = name(&all).unwrap();
            assert!(found == "receiptsRoot" || found == "receipts", "{i} {part} {found}");
            parts_seen += 1;
        }
        let mut more = receipts.clone();
        more[i] = list(&[fields.clone(), vec![number(1)]].concat()).to_vec();
        assert_eq!(name(&more), Some("receiptsRoot"), "an item too many");
    }
    assert!(parts_seen >= 4 * receipts.len());
    each_part_of_a_log(&receipts, &name);
    let mut swapped = receipts.clone();
    swapped.swap(0, 1);
    assert_eq!(name(&swapped), Some("receiptsRoot"));
    assert_eq!(name(&receipts[1..]), Some("receiptsRoot"));
    assert_eq!(name(&[receipts.clone(), vec![receipts[0].clone()]].concat()), Some("receiptsRoot"));
    assert_eq!(fault(&Block { receipts: None, ..honest.clone() }, honest.id).unwrap().field(), "receipts");
}

/// Address, topics and data of the first log, and whether it is there.
fn each_part_of_a_log(receipts: &[Vec<u8>], name: &dyn Fn(&[Vec<u8>]) -> Option<&'static str>) {
    let with_log = receipts.iter().position(|receipt| items(receipt)[3].len() > 1).unwrap();
    let fields = items(&receipts[with_log]);
    let logs = items(&fields[3]);
    let with = |logs: &[Vec<u8>]| {
        let mut fields = fields.clone();
        fields[3] = list(logs).to_vec();
        let mut all = receipts.to_vec();
        all[with_log] = list(&fields).to_vec();
        name(&all)
    };
    assert_eq!(with(&logs), None);
    for part in 0..3 {
        let mut log = items(&logs[0]);
        log[part] = turned(&log[part]);
        let lie = [vec![list(&log).to_vec()], logs[1..].to_vec()].concat();
        assert_eq!(with(&lie), Some("receiptsRoot"), "{part}");
    }
    assert_eq!(with(&logs[1..]), Some("receiptsRoot"));
}

#[test]
fn receipts_that_are_not_those_of_the_transactions_are_refused_though_their_root_fits() {
    let honest = honest();
    let receipts = items(honest.receipts.as_ref().unwrap());
    let forged = |receipts: &[Vec<u8>]| {
        let slim = list(receipts);
        let parsed = hypasis_chain::Receipts::parse(&slim).unwrap();
        let summary = hypasis_chain::roots::receipts_summary(&parsed).unwrap();
        let block = with_field(&honest, field::RECEIPTS_ROOT, string(summary.root.as_slice()));
        let block = with_field(&block, field::LOGS_BLOOM, string(summary.bloom.as_slice()));
        let block = with_field(&block, field::GAS_USED, number(summary.gas_used));
        let block = rehashed(Block { receipts: Some(slim.clone()), ..block });
        fault(&block, block.id).map(|fault| fault.field())
    };
    assert_eq!(forged(&receipts), None);
    assert_eq!(forged(&receipts[..receipts.len() - 1]), Some("receipts"));
    let last = receipts.last().unwrap().clone();
    assert_eq!(forged(&[receipts.clone(), vec![last]].concat()), Some("receipts"));
    let mut typed = items(&receipts[0]);
    typed[0] = number(u64::from(typed[0] == [0x80]));
    let lie = [vec![list(&typed).to_vec()], receipts[1..].to_vec()].concat();
    assert_eq!(forged(&lie), Some("type"));
    let mut late = items(&receipts[0]);
    late[2] = number(u64::MAX >> 1);
    let lie = [vec![list(&late).to_vec()], receipts[1..].to_vec()].concat();
    assert_eq!(forged(&lie), Some("cumulativeGasUsed"));
}

/// A block of some receipts and withdrawals that is checked quickly.
fn small() -> Block {
    let blocks = vectors("ethereum/mainnet_blocks.jsonl");
    let whole = blocks.iter().filter_map(Vector::block);
    whole
        .filter(|block| block.receipts.as_ref().unwrap().len() > 1_000)
        .min_by_key(|block| block.body.len())
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_byte_of_a_block_can_be_changed_added_or_taken(
        part in 0..3_usize, place in any::<prop::sample::Index>(), value in any::<u8>(), how in 0..3,
    ) {
        thread_local!(static HONEST: Block = small());
        let honest = HONEST.with(Clone::clone);
        let mut parts = [honest.header.to_vec(), honest.body.to_vec(), honest.receipts.clone().unwrap().to_vec()];
        let bytes = &mut parts[part];
        let at = place.index(bytes.len());
        match how {
            0 => bytes[at] = value,
            1 => bytes.insert(at, value),
            _ => drop(bytes.remove(at)),
        }
        let [header, body, receipts] = parts.map(Bytes::from);
        let lie = Block { id: honest.id, header, body, receipts: Some(receipts), extra: None };
        prop_assert_eq!(fault(&lie, honest.id).is_none(), lie == honest);
    }
}
