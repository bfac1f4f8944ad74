//! Blocks are announced to a running port and by it.

use hypasis_wire::eth::{
    BlockHashNumber, BlockHashOrNumber, EthMessage, EthVersion, HeadersDirection, NewBlockHashes,
};

use super::rig::{Bor, Port, difficulty};
use crate::p2p::library::chain;

const VERSIONS: [EthVersion; 2] = [EthVersion::Eth68, EthVersion::Eth69];

fn hashes(port: &Port, number: u64) -> EthMessage {
    let hash = port.chain.id_at(number).hash;
    EthMessage::NewBlockHashes(NewBlockHashes(vec![BlockHashNumber { hash, number }]))
}

#[tokio::test]
async fn the_status_has_the_total_difficulty_of_the_head_and_that_of_genesis_where_it_is_not_known() {
    let chain = chain(60, 1);
    let port = Port::start(&chain, 50, None).await;
    let genesis = hypasis_chain::Header::parse(&chain.block(0).header).unwrap().difficulty();
    for version in VERSIONS {
        port.publish(50, Some(difficulty(50)));
        let peer = Bor::dial(&port, version, chain.id_at(0), difficulty(0)).await;
        assert_eq!(peer.status.total_difficulty, Some(difficulty(50)));
        assert_eq!(peer.status.blockhash, chain.id_at(50).hash);
        port.publish(51, None);
        let peer = Bor::dial(&port, version, chain.id_at(0), difficulty(0)).await;
        assert_eq!(peer.status.total_difficulty, Some(genesis));
    }
}

#[tokio::test]
async fn a_new_head_is_sent_whole_to_an_only_peer() {
    let chain = chain(60, 3);
    let port = Port::start(&chain, 50, None).await;
    for (version, number) in [(EthVersion::Eth68, 51), (EthVersion::Eth69, 52)] {
        let mut peer = Bor::dial(&port, version, chain.id_at(number - 1), difficulty(number - 1)).await;
        port.publish(number, Some(difficulty(number)));
        assert_eq!(peer.announced().await, port.block(number, difficulty(number)), "{version}");
    }
}

#[tokio::test]
async fn an_announced_block_is_the_peers_head_once_it_shows_the_header() {
    let chain = chain(60, 1);
    let (head, next) = (chain.id_at(50), chain.id_at(51));
    for (version, whole) in [(68, true), (68, false), (69, true), (69, false)] {
        let version = EthVersion::try_from(version as usize).unwrap();
        let port = Port::start(&chain, 50, None).await;
        let mut peer = Bor::dial(&port, version, head, difficulty(50)).await;
        if version == EthVersion::Eth68 {
            // Its first head is a hash without a height.
            let request = peer.asked().await;
            peer.give(&request, vec![chain.block(50).header]).await;
            port.until_source("the first head", |heads| heads.latest == Some(head)).await;
        }
        let announcement = if whole { port.block(51, difficulty(51)) } else { hashes(&port, 51) };
        peer.send(&announcement).await;
        // A peer announces what it is about to import, so it may not have it at once.
        for answer in [vec![], vec![], vec![chain.block(51).header]] {
            let request = loop {
                let request = peer.asked().await;
                if request.message.start_block == BlockHashOrNumber::Hash(next.hash) {
                    break request;
                }
                peer.give(&request, vec![chain.block(50).header]).await;
            };
            assert_eq!((request.message.limit, request.message.direction), (1, HeadersDirection::Rising));
            peer.give(&request, answer).await;
        }
        let heads = port.until_source("the announced head", |heads| heads.latest == Some(next)).await;
        // Blocks of this chain have no difficulty of their own.
        let wanted = if whole { difficulty(51) } else { difficulty(50) };
        assert_eq!(heads.total_difficulty, Some(wanted), "{version} {whole}");
        // Nobody is told what it told.
        port.publish(51, Some(difficulty(51)));
        port.publish(52, Some(difficulty(52)));
        assert_eq!(peer.announced().await, port.block(52, difficulty(52)));
    }
}

#[tokio::test]
async fn between_two_ports_the_head_of_one_leads_the_other_at_once() {
    let chain = chain(60, 1);
    let first = Port::start(&chain, 50, None).await;
    let second = Port::start(&chain, 40, Some(first.record)).await;
    let head = |number: u64| Some(chain.id_at(number));
    let heads = second.until_source("the first head", |heads| heads.latest == head(50)).await;
    assert_eq!(heads.total_difficulty, Some(difficulty(50)));
    for number in 51..=54 {
        first.publish(number, Some(difficulty(number)));
        let heads = second.until_source("the next head", |heads| heads.latest == head(number)).await;
        assert_eq!(heads.total_difficulty, Some(difficulty(number)));
    }
    // Hashes alone do it too.
    first.publish(55, None);
    second.until_source("the head by its hash", |heads| heads.latest == head(55)).await;
}
