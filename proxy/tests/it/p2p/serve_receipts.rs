//! Receipts in the forms of three versions.

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use hypasis_cache::store::Verified;
use hypasis_cache::{Kind, Store};
use hypasis_chain::receipt::slim_list;
use hypasis_chain::rlp::{Item, write_list, write_string, write_uint};
use hypasis_chain::{Block, BlockId, Level, Receipts};
use hypasis_proxy::p2p::serve::{HARD_LIMIT, Request};
use hypasis_wire::eth::{Dialect, EthMessage, EthVersion, GetReceipts70, RequestPair};
use serde_json::Value;

use super::library::{ID, Rig, chain, trust};
use crate::support::{store_of, testdata};

/// Stores a block at its height, unverified but said to be.
fn put(store: &Store, id: BlockId, header: Bytes, receipts: Bytes) {
    let body = Bytes::from_static(&[0xc2, 0xc0, 0xc0]);
    let block = Block { id, header, body, receipts: Some(receipts), extra: None };
    let kinds = vec![Kind::Header, Kind::Body, Kind::Receipts];
    let mut part = store.begin_part(id.number..=id.number, kinds).unwrap();
    part.append(&Verified { block, transaction_hashes: Vec::new(), senders: None }).unwrap();
    part.finish(&trust(Level::Full)).unwrap();
}

/// A receipts list with one log of so many bytes of data in each receipt.
fn large_list(sizes: &[usize]) -> Bytes {
    let mut receipts = Vec::new();
    for (at, size) in sizes.iter().enumerate() {
        let (mut log, mut logs, mut receipt) = (Vec::new(), Vec::new(), Vec::new());
        write_string(&mut log, &[7; 20]);
        write_list(&mut log, &[]);
        write_string(&mut log, &vec![at as u8; *size]);
        write_list(&mut logs, &log);
        for value in [2, 1, 21_000 * (at as u64 + 1)] {
            write_uint(&mut receipt, value);
        }
        write_list(&mut receipt, &logs);
        write_list(&mut receipts, &receipt);
    }
    let mut list = Vec::new();
    write_list(&mut list, &receipts);
    list.into()
}

/// Any header of a height: only its hash matters here.
fn header(number: u64) -> Bytes {
    chain(number, 1).headers(number..number + 1).remove(0)
}

