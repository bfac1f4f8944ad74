//! What stands beside blocks: kept with them or later, covered without fragments, found by its derived hash.

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_cache::store::SECTION;
use hypasis_cache::{Kind, Store, StoreError, Verified, View};
use hypasis_chain::BlockId;
use hypasis_chain::bor::state_sync::NONE;

use crate::support::{MADHUGIRI, SPRINT, assert_held, beside, chain, fill, ids, open, options, trust};

/// The same blocks from a source that does not tell what stands beside them.
fn untold(blocks: &[Verified]) -> Vec<Verified> {
    let mut blocks = blocks.to_vec();
    blocks.iter_mut().for_each(|block| block.block.extra = None);
    blocks
}

/// What stands beside them.
fn told(blocks: &[Verified]) -> Vec<(BlockId, Bytes)> {
    blocks.iter().filter_map(|block| Some((block.block.id, block.block.extra.clone()?))).collect()
}

fn intervals(view: &View) -> Vec<(u64, u64)> {
    view.ranges(Kind::Extra).iter().map(|range| (*range.start(), *range.end())).collect()
}

fn assert_sound(store: &Store) {
    store.verify(0..=u64::MAX, false, &mut |range, why| panic!("{range:?}: {why}")).unwrap();
}

#[test]
fn a_part_that_knows_all_its_state_syncs_is_one_interval_and_one_that_knows_none_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = chain(SPRINT, 400, B256::ZERO, 0);
    fill(&store, &blocks[..200]).unwrap();
    fill(&store, &untold(&blocks[200..])).unwrap();
    assert_eq!(intervals(&store.view()), vec![(SPRINT, SPRINT + 199)]);
    for block in &blocks[200..] {
        let view = store.view();
        let held = view.by_number(block.block.id.number).unwrap().unwrap();
        assert_eq!(view.extra(&held).unwrap(), None);
        assert_eq!(view.covers(Kind::Extra, held.id.number), !held.id.number.is_multiple_of(SPRINT));
        assert!(beside(&block.block).is_none_or(|hash| view.transaction(&hash).unwrap().is_none()));
    }
    assert_sound(&store);
    store.put_extra(SPRINT + 200..=SPRINT + 399, &told(&blocks[200..])).unwrap();
    assert_eq!(intervals(&store.view()), vec![(SPRINT, SPRINT + 399)]);
    drop(store);
    let store = open(folder.path());
    blocks.iter().for_each(|block| assert_held(&store.view(), block));
    assert_sound(&store);
}

#[test]
fn where_nothing_can_stand_nothing_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = chain(MADHUGIRI - 2 * SPRINT, 40, B256::ZERO, 0);
    fill(&store, &untold(&blocks)).unwrap();
    assert!(
        intervals(&store.view()).is_empty(),
        "the first two sprints are not known, and the rest is one part with them"
    );
    store.put_extra(0..=u64::MAX >> 24, &told(&blocks)).unwrap();
    let (first, last) = (blocks[0].block.id.number, blocks[39].block.id.number);
    assert_eq!(intervals(&store.view()), vec![(first, last)]);
    let other = chain(SECTION, 20, B256::ZERO, 0);
    fill(&store, &other).unwrap();
    assert_eq!(intervals(&store.view()), vec![(first, last), (SECTION, SECTION + 19)]);
    let none = tempfile::tempdir().unwrap();
    let ethereum = Store::open(&hypasis_cache::Options { spec: None, ..options(none.path()) }).unwrap();
    fill(&ethereum, &blocks).unwrap();
    assert!(!ethereum.keeps_extra() && intervals(&ethereum.view()).is_empty());
    assert!(ethereum.view().covers(Kind::Extra, first));
    assert_sound(&ethereum);
}

