//! Writes a chain in Bor's form: `mint BLOCKS FOLDER` leaves `genesis.json` and `chain.rlp` there, for measurements at
//! Polygon's scale. All eras in turn, a tenth of the blocks each; 21 validators, sprints of 16, spans of 6,400.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a tool that says what it did, and fails loudly"
)]

use std::path::PathBuf;
use std::time::Instant;

use hypasis_chain::dev::bor::{BorForks, BorOptions};
use hypasis_tests::bor::Minted;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let blocks: u64 = arguments.next().and_then(|text| text.parse().ok()).expect("mint BLOCKS FOLDER");
    let folder = PathBuf::from(arguments.next().expect("mint BLOCKS FOLDER"));
    let began = Instant::now();
    let forks = BorForks::staged(blocks / 10);
    let options = BorOptions { validators: vec![10; 21], producers: 21, forks, ..BorOptions::default() };
    let mut minted = Minted::new(&folder, options);
    let file = minted.file(blocks);
    std::fs::rename(file, folder.join("chain.rlp")).expect("the file can be renamed");
    let (head, seconds) = (minted.minter.head(), began.elapsed().as_secs_f64());
    println!(
        "{} blocks in {seconds:.1} s, up to {}, total difficulty {}",
        head.number,
        head.hash,
        minted.minter.total_difficulty()
    );
}