fn hex(value: &Value) -> Vec<u8> {
    const_hex::decode(value.as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn receipts_of_real_blocks_come_back_in_consensus_form_for_eth_68() {
    let text = std::fs::read_to_string(testdata().join("ethereum/mainnet_blocks.jsonl")).unwrap();
    let (chain, store) = (chain(1, 1), store_of(1));
    let mut known: Vec<(B256, Vec<Vec<u8>>)> = Vec::new();
    for line in text.lines() {
        let block: Value = serde_json::from_str(line).unwrap();
        let Some(receipts) = block["receipts"].as_array() else { continue };
        let receipts: Vec<Vec<u8>> = receipts.iter().map(hex).collect();
        let header = Bytes::from(hex(&block["header_rlp"]));
        let id = BlockId { number: block["number"].as_u64().unwrap(), hash: keccak256(&header) };
        let slim = slim_list(receipts.iter().map(Vec::as_slice)).unwrap();
        put(&store, id, header, slim.into());
        known.push((id.hash, receipts));
    }
    let total: usize = known.iter().map(|(_, receipts)| receipts.len()).sum();
    assert!(known.len() > 50 && total > 2_000, "{} blocks, {total} receipts", known.len());
    let rig = Rig::over(store, &chain, BlockId { number: 30_000_000, hash: B256::ZERO }, &[]);
    for asked in known.chunks(8) {
        let hashes: Vec<B256> = asked.iter().map(|(hash, _)| *hash).collect();
        let lists = rig.receipts(EthVersion::Eth68, &hashes).await;
        assert_eq!(lists.len(), asked.len());
        for (list, (_, expected)) in lists.iter().zip(asked) {
            // Typed receipts are byte strings in the list.
            let items = Item::parse(list).unwrap().items().unwrap().map(Result::unwrap);
            let found: Vec<Vec<u8>> =
                items.map(|item| if item.is_list() { item.raw() } else { item.payload() }.to_vec()).collect();
            assert_eq!(&found, expected);
        }
    }
}

#[tokio::test]
async fn pages_of_a_large_block_add_up_to_it_and_each_fits_a_message() {
    let (chain, store) = (chain(8, 1), store_of(1337));
    let (small, large) = (large_list(&[300; 5]), large_list(&[700_000; 40]));
    let mut hashes = Vec::new();
    for (number, list) in [(4, &small), (5, &large), (6, &small)] {
        let id = BlockId { number, hash: keccak256(header(number)) };
        put(&store, id, header(number), list.clone());
        hashes.push(id.hash);
    }
    let rig = Rig::over(store, &chain, chain.head(), &[]);
    let (mut rest, mut first, mut lists, mut pages) = (hashes.clone(), 0_u64, Vec::<Vec<Bytes>>::new(), 0);
    while !rest.is_empty() {
        let message = GetReceipts70 { first_block_receipt_index: first, hashes: rest.clone() };
        let answer = rig.ask(EthVersion::Eth70, Request::Receipts70(RequestPair::new(ID, message))).await;
        assert!(answer.payload.len() <= HARD_LIMIT, "{} bytes", answer.payload.len());
        let message =
            EthMessage::decode(EthVersion::Eth70, Dialect::Ethereum, answer.id.into(), answer.payload);
        let EthMessage::Receipts70(pair) = message.unwrap() else { panic!("another message") };
        let page = pair.message;
        pages += 1;
        assert!(!page.receipts.is_empty(), "page {pages} brings nothing");
        for (at, list) in page.receipts.iter().enumerate() {
            let list = Receipts::parse(list).unwrap();
            let receipts = list.iter().map(|receipt| Bytes::copy_from_slice(receipt.unwrap().raw()));
            match lists.last_mut().filter(|_| at == 0 && first > 0) {
                Some(begun) => begun.extend(receipts),
                None => lists.push(receipts.collect()),
            }
        }
        let whole = lists.len() - usize::from(page.last_block_incomplete);
        first = if page.last_block_incomplete { lists.last().unwrap().len() as u64 } else { 0 };
        rest = hashes[whole..].to_vec();
    }
    assert!(pages >= 3, "28 MB in {pages} pages");
    for (list, expected) in lists.iter().zip([&small, &large, &small]) {
        let expected = Receipts::parse(expected).unwrap();
        let expected: Vec<Bytes> =
            expected.iter().map(|receipt| Bytes::copy_from_slice(receipt.unwrap().raw())).collect();
        assert_eq!(list, &expected);
    }
}

#[tokio::test]
async fn a_block_that_fits_no_message_ends_the_answer_before_eth_70() {
    let (chain, store) = (chain(8, 1), store_of(1337));
    let mut hashes = Vec::new();
    for (number, list) in [(4, large_list(&[300])), (5, large_list(&[700_000; 20])), (6, large_list(&[300]))]
    {
        let id = BlockId { number, hash: keccak256(header(number)) };
        put(&store, id, header(number), list);
        hashes.push(id.hash);
    }
    let rig = Rig::over(store, &chain, chain.head(), &[]);
    for version in [EthVersion::Eth68, EthVersion::Eth69] {
        assert_eq!(rig.receipts(version, &hashes).await.len(), 1);
        assert_eq!(rig.receipts(version, &hashes[1..]).await.len(), 0);
        assert_eq!(rig.receipts(version, &hashes[2..]).await.len(), 1);
    }
}

#[tokio::test]
async fn an_index_beyond_the_block_brings_nothing() {
    let (chain, store) = (chain(8, 1), store_of(1337));
    let id = BlockId { number: 4, hash: keccak256(header(4)) };
    put(&store, id, header(4), large_list(&[10; 3]));
    let rig = Rig::over(store, &chain, chain.head(), &[]);
    for (first, items) in [(0, 1), (2, 1), (3, 1), (4, 0), (u64::MAX, 0)] {
        let message = GetReceipts70 { first_block_receipt_index: first, hashes: vec![id.hash] };
        let answer = rig.ask(EthVersion::Eth70, Request::Receipts70(RequestPair::new(ID, message))).await;
        assert_eq!(answer.items, items, "from receipt {first} of 3");
    }
}
