//! Readers against real blocks of many chains, and against another implementation on hostile bytes.

mod differential;
mod tries;

use hypasis_chain::body::{join_block, split_block};
use hypasis_chain::header::field;
use hypasis_chain::receipt::{slim_from_consensus, slim_list};
use hypasis_chain::rlp::{write_list, write_string, write_uint};
use hypasis_chain::{Body, Header, Receipts, Transaction, roots, verify};

use crate::support::{Vector, body_of, era1, hex, json, lines, raw_blocks, text, vectors};

const MAINNET: &str = "ethereum/mainnet_blocks.jsonl";

/// Checks everything of a block that its source had.
fn check(vector: &Vector) {
    let header = Header::parse(&vector.header).unwrap();
    assert_eq!(header.number(), vector.id.number);
    assert_eq!(header.hash(), vector.id.hash, "{}", vector.id.number);
    if let Some(body) = &vector.body {
        let body = Body::parse(body).unwrap();
        verify::check_body(&header, &body).unwrap_or_else(|fault| panic!("{}: {fault}", vector.id.number));
    }
    if let Some(consensus) = &vector.receipts {
        let slim = slim_list(consensus.iter().map(Vec::as_slice)).unwrap();
        let receipts = Receipts::parse(&slim).unwrap();
        verify::check_receipts(&header, &receipts)
            .unwrap_or_else(|fault| panic!("{}: {fault}", vector.id.number));
        for (receipt, consensus) in receipts.iter().zip(consensus) {
            let receipt = receipt.unwrap();
            let mut again = Vec::new();
            receipt.write_consensus(&receipt.bloom().unwrap(), &mut again);
            assert_eq!(&again, consensus, "slim and back");
        }
    }
}

#[test]
fn all_mainnet_blocks_keep_hash_and_roots() {
    let blocks = vectors(MAINNET);
    assert_eq!(blocks.len(), 112);
    assert!(blocks.iter().filter(|block| block.body.is_some()).count() >= 109);
    assert_eq!(blocks.iter().filter(|block| block.receipts.is_some()).count(), 53);
    blocks.iter().for_each(check);
}

#[test]
fn blocks_of_other_chains_keep_hash_and_roots() {
    let files = [
        ("polygon/mainnet_blocks.jsonl", 6),
        ("polygon/mumbai_blocks.jsonl", 3),
        ("other_chains/bsc_headers_31297199.jsonl", 12),
        ("other_chains/gnosis.jsonl", 3),
        ("other_chains/optimism.jsonl", 1),
        ("other_chains/scroll_19604670_19604689.jsonl", 20),
    ];
    for (file, count) in files {
        let blocks = vectors(file);
        assert_eq!(blocks.len(), count, "{file}");
        blocks.iter().for_each(check);
    }
}

#[test]
fn era1_archives_keep_hash_and_roots() {
    for (file, transactions) in
        [("ethereum/era1/mainnet-00000-5ec1ffb8.era1", 0), ("ethereum/era1/sepolia-00021-b8814b14.era1", 93)]
    {
        let blocks = era1(file);
        assert_eq!(blocks.len(), 8192);
        blocks.iter().for_each(check);
        let found: usize = blocks
            .iter()
            .map(|block| Body::parse(block.body.as_ref().unwrap()).unwrap().transaction_count())
            .sum();
        assert_eq!(found, transactions);
    }
}

#[test]
fn chain_files_split_join_and_keep_hash_and_roots() {
    for (file, count) in
        [("synthetic_chains/besu-500/chain.rlp", 501), ("rpc_fixtures/execution-apis/chain.rlp", 54)]
    {
        let blocks = raw_blocks(file);
        assert_eq!(blocks.len(), count, "{file}");
        for raw in &blocks {
            let (header, body) = split_block(raw).unwrap();
            assert_eq!(&join_block(header, &body).unwrap(), raw);
            let header = Header::parse(header).unwrap();
            verify::check_body(&header, &Body::parse(&body).unwrap()).unwrap();
        }
    }
}

