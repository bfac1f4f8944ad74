//! Polygon in small: a real Heimdall, a real Bor that signs as its validator, and the appliance behind both.

use std::time::Duration;

use hypasis_chain::dev::bor::BorOptions;
use hypasis_tests::bor::{Minted, Node, Validator, number};
use hypasis_tests::http::{call, get};
use hypasis_tests::process::free_address;
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{FILLING, configured};

/// Time for a dozen blocks, one a second, and for the vote on them.
const LIMIT: Duration = Duration::from_secs(120);
/// A milestone at this height or above must be seen.
const VOTED: u64 = 12;

#[test]
fn milestones_of_a_real_heimdall_finalize_and_a_fresh_bor_syncs() {
    let dir = tempdir().unwrap();
    let options = BorOptions::default();
    let Some(validator) = Validator::new(dir.path(), options.chain_id) else { return };
    let minted = Minted::new(dir.path(), options);
    let address = free_address();
    let heimdalld = validator.start(address);
    let node = Node::asking(&minted.genesis, heimdalld.address);
    let miner = node.clone().mining_for(&validator, address);
    let mut a = miner.start(&dir.path().join("a")).expect("Bor comes with Heimdall");
    a.mined(4, LIMIT);
    // One Heimdall under two names: both ways of asking, by number and for the latest span.
    let port = heimdalld.address.port();
    let config = format!(
        "[[upstream]]\nid = \"a\"\nurl = \"http://{}\"\n[checkpoint]\n\
         heimdall_urls = [\"http://127.0.0.1:{port}\", \"http://localhost:{port}\"]\n",
        a.address
    );
    let mut appliance = configured(dir.path(), &minted.genesis, &config);
    appliance.filled(4, FILLING);
    let finalized =
        |address| call(address, "eth_getBlockByNumber", json!(["finalized", false]))["result"].clone();
    appliance.until(|rpc, _| number(&finalized(rpc)["number"]) >= VOTED, LIMIT, "to finalize milestones");
    let ours = finalized(appliance.rpc);
    assert_eq!(ours["hash"], a.hash(number(&ours["number"])));
    let theirs = a.address;
    a.until(
        || number(&finalized(theirs)["number"]) >= number(&ours["number"]),
        LIMIT,
        "to finalize them too",
    );
    let page = get(appliance.admin, "/api/v1/checkpoint").json();
    let heimdall = &page["heimdall"];
    assert_eq!(heimdall["trouble"], Value::Null, "{page}\n{}", heimdalld.log());
    assert_eq!(heimdall["spans"][0], json!([0, 0, 255]), "{page}");
    let end = heimdall["milestone"]["end_block"].as_u64().unwrap();
    assert!(end >= number(&ours["number"]), "{page}");
    assert_eq!(heimdall["milestone"]["hash"], a.hash(end), "{page}");
    // Total difficulty is the validators' word too, and the appliance proves its own by headers.
    let total = a.ask("eth_getTdByNumber", json!([format!("{end:#x}")]))["totalDifficulty"].clone();
    assert_eq!(heimdall["milestone"]["total_difficulty"], total, "{page}");
    let mut b = node.syncing().static_node(&appliance.node().0).start(&dir.path().join("b")).expect("Bor");
    let head = a.head();
    let hash = a.hash(head);
    b.reached(head, &hash, LIMIT);
}
