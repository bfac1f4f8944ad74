//! A real Bor takes what the development chain in Bor's form mints: so the chains that tests make millions of are
//! right.

use hypasis_chain::dev::bor::{BorForks, BorOptions};
use hypasis_tests::bor::{Bor, Minted, Node, number, write_chain};
use serde_json::json;
use tempfile::tempdir;

/// Five validators of different powers, three of them in each span; short spans, so that they change often.
fn changing(forks: BorForks) -> BorOptions {
    BorOptions { validators: vec![10, 30, 20, 5, 1], producers: 3, span: 64, forks, ..BorOptions::default() }
}

#[test]
fn every_era_in_one_chain_with_changing_producers() {
    // Rio comes where a span begins, or what comes before would have one producer too.
    let forks = BorForks { rio: 640, madhugiri: 700, dandeli: 750, ..BorForks::staged(100) };
    agrees(changing(forks), 1_200);
}

#[test]
fn sprints_and_periods_that_change() {
    let options = BorOptions {
        sprint: vec![(0, 64), (128, 16), (512, 8)],
        period: vec![(0, 2), (700, 1)],
        producer_delay: 6,
        ..changing(BorForks::before_rio())
    };
    agrees(options, 1_000);
}

#[test]
fn one_producer_a_span_from_the_first_block_on() {
    agrees(BorOptions { validators: vec![7; 4], span: 100, ..BorOptions::default() }, 3_000);
}

#[test]
fn branches_win_by_their_total_difficulty_as_the_minter_counts_it() {
    let dir = tempdir().unwrap();
    let mut minted = Minted::new(dir.path(), changing(BorForks::before_rio()));
    let heimdall = minted.heimdall();
    let Some(bor) = Node::new(&minted.genesis, &heimdall).start(dir.path()) else { return };
    bor.import(&minted.file(300));
    let fork = minted.minter.clone();
    let mut turn = fork.clone().branch(1);
    let mut long = fork.clone().branch(2).succession(2);
    // Fifteen blocks out of turn weigh as much as five in turn.
    bor.import(&minted.file(5));
    let stays = minted.minter.head();
    write_chain(&dir.path().join("long"), &mut long, 14);
    assert!(long.total_difficulty() < minted.minter.total_difficulty());
    bor.import(&dir.path().join("long"));
    assert_eq!(bor.hash(stays.number), json!(stays.hash), "a longer branch of less weight");
    write_chain(&dir.path().join("turn"), &mut turn, 6);
    bor.import(&dir.path().join("turn"));
    assert_eq!(bor.head(), turn.head().number);
    assert_eq!(bor.hash(turn.head().number), json!(turn.head().hash), "a branch of more weight");
}

/// A real Bor comes to the same head and the same total difficulty.
fn agrees(options: BorOptions, count: u64) {
    let dir = tempdir().unwrap();
    let mut minted = Minted::new(dir.path(), options);
    let heimdall = minted.heimdall();
    let Some(bor) = Node::new(&minted.genesis, &heimdall).start(dir.path()) else { return };
    bor.import(&minted.file(count));
    let head = minted.minter.head();
    assert_eq!((bor.head(), bor.hash(head.number)), (head.number, json!(head.hash)), "{}", log_of(&bor));
    let difficulty = bor.ask("eth_getTdByNumber", json!([format!("{:#x}", head.number)]));
    assert_eq!(number(&difficulty["totalDifficulty"]), minted.minter.total_difficulty().to::<u64>());
}

/// The end of what it has logged.
fn log_of(bor: &Bor) -> String {
    let log = bor.log();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
