//! Sources that lie, are silent or have half of it, and what sync does with what went through.

use std::sync::Arc;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_cache::Kind;
use hypasis_chain::Level;
use hypasis_chain::dev::{Corruption, corrupt};
use hypasis_proxy::p2p::serve::Who;
use hypasis_wire::eth::EthVersion;
use tokio::time::Instant;

use super::library::{Rig, Witness, chain, fill, query, verified};
use crate::sync::rig::{Puppet, Setup, assert_holds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_is_passed_on_and_each_liar_is_blamed() {
    let chain = chain(48, 12);
    let blocks = chain.blocks(0..49);
    let hashes: Vec<B256> = blocks.iter().map(|block| block.id.hash).collect();
    let mut told = 0;
    for lie in Corruption::all() {
        if blocks.iter().all(|block| corrupt(block, lie).is_none()) {
            continue;
        }
        told += 1;
        let liar = Witness::lying("liar", &chain, lie).await;
        let honest = Witness::new("honest", &chain).await;
        let rig = Rig::new(&chain, &[liar.clone(), honest.clone()]);
        // Sources do not take up blocks of a reorganised branch here: everything is final.
        rig.served
            .publish(hypasis_proxy::served::Served { finalized: Some(chain.head()), ..rig.served.now() });
        // Alone at first, so that it is the liar whose answer counts.
        honest.silence(true);
        let asking = {
            let rig = rig.library.clone();
            let hashes = hashes.clone();
            tokio::spawn(async move {
                let request = super::library::headers(query(0, 49, 0, false));
                let headers = rig.answer(EthVersion::Eth69, request, &Who::default()).await;
                let request = super::library::receipts(EthVersion::Eth69, &hashes);
                (headers, rig.answer(EthVersion::Eth69, request, &Who::default()).await)
            })
        };
        liar.until_blamed().await;
        honest.silence(false);
        let (headers, lists) = asking.await.unwrap();
        let expected: Vec<Bytes> = blocks.iter().map(|block| block.header.clone()).collect();
        assert_eq!(super::library::items(EthVersion::Eth69, &headers), expected, "{lie:?}");
        let expected: Vec<Bytes> = blocks.iter().map(|block| block.receipts.clone().unwrap()).collect();
        assert_eq!(super::library::items(EthVersion::Eth69, &lists), expected, "{lie:?}");
        let bodies: Vec<Bytes> = blocks.iter().map(|block| block.body.clone()).collect();
        assert_eq!(rig.bodies(&hashes).await, bodies, "{lie:?}");
        assert!(honest.blamed().is_empty(), "{lie:?}: {:?}", honest.blamed());
    }
    assert!(told > 40, "only {told} lies were told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_do_not_meet_what_is_held_are_not_passed_on() {
    let (chain, other) = (chain(300, 3), {
        let options = hypasis_chain::dev::DevOptions { seed: 99, ..chain(300, 3).options().clone() };
        Arc::new(hypasis_chain::dev::DevChain::new(options, 1_700_000_000))
    });
    let stranger = Witness::new("stranger", &other).await;
    for held in [0..=99, 200..=300] {
        let rig = Rig::new(&chain, std::slice::from_ref(&stranger));
        fill(&rig.store, &chain, held.clone(), &[Kind::Header]);
        let found = rig.headers(query(90, 120, 0, false)).await;
        let expected = if held.contains(&90) { 10 } else { 0 };
        assert_eq!(found.len(), expected);
        assert!(!stranger.blamed().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_source_costs_nothing_beside_another_and_the_deadline_alone() {
    let chain = chain(300, 3);
    let (silent, other) = (Witness::new("silent", &chain).await, Witness::new("other", &chain).await);
    silent.silence(true);
    let both = Rig::new(&chain, &[silent.clone(), other]);
    let started = Instant::now();
    assert_eq!(both.headers(query(10, 100, 0, false)).await.len(), 100);
    assert_eq!(started.elapsed().as_secs(), 0);

    let alone = Rig::new(&chain, std::slice::from_ref(&silent));
    fill(&alone.store, &chain, 0..=49, &[Kind::Header]);
    assert_eq!(alone.headers(query(10, 100, 0, false)).await.len(), 40);
    assert_eq!(started.elapsed().as_secs(), 5);
    let hash = chain.id_at(20).hash;
    assert_eq!(alone.bodies(&[hash]).await.len(), 0);
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_come_from_who_has_no_receipts_and_receipts_do_not() {
    let chain = chain(100, 3);
    let witness = Witness::new("bodies", &chain).await;
    witness.without_receipts(true);
    let rig = Rig::new(&chain, std::slice::from_ref(&witness));
    fill(&rig.store, &chain, 0..=100, &[Kind::Header]);
    let hashes: Vec<B256> = (1..=50).map(|number| chain.id_at(number).hash).collect();
    assert_eq!(rig.receipts(EthVersion::Eth69, &hashes).await.len(), 0);
    assert_eq!(rig.bodies(&hashes).await.len(), 50);
    assert!(witness.blamed().is_empty());
    assert_eq!(rig.kept.bytes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_through_is_stored_and_not_fetched_twice() {
    let chain = chain(200, 3);
    let source = Arc::new(Puppet::new("source", &chain));
    let folder = tempfile::tempdir().unwrap();
    let head = chain.head();
    let rig = Setup::new().checkpoint(head).start(folder.path(), &chain, &[&source]);
    for block in chain.blocks(1..201) {
        rig.sync.kept().put(verified(&chain, block), Level::Full, "peer".into());
    }
    source.claim(Some(head), Some(head));
    rig.until_whole(&chain).await;
    assert_holds(&rig.store, &chain, 0..=200);
    // The source gave no more than the samples by which sync learns how large blocks are.
    assert!(source.given() < 50, "{} blocks were fetched although they were here", source.given());
    let trust = rig.store.trust(1..=200).unwrap();
    assert!(trust.iter().all(|(_, trust)| trust.source == "peer"), "{trust:?}");
    rig.stop().await;
}

#[test]
fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
    let chain = chain(100, 3);
    let kept = hypasis_proxy::sync::kept::Kept::new(60_000);
    for block in chain.blocks(1..101) {
        let id = block.id;
        kept.put(verified(&chain, block), Level::Light, "peer".into());
        assert!(kept.bytes() <= 60_000);
        assert!(kept.holds(&id.hash, Level::Light) && !kept.holds(&id.hash, Level::Full));
    }
    assert!(!kept.holds(&chain.id_at(1).hash, Level::Light));
    assert!(kept.holds(&chain.id_at(100).hash, Level::Light));
}
