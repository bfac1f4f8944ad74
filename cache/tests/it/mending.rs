//! `verify` drops what is bad and mends what follows from the blocks.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use alloy_primitives::B256;
use hypasis_cache::store::{Family, SECTION};
use hypasis_cache::{Store, Verified};
use hypasis_chain::BlockId;
use rocksdb::{ColumnFamily, DB};

use crate::support::{assert_held, assert_missed, chain, fill, ids, open, options, trust};

/// Changes rows behind the store's back, in a database that checks nothing of it.
fn tamper(folder: &Path, change: impl FnOnce(&DB)) {
    let families = DB::list_cf(&rocksdb::Options::default(), folder).unwrap();
    let mut raw = rocksdb::Options::default();
    raw.set_prefix_extractor(rocksdb::SliceTransform::create_noop());
    raw.set_disable_auto_compactions(true);
    let db = DB::open_cf(&raw, folder, &families).unwrap();
    change(&db);
    for family in &families {
        db.flush_cf(db.cf_handle(family).unwrap()).unwrap();
    }
}

fn rows<'d>(db: &'d DB, family: &str) -> &'d ColumnFamily {
    db.cf_handle(family).unwrap()
}

/// What `verify` tells of a store, as ranges and reasons.
fn told(store: &Store, mend: bool) -> Vec<(RangeInclusive<u64>, String)> {
    let mut told = Vec::new();
    store.verify(0..=u64::MAX, mend, &mut |range, why| told.push((range, why.to_owned()))).unwrap();
    told
}

fn assert_sound(store: &Store) {
    assert_eq!(told(store, false), vec![]);
    assert_eq!(store.read_only(), None);
}

fn index_key(hash: &B256, number: u64, position: u64) -> Vec<u8> {
    [&hash[..8], &(number << 24 | position).to_be_bytes()[..]].concat()
}

#[test]
fn index_entries_that_are_missing_or_lead_astray_are_told_and_mended_and_no_block_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = [chain(0, 60, B256::ZERO, 0), chain(SECTION, 60, B256::ZERO, 0)].concat();
    let store = open(folder.path());
    fill(&store, &blocks[..60]).unwrap();
    fill(&store, &blocks[60..]).unwrap();
    assert_sound(&store);
    drop(store);
    let (lost, stray) = (&blocks[7], &blocks[70]);
    tamper(folder.path(), |db| {
        let (hashes, locations) = (rows(db, "hash_number"), rows(db, "tx_location"));
        db.delete_cf(hashes, index_key(&lost.block.id.hash, 7, 0)).unwrap();
        db.delete_cf(locations, index_key(&lost.transaction_hashes[2], 7, 2)).unwrap();
        let number = stray.block.id.number;
        // As many entries as there must be.
        db.put_cf(hashes, index_key(&B256::repeat_byte(9), 9, 0), []).unwrap();
        // The right transaction at the wrong place of its block.
        db.put_cf(locations, index_key(&stray.transaction_hashes[1], number, 9), []).unwrap();
        // Nothing is held there, so nothing is wrong with it.
        db.put_cf(hashes, index_key(&B256::repeat_byte(9), 5_000, 0), []).unwrap();
    });
    let store = open(folder.path());
    assert_eq!(store.view().by_hash(&lost.block.id.hash).unwrap(), None);
    let number = stray.block.id.number;
    let (lacks, astray) = ("lacks entries", "lead to what these blocks do not hold");
    for mend in [false, true] {
        let told = told(&store, mend);
        let expected = [
            (7..=7, "hash_number", lacks),
            (9..=9, "hash_number", astray),
            (7..=7, "tx_location", lacks),
            (number..=number, "tx_location", astray),
        ];
        assert_eq!(told.len(), 4, "{told:?}");
        for ((range, why), (at, family, what)) in told.iter().zip(&expected) {
            assert!(range == at && why.contains(family) && why.contains(what), "{range:?}: {why}");
        }
    }
    assert_sound(&store);
    blocks.iter().for_each(|block| assert_held(&store.view(), block));
}

