//! What costs a peer its session, and that nobody else pays for it.

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::transaction::kind;
use hypasis_proxy::p2p::gossip::{Rejection, Violation};
use hypasis_wire::eth::NewPooledTransactionHashes68;

use super::press::{CELLS, Draft, PLAIN, Sidecar, hash};
use super::rig::{OSAKA, PRAGUE, Peer, Rig};

fn announcement(raw: &Bytes, hash: B256) -> NewPooledTransactionHashes68 {
    NewPooledTransactionHashes68 { types: vec![raw[0]], sizes: vec![raw.len() as u32], hashes: vec![hash] }
}

#[tokio::test]
async fn a_size_may_be_off_by_eight_bytes_and_no_more() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    for (nonce, off) in [-9_i64, -8, 0, 8, 9].into_iter().enumerate() {
        let raw = Draft::transfer(1, nonce as u64);
        let mut told = announcement(&raw, hash(&raw));
        told.sizes[0] = (raw.len() as i64 + off) as u32;
        one.announces_as(&told);
        let result = one.answers(std::slice::from_ref(&raw)).await;
        if off.abs() <= 8 {
            assert_eq!(result.unwrap().accepted, 1);
        } else {
            let announced = told.sizes[0] as usize;
            assert_eq!(result, Err(Violation::Size { hash: hash(&raw), announced, came: raw.len() }));
        }
    }
}

#[tokio::test]
async fn a_lie_about_a_blob_is_found_before_any_proof_is_verified() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    let bare = [CELLS.bare(1, 0), CELLS.bare(1, 1)];
    let wrapped = [CELLS.wrap(&bare[0]), CELLS.wrap(&bare[1])];
    let hashes = vec![hash(&bare[0]), hash(&bare[1])];
    let size = |raw: &Bytes| raw.len() as u32;
    let sizes = vec![size(&wrapped[1]) + 10];
    let told = NewPooledTransactionHashes68 { types: vec![3], sizes, hashes: hashes[1..].to_vec() };
    assert_eq!(one.announces_as(&told), [&hashes[1..]]);
    let violation = one.answers(&wrapped[1..]).await.unwrap_err();
    assert!(matches!(violation, Violation::Size { hash, .. } if hash == hashes[1]));
    assert_eq!(rig.gossip.stats().transactions, 0);

    let two = rig.peer(2);
    let sizes = vec![size(&wrapped[0]), size(&wrapped[1])];
    let told = NewPooledTransactionHashes68 { types: vec![2, 3], sizes, hashes: hashes.clone() };
    two.announces_as(&told);
    let expected = Violation::Kind { hash: hashes[0], announced: 2, came: 3 };
    assert_eq!(two.answers(&wrapped).await, Err(expected));
}

/// A bad peer is asked, a good one announces the same; the bad one's answer must cost its session, and the
/// good one must be asked and believed.
async fn refetched(rig: &Rig, wrong: &Bytes, right: &Bytes, bare: &Bytes) -> Violation {
    let [bad, good]: [Peer; 2] = rig.peers();
    good.woken().await;
    assert_eq!(bad.announces_as(&announcement(wrong, hash(bare))), [[hash(bare)]]);
    assert!(good.announces_as(&announcement(right, hash(bare))).is_empty());
    let violation = bad.answers(std::slice::from_ref(wrong)).await.unwrap_err();
    good.woken().await;
    assert_eq!(good.told().asked, [[hash(bare)]]);
    bad.leaves();
    assert_eq!(good.answers(std::slice::from_ref(right)).await.unwrap().accepted, 1);
    violation
}

#[tokio::test]
async fn a_blob_transaction_without_blobs_is_fetched_from_another_peer() {
    let rig = Rig::at(PRAGUE);
    let bare = CELLS.bare(1, 0);
    let violation = refetched(&rig, &bare, &CELLS.wrap(&bare), &bare).await;
    assert_eq!(violation, Violation::Transaction { hash: hash(&bare), reason: Rejection::NoSidecar });
}

#[tokio::test]
async fn a_commitment_of_another_blob_is_fetched_from_another_peer() {
    let rig = Rig::at(PRAGUE);
    let bare = CELLS.bare(1, 0);
    let mut wrong = CELLS.clone();
    wrong.commitments[0] = [0; 48];
    let violation = refetched(&rig, &wrong.wrap(&bare), &CELLS.wrap(&bare), &bare).await;
    assert!(matches!(violation, Violation::Transaction { reason: Rejection::Sidecar(_), .. }));
}

