//! What the store lacks comes from other sources, as if it had been held.

use std::ops::RangeInclusive;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_cache::Kind;
use hypasis_chain::Block;
use hypasis_chain::dev::DevChain;
use hypasis_proxy::p2p::serve::Who;
use hypasis_wire::eth::EthVersion;

use super::library::{
    Rig, WHOLE, Witness, bodies, chain, fill, headers, items, query, query_by_hash, receipts,
};

fn hashes(chain: &DevChain, range: RangeInclusive<u64>) -> Vec<B256> {
    range.map(|number| chain.id_at(number).hash).collect()
}

fn column(chain: &DevChain, range: RangeInclusive<u64>, part: fn(Block) -> Bytes) -> Vec<Bytes> {
    chain.blocks(*range.start()..range.end() + 1).into_iter().map(part).collect()
}

/// Returns when nothing is left to do: a paused clock moves only then.
async fn everybody_waits() {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_store_serves_the_whole_chain_through_others() {
    let chain = chain(900, 6);
    let (one, two) = (Witness::new("one", &chain).await, Witness::new("two", &chain).await);
    let rig = Rig::new(&chain, &[one, two]);
    let mut skeleton = column(&chain, 389..=900, |block| block.header);
    skeleton.reverse();
    let answer = rig.ask(EthVersion::Eth69, headers(query(900, 512, 0, true))).await;
    assert_eq!((answer.items, answer.forwarded), (512, 512));
    assert_eq!(items(EthVersion::Eth69, &answer), skeleton);
    assert_eq!(rig.headers(query(0, 1_024, 0, false)).await, column(&chain, 0..=900, |block| block.header));
    let spread = rig.headers(query(3, 8, 99, false)).await;
    assert_eq!(spread, (0..8).map(|i| chain.block(3 + 100 * i).header).collect::<Vec<_>>());

    // The headers went through here, so their bodies are recognised by hash.
    let answer = rig.ask(EthVersion::Eth69, bodies(&hashes(&chain, 400..=500))).await;
    assert_eq!((answer.items, answer.forwarded), (101, 101));
    assert_eq!(items(EthVersion::Eth69, &answer), column(&chain, 400..=500, |block| block.body));
    for version in [EthVersion::Eth69, EthVersion::Eth70] {
        let lists = rig.receipts(version, &hashes(&chain, 600..=700)).await;
        assert_eq!(lists, column(&chain, 600..=700, |block| block.receipts.unwrap()));
    }
    assert_eq!(rig.receipts(EthVersion::Eth68, &hashes(&chain, 1..=40)).await.len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gaps_are_filled_by_others_wherever_they_are() {
    let chain = chain(600, 3);
    let witness = Witness::new("one", &chain).await;
    let whole = column(&chain, 0..=600, |block| block.header);
    let all = hashes(&chain, 0..=600);
    // A cheap pseudo-random walk: where pieces begin, how long they are, and what is held of them.
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;
    let mut roll = |sides: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % sides
    };
    for _ in 0..12 {
        let rig = Rig::new(&chain, std::slice::from_ref(&witness));
        let mut at = 0;
        while at <= 600 {
            let end = (at + roll(90)).min(600);
            match roll(3) {
                0 => fill(&rig.store, &chain, at..=end, &WHOLE),
                1 => fill(&rig.store, &chain, at..=end, &[Kind::Header]),
                _ => {}
            }
            at = end + 1;
        }
        let mut falling = whole[89..=600].to_vec();
        falling.reverse();
        assert_eq!(rig.headers(query(600, 512, 0, true)).await, falling);
        assert_eq!(rig.headers(query(0, 1_024, 0, false)).await, whole);
        let step = 1 + roll(30);
        let spread: Vec<Bytes> = whole.iter().step_by(step as usize).take(20).cloned().collect();
        assert_eq!(rig.headers(query(0, 20, step - 1, false)).await, spread);
        let first = roll(400);
        let asked = &all[first as usize..first as usize + 128];
        let expected = column(&chain, first..=first + 127, |block| block.body);
        assert_eq!(rig.bodies(asked).await, expected);
        let expected = column(&chain, first..=first + 127, |block| block.receipts.unwrap());
        assert_eq!(rig.receipts(EthVersion::Eth69, asked).await, expected);
    }
    assert!(witness.blamed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn many_askers_share_one_question() {
    let chain = chain(600, 3);
    let witness = Witness::new("one", &chain).await;
    let rig = Rig::new(&chain, std::slice::from_ref(&witness));
    witness.silence(true);
    let ask = |request| {
        let library = rig.library.clone();
        tokio::spawn(async move { library.answer(EthVersion::Eth69, request, &Who::default()).await })
    };
    let askers: Vec<_> = (0..24).map(|_| ask(headers(query(599, 512, 0, true)))).collect();
    everybody_waits().await;
    witness.silence(false);
    for asker in askers {
        assert_eq!(asker.await.unwrap().items, 512);
    }
    // 88..=599 has three pieces.
    assert_eq!(witness.calls(), 3);

    witness.silence(true);
    let hashes = hashes(&chain, 100..=163);
    let askers: Vec<_> = (0..24).map(|_| ask(bodies(&hashes))).collect();
    everybody_waits().await;
    witness.silence(false);
    for asker in askers {
        assert_eq!(asker.await.unwrap().items, 64);
    }
    assert_eq!(witness.calls(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_asker_is_never_asked() {
    let chain = chain(300, 3);
    let (asker, other) = (Witness::new("asker", &chain).await, Witness::new("other", &chain).await);
    let me = Who { peer: None, sources: vec!["asker".into()] };
    let alone = Rig::new(&chain, std::slice::from_ref(&asker));
    let both = Rig::new(&chain, &[asker.clone(), other.clone()]);
    for (rig, expected) in [(&alone, 0), (&both, 10)] {
        let requests = [
            headers(query(10, 10, 0, false)),
            bodies(&hashes(&chain, 10..=19)),
            receipts(EthVersion::Eth69, &hashes(&chain, 10..=19)),
            headers(query_by_hash(chain.id_at(200).hash, 10, 0, true)),
        ];
        for request in requests {
            let answer = rig.library.answer(EthVersion::Eth69, request, &me).await;
            assert_eq!(answer.items, expected);
        }
    }
    assert_eq!(asker.calls(), 0);
    assert!(other.calls() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_exist_is_not_asked_for() {
    let chain = chain(300, 3);
    let witness = Witness::new("one", &chain).await;
    let rig = Rig::new(&chain, std::slice::from_ref(&witness));
    assert_eq!(rig.headers(query(301, 512, 0, false)).await.len(), 0);
    assert_eq!(rig.headers(query(u64::MAX, 10, 0, false)).await.len(), 0);
    assert_eq!(rig.headers(query(u64::MAX, 10, 7, true)).await.len(), 0);
    assert_eq!(rig.headers(query(5, 0, 0, false)).await.len(), 0);
    assert_eq!(witness.calls(), 0);
    // Of a hash nothing is known before it was asked for once.
    let nobody = B256::repeat_byte(9);
    for _ in 0..5 {
        assert_eq!(rig.headers(query_by_hash(nobody, 1, 0, false)).await.len(), 0);
        assert_eq!(rig.bodies(&[nobody]).await.len(), 0);
    }
    assert_eq!(witness.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_of_another_branch_is_had_by_its_hash_and_has_no_canonical_descendants() {
    let chain = chain(300, 3);
    let replaced = chain.blocks(290..301);
    chain.head();
    chain.reorg(11, 11);
    let witness = Witness::new("one", &chain).await;
    let rig = Rig::new(&chain, std::slice::from_ref(&witness));
    let side = &replaced[5];
    assert_ne!(side.id, chain.id_at(side.id.number));
    for (limit, skip, falling) in
        [(1, 0, false), (10, 0, false), (10, 3, false), (10, 0, true), (10, 3, true)]
    {
        let found = rig.headers(query_by_hash(side.id.hash, limit, skip, falling)).await;
        assert_eq!(
            found,
            std::slice::from_ref(&side.header),
            "limit {limit}, skip {skip}, falling {falling}"
        );
    }
    assert_eq!(rig.bodies(&[side.id.hash]).await, std::slice::from_ref(&side.body));
    let canonical = chain.block(250);
    let found = rig.headers(query_by_hash(canonical.id.hash, 20, 0, false)).await;
    assert_eq!(found, column(&chain, 250..=269, |block| block.header));
    let found = rig.headers(query_by_hash(canonical.id.hash, 5, 9, true)).await;
    assert_eq!(found, (0..5).map(|i| chain.block(250 - 10 * i).header).collect::<Vec<_>>());
}