#[test]
fn an_index_that_cannot_be_read_is_made_anew_from_the_blocks() {
    for (family, name) in [(Family::HashNumber, "hash_number"), (Family::TxLocation, "tx_location")] {
        let folder = tempfile::tempdir().unwrap();
        let blocks = [chain(0, 300, B256::ZERO, 0), chain(SECTION, 300, B256::ZERO, 0)].concat();
        {
            let store = open(folder.path());
            fill(&store, &blocks[..300]).unwrap();
            fill(&store, &blocks[300..]).unwrap();
        }
        damage(&file_of(folder.path(), name));
        let mut store = Store::open_to_verify(&options(folder.path())).unwrap();
        let mut told = Vec::new();
        let findings = store.verify(0..=u64::MAX, true, &mut |_, why| told.push(why.to_owned())).unwrap();
        assert_eq!(findings.lost, vec![family]);
        assert!(told.iter().all(|why| why.contains(name) && why.contains("cannot be read")), "{told:?}");
        let other = store.clone();
        assert!(store.renew(&findings.lost).is_err(), "somebody else might be reading");
        drop(other);
        store.renew(&findings.lost).unwrap();
        assert_sound(&store);
        drop(store);
        let store = open(folder.path());
        blocks.iter().for_each(|block| assert_held(&store.view(), block));
        assert_sound(&store);
    }
}

#[test]
fn an_index_whose_renewal_was_interrupted_claims_nothing_and_verify_completes_it() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = chain(0, 100, B256::ZERO, 0);
    fill(&open(folder.path()), &blocks).unwrap();
    // As far as a renewal comes before it writes the first entry.
    tamper(folder.path(), |db| {
        db.put_cf(rows(db, "meta"), "coverage/index", []).unwrap();
        let locations = rows(db, "tx_location");
        db.delete_range_cf(locations, &[0; 16][..], &[0xff; 17][..]).unwrap();
    });
    let store = open(folder.path());
    assert_eq!(store.view().transaction(&blocks[1].transaction_hashes[0]).unwrap(), None);
    assert!(!store.view().covers(hypasis_cache::Kind::Index, 1));
    assert_eq!(told(&store, true), vec![]);
    blocks.iter().for_each(|block| assert_held(&store.view(), block));
    assert_sound(&store);
}

/// A window of ten blocks on a fork of two, and a key of a block's part in it.
fn window(folder: &Path) -> (Vec<Verified>, Vec<Verified>) {
    let trunk = chain(0, 10, B256::ZERO, 0);
    let fork = chain(8, 2, trunk[7].block.id.hash, 1);
    let store = open(folder);
    store.insert_tip(&trunk, &trust("node")).unwrap();
    store.insert_tip(&fork, &trust("node")).unwrap();
    store.set_canonical(&ids(&trunk)).unwrap();
    assert_sound(&store);
    (trunk, fork)
}

fn tip_key(id: BlockId, part: u8) -> Vec<u8> {
    [&id.number.to_be_bytes()[..], id.hash.as_slice(), &[part]].concat()
}

#[test]
fn bad_blocks_leave_the_tip_window_and_the_canonical_chain_ends_below_them() {
    let folder = tempfile::tempdir().unwrap();
    let (trunk, fork) = window(folder.path());
    tamper(folder.path(), |db| {
        let blocks = rows(db, "tip_blocks");
        // Block 6 gets the body of block 7; the fork's block 9 loses its receipts.
        db.put_cf(blocks, tip_key(trunk[6].block.id, 2), &trunk[7].block.body).unwrap();
        db.delete_cf(blocks, tip_key(fork[1].block.id, 3)).unwrap();
    });
    let store = open(folder.path());
    for mend in [false, true] {
        let heights: Vec<_> = told(&store, mend).into_iter().map(|(range, _)| range).collect();
        assert_eq!(heights, vec![6..=6, 9..=9]);
    }
    let check = |store: &Store| {
        let view = store.view();
        assert_eq!(view.head(), Some(trunk[5].block.id));
        trunk[..6].iter().for_each(|block| assert_held(&view, block));
        assert_eq!(view.by_hash(&trunk[6].block.id.hash).unwrap(), None);
        assert_eq!(view.by_hash(&fork[1].block.id.hash).unwrap(), None);
        let above = view.by_hash(&trunk[7].block.id.hash).unwrap().unwrap();
        assert!(!above.canonical, "it waits for the block below to come again");
        assert_sound(store);
    };
    check(&store);
    drop(store);
    let store = open(folder.path());
    check(&store);
    store.insert_tip(&trunk[6..7], &trust("node")).unwrap();
    store.set_canonical(&ids(&trunk[6..])).unwrap();
    trunk.iter().for_each(|block| assert_held(&store.view(), block));
    assert_sound(&store);
}

