//! Who is told what.

use std::collections::HashSet;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::transaction::kind;

use super::press::{CELLS, Draft, hash};
use super::rig::{OSAKA, PRAGUE, Rig};

#[tokio::test]
async fn a_transaction_reaches_all_peers_but_those_that_have_it() {
    let rig = Rig::at(PRAGUE);
    let peers = rig.peers::<9>();
    let transaction = Draft::transfer(1, 0);
    let accepted = peers[0].sends(std::slice::from_ref(&transaction)).await.unwrap();
    assert_eq!((accepted.accepted, accepted.known, accepted.refused), (1, 0, 0));
    // The second peer announces it before it is told.
    assert!(peers[1].announces(&[(hash(&transaction), &transaction)]).is_empty());
    assert!(peers[0].told().hashes().is_empty());
    assert!(peers[1].told().hashes().is_empty());
    for peer in &peers[2..] {
        assert_eq!(peer.told().hashes(), [hash(&transaction)]);
        assert!(peer.told().hashes().is_empty(), "told twice");
    }
}

#[tokio::test]
async fn what_comes_from_two_at_once_is_sent_back_to_neither() {
    let rig = Rig::at(PRAGUE);
    let [one, two, three] = rig.peers();
    let transactions: Vec<_> = (0..64).map(|nonce| Draft::transfer(1, nonce)).collect();
    let (first, second) = tokio::join!(one.sends(&transactions), two.sends(&transactions));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(rig.gossip.stats().transactions, 64);
    assert!(one.told().hashes().is_empty());
    assert!(two.told().hashes().is_empty());
    assert_eq!(three.told().hashes().len(), 64);
}

#[tokio::test]
async fn sessions_are_woken_for_what_is_new() {
    let rig = Rig::at(PRAGUE);
    rig.run();
    let [one, two] = rig.peers();
    // The first time for the pool so far, empty here.
    two.woken().await;
    one.sends(&[Draft::transfer(1, 0)]).await.unwrap();
    two.woken().await;
    assert_eq!(two.told().hashes().len(), 1);
}

#[tokio::test]
async fn two_thousand_transactions_are_passed_on_and_had_by_hash() {
    let rig = Rig::at(PRAGUE);
    let [one, two, three] = rig.peers();
    let transactions: Vec<Bytes> = (0..2000).map(|nonce| Draft::transfer(1, nonce)).collect();
    let hashes: Vec<_> = transactions.iter().map(|raw| hash(raw)).collect();
    assert_eq!(one.sends(&transactions).await.unwrap().accepted, 2000);
    for peer in [&two, &three] {
        let told: HashSet<_> = peer.told().hashes().into_iter().collect();
        assert_eq!(told, hashes.iter().copied().collect());
    }
    assert_eq!(rig.gossip.pooled(&hashes), transactions);
}

#[tokio::test]
async fn a_few_peers_get_transactions_whole_and_always_the_same() {
    let rig = Rig::at(PRAGUE);
    let peers: Vec<_> = (1..=100).map(|number| rig.peer(number)).collect();
    let transactions: Vec<_> = (0..50).map(|nonce| Draft::transfer(1, nonce)).collect();
    peers[0].sends(&transactions).await.unwrap();
    let told: Vec<_> = peers[1..].iter().map(|peer| peer.told()).collect();
    let whole = told.iter().filter(|told| told.pushed.len() == 50).count();
    let announced = told.iter().filter(|told| told.announced.hashes.len() == 50).count();
    assert_eq!(whole + announced, 99, "an account's transactions go one way");
    // Ten of a hundred are expected; forty would be a chance of one in 10^13.
    assert!(whole < 40, "{whole} of 99 peers got everything whole");
}

#[tokio::test]
async fn a_newcomer_is_announced_the_pool_so_far() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    let transactions: Vec<_> = (0..10).map(|nonce| Draft::transfer(1, nonce)).collect();
    one.sends(&transactions).await.unwrap();
    let newcomer = rig.peer(2);
    newcomer.woken().await;
    let told = newcomer.told();
    assert!(told.pushed.is_empty());
    let hashes: Vec<_> = transactions.iter().map(|raw| hash(raw)).collect();
    assert_eq!(told.announced.hashes, hashes);
    assert!(told.announced.types.iter().all(|kind| *kind == kind::DYNAMIC_FEE));
    let sizes: Vec<_> = transactions.iter().map(|raw| raw.len() as u32).collect();
    assert_eq!(told.announced.sizes, sizes);
}

