//! Who is asked for what was announced.

use std::time::Duration;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_proxy::p2p::gossip::FETCH_TIMEOUT;
use tokio::time::sleep;

use super::press::{Draft, hash};
use super::rig::{PRAGUE, Rig};

fn transfers(count: u64) -> (Vec<Bytes>, Vec<B256>) {
    let transactions: Vec<_> = (0..count).map(|nonce| Draft::transfer(1, nonce)).collect();
    let hashes = transactions.iter().map(|raw| hash(raw)).collect();
    (transactions, hashes)
}

fn pairs<'a>(hashes: &[B256], transactions: &'a [Bytes]) -> Vec<(B256, &'a Bytes)> {
    hashes.iter().copied().zip(transactions).collect()
}

#[tokio::test]
async fn fifty_announced_are_asked_for_in_one_request() {
    let rig = Rig::at(PRAGUE);
    let (transactions, hashes) = transfers(50);
    assert_eq!(rig.peer(1).announces(&pairs(&hashes, &transactions)), [hashes]);
}

#[tokio::test]
async fn a_peer_has_one_request_at_a_time_of_256_hashes() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    let (transactions, hashes) = transfers(300);
    assert_eq!(one.announces(&pairs(&hashes, &transactions)), [&hashes[..256]]);
    assert!(one.told().asked.is_empty());
    let accepted = one.answers(&transactions[..256]).await.unwrap();
    assert_eq!(accepted.accepted, 256);
    assert_eq!(super::rig::hashes(accepted.requests), [&hashes[256..]]);
}

#[tokio::test]
async fn a_few_who_announce_what_does_not_exist_leave_room_for_the_others() {
    let rig = Rig::at(PRAGUE);
    let invented = |peer: u64| -> Vec<B256> {
        (0..4_096)
            .map(|index: u64| alloy_primitives::keccak256([peer.to_be_bytes(), index.to_be_bytes()].concat()))
            .collect()
    };
    let raw = Draft::transfer(1, 0);
    let crowd: Vec<_> = (1..=16).map(|number| rig.peer(number)).collect();
    for (number, peer) in crowd.iter().enumerate() {
        let hashes = invented(number as u64);
        let pairs: Vec<_> = hashes.iter().map(|hash| (*hash, &raw)).collect();
        peer.announces(&pairs);
    }
    assert_eq!(rig.peer(17).announces(&[(hash(&raw), &raw)]), [[hash(&raw)]]);
}

#[tokio::test]
async fn a_request_is_closed_at_128_kibibytes_of_what_was_announced() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    let transactions: Vec<_> =
        (0..3).map(|nonce| Draft { nonce, input: vec![0; 70_000], ..Draft::default() }.sign(1)).collect();
    let hashes: Vec<_> = transactions.iter().map(|raw| hash(raw)).collect();
    assert_eq!(one.announces(&pairs(&hashes, &transactions)), [&hashes[..2]]);
}

#[tokio::test]
async fn a_hash_is_asked_of_one_peer_at_a_time() {
    let rig = Rig::at(PRAGUE);
    let [one, two] = rig.peers();
    let (transactions, hashes) = transfers(5);
    assert_eq!(one.announces(&pairs(&hashes, &transactions)), std::slice::from_ref(&hashes));
    assert!(two.announces(&pairs(&hashes, &transactions)).is_empty());
    one.answers(&transactions).await.unwrap();
    assert!(two.told().asked.is_empty());
    assert!(two.told().hashes().is_empty(), "it has them itself");
}

#[tokio::test]
async fn what_a_peer_leaves_out_is_asked_of_the_next_and_what_it_cut_off_again() {
    let rig = Rig::at(PRAGUE);
    let [one, two] = rig.peers();
    let (transactions, hashes) = transfers(5);
    one.announces(&pairs(&hashes, &transactions));
    two.announces(&pairs(&hashes, &transactions));
    // It leaves out the first and stops behind the third.
    let accepted = one.answers(&transactions[1..3]).await.unwrap();
    assert_eq!(super::rig::hashes(accepted.requests), [&hashes[3..]]);
    assert_eq!(two.told().asked, [[hashes[0]]]);
    // Nothing at all: the rest is the other's.
    one.answers(&[]).await.unwrap();
    two.answers(&transactions[..1]).await.unwrap();
    assert_eq!(rig.gossip.stats().transactions, 3);
    assert_eq!(rig.gossip.stats().wanted, 2);
}

