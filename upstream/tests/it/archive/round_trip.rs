//! What a writer writes, a reader gives back, and other programs' files come out byte for byte where they must.

use std::fs;
use std::path::Path;

use alloy_primitives::U256;
use hypasis_chain::{Block, Body};
use hypasis_upstream::archive::e2store::{E2Store, kind};
use hypasis_upstream::archive::{ArchiveFile, Era1, Era1Writer, Ere, EreWriter, Exporter, Format, Plain};

use super::{SEPOLIA, besu_chain, check_fully, era1_path};

/// Sepolia blocks around some with transactions, and their total difficulties.
pub(crate) fn busy_blocks(count: usize) -> Vec<(Block, U256)> {
    let era = Era1::open(&era1_path(SEPOLIA)).unwrap();
    let is_busy =
        |number: &u64| Body::parse(&era.block(*number, false).unwrap().body).unwrap().transaction_count() > 1;
    let first = era.numbers().find(is_busy).unwrap();
    let numbers = first..first + count as u64;
    numbers.map(|number| (era.block(number, true).unwrap(), era.total_difficulty(number).unwrap())).collect()
}

fn assert_holds(path: &Path, blocks: &[(Block, U256)]) {
    let file = ArchiveFile::open(path).unwrap();
    assert_eq!(file.numbers().end - file.numbers().start, blocks.len() as u64);
    for (block, difficulty) in blocks {
        assert_eq!(file.block(block.id.number, true).unwrap(), *block);
        assert_eq!(file.total_difficulty(block.id.number).unwrap(), *difficulty);
        check_fully(block).unwrap();
    }
}

#[test]
fn a_rewritten_era1_file_has_the_same_name_and_blocks() {
    let (dir, era) = (tempfile::tempdir().unwrap(), Era1::open(&era1_path(SEPOLIA)).unwrap());
    let mut exporter = Exporter::new(dir.path(), "sepolia", Format::Era1);
    for number in era.numbers() {
        let difficulty = era.total_difficulty(number).unwrap();
        exporter.push(&era.block(number, true).unwrap(), Some(difficulty)).unwrap();
    }
    let paths = exporter.finish().unwrap();
    assert_eq!(paths, [dir.path().join(SEPOLIA)]);
    let copy = Era1::open(&paths[0]).unwrap();
    copy.verify_accumulator().unwrap();
    assert!(era.numbers().all(|n| era.block(n, true).unwrap() == copy.block(n, true).unwrap()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing temporary is left");
}

#[test]
fn era1_gives_back_what_was_written() {
    let (dir, blocks) = (tempfile::tempdir().unwrap(), busy_blocks(50));
    let mut writer = Era1Writer::create(dir.path(), "sepolia", blocks[0].0.id.number).unwrap();
    blocks.iter().for_each(|(block, difficulty)| writer.push(block, *difficulty).unwrap());
    assert_holds(&writer.finish().unwrap(), &blocks);
}

#[test]
fn ere_gives_back_what_was_written_in_the_order_of_its_specification() {
    let (dir, blocks) = (tempfile::tempdir().unwrap(), busy_blocks(50));
    let mut writer = EreWriter::create(dir.path(), "sepolia", blocks[0].0.id.number).unwrap();
    blocks.iter().for_each(|(block, difficulty)| writer.push(block, Some(*difficulty)).unwrap());
    let path = writer.finish().unwrap();
    assert_holds(&path, &blocks);
    let last = blocks.last().unwrap().0.id.hash.to_string();
    assert_eq!(
        path.file_name().unwrap().to_str().unwrap(),
        format!("sepolia-00021-{}-noproofs.ere", &last[2..10])
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing temporary is left");

    let (store, mut kinds, mut at) = (E2Store::open(&path).unwrap(), Vec::new(), 0);
    while at < store.input.size() {
        let entry = store.entry(at).unwrap();
        kinds.push(entry.kind);
        at = entry.end();
    }
    let mut expected = vec![kind::VERSION];
    for kind in [kind::HEADER, kind::BODY, kind::SLIM_RECEIPTS, kind::TOTAL_DIFFICULTY] {
        expected.extend([kind; 50]);
    }
    expected.extend([kind::ACCUMULATOR, kind::DYNAMIC_BLOCK_INDEX]);
    assert_eq!(kinds, expected);
}

#[test]
fn ere_without_receipts_says_so_in_name_and_answer() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Plain::open(&besu_chain()).unwrap());
    let mut exporter = Exporter::new(dir.path(), "besu", Format::Ere);
    for number in chain.numbers() {
        exporter.push(&chain.block(number).unwrap(), None).unwrap();
    }
    let paths = exporter.finish().unwrap();
    assert!(paths[0].to_str().unwrap().ends_with("-noproofs-noreceipts.ere"));
    let ere = Ere::open(&paths[0]).unwrap();
    assert!(!ere.has_receipts());
    assert!(chain.numbers().all(|n| ere.block(n, true).unwrap() == chain.block(n).unwrap()));
    assert!(ere.total_difficulty(1).is_err());
}

#[test]
fn a_rewritten_chain_file_is_the_same_bytes() {
    let (dir, chain) = (tempfile::tempdir().unwrap(), Plain::open(&besu_chain()).unwrap());
    let mut exporter = Exporter::new(dir.path(), "besu", Format::Plain);
    chain.numbers().for_each(|n| exporter.push(&chain.block(n).unwrap(), None).unwrap());
    let paths = exporter.finish().unwrap();
    assert_eq!(paths, [dir.path().join("besu-0-500.rlp")]);
    assert!(fs::read(&paths[0]).unwrap() == fs::read(besu_chain()).unwrap());
}

#[test]
fn exports_are_cut_at_section_boundaries() {
    let (dir, era) = (tempfile::tempdir().unwrap(), Era1::open(&era1_path(super::MAINNET)).unwrap());
    let mut exporter = Exporter::new(dir.path(), "mainnet", Format::Ere);
    (8_100..8_192).for_each(|n| exporter.push(&era.block(n, true).unwrap(), None).unwrap());
    // The block after the section does not exist here; an exporter does not look at links.
    let mut next = era.block(8_191, true).unwrap();
    next.id.number = 8_192;
    exporter.push(&next, None).unwrap();
    let paths = exporter.finish().unwrap();
    let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names.len(), 2);
    assert!(names[0].starts_with("mainnet-00000-") && names[1].starts_with("mainnet-00001-"), "{names:?}");
}

#[test]
fn writers_refuse_what_their_format_cannot_hold() {
    let (dir, blocks) = (tempfile::tempdir().unwrap(), busy_blocks(3));
    let start = blocks[0].0.id.number;
    let mut era = Era1Writer::create(dir.path(), "x", start).unwrap();
    assert!(era.push(&blocks[1].0, blocks[1].1).is_err(), "a gap");
    let bare = Block { receipts: None, ..blocks[0].0.clone() };
    assert!(era.push(&bare, blocks[0].1).is_err(), "no receipts");
    assert!(era.finish().is_err(), "no blocks");
    let mut ere = EreWriter::create(dir.path(), "x", start).unwrap();
    ere.push(&bare, None).unwrap();
    assert!(ere.push(&blocks[1].0, None).is_err(), "receipts of some blocks only");
    drop(ere);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "an unfinished file is removed");
}
