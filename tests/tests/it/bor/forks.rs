//! Which of two branches: by total difficulty, and by milestone. A real Bor decides, the appliance and the Bor behind
//! it follow.

use std::path::PathBuf;
use std::time::Duration;

use alloy_primitives::B256;
use hypasis_chain::BlockId;
use hypasis_chain::dev::bor::{BorForks, BorMinter, BorOptions};
use hypasis_tests::appliance::Appliance;
use hypasis_tests::bor::{Bor, Heimdall, Milestone, Minted, Node, write_chain};
use hypasis_tests::http::{call, get, post, request};
use serde_json::json;
use tempfile::{TempDir, tempdir};

use super::{FILLING, configured};

/// Blocks that all branches share.
const SHARED: u64 = 300;
/// Time for a branch to come through.
const LIMIT: Duration = Duration::from_secs(60);

/// A, the appliance behind it by RPC, and B behind that, all at the end of what is shared.
struct Line {
    dir: TempDir,
    minted: Minted,
    heimdall: Heimdall,
    a: Bor,
    appliance: Appliance,
    b: Bor,
}

#[test]
fn a_heavier_branch_wins_although_it_is_shorter() {
    let Some(mut line) = line() else { return };
    let shared = line.minted.minter.clone();
    // Each block out of turn weighs one, each in turn three.
    let mut long = shared.clone().branch(1).succession(2);
    line.import(&mut long, 8);
    line.follow(long.head());
    let mut heavy = shared.branch(2);
    line.import(&mut heavy, 4);
    assert!(heavy.head().number < long.head().number && heavy.total_difficulty() > long.total_difficulty());
    line.follow(heavy.head());
    // And it grows on.
    line.import(&mut heavy, 10);
    line.follow(heavy.head());
}

#[test]
fn a_lighter_branch_changes_nothing() {
    let Some(mut line) = line() else { return };
    let mut heavy = line.minted.minter.clone().branch(1);
    let mut light = line.minted.minter.clone().branch(2).succession(2);
    line.import(&mut heavy, 4);
    line.follow(heavy.head());
    line.import(&mut light, 6);
    let stays = line.a.ask("eth_getBlockByNumber", json!(["latest", false]));
    assert_eq!(stays["hash"], json!(heavy.head().hash));
    // What comes behind it arrives, so that everybody has seen what there was to see.
    line.import(&mut heavy, 1);
    line.follow(heavy.head());
}

#[test]
fn finalized_is_the_milestone_as_bor_has_it() {
    let Some(mut line) = line() else { return };
    let tag = |address| call(address, "eth_getBlockByNumber", json!(["finalized", false]));
    for number in [100, 200] {
        let hash: B256 = line.a.hash(number).as_str().unwrap().parse().unwrap();
        line.heimdall.milestone(Some(Milestone { number, hash }));
        let a = line.a.address;
        line.a.until(|| tag(a)["result"]["hash"] == json!(hash), LIMIT, "to finalize the milestone");
        line.appliance.until(|rpc, _| tag(rpc)["result"]["hash"] == json!(hash), LIMIT, "to finalize it too");
        let b = line.b.address;
        line.b.until(|| tag(b)["result"]["hash"] == json!(hash), LIMIT, "to finalize it too");
    }
}

#[test]
fn with_a_heimdall_of_its_own_finalized_is_its_milestone() {
    let line = line_with(|heimdall, a| {
        // What the stub says at first lies beyond all heights, and milestones never go back.
        let hash: B256 = a.hash(50).as_str().unwrap().parse().unwrap();
        heimdall.milestone(Some(Milestone { number: 50, hash }));
        format!("[checkpoint]\nheimdall_urls = [\"{}\"]\n", heimdall.url())
    });
    let Some(mut line) = line else { return };
    let tag = |address| call(address, "eth_getBlockByNumber", json!(["finalized", false]));
    for number in [100, 200] {
        let hash: B256 = line.a.hash(number).as_str().unwrap().parse().unwrap();
        line.heimdall.milestone(Some(Milestone { number, hash }));
        line.appliance.until(|rpc, _| tag(rpc)["result"]["hash"] == json!(hash), LIMIT, "to finalize it");
        let a = line.a.address;
        line.a.until(|| tag(a)["result"]["hash"] == json!(hash), LIMIT, "to finalize the milestone");
    }
    let page = get(line.appliance.admin, "/api/v1/checkpoint").json();
    let hash = line.a.hash(200);
    assert!(page["heimdall"]["milestone"].to_string().contains(hash.as_str().unwrap()), "{page}");
}