#[test]
fn slim_receipts_of_other_clients_are_read_as_they_are() {
    let mut count = 0;
    for entry in std::fs::read_dir(crate::support::testdata().join("ethereum/portal_block_data")).unwrap() {
        let path = format!("ethereum/portal_block_data/{}", entry.unwrap().file_name().to_str().unwrap());
        let text = text(&path);
        let part = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            const_hex::decode(line.trim().trim_matches('"')).unwrap()
        };
        let (header, body, receipts) = (part("header: "), part("body: "), part("receipts: "));
        let header = Header::parse(&header).unwrap();
        verify::check_body(&header, &Body::parse(&body).unwrap()).unwrap();
        let receipts = Receipts::parse(&receipts).unwrap();
        verify::check_receipts(&header, &receipts).unwrap();
        let mut consensus = Vec::new();
        for receipt in receipts.iter() {
            let (receipt, mut one) = (receipt.unwrap(), Vec::new());
            receipt.write_consensus(&receipt.bloom().unwrap(), &mut one);
            consensus.push(one);
        }
        assert_eq!(slim_list(consensus.iter().map(Vec::as_slice)).unwrap(), receipts.raw());
        count += 1;
    }
    assert_eq!(count, 7);
}

#[test]
fn avalanche_blocks_with_24_fields_and_extra_items_pass_untouched() {
    let fixture = json("other_chains/avalanche_synchronoustest_fixture.json");
    let blocks = fixture["blocks"].as_array().unwrap();
    let mut longest = 0;
    for block in blocks {
        let raw = hex(&block["rlp"]);
        let (header, body) = split_block(&raw).unwrap();
        assert_eq!(join_block(header, &body).unwrap(), raw);
        let header = Header::parse(header).unwrap();
        assert_eq!(header.hash().as_slice(), hex(&block["hash"]), "{}", block["description"]);
        verify::check_body(&header, &Body::parse(&body).unwrap()).unwrap();
        longest = longest.max(header.field_count());
    }
    assert_eq!((blocks.len(), longest), (22, 24));
}

#[test]
fn an_aura_header_has_a_step_and_a_seal() {
    let gnosis = vectors("other_chains/gnosis.jsonl");
    let header = Header::parse(&gnosis[0].header).unwrap();
    assert!(header.field(field::MIX_HASH).unwrap().len() < 32, "step");
    assert_eq!(header.field(field::NONCE).unwrap().len(), 65, "seal");
}

#[test]
fn extra_data_of_a_hundred_kibibytes_is_read() {
    let header = &vectors("polygon/mainnet_blocks.jsonl")[1].header;
    let extra = vec![0xab; 100 << 10];
    let mut fields = Vec::new();
    for (position, item) in hypasis_chain::rlp::Item::parse(header).unwrap().items().unwrap().enumerate() {
        match position {
            field::EXTRA_DATA => write_string(&mut fields, &extra),
            _ => fields.extend_from_slice(item.unwrap().raw()),
        }
    }
    let mut long = Vec::new();
    write_list(&mut long, &fields);
    let header = Header::parse(&long).unwrap();
    assert_eq!(header.extra_data(), extra);
    assert_eq!(header.hash(), alloy_primitives::keccak256(&long));
}

#[test]
fn unknown_transaction_types_keep_bytes_and_hash() {
    // Its withdrawals root is not that of a list, so the source has no withdrawals.
    let line = &lines("other_chains/optimism.jsonl")[0];
    let transactions: Vec<Vec<u8>> = line["txs"].as_array().unwrap().iter().map(hex).collect();
    let body = body_of(&transactions, &[0xc0], Some(&[0xc0]));
    let body = Body::parse(&body).unwrap();
    let header = hex(&line["header_rlp"]);
    let root = Header::parse(&header).unwrap().transactions_root();
    assert_eq!(roots::transactions_root(&body).unwrap(), root);
    let deposit = body.transaction(0).unwrap().unwrap();
    assert_eq!(deposit.kind(), 0x7e);
    assert!(deposit.fields().unwrap().is_none());
    let consensus = hex(&line["receipts"][0]);
    let slim = slim_list([consensus.as_slice()].into_iter()).unwrap();
    let receipt = Receipts::parse(&slim).unwrap().iter().next().unwrap().unwrap();
    assert!(!receipt.rest().is_empty(), "deposit nonce and version are kept");
}

