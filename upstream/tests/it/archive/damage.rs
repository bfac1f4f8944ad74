//! Truncated, mutated and hostile files: an error that names the place, never a wrong block, never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use hypasis_chain::Block;
use hypasis_upstream::archive::e2store::{E2Store, kind, write_entry};
use hypasis_upstream::archive::{
    ArchiveError, ArchiveFile, Era1, Era1Writer, EreWriter, HEADER_BYTES_MAX, Plain,
};
use hypasis_upstream::archive::{Exporter, Format, frame};
use proptest::prelude::*;

use super::round_trip::busy_blocks;
use super::{besu_chain, check_fully};

const BLOCKS: usize = 12;

fn small_file(dir: &Path, format: Format) -> (PathBuf, Vec<Block>) {
    let blocks = busy_blocks(BLOCKS);
    let mut exporter = Exporter::new(dir, "small", format);
    blocks.iter().for_each(|(block, difficulty)| exporter.push(block, Some(*difficulty)).unwrap());
    (exporter.finish().unwrap().remove(0), blocks.into_iter().map(|(block, _)| block).collect())
}

/// Reads everything of a damaged file: each block is an error or what it was; ere may have lost its receipts.
fn assert_never_wrong(path: &Path, blocks: &[Block]) {
    let Ok(file) = ArchiveFile::open(path) else { return };
    for block in blocks {
        let Ok(found) = file.block(block.id.number, true) else { continue };
        assert_eq!((&found.id, &found.header), (&block.id, &block.header));
        assert_eq!(found.body, block.body);
        assert!(found.receipts.is_none() && !file.has_receipts() || found.receipts == block.receipts);
    }
}

#[test]
fn an_era_file_cut_anywhere_is_refused_with_its_name() {
    for format in [Format::Era1, Format::Ere] {
        let dir = tempfile::tempdir().unwrap();
        let (path, _) = small_file(dir.path(), format);
        let whole = fs::read(&path).unwrap();
        let (store, mut cuts, mut at) = (E2Store::open(&path).unwrap(), vec![0, 1, 7, whole.len() - 1], 0);
        while at < whole.len() as u64 {
            let entry = store.entry(at).unwrap();
            let (start, data) = (entry.offset as usize, entry.data_offset() as usize);
            cuts.extend([start, start + 4, data, data + 1, entry.end() as usize - 1]);
            at = entry.end();
        }
        for cut in cuts.into_iter().filter(|cut| *cut < whole.len()) {
            fs::write(&path, &whole[..cut]).unwrap();
            let error = ArchiveFile::open(&path).unwrap_err();
            assert!(matches!(error, ArchiveError::Corrupt { .. }), "cut at {cut}: {error}");
            assert!(error.to_string().contains(path.file_name().unwrap().to_str().unwrap()), "{error}");
        }
    }
}

#[test]
fn a_chain_file_that_is_cut_keeps_its_whole_blocks_and_names_the_cut() {
    let (whole, chain) = (fs::read(besu_chain()).unwrap(), Plain::open(&besu_chain()).unwrap());
    let (dir, mut rest, mut ends) = (tempfile::tempdir().unwrap(), whole.as_slice(), vec![0]);
    while !rest.is_empty() {
        let len = hypasis_chain::rlp::Item::read(&mut rest).unwrap().raw().len();
        ends.push(ends.last().unwrap() + len);
    }
    let path = dir.path().join("cut.rlp");
    for (blocks, pair) in ends.windows(2).enumerate().skip(1).step_by(37) {
        let [begin, end] = [pair[0], pair[1]];
        for cut in [begin + 1, begin + 3, begin + 20, end - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            let damaged = Plain::open(&path).unwrap();
            assert_eq!(damaged.numbers(), 0..blocks as u64);
            assert!(damaged.fault().unwrap().to_string().contains(&format!("cut.rlp: at byte {begin}")));
            assert_eq!(damaged.block(blocks as u64 - 1).unwrap(), chain.block(blocks as u64 - 1).unwrap());
        }
        fs::write(&path, &whole[..begin]).unwrap();
        assert!(Plain::open(&path).unwrap().fault().is_none(), "a cut between blocks is no damage");
    }
    for cut in [0, 1, 3, 200] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(Plain::open(&path).is_err(), "no whole block in {cut} bytes");
    }
}

