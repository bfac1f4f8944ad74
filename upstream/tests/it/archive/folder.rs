//! A folder of archives as a source.

use std::fs;
use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use hypasis_chain::{BlockId, Fault};
use hypasis_upstream::archive::{ArchiveSource, Era1, Plain};
use hypasis_upstream::{Source, SourceError};

use super::{MAINNET, SEPOLIA, besu_chain, check_fully, era1_path};

async fn open(dir: &tempfile::TempDir) -> ArchiveSource {
    ArchiveSource::open(Arc::from("archive"), dir.path().to_path_buf()).await.unwrap()
}

fn id_of(number: u64, header: &[u8]) -> BlockId {
    BlockId { number, hash: keccak256(header) }
}

#[tokio::test]
async fn a_folder_serves_what_its_sound_files_hold_and_names_the_others() {
    let dir = tempfile::tempdir().unwrap();
    for name in [MAINNET, SEPOLIA] {
        fs::copy(era1_path(name), dir.path().join(name)).unwrap();
    }
    let whole = fs::read(era1_path(MAINNET)).unwrap();
    fs::write(dir.path().join("mainnet-00001-cut.era1"), &whole[..whole.len() / 2]).unwrap();
    fs::write(dir.path().join("notes.txt"), "no archive").unwrap();
    let source = open(&dir).await;
    let faults: Vec<_> = source.folder().faults().iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].contains("mainnet-00001-cut.era1"), "{faults:?}");
    let heads = source.heads().borrow().clone();
    assert_eq!((heads.latest.unwrap().number, heads.earliest), (180_223, 0));
    assert_eq!(heads.finalized, heads.latest);

    let headers = source.headers(8_000, 1_000).await.unwrap();
    assert_eq!(headers.len(), 192, "up to the gap between the files");
    let wanted: Vec<_> = headers.iter().zip(8_000..).map(|(header, number)| id_of(number, header)).collect();
    let blocks = source.blocks(&wanted, true).await.unwrap();
    assert_eq!(blocks.iter().map(|block| block.id).collect::<Vec<_>>(), wanted);
    blocks.iter().for_each(|block| check_fully(block).unwrap());
    assert!(matches!(source.headers(8_192, 1).await, Err(SourceError::Absent(_))));
    assert!(source.score() > 0);
}

#[tokio::test]
async fn a_block_of_another_fork_is_absent() {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(besu_chain(), dir.path().join("chain.rlp")).unwrap();
    let source = open(&dir).await;
    let wanted = [BlockId { number: 7, hash: B256::repeat_byte(7) }];
    assert!(matches!(source.blocks(&wanted, false).await, Err(SourceError::Absent(_))));
    assert_eq!(source.heads().borrow().finalized, None, "a chain file does not say what is final");
    assert!(!source.folder().has_receipts(7));
}

#[tokio::test]
async fn a_blamed_block_is_not_given_again_but_its_neighbours_are() {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(besu_chain(), dir.path().join("chain.rlp")).unwrap();
    let (source, chain) = (open(&dir).await, Plain::open(&besu_chain()).unwrap());
    let ids: Vec<_> = (40..44).map(|number| chain.block(number).unwrap().id).collect();
    assert_eq!(source.blocks(&ids, false).await.unwrap().len(), 4);
    source.blame(42, &Fault::Bloom);
    assert_eq!(source.blocks(&ids, false).await.unwrap().len(), 2);
    assert!(matches!(source.blocks(&ids[2..], false).await, Err(SourceError::Absent(_))));
    assert_eq!(source.blocks(&ids[3..], false).await.unwrap().len(), 1);
}

#[tokio::test]
async fn where_two_files_hold_a_height_the_sound_one_answers_and_receipts_come_first() {
    let dir = tempfile::tempdir().unwrap();
    let era = Era1::open(&era1_path(MAINNET)).unwrap();
    let blocks: Vec<_> = (0..20).map(|number| era.block(number, true).unwrap()).collect();
    for format in [hypasis_upstream::archive::Format::Plain, hypasis_upstream::archive::Format::Ere] {
        let mut exporter = hypasis_upstream::archive::Exporter::new(dir.path(), "two", format);
        blocks.iter().for_each(|block| exporter.push(block, None).unwrap());
        exporter.finish().unwrap();
    }
    let source = open(&dir).await;
    let ids: Vec<_> = blocks.iter().map(|block| block.id).collect();
    assert_eq!(source.blocks(&ids, true).await.unwrap(), blocks);
    assert!(source.folder().has_receipts(19));
    source.blame(3, &Fault::Bloom);
    let again = source.blocks(&ids[3..4], true).await.unwrap();
    assert_eq!((again[0].id, again[0].receipts.is_some()), (ids[3], false), "the chain file has it too");
}

#[tokio::test]
async fn a_folder_without_archives_has_no_head_and_a_missing_one_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let source = open(&dir).await;
    assert_eq!((source.heads().borrow().latest, source.score()), (None, 0));
    assert!(ArchiveSource::open(Arc::from("a"), dir.path().join("none")).await.is_err());
}
