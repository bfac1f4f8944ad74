//! Killed at random moments: whatever coverage claims afterwards is served and right.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use hypasis_tests::appliance::{Appliance, binary};
use hypasis_tests::process::pause;
use serde_json::{Value, json};
use tempfile::tempdir;

mod reorgs;

/// Cycles in CI; `HYPASIS_KILL_CYCLES` asks for more.
const CYCLES: u64 = 6;

#[test]
fn whatever_coverage_claims_after_a_kill_is_served_and_right() {
    let dir = tempdir().unwrap();
    let config = dir.path().join("hypasis.toml");
    std::fs::write(&config, "[dev]\nhistory = 60000\ntransactions = 2\n[sync.backward]\nbatch_size = 1024\n")
        .unwrap();
    let arguments = ["--chain", "dev", "--config", config.to_str().unwrap()];
    for cycle in 0..cycles() {
        let mut appliance = Appliance::start(dir.path(), &arguments);
        let lifetime = Duration::from_millis(random() % 2_500);
        let deadline = Instant::now() + lifetime;
        while Instant::now() < deadline {
            pause();
        }
        claims_hold(&mut appliance, cycle);
        appliance.kill();
    }
    let verified = std::process::Command::new(binary())
        .args(["store", "verify", "--chain", "dev", "--config", config.to_str().unwrap()])
        .args(["--data-dir".as_ref(), dir.path().join("data").as_os_str()])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// Asks the store alone for the ends and the middle of every interval that it claims.
fn claims_hold(appliance: &mut Appliance, cycle: u64) {
    let coverage = appliance.status()["coverage"].clone();
    for (kind, method) in [("header", "debug_getRawHeader"), ("receipts", "eth_getBlockReceipts")] {
        for interval in coverage[kind].as_array().unwrap() {
            let (from, to) = (interval[0].as_u64().unwrap(), interval[1].as_u64().unwrap());
            for height in [from, from.midpoint(to), to] {
                let body = hypasis_tests::http::request(method, json!([format!("{height:#x}")]));
                let answer =
                    hypasis_tests::http::post_with(appliance.rpc, &body, &[("hypasis-route", "store")]);
                let result = &answer.json()["result"];
                assert!(
                    *result != Value::Null,
                    "cycle {cycle}, {kind} of {height} was claimed: {}",
                    answer.body
                );
            }
        }
    }
}

fn cycles() -> u64 {
    std::env::var("HYPASIS_KILL_CYCLES").ok().and_then(|cycles| cycles.parse().ok()).unwrap_or(CYCLES)
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
