//! What comes from peers of whom nothing is known is passed on where it is proven.

use std::sync::Arc;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::dev::DevChain;
use hypasis_proxy::p2p::serve::Who;
use hypasis_proxy::served::{Served, ServedHead};
use hypasis_proxy::sync::kept::Kept;
use hypasis_upstream::Source;
use hypasis_upstream::peer::PeerSource;
use hypasis_wire::eth::EthVersion;

use super::library::{Rig, Witness, bodies, chain, headers, query, query_by_hash, receipts};
use super::players::{Manner, Player, attach, strangers};
use crate::support::store_of;

/// Over an empty store, with the head served or not.
fn rig(chain: &DevChain, served: bool, sources: Vec<Arc<dyn Source>>) -> Rig {
    let latest = served.then(|| chain.head());
    let served = ServedHead::new(Served { latest, ..Served::default() });
    Rig::of(store_of(chain.spec().chain_id), chain, served, Kept::default(), sources)
}

fn falling(chain: &DevChain, from: u64, to: u64) -> Vec<Bytes> {
    let mut headers = chain.headers(to..from + 1);
    headers.reverse();
    headers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_strangers_need_a_known_block_above_them() {
    let chain = chain(900, 2);
    let sound = Player::new(1, &chain, Manner::Sound);
    let rig = rig(&chain, true, vec![strangers(&[&sound], chain.head()).await]);
    // Nothing tells that these are of the chain.
    assert!(rig.headers(query(100, 50, 0, false)).await.is_empty());
    assert!(rig.headers(query(100, 4, 99, false)).await.is_empty());
    // These hang on the served head, each piece on the one above it, and the next answer on this one.
    assert_eq!(rig.headers(query(900, 512, 0, true)).await, falling(&chain, 900, 389));
    assert_eq!(rig.headers(query(388, 512, 0, true)).await, falling(&chain, 388, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_a_stranger_made_up_are_not_passed_on() {
    let chain = chain(900, 2);
    let forger = Player::new(1, &chain, Manner::Forges);
    let pool = strangers(&[&forger], chain.head()).await;
    let alone = rig(&chain, true, vec![pool.clone()]);
    for request in [query(900, 512, 0, true), query(100, 50, 0, false), query(100, 4, 99, false)] {
        assert!(alone.headers(request).await.is_empty());
    }
    // Beside a source that the operator named, that one's word counts.
    let named = Witness::new("named", &chain).await;
    let beside = rig(&chain, true, vec![pool, named]);
    assert_eq!(beside.headers(query(100, 50, 0, false)).await, chain.headers(100..150));
    let spread: Vec<Bytes> = (0..4).map(|i| chain.block(100 + 100 * i).header).collect();
    assert_eq!(beside.headers(query(100, 4, 99, false)).await, spread);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_an_upstream_is_enough_with_an_empty_store_and_a_stranger_is_not() {
    let chain = chain(300, 2);
    let peer = Player::new(1, &chain, Manner::Sound);
    let upstream = Arc::new(PeerSource::new("upstream".into()));
    attach(&upstream, &[&peer], chain.head()).await;
    let named = rig(&chain, false, vec![upstream]);
    assert_eq!(named.headers(query(300, 200, 0, true)).await, falling(&chain, 300, 101));
    let hashes: Vec<B256> = (120..150).map(|number| chain.id_at(number).hash).collect();
    let expected: Vec<Bytes> = chain.blocks(120..150).into_iter().map(|block| block.body).collect();
    assert_eq!(named.bodies(&hashes).await, expected);
    let by_hash = query_by_hash(chain.id_at(7).hash, 1, 0, false);
    assert_eq!(named.headers(by_hash).await, chain.headers(7..8));

    let strangers = strangers(&[&peer], chain.head()).await;
    let alone = rig(&chain, false, vec![strangers]);
    assert!(alone.headers(query(300, 200, 0, true)).await.is_empty());
    // What proves itself is had of anybody.
    assert_eq!(alone.headers(by_hash).await, chain.headers(7..8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_peer_that_asks_is_not_asked_among_others_either() {
    let chain = chain(300, 2);
    let (asker, other) = (Player::new(1, &chain, Manner::Sound), Player::new(2, &chain, Manner::Sound));
    let rig = rig(&chain, true, vec![strangers(&[&asker, &other], chain.head()).await]);
    let who = Who { peer: Some(asker.handle.id()), sources: Vec::new() };
    let hashes: Vec<B256> = (120..150).map(|number| chain.id_at(number).hash).collect();
    let requests = [headers(query(300, 300, 0, true)), bodies(&hashes), receipts(EthVersion::Eth69, &hashes)];
    for (request, items) in requests.into_iter().zip([300, 30, 30]) {
        assert_eq!(rig.library.answer(EthVersion::Eth69, request, &who).await.items, items);
    }
    assert_eq!(asker.asked(), 0);
    assert!(other.asked() > 0);
}