#[test]
fn rows_of_the_tip_window_that_belong_to_no_block_are_told_and_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (trunk, fork) = window(folder.path());
    tamper(folder.path(), |db| {
        // The summary of block 8 is gone, and a transaction is said to be in a block that is not there.
        db.put_cf(rows(db, "tip_blocks"), tip_key(trunk[8].block.id, 0), b"{}").unwrap();
        let nowhere = BlockId { number: 3, hash: B256::repeat_byte(7) };
        let key = [&[5; 32][..], &nowhere.number.to_be_bytes(), nowhere.hash.as_slice()].concat();
        db.put_cf(rows(db, "tip_transactions"), key, 0_u32.to_be_bytes()).unwrap();
        // Another transaction is said to be in block 1.
        let key = tip_key(trunk[1].block.id, 0);
        let key = [&[6; 32][..], &key[..40]].concat();
        db.put_cf(rows(db, "tip_transactions"), key, 0_u32.to_be_bytes()).unwrap();
    });
    let store = open(folder.path());
    assert!(store.read_only().unwrap().contains("tip window"), "{:?}", store.read_only());
    assert_eq!(store.view().head(), Some(trunk[7].block.id), "the chain ends below what is damaged");
    assert_held(&store.view(), &trunk[7]);
    let blocks = told(&store, true);
    let heights: Vec<_> = blocks.iter().map(|(range, _)| *range.start()).collect();
    assert_eq!(heights, vec![1, 3, 8, 8, 9], "{blocks:?}");
    assert_sound(&store);
    assert_held(&store.view(), &trunk[0]);
    assert_eq!(store.view().head(), Some(trunk[0].block.id));
    drop(store);
    let store = open(folder.path());
    assert_sound(&store);
    assert_eq!(store.view().by_hash(&fork[0].block.id.hash).unwrap().map(|held| held.canonical), Some(false));
}

#[test]
fn a_tip_window_that_cannot_be_read_is_made_anew_and_history_is_served_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let history = chain(0, 40, B256::ZERO, 0);
    let tip = chain(40, 20, history[39].block.id.hash, 0);
    {
        let store = open(folder.path());
        fill(&store, &history).unwrap();
        store.insert_tip(&tip, &trust("node")).unwrap();
        store.set_canonical(&ids(&tip)).unwrap();
    }
    tamper(folder.path(), |_| ());
    damage(&file_of(folder.path(), "tip_blocks"));
    let mut store = Store::open_to_verify(&options(folder.path())).unwrap();
    assert!(store.read_only().is_some());
    history.iter().for_each(|block| assert_held(&store.view(), block));
    let findings = store.verify(0..=u64::MAX, true, &mut |_, _| ()).unwrap();
    assert_eq!(findings.lost, vec![Family::TipBlocks]);
    store.renew(&findings.lost).unwrap();
    assert_eq!(store.view().head(), Some(history[39].block.id));
    assert_missed(&store.view(), &tip[0]);
    assert_sound(&store);
    drop(store);
    let store = open(folder.path());
    store.insert_tip(&tip, &trust("node")).unwrap();
    store.set_canonical(&ids(&tip)).unwrap();
    history.iter().chain(&tip).for_each(|block| assert_held(&store.view(), block));
}

/// The largest file of a family.
fn file_of(folder: &Path, family: &str) -> PathBuf {
    let families = DB::list_cf(&rocksdb::Options::default(), folder).unwrap();
    let mut raw = rocksdb::Options::default();
    raw.set_prefix_extractor(rocksdb::SliceTransform::create_noop());
    raw.set_disable_auto_compactions(true);
    let db = DB::open_cf_for_read_only(&raw, folder, &families, false).unwrap();
    let files = db.live_files().unwrap().into_iter().filter(|file| file.column_family_name == family);
    let file = files.max_by_key(|file| file.size).unwrap();
    folder.join(file.name.trim_start_matches('/'))
}

/// Turns over bytes of the first data blocks.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let start = bytes.len() / 8;
    bytes[start..start + 64].iter_mut().for_each(|byte| *byte ^= 0xff);
    fs::write(file, bytes).unwrap();
}
