//! Rows that are read in a row are those that are read one by one.

use std::ops::{ControlFlow, RangeInclusive};

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_cache::{Kind, Trust, View};
use hypasis_chain::{BlockId, Level};
use proptest::prelude::*;

use crate::support::{FULL, chain, fill, ids, open, trust};

/// What a scan hands over, at most `most` of it.
fn scanned(view: &View, kind: Kind, range: RangeInclusive<u64>, most: usize) -> Vec<(u64, Bytes)> {
    let mut rows = Vec::new();
    let visited = view.scan(kind, range, &mut |number, bytes| {
        rows.push((number, Bytes::copy_from_slice(bytes)));
        if rows.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!(visited.unwrap(), rows.len() as u64);
    rows
}

/// The same by point reads.
fn read(view: &View, kind: Kind, range: RangeInclusive<u64>, most: usize) -> Vec<(u64, Bytes)> {
    let row = |number| {
        let block = view.by_number(number).unwrap()?;
        let bytes = match kind {
            Kind::Header => view.header(&block),
            Kind::Body => view.body(&block),
            _ => view.receipts(&block),
        };
        Some((number, bytes.unwrap()?))
    };
    range.map_while(row).take(most).collect()
}

/// The ids that a scan hands over, at most `most` of them.
fn scanned_ids(view: &View, range: RangeInclusive<u64>, most: usize) -> Vec<BlockId> {
    let mut ids = Vec::new();
    let walked = view.scan_ids(range, &mut |id| {
        ids.push(id);
        if ids.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    walked.unwrap();
    ids
}

/// The same by point reads.
fn ids_of(view: &View, range: RangeInclusive<u64>, most: usize) -> Vec<BlockId> {
    range.map_while(|number| Some(view.by_number(number).unwrap()?.id)).take(most).collect()
}

#[test]
fn a_scan_gives_what_point_reads_give_up_to_the_first_hole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = chain(0, 150, B256::ZERO, 0);
    fill(&store, &blocks[..60]).unwrap();
    let mut part = store.begin_part(70..=99, vec![Kind::Header]).unwrap();
    for block in &blocks[70..100] {
        part.append_header(block.block.id, &block.block.header).unwrap();
    }
    part.finish(&trust("test")).unwrap();
    fill(&store, &blocks[80..100]).unwrap();
    store.insert_tip(&blocks[100..], &trust("test")).unwrap();
    store.set_canonical(&ids(&blocks[100..])).unwrap();
    let view = store.view();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let kinds = prop_oneof![Just(Kind::Header), Just(Kind::Body), Just(Kind::Receipts)];
    let asked = (kinds, 0..160_u64, 0..160_u64, 1..80_usize);
    runner
        .run(&asked, |(kind, from, to, most)| {
            prop_assert_eq!(scanned(&view, kind, from..=to, most), read(&view, kind, from..=to, most));
            prop_assert_eq!(scanned_ids(&view, from..=to, most), ids_of(&view, from..=to, most));
            Ok(())
        })
        .unwrap();
    assert_eq!(scanned(&view, Kind::Header, 90..=u64::MAX, usize::MAX).len(), 60);
    assert_eq!(scanned_ids(&view, 90..=u64::MAX, usize::MAX).len(), 60);
}

#[test]
fn a_header_whose_link_was_not_verified_says_nothing_of_the_one_below() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let below = chain(0, 10, B256::ZERO, 0);
    let above = chain(10, 10, B256::repeat_byte(7), 1);
    fill(&store, &below).unwrap();
    let mut part = store.begin_part(10..=19, FULL.to_vec()).unwrap();
    above.iter().for_each(|block| part.append(block).unwrap());
    part.finish(&Trust { level: Level::None, ..trust("test") }).unwrap();
    let expected = [ids(&below), ids(&above)].concat();
    assert_eq!(scanned_ids(&store.view(), 0..=19, usize::MAX), expected);
}

#[test]
fn a_view_from_before_a_removal_scans_up_to_what_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = chain(0, 50, B256::ZERO, 0);
    fill(&store, &blocks).unwrap();
    let before = store.view();
    store.remove(20..=24).unwrap();
    assert_eq!(scanned(&before, Kind::Body, 0..=49, usize::MAX).len(), 20);
    assert_eq!(scanned(&before, Kind::Body, 22..=49, usize::MAX).len(), 0);
    assert_eq!(scanned_ids(&before, 0..=49, usize::MAX), ids(&blocks[..20]));
    assert!(scanned_ids(&before, 22..=49, usize::MAX).is_empty());
    assert_eq!(scanned(&before, Kind::Body, 25..=49, usize::MAX).len(), 25);
    // What is there again is not what that view saw.
    fill(&store, &blocks[20..25]).unwrap();
    assert_eq!(scanned(&before, Kind::Body, 0..=49, usize::MAX).len(), 20);
    assert_eq!(scanned(&store.view(), Kind::Body, 0..=49, usize::MAX).len(), 50);
}

#[test]
fn the_level_of_a_height_is_that_of_its_last_write_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = chain(0, 40, B256::ZERO, 0);
    let level = |view: &View, number: usize| view.level(&blocks[number].block.id);
    {
        let store = open(folder.path());
        for (range, given) in [(0..=9, Level::None), (10..=19, Level::Light), (20..=29, Level::Full)] {
            let mut part = store.begin_part(range.clone(), FULL.to_vec()).unwrap();
            for number in range {
                part.append(&blocks[number as usize]).unwrap();
            }
            part.finish(&Trust { level: given, ..trust("test") }).unwrap();
        }
        store.insert_tip(&blocks[30..], &Trust { level: Level::Header, ..trust("test") }).unwrap();
        store.set_canonical(&ids(&blocks[30..])).unwrap();
        store.remove(5..=5).unwrap();
        fill(&store, &blocks[5..=5]).unwrap();
        store.close().unwrap();
    }
    let store = open(folder.path());
    let found: Vec<Level> = [0, 5, 9, 10, 19, 20, 29, 30].map(|number| level(&store.view(), number)).to_vec();
    let expected = [
        Level::None,
        Level::Full,
        Level::None,
        Level::Light,
        Level::Light,
        Level::Full,
        Level::Full,
        Level::Header,
    ];
    assert_eq!(found, expected);
    store.promote(34).unwrap();
    assert!(level(&store.view(), 30) < Level::Light);
    assert!(level(&store.view(), 39) < Level::Light);
}
