//! As many clients as `rpc.max_connections` lets in by default.

use std::time::Duration;

use hypasis_tests::appliance::Appliance;
use hypasis_tests::bench::memory::resident;
use hypasis_tests::many::{Kept, room_for};
use tempfile::tempdir;

const CONNECTIONS_MAX: usize = 10_000;
/// Resident memory beside `store.memory`, as promised for 2,000 asking clients.
const MEMORY_MAX: u64 = 256 << 20;

#[test]
fn ten_thousand_connections_are_kept_and_answered_also_where_the_soft_limit_was_low() {
    let dir = tempdir().unwrap();
    let config = dir.path().join("hypasis.toml");
    // A chain that is filled at once, and clients that may pause while others are asked.
    let text = "[dev]\nhistory = 10\n[store]\nmemory = \"64MiB\"\n[rpc]\nidle_timeout = \"10m\"\n";
    std::fs::write(&config, text).unwrap();
    let arguments = ["--chain", "dev", "--config", config.to_str().unwrap()];
    room_for(CONNECTIONS_MAX);
    let appliance = Appliance::start_with_descriptors(1_024, dir.path(), &arguments);
    let body = |id: usize| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_chainId"}}"#);
    let mut clients = Vec::with_capacity(CONNECTIONS_MAX);
    for id in 0..CONNECTIONS_MAX {
        let mut client = Kept::open(appliance.rpc);
        client.ask(&body(id));
        assert_eq!(client.answer(), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"0x539"}}"#));
        clients.push(client);
    }
    // All at once, on the connections that they kept.
    clients.iter_mut().enumerate().for_each(|(id, client)| client.ask(&body(id)));
    for (id, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.answer(), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"0x539"}}"#));
    }
    let metrics = appliance.metrics().body;
    assert!(metrics.contains(&format!("hypasis_rpc_connections {CONNECTIONS_MAX}\n")), "{metrics}");
    let resident = resident(appliance.pid()).expect("it runs");
    assert!(resident < (64 << 20) + MEMORY_MAX, "{} MiB for {CONNECTIONS_MAX} connections", resident >> 20);
    // The next one waits in the kernel's queue until somebody leaves.
    let mut next = Kept::open(appliance.rpc);
    next.ask(&body(0));
    assert!(!next.is_answered(Duration::from_millis(100)));
    drop(clients.pop());
    assert!(next.is_answered(Duration::from_secs(60)));
    assert_eq!(appliance.terminate(), Some(0));
}