#[test]
fn a_legacy_transaction_in_a_string_is_no_second_body_of_its_block() {
    let block = vectors(MAINNET).into_iter().find(|block| block.id.number == 46_147).unwrap();
    let body = Body::parse(block.body.as_ref().unwrap()).unwrap();
    let legacy = body.transaction(0).unwrap().unwrap().envelope();
    let mut wrapped = Vec::new();
    write_string(&mut wrapped, legacy);
    let item = hypasis_chain::rlp::Item::parse(&wrapped).unwrap();
    assert!(Transaction::from_item(item).is_err());
}

#[test]
fn a_receipt_with_a_false_bloom_is_refused() {
    let block = vectors(MAINNET).into_iter().rfind(|block| block.receipts.is_some()).unwrap();
    let mut consensus = block.receipts.unwrap();
    let bloom = slim_from_consensus(&consensus[0], &mut Vec::new()).unwrap();
    let start = consensus[0].windows(256).position(|window| window == bloom.as_slice()).unwrap();
    consensus[0][start + 100] ^= 1;
    assert!(slim_list(consensus.iter().map(Vec::as_slice)).is_err());
}

#[test]
fn the_summary_of_receipts_is_what_single_receipts_add_up_to() {
    for block in vectors(MAINNET).iter().filter_map(Vector::block) {
        let slim = block.receipts.unwrap();
        let receipts = Receipts::parse(&slim).unwrap();
        let summary = roots::receipts_summary(&receipts).unwrap();
        let mut bloom = alloy_primitives::Bloom::ZERO;
        for receipt in receipts.iter() {
            bloom.accrue_bloom(&receipt.unwrap().bloom().unwrap());
        }
        assert_eq!(summary.bloom, bloom);
        let kinds = receipts.iter().map(|receipt| receipt.unwrap().kind());
        assert_eq!(summary.kinds, kinds.collect::<Vec<_>>());
        assert!(summary.gas_ascends);
        assert_eq!(roots::receipts_root(&receipts).unwrap(), (summary.root, bloom));
    }
}

#[test]
fn the_uncles_hash_is_that_of_the_list_also_where_it_is_empty() {
    for body in [&[0xc2, 0xc0, 0xc0][..], &[0xc4, 0xc0, 0xc2, 0xc1, 0x80]] {
        let uncles = hypasis_chain::rlp::Item::parse(&body[2..]).unwrap().raw();
        assert_eq!(Body::parse(body).unwrap().uncles_hash(), alloy_primitives::keccak256(uncles));
    }
}

#[test]
fn a_header_with_too_many_or_too_few_fields_is_refused() {
    let header = &vectors(MAINNET)[0].header;
    let fields = hypasis_chain::rlp::Item::parse(header).unwrap().payload().to_vec();
    for extra in [0, 1, 17, 18, 40] {
        let mut fields = fields.clone();
        (0..extra).for_each(|value| write_uint(&mut fields, value));
        let mut long = Vec::new();
        write_list(&mut long, &fields);
        assert_eq!(Header::parse(&long).is_ok(), extra <= 17, "{extra} more");
    }
    let mut short = Vec::new();
    write_list(&mut short, &fields[..fields.len() - 9]);
    assert!(Header::parse(&short).is_err());
}

#[test]
fn the_receipts_root_is_right_for_any_number_of_receipts() {
    for count in [0, 1, 2, 55, 127, 128, 129, 130, 255, 256, 257, 1_000] {
        let mut payload = Vec::new();
        for gas in 1..=count {
            let mut receipt = Vec::new();
            write_uint(&mut receipt, 2);
            write_uint(&mut receipt, 1);
            write_uint(&mut receipt, gas * 21_000);
            write_list(&mut receipt, &[]);
            write_list(&mut payload, &receipt);
        }
        let mut slim = Vec::new();
        write_list(&mut slim, &payload);
        let receipts = Receipts::parse(&slim).unwrap();
        let mut consensus = Vec::new();
        for receipt in receipts.iter() {
            let mut bytes = Vec::new();
            receipt.unwrap().write_consensus(&alloy_primitives::Bloom::ZERO, &mut bytes);
            consensus.push(bytes);
        }
        let root = alloy_trie::root::ordered_trie_root_encoded(&consensus);
        assert_eq!(roots::receipts_summary(&receipts).unwrap().root, root, "{count}");
    }
}
