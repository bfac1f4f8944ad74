//! Roots over lists of every shape, against those of `alloy-trie`.

use alloy_primitives::keccak256;
use alloy_trie::root::ordered_trie_root_encoded;
use hypasis_chain::rlp::{RlpError, write_list};
use hypasis_chain::{Body, Receipts, roots};
use proptest::prelude::*;

use crate::support::body_of;

/// A type that nobody knows.
const KIND: u8 = 0x60;

/// An envelope of `len` bytes, at least one.
fn envelope(salt: usize, len: usize) -> Vec<u8> {
    let rest = (1..len).map(|at| (salt * 13 + at * 5) as u8);
    [KIND].into_iter().chain(rest).collect()
}

fn check(envelopes: &[Vec<u8>]) {
    let body = body_of(envelopes, &[0xc0], None);
    let body = Body::parse(&body).unwrap();
    let root = ordered_trie_root_encoded(envelopes);
    assert_eq!(roots::transactions_root(&body).unwrap(), root, "{} transactions", envelopes.len());
    let summary = roots::transactions_summary(&body).unwrap();
    assert_eq!(summary.root, root);
    assert_eq!(summary.hashes, envelopes.iter().map(keccak256).collect::<Vec<_>>());
    assert_eq!(summary.kinds, vec![KIND; envelopes.len()]);
    assert_eq!(roots::transaction_hashes(&body).unwrap(), summary.hashes);
}

#[test]
fn a_root_is_right_for_any_number_of_items() {
    let sizes = (0..=300).chain([4_095, 4_096, 4_097, 4_112, 65_535, 65_536, 65_537, 65_600]);
    for count in sizes {
        check(&(0..count).map(|index| envelope(index, 110)).collect::<Vec<_>>());
    }
}

#[test]
fn items_so_short_that_their_parents_hold_them_are_under_the_root_too() {
    for len in 1..=40 {
        for count in [1, 2, 3, 16, 17, 18, 127, 128, 129, 130, 144, 145, 257] {
            check(&(0..count).map(|index| envelope(index, len)).collect::<Vec<_>>());
        }
    }
}

#[test]
fn more_items_than_can_be_real_are_refused_before_they_cost_memory() {
    let many = |count: usize| body_of(&vec![vec![KIND]; count], &[0xc0], Some(&[0xc0]));
    let refused = |count| roots::transactions_summary(&Body::parse(&many(count)).unwrap()).is_err();
    assert!(!refused(512));
    assert!(refused(513));
    let refused = |count| roots::transaction_hashes(&Body::parse(&many(count)).unwrap()).is_err();
    assert!(refused(100_000));
    let mut withdrawals = Vec::new();
    write_list(&mut withdrawals, &[1; 100_000]);
    let body = body_of(&[], &[0xc0], Some(&withdrawals));
    assert!(roots::withdrawals_root(&Body::parse(&body).unwrap()).is_err());
    // Counted before the first of them is found to be no receipt.
    let receipts = roots::receipts_summary(&Receipts::parse(&withdrawals).unwrap());
    assert_eq!(receipts, Err(RlpError::TooMany(100_000 / 5)));
}

proptest! {
    #[test]
    fn a_root_is_right_for_items_of_any_lengths(lengths in prop::collection::vec(1..700_usize, 0..320)) {
        let envelopes: Vec<_> = lengths.iter().enumerate().map(|(salt, len)| envelope(salt, *len)).collect();
        check(&envelopes);
    }
}
