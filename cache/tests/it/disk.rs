//! A disk that takes no more.
//!
//! The test runs itself as a child under a limit on the size of a file, so that writes fail in the kernel, in the
//! middle of RocksDB's own work.

use std::path::Path;
use std::process::{Command, Stdio};

use alloy_primitives::B256;
use hypasis_cache::{StoreError, Verified};

use crate::support::{assert_claims_hold, assert_held, block, fill, ids, open, trust};

const FOLDER: &str = "HYPASIS_DISK_FOLDER";
/// Blocks that fit, and blocks of which some file is larger than the limit.
const FITTING: usize = 4;
const BLOCKS: u64 = 132;
/// What `ulimit` counts in halves or wholes of a kilobyte.
const LIMIT: &str = "512";

#[test]
fn a_disk_that_takes_no_more_history_stops_writing_and_loses_nothing() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let store = open(Path::new(&folder));
        let blocks = blocks();
        fill(&store, &blocks[..FITTING]).unwrap();
        let refused = fill(&store, &blocks[FITTING..]).expect_err("the file is too large");
        return assert_stopped(&store, &refused, &blocks);
    }
    run_limited("disk::a_disk_that_takes_no_more_history_stops_writing_and_loses_nothing");
}

#[test]
fn a_disk_that_takes_no_more_of_the_tip_stops_writing_and_loses_nothing() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let store = open(Path::new(&folder));
        let blocks = blocks();
        store.insert_tip(&blocks[..FITTING], &trust("node")).unwrap();
        store.set_canonical(&ids(&blocks[..FITTING])).unwrap();
        let mut rest = blocks[FITTING..60].iter();
        let refused =
            rest.find_map(|block| store.insert_tip(std::slice::from_ref(block), &trust("node")).err());
        return assert_stopped(&store, &refused.expect("the log is too large"), &blocks);
    }
    run_limited("disk::a_disk_that_takes_no_more_of_the_tip_stops_writing_and_loses_nothing");
}

fn assert_stopped(store: &hypasis_cache::Store, refused: &StoreError, blocks: &[Verified]) {
    assert!(store.read_only().unwrap().contains("File too large"), "{refused}, {:?}", store.read_only());
    assert!(matches!(store.put_record("a", b"b"), Err(StoreError::ReadOnly(_))));
    blocks[..FITTING].iter().for_each(|block| assert_held(&store.view(), block));
    assert_claims_hold(&store.view(), blocks);
}

/// Runs a test as a child whose files stay small, then opens without the limit what the child left.
fn run_limited(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    // An ignored signal stays ignored in the child, where the write fails instead.
    let limited = format!("trap '' XFSZ; ulimit -f {LIMIT}; exec \"$0\" --exact {test} --nocapture");
    let child = Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr).into_owned() + &String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    let (store, blocks) = (open(folder.path()), blocks());
    blocks[..FITTING].iter().for_each(|block| assert_held(&store.view(), block));
    assert_claims_hold(&store.view(), &blocks);
    store.verify(0..=u64::MAX, false, &mut |range, why| panic!("{range:?}: {why}")).unwrap();
    assert_eq!(store.read_only(), None);
    store.put_record("a", b"b").unwrap();
}

/// Blocks whose transactions' hashes fill a file that cannot be compressed.
fn blocks() -> Vec<Verified> {
    let mut blocks: Vec<Verified> = Vec::new();
    for number in 0..BLOCKS {
        let parent = blocks.last().map_or(B256::ZERO, |block| block.block.id.hash);
        blocks.push(block(number, parent, 0, 400));
    }
    blocks
}
