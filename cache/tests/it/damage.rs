//! Stores that must not be opened, and files that are not what they were.

use std::fs;
use std::path::Path;

use alloy_primitives::B256;
use hypasis_cache::store::SECTION;
use hypasis_cache::{OpenError, Store, StoreError};

use crate::support::{assert_held, assert_missed, chain, fill, open, options};

#[test]
fn another_chain_a_second_process_and_a_broken_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut asked = options(folder.path());
    let store = Store::open(&asked).unwrap();
    assert!(matches!(Store::open(&asked), Err(OpenError::Locked { .. })));
    drop(store);
    asked.genesis_hash = Some(B256::repeat_byte(1));
    drop(Store::open(&asked).unwrap());
    asked.genesis_hash = Some(B256::repeat_byte(2));
    assert!(matches!(Store::open(&asked), Err(OpenError::OtherChain { .. })));
    asked.genesis_hash = None;
    drop(Store::open(&asked).unwrap());
    asked.chain_id = 1;
    assert!(matches!(Store::open(&asked), Err(OpenError::OtherChain { .. })));
    asked.chain_id = 1337;
    fs::remove_file(folder.path().join("CURRENT")).unwrap();
    assert!(matches!(Store::open(&asked), Err(OpenError::Unreadable { .. })));
}

#[test]
fn an_attempt_to_open_what_is_held_leaves_the_holders_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    let asked = options(folder.path());
    let _held = Store::open(&asked).unwrap();
    let files = || {
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> = entries.map(|entry| (entry.file_name(), inode(&entry))).collect();
        files.sort();
        files
    };
    let before = files();
    for _ in 0..8 {
        assert!(matches!(Store::open(&asked), Err(OpenError::Locked { .. })));
    }
    assert_eq!(files(), before);
}

fn inode(entry: &fs::DirEntry) -> u64 {
    std::os::unix::fs::DirEntryExt::ino(entry)
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let families = rocksdb::DB::list_cf(&rocksdb::Options::default(), folder.path()).unwrap();
    {
        let mut raw = rocksdb::Options::default();
        raw.set_prefix_extractor(rocksdb::SliceTransform::create_noop());
        let db = rocksdb::DB::open_cf(&raw, folder.path(), &families).unwrap();
        db.put_cf(db.cf_handle("meta").unwrap(), "format", 2_u32.to_be_bytes()).unwrap();
    }
    let refused = Store::open(&options(folder.path()));
    assert!(matches!(refused, Err(OpenError::NewerFormat { found: 2, known: 1, .. })), "{refused:?}");
}

#[test]
fn a_family_that_is_not_known_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let families = rocksdb::DB::list_cf(&rocksdb::Options::default(), folder.path()).unwrap();
    {
        let mut raw = rocksdb::Options::default();
        raw.set_prefix_extractor(rocksdb::SliceTransform::create_noop());
        let mut db = rocksdb::DB::open_cf(&raw, folder.path(), &families).unwrap();
        db.create_cf("moon_phases", &raw).unwrap();
    }
    let refused = Store::open(&options(folder.path())).unwrap_err();
    assert!(matches!(refused, OpenError::UnknownFamily { known: 1, .. }), "{refused:?}");
    assert!(refused.to_string().contains("moon_phases"), "{refused}");
}

#[test]
fn a_damaged_file_is_a_miss_and_verify_drops_its_section_alone() {
    let folder = tempfile::tempdir().unwrap();
    let sound = chain(0, 300, B256::ZERO, 0);
    let hurt = chain(SECTION, 300, B256::ZERO, 0);
    {
        let store = open(folder.path());
        fill(&store, &sound).unwrap();
        let before = files(folder.path());
        let mut part = store.begin_part(SECTION..=SECTION + 299, vec![hypasis_cache::Kind::Header]).unwrap();
        for block in &hurt {
            part.append_header(block.block.id, &block.block.header).unwrap();
        }
        part.finish(&crate::support::trust("node")).unwrap();
        let headers = files(folder.path()).into_iter().filter(|file| !before.contains(file));
        let largest = headers.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
        fill(&store, &hurt).unwrap();
        store.close().unwrap();
        drop(store);
        let mut bytes = fs::read(&largest).unwrap();
        let middle = bytes.len() / 4;
        bytes[middle..middle + 64].iter_mut().for_each(|byte| *byte ^= 0xff);
        fs::write(&largest, bytes).unwrap();
    }
    let store = open(folder.path());
    let view = store.view();
    sound.iter().for_each(|block| assert_held(&view, block));
    let damaged = (SECTION..SECTION + 300).filter(|number| view.by_number(*number).is_err()).count();
    assert!(damaged > 0 && store.stats().damaged_reads > 0);
    assert!(store.read_only().unwrap().contains("damaged"));
    assert!(matches!(store.put_record("a", b"b"), Err(StoreError::ReadOnly(_))));
    let mut told = Vec::new();
    store.verify(0..=u64::MAX, true, &mut |range, _| told.push(range)).unwrap();
    assert!(told.iter().all(|range| *range.start() >= SECTION) && !told.is_empty(), "{told:?}");
    assert_eq!(store.read_only(), None);
    assert_missed(&store.view(), &hurt[0]);
    sound.iter().for_each(|block| assert_held(&store.view(), block));
    fill(&store, &hurt).unwrap();
    hurt.iter().for_each(|block| assert_held(&store.view(), block));
    store.verify(0..=u64::MAX, false, &mut |range, why| panic!("{range:?}: {why}")).unwrap();
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "sst")).collect()
}
