//! How much one asker may cause, and what those who wait together owe each other.

use std::ops::RangeInclusive;
use std::time::Duration;

use alloy_primitives::B256;
use hypasis_chain::dev::DevChain;
use hypasis_proxy::p2p::serve::{Answer, Request, Who};
use hypasis_upstream::peer::PeerId;
use hypasis_wire::eth::{EthVersion, GetReceipts70, RequestPair};
use tokio::task::JoinHandle;

use super::library::{ID, Rig, WHOLE, Witness, bodies, chain, fill, headers, query};

fn hashes(chain: &DevChain, range: RangeInclusive<u64>) -> Vec<B256> {
    range.map(|number| chain.id_at(number).hash).collect()
}

fn ask(rig: &Rig, peer: u8, request: Request) -> JoinHandle<Answer> {
    let library = rig.library.clone();
    let who = Who { peer: Some(PeerId::repeat_byte(peer)), sources: Vec::new() };
    tokio::spawn(async move { library.answer(EthVersion::Eth69, request, &who).await })
}

/// Returns when nothing is left to do: a paused clock moves only then.
async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn one_asker_has_no_more_than_its_share_of_the_questions() {
    let chain = chain(6_000, 1);
    let witness = Witness::new("one", &chain).await;
    let rig = Rig::new(&chain, std::slice::from_ref(&witness));
    witness.silence(true);
    let greedy: Vec<_> =
        (0..20).map(|piece| ask(&rig, 1, headers(query(piece * 256, 256, 0, false)))).collect();
    let spread = ask(&rig, 1, headers(query(0, 100, 50, false)));
    after(1).await;
    assert_eq!(witness.calls(), 4);
    let modest = ask(&rig, 2, headers(query(5_800, 20, 0, false)));
    after(1).await;
    assert_eq!(witness.calls(), 5);
    witness.silence(false);
    assert_eq!(modest.await.unwrap().items, 20);
    for asker in greedy {
        assert_eq!(asker.await.unwrap().items, 256);
    }
    assert_eq!(spread.await.unwrap().items, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_far_from_each_other_are_asked_of_one_source() {
    let chain = chain(2_000, 1);
    let (one, two) = (Witness::new("one", &chain).await, Witness::new("two", &chain).await);
    let rig = Rig::new(&chain, &[one.clone(), two.clone()]);
    assert_eq!(rig.headers(query(0, 40, 49, false)).await.len(), 40);
    assert_eq!(one.calls() + two.calls(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_first_hash_that_nobody_knows_nothing_is_asked_for() {
    let chain = chain(300, 2);
    let witness = Witness::new("one", &chain).await;
    let rig = Rig::new(&chain, std::slice::from_ref(&witness));
    fill(&rig.store, &chain, 0..=300, &[hypasis_cache::Kind::Header]);
    let mut asked = vec![B256::repeat_byte(9)];
    asked.extend(hashes(&chain, 100..=200));
    assert!(rig.bodies(&asked).await.is_empty());
    assert_eq!(witness.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_fetched_than_about_fills_an_answer() {
    // Some 90 kB each.
    let chain = chain(140, 800);
    let witness = Witness::new("one", &chain).await;
    let rig = Rig::new(&chain, std::slice::from_ref(&witness));
    fill(&rig.store, &chain, 0..=140, &[hypasis_cache::Kind::Header]);
    let mean = chain.blocks(100..110).iter().map(|block| block.body.len()).sum::<usize>() / 10;
    assert!(mean > 60_000, "{mean} bytes a body");
    let first = rig.bodies(&hashes(&chain, 1..=128)).await;
    assert!((2 << 20..3 << 20).contains(&first.iter().map(|body| body.len()).sum::<usize>()));
    let kept = (1..=128).filter(|number| rig.kept.holds(&chain.id_at(*number).hash, WHOLE_LEVEL)).count();
    assert!(kept <= 96, "{kept} blocks were fetched for {}", first.len());
}

/// To which blocks are verified here.
const WHOLE_LEVEL: hypasis_chain::Level = hypasis_chain::Level::Full;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_bring_receipts_along_only_where_sync_wants_them_and_then_from_one_source() {
    let chain = chain(300, 2);
    let (one, two) = (Witness::new("one", &chain).await, Witness::new("two", &chain).await);
    let rig = Rig::new(&chain, &[one.clone(), two.clone()]);
    fill(&rig.store, &chain, 0..=300, &[hypasis_cache::Kind::Header]);
    rig.kept.set_oldest(200);
    assert_eq!(rig.bodies(&hashes(&chain, 100..=120)).await.len(), 21);
    assert_eq!((one.with_receipts() + two.with_receipts(), rig.kept.bytes()), (0, 0));
    assert_eq!(rig.bodies(&hashes(&chain, 220..=240)).await.len(), 21);
    assert_eq!(one.with_receipts() + two.with_receipts(), 1);
    assert!(rig.kept.holds(&chain.id_at(230).hash, WHOLE_LEVEL));
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_goes_on_for_whoever_joined_last() {
    let chain = chain(300, 2);
    let witness = Witness::new("one", &chain).await;
    let rig = Rig::new(&chain, std::slice::from_ref(&witness));
    fill(&rig.store, &chain, 0..=99, &[hypasis_cache::Kind::Header]);
    witness.silence(true);
    let first =
        [ask(&rig, 1, headers(query(90, 100, 0, false))), ask(&rig, 1, bodies(&hashes(&chain, 1..=9)))];
    after(3).await;
    let last =
        [ask(&rig, 2, headers(query(90, 100, 0, false))), ask(&rig, 2, bodies(&hashes(&chain, 1..=9)))];
    after(3).await;
    for (asker, items) in first.into_iter().zip([10, 0]) {
        assert_eq!(asker.await.unwrap().items, items);
    }
    witness.silence(false);
    for (asker, items) in last.into_iter().zip([100, 9]) {
        assert_eq!(asker.await.unwrap().items, items);
    }
    assert_eq!(witness.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_joins_an_asker_that_is_the_source_gets_it_from_there_all_the_same() {
    let chain = chain(300, 2);
    let (asker, other) = (Witness::new("asker", &chain).await, Witness::new("other", &chain).await);
    let rig = Rig::new(&chain, &[asker.clone(), other.clone()]);
    other.silence(true);
    let me = Who { peer: Some(PeerId::repeat_byte(1)), sources: vec!["asker".into()] };
    let (library, request) = (rig.library.clone(), headers(query(10, 20, 0, false)));
    let first = tokio::spawn(async move { library.answer(EthVersion::Eth69, request, &me).await });
    after(1).await;
    assert_eq!((asker.calls(), other.calls()), (0, 1));
    let second = ask(&rig, 2, headers(query(10, 20, 0, false)));
    after(1).await;
    assert_eq!((asker.calls(), other.calls()), (0, 1));
    other.fail();
    assert_eq!(second.await.unwrap().items, 20);
    assert_eq!(first.await.unwrap().items, 0);
    assert_eq!(asker.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hash_is_absent_only_if_somebody_said_so() {
    let chain = chain(300, 2);
    let witness = Witness::new("one", &chain).await;
    let rig = Rig::new(&chain, std::slice::from_ref(&witness));
    let hash = chain.id_at(77).hash;
    witness.silence(true);
    let asked = ask(&rig, 1, bodies(&[hash]));
    after(1).await;
    witness.fail();
    assert_eq!(asked.await.unwrap().items, 0);
    witness.silence(false);
    after(1).await;
    assert_eq!(ask(&rig, 1, bodies(&[hash])).await.unwrap().items, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_beyond_a_held_block_is_asked_of_nobody() {
    let chain = chain(50, 2);
    let witness = Witness::new("one", &chain).await;
    let rig = Rig::new(&chain, std::slice::from_ref(&witness));
    fill(&rig.store, &chain, 0..=50, &WHOLE);
    let message = GetReceipts70 { first_block_receipt_index: u64::MAX, hashes: hashes(&chain, 10..=20) };
    let request = Request::Receipts70(RequestPair::new(ID, message));
    assert_eq!(rig.ask(EthVersion::Eth70, request).await.items, 0);
    assert_eq!(witness.calls(), 0);
}
