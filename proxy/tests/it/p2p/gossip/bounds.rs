//! The pool has bounds, and room is shared out fairly.

use std::collections::HashSet;

use alloy_primitives::Address;
use hypasis_chain::Transaction;
use hypasis_chain::sender::recover;
use hypasis_proxy::p2p::gossip::{Limits, Rejection};
use proptest::prelude::*;

use super::press::{CELLS, Draft, hash};
use super::rig::{PRAGUE, Rig};

/// Room for some ten transfers of 650 bytes each, bookkeeping included.
const SMALL: Limits = Limits { count: 10, plain_bytes: 6_500, blob_bytes: 1 << 20 };

#[tokio::test]
async fn the_cheapest_goes_first_and_of_equals_the_oldest() {
    let rig = Rig::with(PRAGUE, Limits { count: 3, ..Limits::default() });
    let one = rig.peer(1);
    let priced = |cap, nonce| Draft { cap, nonce, ..Draft::default() }.sign(1);
    let transactions = [priced(5, 0), priced(3, 1), priced(3, 2), priced(4, 3), priced(9, 4)];
    for transaction in &transactions {
        one.sends(std::slice::from_ref(transaction)).await.unwrap();
    }
    let hashes: Vec<_> = transactions.iter().map(|raw| hash(raw)).collect();
    assert_eq!(rig.gossip.pooled(&hashes), [0, 3, 4].map(|at| transactions[at].clone()));
    // The cheapest of all does not get in, and is not fetched again.
    let cheap = priced(1, 5);
    assert_eq!(one.sends(std::slice::from_ref(&cheap)).await.unwrap().refused, 1);
    assert!(one.announces(&[(hash(&cheap), &cheap)]).is_empty());
}

#[tokio::test]
async fn a_flooding_peer_pushes_out_its_own_only() {
    let rig = Rig::with(PRAGUE, SMALL);
    let [quiet, loud] = rig.peers();
    let modest: Vec<_> = (0..3).map(|nonce| Draft { cap: 2, nonce, ..Draft::default() }.sign(1)).collect();
    quiet.sends(&modest).await.unwrap();
    let flood: Vec<_> =
        (0..200).map(|nonce| Draft { cap: 1 << 50, nonce, ..Draft::default() }.sign(2)).collect();
    loud.sends(&flood).await.unwrap();
    let hashes: Vec<_> = modest.iter().map(|raw| hash(raw)).collect();
    assert_eq!(rig.gossip.pooled(&hashes), modest);
    // Leaving and coming back gives no new share.
    for round in 0..5 {
        loud.leaves();
        let again = rig.peer(2);
        let flood: Vec<_> =
            (0..20).map(|nonce| Draft { cap: 1 << 50, nonce, ..Draft::default() }.sign(3 + round)).collect();
        again.sends(&flood).await.unwrap();
    }
    assert_eq!(rig.gossip.pooled(&hashes), modest);
    assert!(rig.gossip.stats().bytes <= SMALL.plain_bytes);
}

#[tokio::test]
async fn blobs_have_room_of_their_own() {
    let rig = Rig::with(PRAGUE, Limits { blob_bytes: 300 << 10, ..SMALL });
    let one = rig.peer(1);
    let transfers: Vec<_> = (0..5).map(|nonce| Draft::transfer(1, nonce)).collect();
    one.sends(&transfers).await.unwrap();
    // Two blobs each: one transaction fits.
    let bare = [CELLS.bare(2, 0), CELLS.bare(2, 1)];
    for bare in &bare {
        let _ = rig.gossip.submit(CELLS.wrap(bare)).await;
    }
    let hashes: Vec<_> = bare.iter().map(|raw| hash(raw)).collect();
    assert_eq!(rig.gossip.pooled(&hashes).len(), 1);
    assert_eq!(rig.gossip.stats().transactions, 6);
}

#[tokio::test]
async fn the_same_nonce_again_must_pay_a_tenth_more() {
    let rig = Rig::at(PRAGUE);
    let [one, two] = rig.peers();
    let priced = |tip, cap| Draft { tip, cap, ..Draft::default() }.sign(1);
    let first = priced(100, 1000);
    one.sends(std::slice::from_ref(&first)).await.unwrap();
    for (tip, cap) in [(100, 1000), (100, 1100), (110, 1000), (109, 1100), (110, 1099)] {
        let same = Draft { tip, cap, gas: 99_000, ..Draft::default() }.sign(1);
        let reason = rig.gossip.submit(same).await.unwrap_err();
        assert_eq!(reason, Rejection::Underpriced { percent: 10 });
    }
    let second = priced(110, 1100);
    assert_eq!(one.sends(std::slice::from_ref(&second)).await.unwrap().accepted, 1);
    assert_eq!(rig.gossip.stats().transactions, 1);
    assert_eq!(two.told().hashes(), [hash(&second)]);
    assert!(two.announces(&[(hash(&first), &first)]).is_empty(), "the replaced one is done with");
}