#[tokio::test]
async fn who_comes_back_is_told_again() {
    let rig = Rig::at(PRAGUE);
    let [one, two] = rig.peers();
    one.sends(&[Draft::transfer(1, 0)]).await.unwrap();
    assert_eq!(two.told().hashes().len(), 1);
    two.leaves();
    assert!(two.told().hashes().is_empty());
    assert_eq!(rig.peer(2).told().hashes().len(), 1);
}

#[tokio::test]
async fn a_large_transaction_is_announced_only() {
    let rig = Rig::at(PRAGUE);
    let [one, two] = rig.peers();
    let large = Draft { input: vec![1; 5000], gas: 1_000_000, ..Draft::default() }.sign(1);
    one.sends(std::slice::from_ref(&large)).await.unwrap();
    let told = two.told();
    assert!(told.pushed.is_empty());
    assert_eq!(told.announced.hashes, [hash(&large)]);
}

#[tokio::test]
async fn one_message_holds_some_hundred_kibibytes_of_whole_transactions() {
    let rig = Rig::at(PRAGUE);
    let [one, two] = rig.peers();
    let transactions: Vec<_> =
        (0..100).map(|nonce| Draft { nonce, input: vec![0; 3900], ..Draft::default() }.sign(1)).collect();
    one.sends(&transactions).await.unwrap();
    let mut messages = 0;
    let mut told = HashSet::new();
    loop {
        let outgoing = rig.gossip.for_peer(two.id);
        let bytes: usize = outgoing.transactions.iter().map(Bytes::len).sum();
        assert!(bytes <= 104 * 1024, "{bytes} bytes in one message");
        told.extend(outgoing.transactions.iter().map(|raw| hash(raw)));
        told.extend(outgoing.announce.iter().flat_map(|announce| announce.hashes.iter().copied()));
        messages += 1;
        if !outgoing.more {
            break;
        }
    }
    assert_eq!(told.len(), 100);
    // Whole it takes four; if this account's go by announcement, one.
    assert!(messages == 1 || messages == 4, "{messages} messages");
}

#[tokio::test]
async fn blobs_are_fetched_verified_and_passed_on_by_announcement() {
    for head in [PRAGUE, OSAKA] {
        let rig = Rig::at(head);
        let [one, two] = rig.peers();
        let bare = CELLS.bare(1, 0);
        let wrapped = CELLS.wrap(&bare);
        assert_eq!(one.announces(&[(hash(&bare), &wrapped)]), [[hash(&bare)]]);
        assert_eq!(one.answers(std::slice::from_ref(&wrapped)).await.unwrap().accepted, 1);
        let told = two.told();
        assert!(told.pushed.is_empty());
        assert_eq!((told.announced.hashes, told.announced.types), (vec![hash(&bare)], vec![kind::BLOB]));
        assert_eq!(told.announced.sizes, [wrapped.len() as u32]);
        assert_eq!(rig.gossip.pooled(&[hash(&bare)]), [wrapped]);
    }
}

#[tokio::test]
async fn an_answer_is_cut_behind_two_mebibytes() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    let transactions: Vec<_> = (0..30)
        .map(|nonce| Draft { nonce, input: vec![0; 100_000], gas: 2_000_000, ..Draft::default() }.sign(1))
        .collect();
    assert_eq!(one.sends(&transactions).await.unwrap().accepted, 30);
    let hashes: Vec<_> = transactions.iter().map(|raw| hash(raw)).collect();
    let answer = rig.gossip.pooled(&hashes);
    // 21 are above 2 MiB, 20 below.
    assert_eq!(answer, &transactions[..21]);
    assert!(rig.gossip.pooled(&[B256::ZERO]).is_empty());
}

#[tokio::test]
async fn what_a_caller_submits_is_passed_on_or_refused_with_a_reason() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    let transaction = Draft::transfer(1, 0);
    assert_eq!(rig.gossip.submit(transaction.clone()).await, Ok(hash(&transaction)));
    assert_eq!(rig.gossip.submit(transaction.clone()).await, Ok(hash(&transaction)), "again");
    assert_eq!(one.told().hashes(), [hash(&transaction)]);
    let foreign = Draft { chain_id: Some(1), ..Draft::default() }.sign(1);
    let reason = rig.gossip.submit(foreign).await.unwrap_err();
    assert_eq!(reason.to_string(), "signed for chain 1, this is chain 1337");
    let bare = CELLS.bare(1, 5);
    assert!(rig.gossip.submit(bare.clone()).await.is_err());
    assert_eq!(rig.gossip.submit(CELLS.wrap(&bare)).await, Ok(hash(&bare)));
}
