//! A development node in the test's own process, behind a real port: the appliance meets it like any other node.
//!
//! The chain and the switches of `hypasis_upstream::dev::DevNode` stay in the test's hands. The port is kept over
//! a stop, so that the node comes back where it was.

use std::net::SocketAddr;
use std::sync::Arc;

use hypasis_chain::dev::{DevChain, DevForks, DevOptions};
use hypasis_upstream::dev::DevNode;
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

use crate::appliance::Appliance;
use crate::process::free_address;

/// Genesis time of the chains: the forks of a chain follow from it, so it is the same for all.
const GENESIS_TIME: u64 = 1_700_000_000;

/// A node whose chain, lies and failures a test commands.
#[derive(Debug)]
pub struct Hosted {
    /// Id among the upstreams.
    pub id: String,
    /// The switches.
    pub node: Arc<DevNode>,
    /// Where it answers JSON-RPC.
    pub address: SocketAddr,
    running: Option<Runtime>,
}

// === impl Hosted ===

impl Hosted {
    /// Serves `chain`, truthfully at first.
    pub fn start(id: &str, chain: &Arc<DevChain>) -> Self {
        let node = DevNode::new(chain.clone());
        let mut hosted = Self { id: id.to_owned(), node, address: free_address(), running: None };
        hosted.resume();
        hosted
    }

    /// Serves again at the same address.
    pub fn resume(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let address = self.address;
        let listener = runtime.block_on(async {
            let socket = TcpSocket::new_v4().expect("a socket can be made");
            socket.set_reuseaddr(true).expect("an address can be used again");
            socket.bind(address).expect("the address is free");
            socket.listen(128).expect("the socket listens")
        });
        let node = self.node.clone();
        runtime.spawn(async move { node.serve(listener).await });
        self.running = Some(runtime);
    }

    /// Ends the node: all connections break, new ones are refused.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown_background();
        }
    }

    /// Its part of the configuration, with further keys.
    pub fn config(&self, more: &str) -> String {
        format!("[[upstream]]\nid = \"{}\"\nurl = \"http://{}\"\n{more}\n", self.id, self.address)
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A chain with about `transactions` transactions a block; equal arguments make equal chains.
pub fn chain(history: u64, transactions: u32, seed: u64, forks: DevForks) -> Arc<DevChain> {
    let options = DevOptions { history, transactions, period_ms: 1_000, seed };
    Arc::new(DevChain::with_forks(options, GENESIS_TIME, forks))
}

/// A static checkpoint at a height of `chain`, as configuration.
pub fn checkpoint(chain: &DevChain, number: u64) -> String {
    let hash = chain.id_at(number).hash;
    format!("[checkpoint]\nsource = \"static\"\nnumber = {number}\nhash = \"{hash}\"\n")
}

/// Reads blocks and receipts of a range back from the store alone and compares all bytes with the chain.
pub fn assert_held(appliance: &Appliance, chain: &Arc<DevChain>, heights: std::ops::RangeInclusive<u64>) {
    let honest = hypasis_upstream::dev::Responder::new(chain.clone());
    for number in heights {
        for method in ["debug_getRawHeader", "debug_getRawBlock", "debug_getRawReceipts"] {
            let params = json!([format!("{number:#x}")]);
            let body = crate::http::request(method, params.clone());
            let expected: Value = serde_json::from_slice(&honest.answer(body.as_bytes())).expect("JSON");
            assert_eq!(appliance.held(method, params), expected, "{method} of {number} from the store");
        }
    }
}