#[tokio::test]
async fn blobs_must_pay_double_for_the_same_nonce() {
    let rig = Rig::at(PRAGUE);
    let draft =
        Draft { blob_hashes: CELLS.versioned_hashes(), tip: 10, cap: 10, blob_cap: 10, ..Draft::of(3) };
    rig.gossip.submit(CELLS.wrap(&draft.sign(1))).await.unwrap();
    let more = Draft { tip: 20, cap: 20, blob_cap: 19, ..draft.clone() };
    let reason = rig.gossip.submit(CELLS.wrap(&more.sign(1))).await.unwrap_err();
    assert_eq!(reason, Rejection::Underpriced { percent: 100 });
    let double = Draft { blob_cap: 20, ..more };
    rig.gossip.submit(CELLS.wrap(&double.sign(1))).await.unwrap();
}

#[tokio::test]
async fn what_a_block_holds_is_dropped_with_all_that_its_sender_can_no_longer_send() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    let transactions: Vec<_> = (0..4).map(|nonce| Draft::transfer(1, nonce)).collect();
    let other = Draft::transfer(2, 0);
    one.sends(&transactions).await.unwrap();
    one.sends(std::slice::from_ref(&other)).await.unwrap();
    rig.gossip.included(&[hash(&transactions[0])]);
    assert_eq!(rig.gossip.stats().transactions, 4);
    // A block holds a transaction with nonce 2 of which nothing else is known here.
    let sender: Address = recover(&Transaction::parse(&transactions[0]).unwrap()).unwrap();
    rig.gossip.spent(&[(sender, 2)]);
    let all: Vec<_> = transactions.iter().chain([&other]).map(|raw| hash(raw)).collect();
    assert_eq!(rig.gossip.pooled(&all), [transactions[3].clone(), other]);
}

#[tokio::test]
async fn what_no_block_takes_expires_by_height() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    one.sends(&[Draft::transfer(1, 0)]).await.unwrap();
    rig.advance(PRAGUE + 100);
    one.sends(&[Draft::transfer(1, 1)]).await.unwrap();
    rig.advance(PRAGUE + 300);
    assert_eq!(rig.gossip.stats().transactions, 2);
    rig.advance(PRAGUE + 301);
    assert_eq!(rig.gossip.stats().transactions, 1);
    assert_eq!(one.sends(&[Draft::transfer(1, 0)]).await.unwrap().known, 1, "done with");
}

/// What may happen to a relay.
#[derive(Clone, Debug)]
enum Event {
    Send { peer: usize, account: u64, nonce: u64, cap: u64, size: usize },
    Include { at: usize },
    Advance { by: u64 },
    Return { peer: usize },
    Tell { peer: usize },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..3_usize, 0..3_u64, 0..6_u64, 1..40_u64, 0..300_usize)
            .prop_map(|(peer, account, nonce, cap, size)| Event::Send { peer, account, nonce, cap, size }),
        1 => (0..60_usize).prop_map(|at| Event::Include { at }),
        1 => (0..200_u64).prop_map(|by| Event::Advance { by }),
        1 => (0..3_usize).prop_map(|peer| Event::Return { peer }),
        2 => (0..3_usize).prop_map(|peer| Event::Tell { peer }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_bounds_hold_and_nobody_is_told_what_it_has(
        events in prop::collection::vec(event(), 1..80),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::with(PRAGUE, SMALL);
            let mut peers: Vec<_> = (0..3).map(|number| rig.peer(number)).collect();
            let mut had: Vec<Vec<_>> = vec![Vec::new(); 3];
            let (mut sent, mut height) = (Vec::new(), PRAGUE);
            for event in events {
                match event {
                    Event::Send { peer, account, nonce, cap, size } => {
                        let draft = Draft { nonce, cap, input: vec![0; size], ..Draft::default() };
                        let raw = draft.sign(account);
                        had[peer].push(hash(&raw));
                        sent.push(hash(&raw));
                        peers[peer].sends(&[raw]).await.unwrap();
                    }
                    Event::Include { at } => rig.gossip.included(sent.get(at..=at).unwrap_or_default()),
                    Event::Advance { by } => {
                        height += by;
                        rig.advance(height);
                    }
                    Event::Return { peer } => {
                        peers[peer].leaves();
                        peers[peer] = rig.peer(peer as u8);
                        had[peer].clear();
                    }
                    Event::Tell { peer } => {
                        for hash in peers[peer].told().hashes() {
                            assert!(!had[peer].contains(&hash), "told what it has");
                            assert_eq!(rig.gossip.pooled(&[hash]).len(), 1, "told what is not there");
                            had[peer].push(hash);
                        }
                    }
                }
                let stats = rig.gossip.stats();
                assert!(stats.transactions <= SMALL.count && stats.bytes <= SMALL.plain_bytes, "{stats:?}");
                let distinct: HashSet<_> = sent.iter().copied().collect();
                let held = rig.gossip.pooled(&distinct.into_iter().collect::<Vec<_>>());
                assert_eq!(held.len(), stats.transactions);
            }
        });
    }
}
