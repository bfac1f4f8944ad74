//! `kill -9` at random moments of filling and of reorgs.
//!
//! The test runs itself as a child, which prints what was acknowledged; `HYPASIS_KILL_CYCLES` sets how often.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::B256;
use hypasis_cache::{Options, Store, Verified};
use hypasis_chain::bor::state_sync;

use crate::support::{assert_held, chain, fill, ids, open, options, trust};

const FOLDER: &str = "HYPASIS_KILL_FOLDER";
const HISTORY: u64 = 400;
const STEP: usize = 20;

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return child(Path::new(&folder));
    }
    let cycles: u64 =
        std::env::var("HYPASIS_KILL_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    println!("seed {seed}");
    for cycle in 0..cycles {
        let folder = tempfile::tempdir().unwrap();
        let lines = u64::from(seed).wrapping_mul(cycle * 2 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
        let acknowledged = run_and_kill(folder.path(), lines);
        check(&open(folder.path()), &acknowledged, cycle);
    }
}

/// Lets the child acknowledge some lines and kills it; what it had printed by then is acknowledged.
fn run_and_kill(folder: &Path, lines: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::what_was_acknowledged_survives_kill_9", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = Vec::new();
    for line in output.lines() {
        let line = line.unwrap();
        // The harness prints the test's name in front of the first line.
        acknowledged.extend(line.rsplit(' ').next().filter(|word| word.contains(':')).map(str::to_owned));
        if acknowledged.len() as u64 > lines {
            // The pipe may hold more: those are acknowledged too.
            let _ = child.kill();
        }
    }
    let status = child.wait().unwrap();
    assert_eq!(status.code(), None, "the child ends by the signal alone");
    acknowledged
}

fn blocks() -> (Vec<Verified>, Vec<Verified>) {
    let history = chain(0, HISTORY, B256::ZERO, 0);
    let tip = chain(HISTORY, 40, history.last().unwrap().block.id.hash, 0);
    (history, tip)
}

fn branch(tip: &[Verified], round: u64) -> Vec<Verified> {
    // Never shallower than the one before: its parent is still canonical.
    let depth = (round + 1).min(15) as usize;
    chain(HISTORY + 40 - depth as u64, depth as u64, tip[39 - depth].block.id.hash, round + 1)
}

/// Fills parts and reorgs in turns, telling of each when it is done.
fn child(folder: &Path) {
    let store = Store::open(&Options { tip_blocks_max: 1_024, ..options(folder) }).unwrap();
    let (history, tip) = blocks();
    store.insert_tip(&tip[..], &trust("node")).unwrap();
    store.set_canonical(&ids(&tip)).unwrap();
    println!("tip:0");
    for (round, part) in (0_u64..).zip(history.chunks(STEP).rev()) {
        fill(&store, part).unwrap();
        println!("part:{}", part[0].block.id.number);
        let branch = branch(&tip, round);
        store.insert_tip(&branch, &trust("node")).unwrap();
        store.set_canonical(&ids(&branch)).unwrap();
        println!("branch:{round}");
    }
    store.promote(HISTORY + 20).unwrap();
    println!("promoted:{}", HISTORY + 20);
    loop {
        store.remove(0..=19).unwrap();
        fill(&store, &history[..STEP]).unwrap();
        println!("again:0");
    }
}

fn check(store: &Store, acknowledged: &[String], cycle: u64) {
    let (history, tip) = blocks();
    let view = store.view();
    for line in acknowledged {
        let (what, number) = line.split_once(':').unwrap();
        let number: u64 = number.parse().unwrap();
        // The first part is removed and written again at the end.
        if what == "part" && number > 0 {
            history[number as usize..][..STEP].iter().for_each(|block| assert_held(&view, block));
        }
        if what == "tip" {
            tip[..24].iter().for_each(|block| assert_held(&view, block));
        }
    }
    // Whatever is canonical is one linked chain, and each way to it agrees.
    let mut parent: Option<B256> = None;
    for number in 0..HISTORY + 40 {
        let Some(block) = view.by_number(number).unwrap() else {
            parent = None;
            continue;
        };
        let header = view.header(&block).unwrap().unwrap();
        let header = hypasis_chain::Header::parse(&header).unwrap();
        assert_eq!(header.hash(), block.id.hash);
        assert!(parent.is_none_or(|parent| parent == header.parent_hash()), "cycle {cycle}, block {number}");
        assert_eq!(view.by_hash(&block.id.hash).unwrap(), Some(block));
        let body = view.body(&block).unwrap().unwrap();
        for transaction in hypasis_chain::Body::parse(&body).unwrap().transactions() {
            assert_eq!(view.transaction(&transaction.unwrap().hash()).unwrap().unwrap().0, block);
        }
        if view.extra(&block).unwrap().is_some_and(|extra| extra.as_ref() != state_sync::NONE) {
            let hash = state_sync::derived_hash(block.id.number, block.id.hash);
            assert_eq!(view.transaction(&hash).unwrap().unwrap().0, block);
        }
        parent = Some(block.id.hash);
    }
    store.verify(0..=u64::MAX, false, &mut |range, why| panic!("cycle {cycle}, {range:?}: {why}")).unwrap();
}
