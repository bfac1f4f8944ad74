//! Announcements that no sound peer makes, and too many of those that they do.

use alloy_primitives::{B256, U256};
use bytes::Bytes;
use hypasis_chain::rlp::{Item, write_list_prefix};
use hypasis_wire::eth::{
    BlockHashNumber, BlockHashOrNumber, EthMessage, EthMessageID, EthVersion, GetBlockHeaders,
    HeadersDirection, MAX_ANNOUNCED_BLOCKS, MAX_MESSAGE_SIZE, NewBlock, NewBlockHashes, RequestPair,
};

use super::rig::{Bor, Port, difficulty};
use crate::p2p::library::chain;

/// Where a header has its difficulty.
const DIFFICULTY: usize = 7;

/// A list of these items.
fn list(items: &[&[u8]]) -> Vec<u8> {
    let mut list = Vec::new();
    write_list_prefix(&mut list, items.iter().map(|item| item.len()).sum());
    items.iter().for_each(|item| list.extend_from_slice(item));
    list
}

/// The header with another difficulty.
fn with_difficulty(header: &Bytes, difficulty: u8) -> Bytes {
    let items: Vec<Item<'_>> = Item::parse(header).unwrap().items().unwrap().map(Result::unwrap).collect();
    let own = [difficulty];
    let items: Vec<&[u8]> = items
        .iter()
        .enumerate()
        .map(|(place, item)| if place == DIFFICULTY { &own[..] } else { item.raw() })
        .collect();
    list(&items).into()
}

/// Connects at the head, sends, and wants to be hung up on.
async fn refused(send: impl AsyncFnOnce(&mut Bor, &Port)) {
    let chain = chain(60, 1);
    let port = Port::start(&chain, 50, None).await;
    let mut peer = Bor::dial(&port, EthVersion::Eth69, chain.id_at(50), difficulty(50)).await;
    send(&mut peer, &port).await;
    let reason = loop {
        match peer.receive().await {
            Ok(EthMessage::GetBlockHeaders(request)) => {
                peer.give(&request, vec![chain.block(51).header]).await;
            }
            Ok(_) => {}
            Err(reason) => break reason,
        }
    };
    assert!(!reason.contains("in time"), "{reason}");
    assert_eq!(port.source.heads().borrow().latest.filter(|head| head.number > 50), None);
}

#[tokio::test]
async fn a_block_with_less_total_difficulty_than_its_own_is_refused() {
    refused(async |peer: &mut Bor, port: &Port| {
        let block = port.chain.block(51);
        let header = with_difficulty(&block.header, 9);
        let message = NewBlock::from_parts(&header, &block.body, U256::from(8)).unwrap();
        peer.send(&EthMessage::NewBlock(message)).await;
    })
    .await;
}

#[tokio::test]
async fn a_block_whose_header_is_none_is_refused() {
    refused(async |peer: &mut Bor, port: &Port| {
        let message =
            NewBlock::from_parts(&list(&[&[1]]), &port.chain.block(51).body, U256::from(8)).unwrap();
        peer.send(&EthMessage::NewBlock(message)).await;
    })
    .await;
}

#[tokio::test]
async fn a_hash_that_is_announced_at_another_height_is_refused() {
    refused(async |peer: &mut Bor, port: &Port| {
        let hash = port.chain.id_at(51).hash;
        let hashes = vec![BlockHashNumber { hash, number: 1_000 }];
        peer.send(&EthMessage::NewBlockHashes(NewBlockHashes(hashes))).await;
    })
    .await;
}

#[tokio::test]
async fn more_hashes_than_a_message_may_have_are_refused() {
    refused(async |peer: &mut Bor, _: &Port| {
        let hashes = (0..=MAX_ANNOUNCED_BLOCKS as u64)
            .map(|number| BlockHashNumber { hash: B256::left_padding_from(&number.to_be_bytes()), number });
        peer.send(&EthMessage::NewBlockHashes(NewBlockHashes(hashes.collect()))).await;
    })
    .await;
}

#[tokio::test]
async fn a_block_beyond_the_largest_message_is_refused() {
    refused(async |peer: &mut Bor, port: &Port| {
        let block = port.chain.block(51);
        let zeros = vec![0_u8; MAX_MESSAGE_SIZE];
        let mut transaction = vec![0xba];
        transaction.extend_from_slice(&(zeros.len() as u32).to_be_bytes()[1..]);
        transaction.extend_from_slice(&zeros);
        let body = list(&[&list(&[&transaction]), &list(&[])]);
        let message = NewBlock::from_parts(&block.header, &body, difficulty(51)).unwrap();
        let payload = EthMessage::NewBlock(message).encoded();
        // It may hang up before it has read all of it.
        let _ = peer.send_raw(EthMessageID::NewBlock.into(), payload).await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_parent_and_a_claim_that_is_not_shown_move_nothing() {
    let chain = chain(60, 1);
    let port = Port::start(&chain, 50, None).await;
    let mut peer = Bor::dial(&port, EthVersion::Eth68, chain.id_at(50), difficulty(50)).await;
    let request = peer.asked().await;
    peer.give(&request, vec![chain.block(50).header]).await;
    port.until_source("the first head", |heads| heads.latest.is_some()).await;
    // Its parent is nobody's, its total difficulty beyond all.
    let header = with_difficulty(&chain.block(58).header, 1);
    let td = U256::from(1) << 99;
    let message = NewBlock::from_parts(&header, &chain.block(58).body, td).unwrap();
    peer.send(&EthMessage::NewBlock(message)).await;
    for _ in 0..4 {
        let request = peer.asked().await;
        peer.give(&request, Vec::new()).await;
    }
    assert_eq!(port.source.heads().borrow().latest.filter(|head| head.number > 50), None);
    assert_eq!(port.served.now().latest, Some(chain.id_at(50)));
}

#[tokio::test]
async fn a_flood_of_announcements_costs_a_request_or_two_and_delays_nobody() {
    let chain = chain(60, 1);
    let port = Port::start(&chain, 50, None).await;
    let mut peer = Bor::dial(&port, EthVersion::Eth69, chain.id_at(50), difficulty(50)).await;
    for number in 0..3_000_u64 {
        let hash = B256::left_padding_from(&(number + 1).to_be_bytes());
        let hashes = vec![BlockHashNumber { hash, number: 51 + number }; 64];
        peer.send(&EthMessage::NewBlockHashes(NewBlockHashes(hashes))).await;
    }
    let question = GetBlockHeaders {
        start_block: BlockHashOrNumber::Number(7),
        limit: 1,
        skip: 0,
        direction: HeadersDirection::Rising,
    };
    peer.send(&EthMessage::GetBlockHeaders(RequestPair::new(1, question))).await;
    let mut asked = 0;
    let answer = loop {
        match peer.receive().await.expect("a flood is no breach") {
            EthMessage::GetBlockHeaders(_) => asked += 1,
            EthMessage::BlockHeaders(pair) => break pair.message.0,
            _ => {}
        }
    };
    assert_eq!(answer, [chain.block(7).header]);
    // The head of its status, and the first of the flood, which is not answered either.
    assert!(asked <= 2, "{asked} requests");
}
