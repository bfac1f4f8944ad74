//! Replaced blocks.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use hypasis_chain::dev::REPLACED_MAX;
use hypasis_chain::verify::check_link;
use hypasis_chain::{Header, sender};
use proptest::prelude::*;

use super::chain;

#[test]
fn a_reorg_replaces_exactly_what_it_says() {
    let chain = chain(10);
    let old = chain.blocks(280..301);
    let head = chain.reorg(5, 8);
    assert_eq!((head.number, chain.head()), (303, head));
    let new = chain.blocks(280..304);
    assert_eq!(old[..16], new[..16], "up to height 295 nothing changes");
    for (old, new) in old[16..].iter().zip(&new[16..]) {
        assert_ne!(old.id.hash, new.id.hash);
        assert_eq!(chain.block_by_hash(&old.id.hash).as_ref(), Some(old), "the old fork is still there");
        assert_eq!(chain.number_of(&old.id.hash), None, "but not canonical");
        assert_eq!(chain.number_of(&new.id.hash), Some(new.id.number));
    }
    for pair in new.windows(2) {
        let (parent, child) =
            (Header::parse(&pair[0].header).unwrap(), Header::parse(&pair[1].header).unwrap());
        check_link(&parent, pair[0].id.hash, &child).unwrap();
    }
}

#[test]
fn a_fork_has_other_transactions_of_the_same_senders() {
    let chain = chain(30);
    let old = chain.block(300);
    chain.reorg(1, 1);
    let new = chain.block(300);
    assert_ne!(old.body, new.body);
    let (old, new) =
        (hypasis_chain::Body::parse(&old.body).unwrap(), hypasis_chain::Body::parse(&new.body).unwrap());
    let first =
        |body: &hypasis_chain::Body<'_>| sender::recover(&body.transaction(0).unwrap().unwrap()).unwrap();
    assert_eq!(first(&old), first(&new));
}

#[test]
fn genesis_is_never_replaced() {
    let chain = chain(1);
    let genesis = chain.id_at(0);
    let head = chain.reorg(u64::MAX, 4);
    assert_eq!((head.number, chain.id_at(0)), (4, genesis));
}

#[test]
fn a_reorg_to_nothing_shortens_the_chain() {
    let chain = chain(1);
    let expected = chain.id_at(290);
    assert_eq!(chain.reorg(10, 0), expected);
    assert_ne!(chain.advance(10).number, 0);
    assert_eq!(chain.head().number, 300);
}

#[test]
fn replaced_blocks_are_kept_up_to_the_bound() {
    let chain = chain(0);
    chain.advance(5_000);
    let (oldest, kept) = (chain.id_at(300), chain.id_at(5_300));
    assert!(chain.reorg(5_000, 1).number == 301);
    const { assert!(REPLACED_MAX < 5_000) };
    assert_eq!(chain.block_by_hash(&kept.hash).unwrap().id, kept);
    assert_eq!(chain.block_by_hash(&chain.id_at(300).hash).unwrap().id, oldest, "not replaced");
    let blocks: Vec<_> = (0..2).map(|_| chain.reorg(1, 1)).collect();
    assert_ne!(blocks[0], blocks[1]);
    assert_eq!(chain.block_by_hash(&blocks[0].hash).unwrap().id, blocks[0]);
}

#[test]
fn readers_never_see_half_a_reorg() {
    let chain = chain(0);
    chain.head();
    let seen_enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !seen_enough.load(Ordering::Acquire) {
                chain.reorg(40, 40);
            }
        });
        let mut heads = HashSet::new();
        while heads.len() < 50 {
            let blocks = chain.blocks(255..301);
            for pair in blocks.windows(2) {
                assert_eq!(Header::parse(&pair[1].header).unwrap().parent_hash(), pair[0].id.hash);
            }
            heads.extend(blocks.last().map(|block| block.id));
        }
        seen_enough.store(true, Ordering::Release);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn equal_histories_of_reorgs_give_equal_chains(
        steps in prop::collection::vec((0_u64..20, 0_u64..20, 0_u64..5), 1..8),
        peeks in prop::collection::vec(0_u64..340, 8),
    ) {
        let (one, other) = (chain(3), chain(3));
        for ((depth, length, more), peek) in steps.into_iter().zip(peeks) {
            // What somebody asks for beyond the head must not change what is minted later.
            one.id_at(peek);
            prop_assert_eq!(one.reorg(depth, length), other.reorg(depth, length));
            prop_assert_eq!(one.advance(more), other.advance(more));
        }
        let head = one.head();
        prop_assert_eq!(head, other.head());
        prop_assert_eq!(one.blocks(0..head.number + 1), other.blocks(0..head.number + 1));
    }
}
