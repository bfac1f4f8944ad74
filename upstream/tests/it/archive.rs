//! Archives: what real files hold comes out verified, what is written comes back, what is damaged is named.

mod damage;
mod folder;
mod round_trip;

use std::path::PathBuf;

use alloy_primitives::B256;
use hypasis_chain::{Block, Body, Header, Receipts, verify};
use hypasis_upstream::archive::{ArchiveFile, Era1, Plain};

use crate::support::testdata;

pub(crate) const MAINNET: &str = "mainnet-00000-5ec1ffb8.era1";
pub(crate) const SEPOLIA: &str = "sepolia-00021-b8814b14.era1";

pub(crate) fn era1_path(name: &str) -> PathBuf {
    testdata().join("ethereum/era1").join(name)
}

pub(crate) fn besu_chain() -> PathBuf {
    testdata().join("synthetic_chains/besu-500/chain.rlp")
}

/// Everything that a header commits to holds.
pub(crate) fn check_fully(block: &Block) -> Result<(), verify::Fault> {
    let header = Header::parse(&block.header).unwrap();
    verify::check_identity(&header, block.id.number, block.id.hash)?;
    verify::check_body(&header, &Body::parse(&block.body).unwrap())?;
    match &block.receipts {
        Some(receipts) => verify::check_receipts(&header, &Receipts::parse(receipts).unwrap()),
        None => Ok(()),
    }
}

/// All blocks of a file, verified and linked; the last hash.
fn check_chain(file: &ArchiveFile) -> B256 {
    let mut parent: Option<Block> = None;
    for number in file.numbers() {
        let block = file.block(number, true).unwrap();
        assert_eq!(block.receipts.is_some(), file.has_receipts(), "receipts of {number}");
        assert_eq!(file.header(number).unwrap(), block.header);
        check_fully(&block).unwrap();
        if let Some(parent) = parent {
            let (above, below) =
                (Header::parse(&block.header).unwrap(), Header::parse(&parent.header).unwrap());
            verify::check_link(&below, parent.id.hash, &above).unwrap();
        }
        parent = Some(block);
    }
    parent.unwrap().id.hash
}

#[test]
fn every_block_of_the_real_era1_files_verifies_and_links() {
    let mainnet = ArchiveFile::open(&era1_path(MAINNET)).unwrap();
    assert_eq!(mainnet.numbers(), 0..8_192);
    assert!(check_chain(&mainnet).to_string().starts_with("0xa6860fef"));
    let sepolia = ArchiveFile::open(&era1_path(SEPOLIA)).unwrap();
    assert_eq!(sepolia.numbers(), 172_032..180_224);
    assert!(check_chain(&sepolia).to_string().starts_with("0xaf105ff1"));
}

#[test]
fn accumulators_are_those_of_the_file_names() {
    for (name, short) in [(MAINNET, "0x5ec1ffb8"), (SEPOLIA, "0xb8814b14")] {
        let root = Era1::open(&era1_path(name)).unwrap().verify_accumulator().unwrap();
        assert!(root.to_string().starts_with(short), "{name}: {root}");
    }
}

#[test]
fn total_difficulty_grows_by_each_blocks_difficulty() {
    let era = Era1::open(&era1_path(MAINNET)).unwrap();
    let mut total = era.total_difficulty(0).unwrap();
    assert_eq!(total.to::<u64>(), 17_179_869_184);
    for number in 1..200 {
        total += Header::parse(&era.header(number).unwrap()).unwrap().difficulty();
        assert_eq!(era.total_difficulty(number).unwrap(), total);
    }
}

#[test]
fn plain_chain_files_verify_and_say_that_they_have_no_receipts() {
    let besu = ArchiveFile::open(&besu_chain()).unwrap();
    assert_eq!(besu.numbers(), 0..501);
    check_chain(&besu);
    let apis = ArchiveFile::open(&testdata().join("rpc_fixtures/execution-apis/chain.rlp")).unwrap();
    assert_eq!(apis.numbers().end - apis.numbers().start, 54);
    check_chain(&apis);
}

#[test]
fn a_chain_file_may_begin_at_any_height() {
    let bytes = std::fs::read(besu_chain()).unwrap();
    let genesis = hypasis_chain::rlp::Item::read(&mut bytes.as_slice()).unwrap().raw().len();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.rlp");
    std::fs::write(&path, &bytes[genesis..]).unwrap();
    let chain = Plain::open(&path).unwrap();
    assert_eq!(chain.numbers(), 1..501);
    assert_eq!(chain.block(500).unwrap(), Plain::open(&besu_chain()).unwrap().block(500).unwrap());
    assert!(chain.block(0).is_err());
}
