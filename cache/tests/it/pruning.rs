//! What was pruned gives back its index entries, and nothing else does.

use alloy_primitives::B256;
use hypasis_cache::store::SECTION;

use crate::support::{assert_held, assert_missed, chain, fill, open};

const INDEXES: [&str; 2] = ["hash_number", "tx_location"];

/// Bytes of the two indexes.
fn index_bytes(store: &hypasis_cache::Store) -> u64 {
    let families = store.stats().families;
    families.iter().filter(|(name, _)| INDEXES.contains(&name.as_str())).map(|(_, bytes)| bytes).sum()
}

#[test]
fn merging_the_indexes_frees_the_entries_of_pruned_heights_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (old, young) = (chain(0, 4_000, B256::ZERO, 0), chain(SECTION, 40, B256::ZERO, 0));
    let store = open(folder.path());
    fill(&store, &old).unwrap();
    fill(&store, &young).unwrap();
    store.compact_indexes().unwrap();
    let before = index_bytes(&store);
    old.iter().step_by(97).chain(&young).for_each(|block| assert_held(&store.view(), block));
    store.prune_below(SECTION).unwrap();
    store.compact_indexes().unwrap();
    let after = index_bytes(&store);
    assert!(after < before / 10, "{before} bytes before, {after} after");
    young.iter().for_each(|block| assert_held(&store.view(), block));
    // What comes back below is indexed again, also after a restart.
    fill(&store, &old[..100]).unwrap();
    store.compact_indexes().unwrap();
    old[..100].iter().chain(&young).for_each(|block| assert_held(&store.view(), block));
    drop(store);
    let store = open(folder.path());
    store.compact_indexes().unwrap();
    old[..100].iter().chain(&young).for_each(|block| assert_held(&store.view(), block));
    assert_missed(&store.view(), &old[100]);
}