#[tokio::test]
async fn a_proof_that_does_not_hold_is_fetched_from_another_peer() {
    for sidecar in [&*CELLS, &*PLAIN] {
        let rig = Rig::at(PRAGUE);
        let bare = sidecar.bare(1, 0);
        let mut wrong = sidecar.clone();
        let last = wrong.proofs.len() - 1;
        wrong.proofs.swap(0, last);
        let violation = refetched(&rig, &wrong.wrap(&bare), &sidecar.wrap(&bare), &bare).await;
        assert_eq!(violation, Violation::Transaction { hash: hash(&bare), reason: Rejection::Proof });
    }
}

#[tokio::test]
async fn blobs_commitments_and_proofs_must_be_as_many_as_the_hashes() {
    let drop_one: [fn(&mut Sidecar); 4] = [
        |sidecar| sidecar.blobs.truncate(sidecar.blobs.len() - 1),
        |sidecar| sidecar.commitments.truncate(sidecar.commitments.len() - 1),
        |sidecar| sidecar.proofs.truncate(sidecar.proofs.len() - 1),
        |sidecar| {
            sidecar.blobs.pop();
            sidecar.commitments.pop();
            sidecar.proofs.truncate(128);
        },
    ];
    for spoil in drop_one {
        let rig = Rig::at(PRAGUE);
        let bare = CELLS.bare(1, 0);
        let mut wrong = CELLS.clone();
        spoil(&mut wrong);
        let violation = refetched(&rig, &wrong.wrap(&bare), &CELLS.wrap(&bare), &bare).await;
        assert!(matches!(violation, Violation::Transaction { reason: Rejection::Sidecar(_), .. }));
    }
}

#[tokio::test]
async fn proofs_of_whole_blobs_end_with_osaka() {
    let bare = PLAIN.bare(1, 0);
    let wrapped = PLAIN.wrap(&bare);
    for (head, good) in [(PRAGUE, true), (OSAKA, false)] {
        let rig = Rig::at(head);
        let one = rig.peer(1);
        one.announces_as(&announcement(&wrapped, hash(&bare)));
        // Around the fork sound peers still send the old form: that costs the transaction, not the session.
        let accepted = one.answers(std::slice::from_ref(&wrapped)).await.unwrap();
        assert_eq!((accepted.accepted, accepted.refused), if good { (1, 0) } else { (0, 1) });
    }
}

#[tokio::test]
async fn blobs_that_nobody_asked_for_do_not_pass_inside_an_answer() {
    let rig = Rig::at(PRAGUE);
    let one = rig.peer(1);
    let bare = [CELLS.bare(1, 0), CELLS.bare(1, 1)];
    let wrapped = [CELLS.wrap(&bare[0]), CELLS.wrap(&bare[1])];
    assert_eq!(one.announces_as(&announcement(&wrapped[0], hash(&bare[0]))), [[hash(&bare[0])]]);
    let expected = Violation::PushedBlobs { hash: hash(&bare[1]) };
    assert_eq!(one.answers(&wrapped).await, Err(expected));
}

#[tokio::test]
async fn messages_that_no_sound_peer_sends_are_violations() {
    let transfer = Draft::transfer(1, 0);
    let bare = CELLS.bare(1, 0);
    let mut no_key = transfer.to_vec();
    // The last bytes are `s`: its first digits beyond the curve's order.
    let s = no_key.len() - 32;
    no_key[s..s + 16].fill(0xff);
    let messages: Vec<(&str, Vec<Bytes>)> = vec![
        ("twice", vec![transfer.clone(), transfer.clone()]),
        ("blobs unasked", vec![CELLS.wrap(&bare)]),
        ("blobs unasked, without", vec![bare.clone()]),
        ("another chain", vec![Draft { chain_id: Some(1), ..Draft::default() }.sign(1)]),
        ("another chain, legacy", vec![Draft { chain_id: Some(1), ..Draft::of(kind::LEGACY) }.sign(1)]),
        ("high s", vec![Draft { high_s: true, ..Draft::default() }.sign(1)]),
        ("no signature", vec![no_key.into()]),
        ("trailing bytes", vec![[transfer.as_ref(), &[0]].concat().into()]),
        ("truncated", vec![transfer.slice(..transfer.len() - 1)]),
        ("empty", vec![Bytes::new()]),
        ("a string", vec![Bytes::from_static(&[0x80])]),
    ];
    for (what, message) in messages {
        let rig = Rig::at(PRAGUE);
        let one = rig.peer(1);
        assert!(one.sends(&message).await.is_err(), "{what}");
        assert_eq!(rig.gossip.stats().transactions, 0, "{what}");
    }
    let rig = Rig::at(PRAGUE);
    let uneven = NewPooledTransactionHashes68 { types: vec![2], sizes: vec![], hashes: vec![B256::ZERO] };
    let one = rig.peer(1);
    let violation = rig.gossip.announced(one.id, &uneven).unwrap_err();
    assert_eq!(violation.to_string(), "announcement of 1 hashes has 1 types and 0 sizes");
}
