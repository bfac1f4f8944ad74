//! Killed at random moments of reorgs: the store stands on one fork, whole, and never between two.

use std::collections::BTreeMap;

use hypasis_chain::dev::{DevChain, DevForks};
use hypasis_tests::hosted::{Hosted, chain};
use hypasis_tests::http::get;
use hypasis_tests::replay::Replay;

use super::*;

/// Blocks at the start; finality trails by 64, so that all reorgs here stay above it.
const HISTORY: u64 = 160;
/// Deepest reorg.
const DEPTH_MAX: u64 = 24;
/// Longest wait for any one thing.
const LIMIT: Duration = Duration::from_secs(60);

/// The canonical chain of a moment, by height.
type Fork = BTreeMap<u64, String>;

#[test]
fn after_a_kill_in_a_reorg_the_store_stands_on_one_fork() {
    let chain = chain(HISTORY, 4, 5, DevForks::default());
    let node = Hosted::start("node", &chain);
    // While the node is silent only this one is there, which knows the chain's name and no more: what is read
    // back then is what the disk held.
    let witness = witness(&chain);
    let dir = tempdir().unwrap();
    let config = dir.path().join("hypasis.toml");
    let text =
        format!("{}[[upstream]]\nid = \"witness\"\nurl = \"http://{}\"\n", node.config(""), witness.address);
    std::fs::write(&config, text).unwrap();
    let arguments = ["--config", config.to_str().unwrap()];
    let mut forks = vec![fork(&chain)];
    for cycle in 0..cycles() {
        let mut appliance = Appliance::start(dir.path(), &arguments);
        let head = chain.head();
        appliance.until(
            |_, admin| {
                let status = get(admin, "/api/v1/status").json();
                status["head"]["hash"] == head.hash.to_string() && status["served_locally"] == true
            },
            LIMIT,
            "to follow the head",
        );
        let deadline = Instant::now() + Duration::from_millis(random() % 1_500);
        forks = vec![fork(&chain)];
        loop {
            let depth = 1 + random() % DEPTH_MAX;
            let new = chain.reorg(depth, depth + 1);
            forks.push(fork(&chain));
            while Instant::now() < deadline && head_of(&appliance) != new.hash.to_string() {
                pause();
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        appliance.kill();
        node.node.fail(true);
        let appliance = Appliance::start(dir.path(), &arguments);
        stands_on_one(&appliance, &chain, &forks, cycle);
        appliance.kill();
        node.node.fail(false);
    }
    assert!(!forks.is_empty());
}

/// Everything that coverage claims is served from the store alone, and all of it lies on one of the forks.
fn stands_on_one(appliance: &Appliance, chain: &DevChain, forks: &[Fork], cycle: u64) {
    let coverage = appliance.status()["coverage"].clone();
    let mut held = Fork::new();
    for interval in coverage["receipts"].as_array().unwrap() {
        for number in interval[0].as_u64().unwrap()..=interval[1].as_u64().unwrap() {
            let height = json!([format!("{number:#x}")]);
            let raw = |method: &str| appliance.held(method, height.clone())["result"].clone();
            let block = get(appliance.admin, &format!("/api/v1/blocks/{number}")).json();
            let hash = block["hash"].as_str().unwrap_or_else(|| panic!("cycle {cycle}: {block}")).to_owned();
            let (header, body) = (raw("debug_getRawHeader"), raw("debug_getRawBlock"));
            assert!(header.is_string() && raw("debug_getRawReceipts").is_array(), "cycle {cycle}: {number}");
            let by_hash = appliance.held("debug_getRawBlock", json!([hash]))["result"].clone();
            assert_eq!(by_hash, body, "cycle {cycle}: {number} by height and by hash");
            held.insert(number, hash);
        }
    }
    let head = *held.keys().next_back().unwrap();
    assert!(head >= HISTORY, "cycle {cycle}: the head fell back to {head}");
    assert_eq!(held.len() as u64, head + 1, "cycle {cycle}: all heights are held");
    let one = forks.iter().any(|fork| held.iter().all(|(number, hash)| fork.get(number) == Some(hash)));
    assert!(
        one,
        "cycle {cycle}: the store stands between {} forks at {head}, head {:?}",
        forks.len(),
        chain.head()
    );
}

fn fork(chain: &DevChain) -> Fork {
    (0..=chain.head().number).map(|number| (number, chain.id_at(number).hash.to_string())).collect()
}

/// A node that tells which chain it is on, and no head.
fn witness(chain: &DevChain) -> Replay {
    let genesis = json!({ "number": "0x0", "timestamp": "0x0", "hash": chain.id_at(0).hash.to_string() });
    let genesis = genesis.to_string();
    let more =
        [("eth_chainId", "[]", "\"0x539\""), ("eth_getBlockByNumber", r#"["0x0",false]"#, genesis.as_str())];
    Replay::start(&[], &more)
}

fn head_of(appliance: &Appliance) -> String {
    appliance.status()["head"]["hash"].as_str().unwrap_or_default().to_owned()
}
