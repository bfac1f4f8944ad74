//! History is written in parts, and only whole parts are seen.

use alloy_primitives::B256;
use hypasis_cache::store::SECTION;
use hypasis_cache::{Kind, StoreError};

use crate::support::{FULL, assert_held, assert_missed, chain, chain_file, fill, open, testdata, trust};

#[test]
fn a_part_is_seen_when_it_is_finished_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = chain(10, 20, B256::ZERO, 0);
    {
        let store = open(folder.path());
        let mut part = store.begin_part(10..=29, FULL.to_vec()).unwrap();
        for block in &blocks {
            part.append(block).unwrap();
            assert_missed(&store.view(), block);
        }
        part.finish(&trust("node")).unwrap();
        blocks.iter().for_each(|block| assert_held(&store.view(), block));
    }
    let store = open(folder.path());
    blocks.iter().for_each(|block| assert_held(&store.view(), block));
    assert_eq!(store.view().head(), Some(blocks[19].block.id));
    assert_eq!(store.trust(0..=15).unwrap(), vec![(10..=15, trust("node"))]);
    let findings = store.verify(0..=u64::MAX, false, &mut |range, why| panic!("{range:?}: {why}")).unwrap();
    assert_eq!(findings.checked, 20);
}

#[test]
fn a_dropped_part_leaves_nothing_and_frees_its_range() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = chain(0, 5, B256::ZERO, 0);
    let mut part = store.begin_part(0..=4, FULL.to_vec()).unwrap();
    part.append(&blocks[0]).unwrap();
    assert!(matches!(store.begin_part(4..=8, FULL.to_vec()), Err(StoreError::Refused(_))));
    assert!(matches!(store.remove(0..=0), Err(StoreError::Refused(_))));
    drop(part);
    assert_eq!(std::fs::read_dir(folder.path().join("scratch")).unwrap().count(), 0);
    assert_missed(&store.view(), &blocks[0]);
    fill(&store, &blocks).unwrap();
    assert_held(&store.view(), &blocks[4]);
}

#[test]
fn parts_close_early_and_stay_inside_a_section() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(matches!(store.begin_part(SECTION - 1..=SECTION, FULL.to_vec()), Err(StoreError::Refused(_))));
    let blocks = chain(0, 5, B256::ZERO, 0);
    let mut part = store.begin_part(0..=4, FULL.to_vec()).unwrap();
    part.append(&blocks[0]).unwrap();
    assert!(matches!(part.append(&blocks[2]), Err(StoreError::Refused(_))));
    part.append(&blocks[1]).unwrap();
    part.finish(&trust("node")).unwrap();
    assert_held(&store.view(), &blocks[1]);
    assert_missed(&store.view(), &blocks[2]);
}

#[test]
fn headers_come_first_and_bodies_must_belong_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = chain(0, 8, B256::ZERO, 0);
    let mut part = store.begin_part(2..=5, vec![Kind::Header]).unwrap();
    for block in &blocks[2..6] {
        part.append_header(block.block.id, &block.block.header).unwrap();
    }
    part.finish(&trust("headers")).unwrap();
    let view = store.view();
    assert!(view.covers(Kind::Header, 3) && !view.covers(Kind::Body, 3));
    assert_eq!(view.by_hash(&blocks[3].block.id.hash).unwrap().unwrap().id, blocks[3].block.id);
    let mut other = store.begin_part(2..=2, FULL.to_vec()).unwrap();
    assert!(matches!(other.append(&chain(2, 1, B256::ZERO, 9)[0]), Err(StoreError::Refused(_))));
    drop(other);
    fill(&store, &blocks).unwrap();
    blocks.iter().for_each(|block| assert_held(&store.view(), block));
    store.verify(0..=7, false, &mut |range, why| panic!("{range:?}: {why}")).unwrap();
}

#[test]
fn equal_prefixes_of_hashes_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut blocks = chain(0, 4, B256::ZERO, 0);
    let (right_transaction, right_block) = (blocks[3].transaction_hashes[1], blocks[3].block.id.hash);
    let clash = |hash: B256| B256::from_slice(&[&hash[..8], &[7; 24][..]].concat());
    // Block 1 claims a transaction and a hash under the prefixes of block 3.
    let (header, number) = (blocks[1].block.header.clone(), 1);
    blocks[1].transaction_hashes[0] = clash(right_transaction);
    let mut part = store.begin_part(0..=3, vec![Kind::Body, Kind::Receipts, Kind::Index]).unwrap();
    blocks.iter().for_each(|block| part.append(block).unwrap());
    part.finish(&trust("node")).unwrap();
    for block in &blocks {
        let mut id = block.block.id;
        let bytes = if id.number == number { header.clone() } else { block.block.header.clone() };
        if id.number == number {
            id.hash = clash(right_block);
        }
        let mut part = store.begin_part(id.number..=id.number, vec![Kind::Header]).unwrap();
        part.append_header(id, &bytes).unwrap();
        part.finish(&trust("node")).unwrap();
    }
    let view = store.view();
    let (found, position) = view.transaction(&right_transaction).unwrap().unwrap();
    assert_eq!((found.id.number, position), (3, 1));
    assert_eq!(view.transaction(&clash(right_transaction)).unwrap(), None);
    assert_eq!(view.by_hash(&right_block).unwrap().unwrap().id.number, 3);
    assert_eq!(view.by_hash(&clash(right_block)).unwrap(), None);
}