#[test]
fn some_that_are_known_among_others_are_kept_and_the_others_are_filled_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = chain(0, 64, B256::ZERO, 0);
    let mut mixed = blocks.clone();
    for block in &mut mixed {
        let number = block.block.id.number;
        if (5 * SPRINT..8 * SPRINT).contains(&number) || number == 40 {
            block.block.extra = None;
        }
    }
    fill(&store, &mixed).unwrap();
    let sprints = |from, to| (from * SPRINT, to * SPRINT - 1);
    assert_eq!(intervals(&store.view()), vec![sprints(0, 5), sprints(8, 10), sprints(11, 16)]);
    assert_sound(&store);
    let (early, late) = (told(&blocks[..31]), told(&blocks[31..]));
    store.put_extra(0..=30, &early).unwrap();
    store.put_extra(31..=63, &late).unwrap();
    assert_eq!(intervals(&store.view()), vec![(0, 63)]);
    blocks.iter().for_each(|block| assert_held(&store.view(), block));
    // Once more is no news.
    store.put_extra(0..=63, &told(&blocks)).unwrap();
    assert_sound(&store);
}

#[test]
fn what_is_of_another_block_or_malformed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = chain(0, 16, B256::ZERO, 0);
    fill(&store, &untold(&blocks)).unwrap();
    let refused =
        |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
    let other = BlockId { number: 8, hash: B256::repeat_byte(8) };
    refused(store.put_extra(0..=15, &[(other, Bytes::from_static(NONE))]));
    for wrong in [&[0xc1, 0x80][..], &[0x80], &[], &[0xc4, 0x01, 0x01, 0x80, 0xc0]] {
        refused(store.put_extra(0..=15, &[(blocks[8].block.id, Bytes::copy_from_slice(wrong))]));
        let mut liar = blocks[8].clone();
        liar.block.extra = Some(Bytes::copy_from_slice(wrong));
        refused(store.insert_tip(&[liar], &trust("node")));
    }
    assert_eq!(intervals(&store.view()), vec![]);
    assert_sound(&store);
    // Beside blocks that are not held nothing is kept.
    let far = chain(100, 8, B256::ZERO, 0);
    store.put_extra(100..=107, &told(&far)).unwrap();
    assert_eq!(intervals(&store.view()), vec![]);
}

#[test]
fn the_tip_keeps_it_by_hash_and_takes_it_into_history() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let trunk = chain(0, 20, B256::ZERO, 0);
    let rival = chain(8, 4, trunk[7].block.id.hash, 1);
    store.insert_tip(&untold(&trunk), &trust("peer")).unwrap();
    store.set_canonical(&ids(&trunk)).unwrap();
    let hash = beside(&trunk[8].block).unwrap();
    assert_eq!(store.view().transaction(&hash).unwrap(), None);
    // Another source brings the same blocks, and what stands beside them.
    store.insert_tip(&trunk, &trust("node")).unwrap();
    store.insert_tip(&rival, &trust("node")).unwrap();
    // Who does not tell does not take it away again.
    store.insert_tip(&untold(&trunk), &trust("peer")).unwrap();
    trunk.iter().for_each(|block| assert_held(&store.view(), block));
    assert_eq!(store.view().transaction(&beside(&rival[0].block).unwrap()).unwrap(), None);
    assert_sound(&store);
    drop(store);
    let store = open(folder.path());
    trunk.iter().for_each(|block| assert_held(&store.view(), block));
    store.promote(15).unwrap();
    trunk.iter().for_each(|block| assert_held(&store.view(), block));
    assert_eq!(store.view().tip_blocks().len(), 4);
    assert_eq!(intervals(&store.view()), vec![(0, 19)]);
    assert_sound(&store);
}

#[test]
fn an_index_entry_that_a_removal_left_behind_is_a_miss_and_nothing_to_mend() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = chain(0, 32, B256::ZERO, 0);
    fill(&store, &blocks).unwrap();
    store.remove(0..=31).unwrap();
    fill(&store, &untold(&blocks)).unwrap();
    let hash = beside(&blocks[8].block).unwrap();
    assert_eq!(store.view().transaction(&hash).unwrap(), None);
    assert_sound(&store);
    store.put_extra(0..=31, &told(&blocks)).unwrap();
    blocks.iter().for_each(|block| assert_held(&store.view(), block));
    assert_sound(&store);
}
