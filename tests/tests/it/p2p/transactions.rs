//! Nodes that know nobody but the appliance hear of each other's transactions.

use std::time::Duration;

use hypasis_tests::appliance::Appliance;
use hypasis_tests::geth::{Geth, Network, Release};
use hypasis_tests::http::call;
use hypasis_tests::transaction::Account;
use serde_json::json;
use tempfile::tempdir;

/// Time for a chain to be synced, or for a transaction to go from node to node.
const LIMIT: Duration = Duration::from_secs(120);

const CHAIN: Release = Release::Newest;

#[test]
fn transactions_reach_every_node_whichever_way_they_come() {
    let dir = tempdir().unwrap();
    let Some(a) = Network::full(CHAIN).start(&dir.path().join("a")) else { return };
    let config = format!(
        "[[upstream]]\nid = \"a\"\nurl = \"http://{}\"\n[p2p]\nsubmit_transactions = true\n",
        a.address
    );
    let mut appliance = super::configured(dir.path(), CHAIN, &config);
    appliance.filled(CHAIN.head(), LIMIT);
    let enode = appliance.node().0;
    let b = Network::fresh(CHAIN).syncing().static_node(&enode);
    let mut b = b.start(&dir.path().join("b")).unwrap();
    b.reached(CHAIN.head(), &CHAIN.head_hash(), LIMIT);
    // C was synced once, and knows the appliance alone too.
    let c = Network::fresh(CHAIN).syncing().static_node(&enode);
    let mut c = c.start(&dir.path().join("c")).unwrap();
    c.reached(CHAIN.head(), &CHAIN.head_hash(), LIMIT);

    let account = Account::rich(CHAIN);
    // Through the RPC port: A takes it, and has no peer to pass it on to.
    let (hash, raw) = account.transfer(&a);
    let sent = appliance.call("eth_sendRawTransaction", json!([raw]));
    assert_eq!(sent["result"], json!(hash), "{sent}");
    heard(&mut appliance, &b, &hash);
    heard(&mut appliance, &c, &hash);

    // From a peer to a peer.
    let (hash, raw) = account.transfer(&b);
    let sent = call(b.address, "eth_sendRawTransaction", json!([raw]));
    assert_eq!(sent["result"], json!(hash), "{sent}");
    heard(&mut appliance, &c, &hash);

    // What a node refuses is nobody else's.
    let (hash, raw) = Account::poor().transfer(&a);
    let refused = appliance.call("eth_sendRawTransaction", json!([raw]));
    assert!(refused["error"]["message"].is_string(), "{refused}");
    let (later, raw) = account.transfer(&b);
    call(b.address, "eth_sendRawTransaction", json!([raw]));
    heard(&mut appliance, &c, &later);
    assert!(!knows(&c, &hash));
}

fn heard(appliance: &mut Appliance, node: &Geth, hash: &alloy_primitives::B256) {
    appliance.until(|_, _| knows(node, hash), LIMIT, "to pass a transaction on");
}

fn knows(node: &Geth, hash: &alloy_primitives::B256) -> bool {
    call(node.address, "eth_getTransactionByHash", json!([hash]))["result"]["hash"] == json!(hash)
}