#[test]
fn senders_may_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut blocks = chain(0, 6, B256::ZERO, 0);
    let senders: Vec<_> = blocks.iter_mut().map(|block| block.senders.take().unwrap()).collect();
    fill(&store, &blocks).unwrap();
    assert_eq!(store.missing_senders().iter().collect::<Vec<_>>(), vec![0..=5]);
    assert_held(&store.view(), &blocks[3]);
    assert!(store.put_senders(&[(1, Vec::new())]).is_err(), "block 1 has a transaction");
    let rows = [1, 2, 4].map(|number: u64| (number, senders[number as usize].clone()));
    store.put_senders(&rows).unwrap();
    assert_eq!(store.missing_senders().iter().collect::<Vec<_>>(), vec![0..=0, 3..=3, 5..=5]);
    for (number, right) in rows {
        blocks[number as usize].senders = Some(right);
        assert_held(&store.view(), &blocks[number as usize]);
    }
}

#[test]
fn removed_heights_are_gone_at_once_and_give_their_space_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let old = chain(0, SECTION, B256::ZERO, 0);
    let parent = old.last().unwrap().block.id.hash;
    let new = chain(SECTION, 100, parent, 0);
    fill(&store, &old).unwrap();
    fill(&store, &new).unwrap();
    let before = store.view();
    assert_held(&before, &old[5]);
    let (bytes, rest) = (store.value_bytes(0..=SECTION - 1), store.stats().disk_bytes);
    assert!(bytes > 100_000, "{bytes}");
    assert_eq!(store.prune_below(SECTION).unwrap(), SECTION);
    assert!(store.stats().disk_bytes < rest - bytes / 2);
    assert_missed(&store.view(), &old[5]);
    let gone = chain(7, 1, old[6].block.id.hash, 0);
    let late = before.by_number(7).unwrap().map(|block| before.header(&block).unwrap());
    assert!(
        late.flatten().is_none_or(|header| header == gone[0].block.header),
        "an old view misses or is right"
    );
    assert_held(&store.view(), &new[0]);
    store.remove(SECTION + 10..=SECTION + 19).unwrap();
    assert_missed(&store.view(), &new[15]);
    fill(&store, &new[10..20]).unwrap();
    new.iter().for_each(|block| assert_held(&store.view(), block));
}

#[test]
fn a_real_chain_without_receipts_is_held_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = chain_file(&testdata().join("synthetic_chains/besu-500/chain.rlp"));
    assert!(blocks.len() >= 500 && blocks.iter().any(|block| !block.transaction_hashes.is_empty()));
    let (first, last) = (blocks[0].block.id.number, blocks.last().unwrap().block.id.number);
    let mut part = store.begin_part(first..=last, vec![Kind::Header, Kind::Body, Kind::Index]).unwrap();
    blocks.iter().for_each(|block| part.append(block).unwrap());
    part.finish(&hypasis_cache::Trust { level: hypasis_chain::Level::Light, ..trust("file") }).unwrap();
    let view = store.view();
    for block in &blocks {
        let held = view.by_hash(&block.block.id.hash).unwrap().unwrap();
        assert_eq!(view.body(&held).unwrap().unwrap(), block.block.body);
        assert_eq!(view.receipts(&held).unwrap(), None);
        for (position, hash) in (0..).zip(&block.transaction_hashes) {
            assert_eq!(view.transaction(hash).unwrap(), Some((held, position)));
        }
    }
    assert_eq!(view.head(), None, "without receipts nothing is complete");
    let findings = store.verify(0..=u64::MAX, false, &mut |range, why| panic!("{range:?}: {why}")).unwrap();
    assert_eq!(findings.checked, blocks.len() as u64);
}

#[test]
fn a_view_from_before_a_removal_misses_what_was_removed_and_holds_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = chain(0, 60, B256::ZERO, 0);
    let other = chain(20, 20, blocks[19].block.id.hash, 5);
    let store = open(folder.path());
    fill(&store, &blocks).unwrap();
    let before = store.view();
    store.remove(20..=39).unwrap();
    blocks[1..20].iter().chain(&blocks[40..]).for_each(|block| assert_held(&before, block));
    assert!(blocks[20..40].iter().all(|block| before.by_number(block.block.id.number).unwrap().is_none()));
    // What was fetched anew is another block, and never seen through the old view.
    fill(&store, &other).unwrap();
    other.iter().for_each(|block| assert_held(&store.view(), block));
    assert!(blocks[20..40].iter().all(|block| before.by_number(block.block.id.number).unwrap().is_none()));
    // Removals beyond what is remembered count for every height that is not hot.
    for _ in 0..70 {
        store.remove(59..=59).unwrap();
    }
    assert_eq!(before.by_number(0).unwrap(), None);
    assert_held(&store.view(), &blocks[0]);
}
