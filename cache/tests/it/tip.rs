//! The tip window: content by hash, canonicality by index.

use alloy_primitives::B256;
use hypasis_cache::{Kind, StoreError, Tier};

use crate::support::{assert_held, assert_missed, chain, fill, ids, open, trust};

#[test]
fn a_reorg_switches_number_hash_and_transactions_together() {
    let folder = tempfile::tempdir().unwrap();
    let trunk = chain(0, 10, B256::ZERO, 0);
    let branch = chain(6, 8, trunk[5].block.id.hash, 1);
    let store = open(folder.path());
    store.insert_tip(&trunk, &trust("node")).unwrap();
    assert_eq!(store.view().head(), None, "nothing is canonical yet");
    store.set_canonical(&ids(&trunk)).unwrap();
    store.insert_tip(&branch, &trust("node")).unwrap();
    let before = store.view();
    store.set_canonical(&ids(&branch)).unwrap();
    let check = |store: &hypasis_cache::Store| {
        let view = store.view();
        trunk[..6].iter().chain(&branch).for_each(|block| assert_held(&view, block));
        assert_eq!(view.head(), Some(branch[7].block.id));
        let side = view.by_hash(&trunk[7].block.id.hash).unwrap().unwrap();
        assert!(!side.canonical && side.tier == Tier::Tip);
        assert_eq!(view.transaction(&trunk[7].transaction_hashes[0]).unwrap(), None);
    };
    check(&store);
    trunk.iter().for_each(|block| assert_held(&before, block));
    assert_eq!(before.transaction(&branch[1].transaction_hashes[0]).unwrap(), None);
    drop((before, store));
    check(&open(folder.path()));
}

#[test]
fn a_branch_must_link_and_must_not_contradict_history() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let trunk = chain(0, 10, B256::ZERO, 0);
    fill(&store, &trunk[..5]).unwrap();
    store.insert_tip(&trunk[5..], &trust("node")).unwrap();
    let refused = |result| assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
    refused(store.set_canonical(&[trunk[5].block.id, trunk[7].block.id]));
    let astray = chain(5, 2, B256::repeat_byte(1), 2);
    store.insert_tip(&astray, &trust("node")).unwrap();
    refused(store.set_canonical(&ids(&astray)));
    let deep = chain(3, 4, trunk[2].block.id.hash, 3);
    store.insert_tip(&deep, &trust("node")).unwrap();
    refused(store.set_canonical(&ids(&deep)));
    refused(store.set_canonical(&ids(&chain(5, 1, trunk[4].block.id.hash, 4))));
    store.set_canonical(&ids(&trunk[5..])).unwrap();
    trunk.iter().for_each(|block| assert_held(&store.view(), block));
}

#[test]
fn promotion_moves_the_canonical_chain_and_drops_its_rivals() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let trunk = chain(0, 12, B256::ZERO, 0);
    let rival = chain(4, 3, trunk[3].block.id.hash, 1);
    for blocks in [&trunk, &rival] {
        store.insert_tip(blocks, &trust("node")).unwrap();
    }
    store.set_canonical(&ids(&trunk)).unwrap();
    let before = store.view();
    store.promote(7).unwrap();
    for view in [store.view(), before.clone()] {
        trunk.iter().for_each(|block| assert_held(&view, block));
    }
    assert_eq!(before.by_number(7).unwrap().unwrap().tier, Tier::Tip);
    let view = store.view();
    assert_eq!(view.by_number(7).unwrap().unwrap().tier, Tier::History);
    assert_eq!(view.by_hash(&rival[0].block.id.hash).unwrap(), None);
    assert_eq!(view.tip_blocks().len(), 4);
    assert_eq!(view.ranges(Kind::Body).iter().collect::<Vec<_>>(), vec![0..=11]);
    assert_eq!(store.trust(0..=11).unwrap(), vec![(0..=7, trust("node"))]);
    store.verify(0..=11, false, &mut |range, why| panic!("{range:?}: {why}")).unwrap();
    store.promote(11).unwrap();
    assert_eq!(store.view().head(), Some(trunk[11].block.id));
    assert!(store.view().tip_blocks().is_empty());
}

#[test]
fn the_window_is_bounded_and_finality_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let trunk = chain(0, 65, B256::ZERO, 0);
    assert!(matches!(store.insert_tip(&trunk, &trust("node")), Err(StoreError::Refused(_))));
    assert_missed(&store.view(), &trunk[0]);
    store.insert_tip(&trunk[..64], &trust("node")).unwrap();
    store.set_finalized(trunk[9].block.id).unwrap();
    store.set_finalized(trunk[3].block.id).unwrap();
    drop(store);
    assert_eq!(open(folder.path()).view().finalized(), Some(trunk[9].block.id));
}

#[test]
fn a_promotion_against_history_that_holds_another_block_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let trunk = chain(0, 8, B256::ZERO, 0);
    let fork = chain(6, 1, trunk[5].block.id.hash, 1);
    store.insert_tip(&fork, &trust("node")).unwrap();
    store.set_canonical(&ids(&fork)).unwrap();
    fill(&store, &trunk[1..7]).unwrap();
    let promoted = store.promote(6);
    assert!(matches!(promoted, Err(StoreError::Refused(_))), "{promoted:?}");
    assert_held(&store.view(), &trunk[3]);
}