#[tokio::test]
async fn what_nobody_brings_is_forgotten() {
    let rig = Rig::at(PRAGUE);
    let [one, two] = rig.peers();
    let (transactions, hashes) = transfers(5);
    one.announces(&pairs(&hashes, &transactions));
    two.announces(&pairs(&hashes[..2], &transactions[..2]));
    one.answers(&[]).await.unwrap();
    assert_eq!(two.told().asked, [&hashes[..2]]);
    two.answers(&[]).await.unwrap();
    assert_eq!(rig.gossip.stats().wanted, 0);
}

#[tokio::test]
async fn what_a_peer_owes_when_it_leaves_is_asked_of_another() {
    let rig = Rig::at(PRAGUE);
    let [one, two] = rig.peers();
    one.woken().await;
    two.woken().await;
    let (transactions, hashes) = transfers(5);
    one.announces(&pairs(&hashes, &transactions));
    two.announces(&pairs(&hashes, &transactions));
    one.leaves();
    two.woken().await;
    let asked = two.told().asked;
    assert_eq!(asked.len(), 1);
    assert!(hashes.iter().all(|hash| asked[0].contains(hash)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_asked_for_nothing_more_until_it_answers() {
    let rig = Rig::at(PRAGUE);
    rig.run();
    let [one, two] = rig.peers();
    two.woken().await;
    let (transactions, hashes) = transfers(5);
    assert_eq!(one.announces(&pairs(&hashes[..4], &transactions)), [&hashes[..4]]);
    two.announces(&pairs(&hashes[..4], &transactions));
    // Time is paused and moves on by itself.
    two.woken().await;
    let mut asked = two.told().asked.remove(0);
    asked.sort();
    let mut all = hashes[..4].to_vec();
    all.sort();
    assert_eq!(asked, all);
    // Late: nothing it announces is noted.
    assert!(one.announces(&pairs(&hashes[4..], &transactions[4..])).is_empty());
    assert_eq!(rig.gossip.stats().wanted, 4);
    // It answers after all.
    assert_eq!(one.answers(&transactions[..4]).await.unwrap().accepted, 4);
    assert_eq!(one.announces(&pairs(&hashes[4..], &transactions[4..])), [&hashes[4..]]);
    // The other's request is still open; its answer brings nothing new.
    assert_eq!(two.answers(&transactions[..4]).await.unwrap().known, 4);
    sleep(FETCH_TIMEOUT * 2 + Duration::from_secs(1)).await;
    assert_eq!(rig.gossip.stats().wanted, 0, "one was late again and nobody else has it");
}

#[tokio::test]
async fn a_peer_cannot_owe_more_than_4096() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    let raw = Draft::transfer(1, 0);
    for message in 0..3_u64 {
        let hashes: Vec<_> =
            (0..4096).map(|at| alloy_primitives::keccak256((message * 4096 + at).to_be_bytes())).collect();
        one.announces(&hashes.iter().map(|hash| (*hash, &raw)).collect::<Vec<_>>());
    }
    assert_eq!(rig.gossip.stats().wanted, 4096);
    // Another peer is not hindered.
    assert_eq!(rig.peer(2).announces(&[(hash(&raw), &raw)]), [[hash(&raw)]]);
}

#[tokio::test]
async fn what_cannot_be_valid_now_or_is_done_with_is_not_asked_for() {
    let rig = Rig::at(super::rig::LONDON);
    let one = rig.peer(1);
    let blob = Draft::of(3).sign(1);
    assert!(one.announces(&[(hash(&blob), &blob)]).is_empty());
    let transaction = Draft::transfer(1, 0);
    rig.gossip.included(&[hash(&transaction)]);
    assert!(one.announces(&[(hash(&transaction), &transaction)]).is_empty());
    assert_eq!(one.sends(std::slice::from_ref(&transaction)).await.unwrap().known, 1);
    // The block is taken back.
    rig.gossip.reopened(&[hash(&transaction)]);
    assert_eq!(one.announces(&[(hash(&transaction), &transaction)]), [[hash(&transaction)]]);
}
