//! `Options::memory` bounds caches, write buffers and readers of files together.

use alloy_primitives::B256;
use hypasis_cache::{Options, Store};

use crate::support::{block, chain, fill, options, trust};

/// Small parts, each with a file in six families.
const PARTS: usize = 120;
const MEMORY: u64 = 16 << 20;

#[test]
fn many_files_and_a_full_tip_window_stay_within_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::open(&Options { memory: MEMORY, tip_blocks_max: 1_024, ..options(folder.path()) }).unwrap();
    let history = chain(0, PARTS as u64 * 2, B256::ZERO, 0);
    for part in history.chunks(2) {
        fill(&store, part).unwrap();
    }
    let mut parent = history.last().unwrap().block.id.hash;
    let mut written = 0;
    for number in 0..600 {
        let block = block(history.len() as u64 + number, parent, 0, 300);
        parent = block.block.id.hash;
        written += block.block.body.len() + 300 * 140;
        store.insert_tip(&[block], &trust("node")).unwrap();
        let held = store.stats().memory_bytes;
        assert!(held <= MEMORY + MEMORY / 8, "{held} bytes after {number} tip blocks");
    }
    assert!(written as u64 > MEMORY, "only {written} bytes went through the write buffers");
    for number in 0..history.len() as u64 {
        let view = store.view();
        let block = view.by_number(number).unwrap().unwrap();
        assert!(view.body(&block).unwrap().is_some() && view.receipts(&block).unwrap().is_some());
    }
    let held = store.stats().memory_bytes;
    assert!(held > 0 && held <= MEMORY + MEMORY / 8, "{held} bytes after reading");
}