#[test]
fn no_single_wrong_byte_makes_a_wrong_block() {
    for format in [Format::Era1, Format::Ere] {
        let dir = tempfile::tempdir().unwrap();
        let (path, blocks) = small_file(dir.path(), format);
        let whole = fs::read(&path).unwrap();
        // All bytes that are not compressed data would do; every seventh byte and the index are all kinds of place.
        let index = whole.len().saturating_sub(8 * 4 * BLOCKS + 32);
        for at in (0..index).step_by(7).chain(index..whole.len()) {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= flip;
                fs::write(&path, &damaged).unwrap();
                assert_never_wrong(&path, &blocks);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_damage_never_makes_a_wrong_block(
        ere: bool,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (path, blocks) = small_file(dir.path(), if ere { Format::Ere } else { Format::Era1 });
        let mut bytes = fs::read(&path).unwrap();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(&path, &bytes).unwrap();
        assert_never_wrong(&path, &blocks);
    }

    #[test]
    fn random_damage_to_a_chain_file_is_found_by_the_roots(
        at in any::<prop::sample::Index>(),
        value: u8,
    ) {
        let whole = fs::read(besu_chain()).unwrap();
        let chain = Plain::open(&besu_chain()).unwrap();
        let mut bytes = whole.clone();
        let at = at.index(bytes.len());
        bytes[at] = value;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chain.rlp");
        fs::write(&path, &bytes).unwrap();
        let Ok(damaged) = Plain::open(&path) else { return Ok(()) };
        for number in damaged.numbers() {
            let Ok(mut found) = damaged.block(number) else { continue };
            let Ok(real) = chain.block(number) else { continue };
            found.id.hash = real.id.hash;
            prop_assert!(found == real || check_fully(&found).is_err(), "block {number} is silently wrong");
        }
    }

    #[test]
    fn any_bytes_are_opened_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..3_usize) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(["a.era1", "a.ere", "a.rlp"][kind]);
        let mut file = vec![0x65, 0x32, 0, 0, 0, 0, 0, 0];
        file.extend_from_slice(&bytes);
        fs::write(&path, if kind == 2 { &bytes } else { &file }).unwrap();
        prop_assert!(ArchiveFile::open(&path).is_err());
    }
}

/// An era1 file of one block whose header entry is `header`.
fn era1_with_header(path: &Path, header: &[u8]) {
    let mut file = Vec::new();
    write_entry(&mut file, kind::VERSION, &[]).unwrap();
    write_entry(&mut file, kind::HEADER, header).unwrap();
    write_entry(&mut file, kind::ACCUMULATOR, &[0; 32]).unwrap();
    let index_at = file.len() as i64;
    let index = [0_u64.to_le_bytes(), (8 - index_at).to_le_bytes(), 1_u64.to_le_bytes()].concat();
    write_entry(&mut file, kind::BLOCK_INDEX, &index).unwrap();
    fs::write(path, file).unwrap();
}

#[test]
fn a_snappy_bomb_is_refused_before_it_unfolds() {
    let bomb = frame::pack(&vec![0; 48 << 20]).unwrap();
    assert!(bomb.len() < 4 << 20);
    assert!(matches!(frame::unpack(bomb.clone(), 1 << 20), Err(frame::FrameError::TooLarge(_))));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bomb-00000-00000000.era1");
    era1_with_header(&path, &bomb);
    let error = Era1::open(&path).unwrap().header(0).unwrap_err();
    assert!(error.to_string().contains(&format!("unpacks to more than {HEADER_BYTES_MAX} bytes")), "{error}");
    // The thread's decoder is sound again afterwards.
    assert_eq!(frame::unpack(frame::pack(b"whole").unwrap(), 5).unwrap(), b"whole");
}

#[test]
fn frames_without_their_identifier_or_with_a_wrong_checksum_are_refused() {
    let packed = frame::pack(b"some bytes that are framed").unwrap();
    assert!(frame::unpack(packed[10..].to_vec(), 100).is_err());
    let mut wrong = packed.clone();
    wrong[14] ^= 1;
    assert!(frame::unpack(wrong, 100).is_err());
    assert!(frame::unpack(Vec::new(), 100).is_err());
    assert!(frame::unpack(packed, 100).is_ok());
}

#[test]
fn an_entry_longer_than_its_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long-00000-00000000.era1");
    era1_with_header(&path, &[0; 16]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[10..14].copy_from_slice(&u32::MAX.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let error = Era1::open(&path).unwrap().header(0).unwrap_err();
    assert!(error.to_string().contains("entry of 4294967295 bytes, but only"), "{error}");
}

#[test]
fn an_accumulator_that_the_headers_do_not_give_is_found() {
    let (dir, blocks) = (tempfile::tempdir().unwrap(), busy_blocks(4));
    let mut writer = Era1Writer::create(dir.path(), "lie", blocks[0].0.id.number).unwrap();
    for (place, (block, difficulty)) in blocks.iter().enumerate() {
        let mut block = block.clone();
        if place == 2 {
            block.id.hash.0[0] ^= 1;
        }
        writer.push(&block, *difficulty).unwrap();
    }
    let era = Era1::open(&writer.finish().unwrap()).unwrap();
    assert!(era.verify_accumulator().unwrap_err().to_string().contains("do not add up to the accumulator"));
    let mut ere = EreWriter::create(dir.path(), "gap", 5).unwrap();
    assert!(ere.push(&blocks[0].0, None).is_err());
}