/// Until Rio headers name the signers of the next sprint.
#[test]
fn signers_of_a_bor_before_rio_are_told_from_headers() {
    let Some(mut line) = line() else { return };
    line.appliance.calibrated(FILLING);
    for number in [1, 15, 16, 17, 31, 32, 33, 160, SHARED] {
        let hash = line.a.hash(number);
        for (method, block) in
            [("bor_getSigners", json!(format!("{number:#x}"))), ("bor_getSignersAtHash", hash)]
        {
            let body = request(method, json!([block]));
            let (ours, theirs) = (post(line.appliance.rpc, &body), post(line.a.address, &body));
            assert_eq!(ours.body.trim_end(), theirs.body.trim_end(), "{body}");
            // The first sprint's are known to Heimdall alone.
            let source = if number < 16 { "upstream:a" } else { "store" };
            assert_eq!(
                ours.header("hypasis-source"),
                Some(source),
                "{body}, {:?}",
                ours.header("hypasis-miss")
            );
        }
    }
}

/// A fresh Bor asks its peer for the milestone's block before anything else, and takes none that has another.
#[test]
fn a_bor_that_knows_a_milestone_syncs() {
    let Some(line) = line() else { return };
    let hash: B256 = line.a.hash(SHARED - 50).as_str().unwrap().parse().unwrap();
    line.heimdall.milestone(Some(Milestone { number: SHARED - 50, hash }));
    line.a.stop();
    let fresh =
        Node::new(&line.minted.genesis, &line.heimdall).syncing().static_node(&line.appliance.node().0);
    let mut fresh = fresh.start(&line.dir.path().join("c")).unwrap();
    let head = line.minted.minter.head();
    fresh.reached(head.number, &json!(head.hash), LIMIT);
}

// === impl Line ===

impl Line {
    /// A takes the next blocks of a branch.
    fn import(&self, branch: &mut BorMinter, count: u64) {
        let file: PathBuf = self.dir.path().join("branch.rlp");
        write_chain(&file, branch, count);
        self.a.import(&file);
    }

    /// The appliance and B come to this head.
    fn follow(&mut self, head: BlockId) {
        let hash = json!(head.hash);
        let latest = |address| {
            call(address, "eth_getBlockByNumber", json!(["latest", false]))["result"]["hash"].clone()
        };
        assert_eq!(latest(self.a.address), hash, "A is not at {head:?}");
        self.appliance.until(|rpc, _| latest(rpc) == hash, LIMIT, &format!("to serve {head:?}"));
        let b = self.b.address;
        self.b.until(|| latest(b) == hash, LIMIT, &format!("to follow to {head:?}"));
    }
}

fn line() -> Option<Line> {
    line_with(|_, _| String::new())
}

/// With more in the appliance's configuration.
fn line_with(more: impl FnOnce(&Heimdall, &Bor) -> String) -> Option<Line> {
    let dir = tempdir().unwrap();
    let forks = BorForks::before_rio();
    let options = BorOptions { validators: vec![10, 30, 20], producers: 3, forks, ..BorOptions::default() };
    let mut minted = Minted::new(dir.path(), options);
    let heimdall = minted.heimdall();
    let node = Node::new(&minted.genesis, &heimdall);
    let a = node.start(&dir.path().join("a"))?;
    a.import(&minted.file(SHARED));
    let upstream = format!("[[upstream]]\nid = \"a\"\nurl = \"http://{}\"\n", a.address);
    // The branches lie in the window, and behind it something is settled.
    let config = format!("{upstream}[store]\nfinality_depth = 100\n{}", more(&heimdall, &a));
    let mut appliance = configured(dir.path(), &minted.genesis, &config);
    appliance.filled(SHARED, FILLING);
    let mut b = node.syncing().static_node(&appliance.node().0).start(&dir.path().join("b"))?;
    let head = minted.minter.head();
    b.reached(head.number, &json!(head.hash), LIMIT);
    Some(Line { dir, minted, heimdall, a, appliance, b })
}
