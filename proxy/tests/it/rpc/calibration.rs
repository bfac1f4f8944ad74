//! What a node writes otherwise is left to it, and what it says wrong is its fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use hypasis_cache::Store;
use hypasis_chain::dev::{DevChain, DevOptions};
use hypasis_proxy::config::RpcConfig;
use hypasis_upstream::dev::Responder;
use serde_json::{Value, json};

use super::held::fill;
use super::rig::{Node, Port};
use crate::support::store_of;

const HONEST: u8 = 0;
const ODD: u8 = 1;
const LIAR: u8 = 2;
const LAST: u64 = 40;

/// A development node whose full blocks are as they should be, written otherwise, or wrong.
struct Scene {
    chain: Arc<DevChain>,
    store: Store,
    node: Node,
    manner: Arc<AtomicU8>,
}

// === impl Scene ===

impl Scene {
    async fn new(manner: u8) -> Self {
        let options = DevOptions { history: LAST, transactions: 12, period_ms: 1_000, seed: 7 };
        let chain = Arc::new(DevChain::new(options, 1_700_000_000));
        let store = store_of(chain.spec().chain_id);
        fill(&store, &chain.blocks(0..LAST + 1));
        store.set_finalized(chain.id_at(LAST)).unwrap();
        let manner = Arc::new(AtomicU8::new(manner));
        let (responder, now) = (Responder::new(chain.clone()), manner.clone());
        let script = move |method: &str, params: &Value| {
            let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
            let mut answer: Value = serde_json::from_slice(&responder.answer(call.as_bytes())).unwrap();
            if method == "eth_getBlockByNumber" && params[1] == true && answer["result"].is_object() {
                match now.load(Ordering::Relaxed) {
                    ODD => answer["result"]["flavour"] = json!("vanilla"),
                    LIAR => answer["result"]["gasUsed"] = json!("0xbad"),
                    _ => {}
                }
            }
            match answer.get("error") {
                Some(error) => format!("\"error\":{error}"),
                None => format!("\"result\":{}", answer["result"]),
            }
        };
        let node = Node::replay(Arc::new(script)).await;
        Self { chain, store, node, manner }
    }

    async fn port(&self, nodes: &[&Node]) -> Port {
        let config = RpcConfig { shadow_share: 1.0, ..RpcConfig::default() };
        Port::start(self.store.clone(), self.chain.spec(), config, nodes).await
    }
}

/// Waits for what a background comparison leads to; it offers no event.
async fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let waiting = async {
        while !ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect(what);
}

/// Forms that were found to differ; methods that the node does not have are another matter.
fn passed(port: &Port) -> Vec<Value> {
    let listed = port.rpc.status()["passed_through_forms"].as_array().unwrap().clone();
    listed.into_iter().filter(|entry| entry["lacking"] != true).collect()
}

fn block(full: bool) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["0x1", full] })
        .to_string()
}

async fn source(port: &Port, full: bool) -> String {
    port.post(&block(full)).await.header("hypasis-source").unwrap().to_owned()
}

/// Asks until the form was compared and comes from the store.
async fn compared(port: &Port, full: bool) {
    let waiting = async { while source(port, full).await.starts_with("upstream") {} };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("the form is compared");
}

#[tokio::test]
async fn a_form_that_differs_passes_through_is_named_and_stays_so_after_a_restart() {
    let scene = Scene::new(ODD).await;
    let port = scene.port(&[&scene.node]).await;
    compared(&port, false).await;
    until("the difference is found", || !passed(&port).is_empty()).await;
    let first = passed(&port)[0].clone();
    assert_eq!(first["form"], "block_full");
    let difference = first["first_difference"].as_str().unwrap();
    assert!(difference.contains("flavour") && difference.contains("vanilla"), "{difference}");
    assert_eq!(source(&port, true).await, "upstream:n0");
    assert_eq!(port.post(&block(true)).await.json()["result"]["flavour"], "vanilla");
    until("what was learned is kept", || scene.store.record("calibration").unwrap().is_some()).await;
    port.shutdown.send_replace(true);
    port.serving.await.unwrap();

    let offline = scene.port(&[]).await;
    until("the record is read", || !passed(&offline).is_empty()).await;
    assert_eq!(passed(&offline)[0], first);
    let refused = offline.post(&block(true)).await;
    assert_eq!(
        (refused.header("hypasis-miss"), refused.json()["error"]["code"].as_i64()),
        (Some("differing-form"), Some(-32000))
    );
    assert_eq!(offline.post(&block(false)).await.json()["result"]["number"], "0x1");
}

#[tokio::test]
async fn a_store_that_starts_offline_without_a_record_uses_the_familys_profile() {
    let scene = Scene::new(HONEST).await;
    let offline = scene.port(&[]).await;
    for full in [false, true] {
        assert!(source(&offline, full).await == "store");
    }
    assert!(passed(&offline).is_empty());
}

#[tokio::test]
async fn a_wrong_value_that_a_root_covers_is_its_nodes_fault_and_changes_no_form() {
    let scene = Scene::new(LIAR).await;
    let port = scene.port(&[&scene.node]).await;
    until("the lie is found", || port.pool.status()[0].blamed > 0).await;
    let fault = port.pool.status()[0].last_fault.clone().unwrap();
    assert!(fault.contains("gasUsed") && fault.contains("0xbad"), "{fault}");
    assert_eq!(passed(&port), Vec::<Value>::new());
}

#[tokio::test]
async fn hits_are_checked_in_the_background_and_a_mismatch_is_counted_and_acted_upon() {
    let scene = Scene::new(HONEST).await;
    let port = scene.port(&[&scene.node]).await;
    let checks = |finding: &str| {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &port.registry).unwrap();
        page.contains(&format!("hypasis_rpc_shadow_checks_total{{finding=\"{finding}\"}}"))
    };
    compared(&port, true).await;
    while !checks("equal") {
        compared(&port, true).await;
    }
    assert!(!checks("form"));
    scene.manner.store(ODD, Ordering::Relaxed);
    while !checks("form") {
        source(&port, true).await;
    }
    assert_eq!(passed(&port)[0]["form"], "block_full");
    assert_eq!(source(&port, true).await, "upstream:n0");
}
