//! The first minute of a newcomer: the development chain fills in both directions, and `curl` gets blocks.

use std::time::Duration;

use hypasis_tests::appliance::Appliance;
use hypasis_tests::http::{get, post, request};
use serde_json::json;
use tempfile::tempdir;

#[test]
fn the_development_chain_fills_completely_and_is_served() {
    let dir = tempdir().unwrap();
    let config = dir.path().join("hypasis.toml");
    std::fs::write(&config, "[dev]\nhistory = 20000\ntransactions = 3\n").unwrap();
    let mut appliance =
        Appliance::start(dir.path(), &["--chain", "dev", "--config", config.to_str().unwrap()]);
    // Serving starts before any filling: the very first call is answered.
    assert_eq!(appliance.call("eth_chainId", json!([]))["result"], "0x539");
    appliance.filled(20_000, Duration::from_secs(180));
    for height in [0_u64, 1, 8_191, 8_192, 16_383, 19_999] {
        let question = request("eth_getBlockByNumber", json!([format!("{height:#x}"), true]));
        let answer = post(appliance.rpc, &question);
        assert_eq!(answer.json()["result"]["number"], format!("{height:#x}"));
        assert!(matches!(answer.header("hypasis-source"), Some("store" | "memory")), "{answer:?}");
    }
    let status = appliance.status();
    assert_eq!(status["backward_sync"]["done"], true, "{status}");
    assert!(status["coverage"]["body"].is_array(), "{status}");
    let metrics = appliance.metrics().body;
    for name in [
        "hypasis_forward_sync_blocks_total",
        "hypasis_backward_sync_blocks_total",
        "hypasis_cache_hit_ratio",
        "hypasis_bandwidth_usage_bytes",
    ] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
    let block = get(appliance.admin, "/api/v1/blocks/8192").json();
    assert_eq!((block["number"].as_u64(), block["verified"]["level"].as_str()), (Some(8_192), Some("full")));
    assert_eq!(get(appliance.admin, "/api/v1/checkpoint").status, 200);
    assert_eq!(appliance.terminate(), Some(0));
}
