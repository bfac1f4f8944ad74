//! A disk without any space left.
//!
//! The test runs itself as a child in a mount namespace of its own, on a small tmpfs that goes with the
//! child. Where mounting is not allowed it says so and is left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use alloy_primitives::B256;
use hypasis_cache::{Options, Store, StoreError, Verified};

use crate::support::{assert_claims_hold, assert_held, block, fill, ids, options, trust};

const FOLDER: &str = "HYPASIS_FULL_DISK_FOLDER";
/// Size of the file system.
const SIZE: &str = "size=24m";
/// What is left for the store before it starts to fill.
const FREE: u64 = 3 << 20;
/// Blocks of which the disk takes some, but not all.
const BLOCKS: u64 = 300;
/// Blocks of a part.
const PART: usize = 10;

#[test]
fn history_on_a_full_disk_stops_writing_loses_nothing_and_goes_on_when_there_is_space() {
    let name =
        "disk_full::history_on_a_full_disk_stops_writing_loses_nothing_and_goes_on_when_there_is_space";
    on_a_small_disk(name, |store, blocks| {
        for (done, part) in blocks.chunks(PART).enumerate() {
            if let Err(refused) = fill(store, part) {
                return (done * PART, refused);
            }
        }
        panic!("the disk takes everything");
    });
}

#[test]
fn a_tip_on_a_full_disk_stops_writing_loses_nothing_and_goes_on_when_there_is_space() {
    let name = "disk_full::a_tip_on_a_full_disk_stops_writing_loses_nothing_and_goes_on_when_there_is_space";
    on_a_small_disk(name, |store, blocks| {
        for (done, part) in blocks.chunks(PART).enumerate() {
            let written =
                store.insert_tip(part, &trust("node")).and_then(|()| store.set_canonical(&ids(part)));
            if let Err(refused) = written {
                return (done * PART, refused);
            }
        }
        panic!("the disk takes everything");
    });
}

/// Fills until the disk is full, and tells how many blocks were acknowledged, and what was said then.
type Filling = fn(&Store, &[Verified]) -> (usize, StoreError);

fn on_a_small_disk(test: &str, filling: Filling) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return child(Path::new(&folder), filling);
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(namespace) = namespace(folder.path()) else {
        println!("left out: {test}: a tmpfs cannot be mounted here (it takes root, or user namespaces)");
        return;
    };
    let script =
        format!("mount -t tmpfs -o {SIZE} none \"${FOLDER}\" && exec \"$0\" --exact {test} --nocapture");
    let child = Command::new("unshare")
        .args(namespace)
        .args(["sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr).into_owned() + &String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

/// How a namespace can be had in which mounting is allowed.
fn namespace(folder: &Path) -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--user", "--map-root-user"]];
    ways.into_iter().find(|way| {
        let mut probe = Command::new("unshare");
        probe.args(*way).args(["mount", "-t", "tmpfs", "none"]).arg(folder);
        probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}

fn child(disk: &Path, filling: Filling) {
    let options = Options { tip_blocks_max: BLOCKS as usize, ..options(&disk.join("store")) };
    let blocks = blocks();
    let store = Store::open(&options).unwrap();
    let ballast = ballast(disk, store.stats().free_bytes - FREE);
    let (done, refused) = filling(&store, &blocks);
    assert!(done >= PART, "nothing fits: {refused}");
    let why = store.read_only().expect("it says that it stopped");
    assert!(
        why.contains("No space left on device") && why.contains("after the next start"),
        "{why}, {refused}"
    );
    assert!(matches!(store.put_record("a", b"b"), Err(StoreError::ReadOnly(_))));
    blocks[..done].iter().for_each(|block| assert_held(&store.view(), block));
    assert_claims_hold(&store.view(), &blocks);
    drop(store);
    // Without space a start may fail; then it says why, and spoils nothing.
    match Store::open(&options) {
        Ok(store) => blocks[..done].iter().for_each(|block| assert_held(&store.view(), block)),
        Err(error) => assert!(error.to_string().contains("No space left on device"), "{error}"),
    }
    fs::remove_file(ballast).unwrap();
    let store = Store::open(&options).unwrap();
    assert_eq!(store.read_only(), None);
    blocks[..done].iter().for_each(|block| assert_held(&store.view(), block));
    assert_claims_hold(&store.view(), &blocks);
    store.verify(0..=u64::MAX, false, &mut |range, why| panic!("{range:?}: {why}")).unwrap();
    let rest = &blocks[done..(done + 5 * PART).min(blocks.len())];
    filling_goes_on(&store, rest);
    blocks[..done].iter().chain(rest).for_each(|block| assert_held(&store.view(), block));
    store.verify(0..=u64::MAX, false, &mut |range, why| panic!("{range:?}: {why}")).unwrap();
}

fn filling_goes_on(store: &Store, rest: &[Verified]) {
    for part in rest.chunks(PART) {
        fill(store, part).unwrap();
    }
}

/// A file that takes so many bytes of the disk.
fn ballast(disk: &Path, bytes: u64) -> PathBuf {
    let path = disk.join("ballast");
    fs::write(&path, vec![0; bytes as usize]).unwrap();
    path
}

/// Blocks whose transactions' hashes and senders cannot be compressed.
fn blocks() -> Vec<Verified> {
    let mut blocks: Vec<Verified> = Vec::new();
    for number in 0..BLOCKS {
        let parent = blocks.last().map_or(B256::ZERO, |block| block.block.id.hash);
        blocks.push(block(number, parent, 0, 400));
    }
    blocks
}
