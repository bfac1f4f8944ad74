//! L1's contract as several endpoints tell it.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256, address, hex, keccak256};
use hypasis_upstream::checkpoint::l1::RootChain;
use hypasis_upstream::checkpoint::{Disagreement, L1, L1Error, L1Options};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::stub::Stub;

const CONTRACT: Address = address!("0x86E4Dc95c7FBdBf52e33D563BbDB00823894C287");

/// One endpoint's view of L1.
#[derive(Clone)]
struct Chain {
    chain_id: u64,
    finalized: u64,
    /// Start and end of each checkpoint, with the L1 block that brought it; ids count from 10,000.
    checkpoints: Vec<(u64, u64, u64)>,
    /// Added to every root: a lie.
    lie: u8,
    has_logs: bool,
    away: bool,
    asked: Vec<&'static str>,
}

type Shared = Arc<Mutex<Chain>>;

// === impl Chain ===

impl Chain {
    fn new() -> Shared {
        let checkpoints = vec![(0, 255, 10), (256, 511, 20), (512, 1_000, 100)];
        let (lie, has_logs, away, asked) = (0, true, false, Vec::new());
        Arc::new(Mutex::new(Self { chain_id: 1, finalized: 50, checkpoints, lie, has_logs, away, asked }))
    }

    fn root(&self, id: u64) -> B256 {
        B256::from(U256::from(id + u64::from(self.lie) + 1))
    }

    fn result(&mut self, method: &str, params: &Value) -> Option<Value> {
        if self.away {
            return None;
        }
        let number = |value: &Value| u64::from_str_radix(&value.as_str()?[2..], 16).ok();
        match method {
            "eth_chainId" => Some(json!(format!("{:#x}", self.chain_id))),
            "eth_getBlockByNumber" => {
                let number = number(&params[0]).unwrap_or(self.finalized);
                let hash = keccak256(number.to_be_bytes());
                Some(json!({ "number": format!("{number:#x}"), "hash": hash, "timestamp": "0x1" }))
            }
            "eth_call" => {
                assert_eq!(params[0]["to"], json!(CONTRACT));
                let height = number(&params[1]).unwrap();
                let data = hex::decode(params[0]["data"].as_str().unwrap()).unwrap();
                let there = self.checkpoints.iter().filter(|(_, _, block)| *block <= height).count() as u64;
                if data[..4] == keccak256("currentHeaderBlock()")[..4] {
                    self.asked.push("current");
                    return Some(json!(B256::from(U256::from(there * 10_000))));
                }
                assert_eq!(data[..4], keccak256("headerBlocks(uint256)")[..4]);
                self.asked.push("block");
                let id = u64::try_from(U256::from_be_slice(&data[4..])).unwrap();
                let (start, end, _) = match id {
                    0 => return Some(json!(hex::encode_prefixed([0; 160]))),
                    id => self.checkpoints[(id / 10_000) as usize - 1],
                };
                let words = [self.root(id), word(start), word(end), word(7), word(8)];
                Some(json!(hex::encode_prefixed(words.concat())))
            }
            "eth_getLogs" if !self.has_logs => None,
            "eth_getLogs" => {
                self.asked.push("logs");
                let event = "NewHeaderBlock(address,uint256,uint256,uint256,uint256,bytes32)";
                assert_eq!(params[0]["address"], json!(CONTRACT));
                assert_eq!(params[0]["topics"], json!([keccak256(event)]));
                let range = number(&params[0]["fromBlock"]).unwrap()..=number(&params[0]["toBlock"]).unwrap();
                let logs =
                    self.checkpoints.iter().zip(1..).filter(|((_, _, block), _)| range.contains(block));
                let log = |((start, end, block), place): (&(u64, u64, u64), u64)| {
                    let id = place * 10_000;
                    json!({
                        "address": CONTRACT, "blockNumber": format!("{block:#x}"), "removed": false,
                        "topics": [keccak256(event), word(8), word(id), word(0)],
                        "data": hex::encode_prefixed([word(*start), word(*end), self.root(id)].concat()),
                    })
                };
                Some(logs.map(log).collect())
            }
            _ => panic!("{method} was not expected"),
        }
    }
}

fn word(number: u64) -> B256 {
    U256::from(number).into()
}

/// Endpoints for these views, and the way to them.
async fn start(chains: &[&Shared], l1_chain_id: Option<u64>) -> (Vec<Stub>, L1) {
    let mut stubs = Vec::new();
    for chain in chains {
        let chain = Shared::clone(chain);
        stubs.push(Stub::rpc(move |method, params| chain.lock().result(method, params)).await);
    }
    let urls = stubs.iter().map(|stub| stub.url.clone()).collect();
    let l1 = L1::new(&L1Options { urls, root_chain: CONTRACT, l1_chain_id }).unwrap();
    (stubs, l1)
}

#[test]
fn the_contracts_of_polygon_and_amoy_are_known() {
    assert_eq!(RootChain::of(137).map(|known| (known.address, known.l1_chain_id)), Some((CONTRACT, 1)));
    assert_eq!(RootChain::of(80_002).map(|known| known.l1_chain_id), Some(11_155_111));
    assert_eq!(RootChain::of(1), None);
}

#[tokio::test]
async fn the_latest_is_read_at_the_finalized_block_and_later_ones_come_by_events() {
    let chains = [Chain::new(), Chain::new()];
    let (_stubs, l1) = start(&[&chains[0], &chains[1]], Some(1)).await;
    let latest = l1.latest().await.unwrap().unwrap();
    // The third one is in a block above the finalized one.
    assert_eq!((latest.header_block, latest.start, latest.end), (20_000, 256, 511));
    assert_eq!((latest.l1_block.number, latest.root), (50, word(20_001)));
    assert_eq!(latest.endpoints, ["l1-1", "l1-2"]);
    let none = l1.since(&latest, 50).await.unwrap();
    assert_eq!((none.checkpoints.len(), none.complete), (0, true));
    for chain in &chains {
        chain.lock().checkpoints.push((1_001, 1_001, 110));
        chain.lock().finalized = 120;
        chain.lock().asked.clear();
    }
    let news = l1.since(&latest, 50).await.unwrap();
    let ids: Vec<_> = news.checkpoints.iter().map(|told| (told.header_block, told.start, told.end)).collect();
    assert_eq!(ids, [(30_000, 512, 1_000), (40_000, 1_001, 1_001)]);
    assert_eq!((news.l1_block.number, news.complete), (120, true));
    assert_eq!(chains[0].lock().asked, ["current", "block", "logs"]);
}

#[tokio::test]
async fn without_logs_or_after_a_long_time_the_list_is_read_instead_piece_by_piece() {
    let chain = Chain::new();
    let (_stubs, l1) = start(&[&chain], None).await;
    let latest = l1.latest().await.unwrap().unwrap();
    {
        let mut chain = chain.lock();
        chain.has_logs = false;
        chain.finalized = 200;
        chain.checkpoints.extend((0..80).map(|n| (1_001 + n, 1_001 + n, 150)));
    }
    let first = l1.since(&latest, 50).await.unwrap();
    assert_eq!((first.checkpoints.len(), first.complete), (64, false));
    let second = l1.since(first.checkpoints.last().unwrap(), 50).await.unwrap();
    assert_eq!((second.checkpoints.len(), second.complete), (17, true));
    let ends: Vec<_> =
        first.checkpoints.iter().chain(&second.checkpoints).map(|told| (told.start, told.end)).collect();
    assert!(ends.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{ends:?}");
    // Far behind: no logs of thousands of blocks are asked for.
    chain.lock().has_logs = true;
    chain.lock().finalized = 1_000_000;
    chain.lock().asked.clear();
    let news = l1.since(&latest, 50).await.unwrap();
    assert_eq!(news.checkpoints.len(), 64);
    assert!(!chain.lock().asked.contains(&"logs"));
}

#[tokio::test]
async fn one_liar_of_three_is_named_and_counted_and_changes_nothing() {
    let chains = [Chain::new(), Chain::new(), Chain::new()];
    chains[0].lock().lie = 1;
    let (_stubs, l1) = start(&[&chains[0], &chains[1], &chains[2]], Some(1)).await;
    let latest = l1.latest().await.unwrap().unwrap();
    assert_eq!((latest.root, latest.endpoints.clone()), (word(20_001), vec!["l1-2".into(), "l1-3".into()]));
    chains.iter().for_each(|chain| chain.lock().finalized = 120);
    let news = l1.since(&latest, 50).await.unwrap();
    assert_eq!(news.checkpoints[0].root, word(30_001));
    let status = l1.status();
    assert_eq!(status.iter().map(|endpoint| endpoint.dissents).collect::<Vec<_>>(), [2, 0, 0]);
    assert!(
        status[0]
            .fault
            .as_ref()
            .unwrap()
            .contains("it contradicts the others on the checkpoints at L1 block 120")
    );
}

#[tokio::test]
async fn one_that_runs_ahead_or_lags_has_no_say_and_hinders_nobody() {
    let chains = [Chain::new(), Chain::new(), Chain::new()];
    chains[0].lock().finalized = 1_000_000;
    chains[2].lock().finalized = 15;
    let (_stubs, l1) = start(&[&chains[0], &chains[1], &chains[2]], Some(1)).await;
    let latest = l1.latest().await.unwrap().unwrap();
    assert_eq!((latest.l1_block.number, latest.endpoints.len()), (50, 2));
    assert!(l1.status().iter().all(|endpoint| endpoint.dissents == 0));
}

#[tokio::test]
async fn disputes_and_absences_are_errors_that_say_so_without_the_url() {
    let chains = [Chain::new(), Chain::new()];
    let (_stubs, l1) = start(&[&chains[0], &chains[1]], Some(1)).await;
    chains[1].lock().lie = 1;
    let error = l1.latest().await.unwrap_err();
    assert!(matches!(error, L1Error::Disagreement(Disagreement::Split { .. })), "{error}");
    assert!(error.to_string().contains("l1-1 says") && error.to_string().contains("l1-2 says"), "{error}");
    chains[1].lock().away = true;
    let error = l1.latest().await.unwrap_err().to_string();
    assert!(error.starts_with("1 of 2 endpoints answered, 2 must say the same; l1-2: "), "{error}");
    assert!(!error.contains("secret") && !error.contains("127.0.0.1"), "{error}");
    let status = l1.status();
    assert_eq!((status[0].up, status[1].up, status[1].errors), (true, false, 1));
    // It is asked who it is again when it comes back: somebody else may answer there.
    chains[1].lock().away = false;
    chains[1].lock().chain_id = 5;
    let error = l1.latest().await.unwrap_err().to_string();
    assert!(error.contains("l1-2: its chain id is 5, expected 1"), "{error}");
}

#[tokio::test]
async fn what_no_contract_can_hold_is_refused() {
    let long = (512, 512 + (1 << 15), 20);
    for (bad, expected) in [((300, 299, 20), "is no range"), (long, "is longer than any checkpoint can be")] {
        let chain = Chain::new();
        chain.lock().checkpoints = vec![(0, 255, 10), bad];
        let (_stubs, l1) = start(&[&chain], None).await;
        assert!(l1.latest().await.unwrap_err().to_string().contains(expected));
    }
    let chain = Chain::new();
    let (_stubs, l1) = start(&[&chain], None).await;
    let latest = l1.latest().await.unwrap().unwrap();
    chain.lock().checkpoints[2].0 = 600;
    chain.lock().finalized = 120;
    let error = l1.since(&latest, 50).await.unwrap_err().to_string();
    assert!(error.contains("does not follow the one before"), "{error}");
    chain.lock().checkpoints.truncate(1);
    let error = l1.since(&latest, 50).await.unwrap_err();
    assert_eq!(error, L1Error::Backwards { found: 10_000, known: 20_000 });
    chain.lock().checkpoints.clear();
    assert_eq!(l1.latest().await.unwrap(), None);
}

#[tokio::test]
async fn nonsense_of_an_endpoint_is_its_fault_and_never_more() {
    for (nonsense, expected) in [
        (json!("0x"), "there is no such contract"),
        (json!("0x12"), "another length"),
        (json!(null), "no bytes"),
        (json!([1, 2]), "no bytes"),
        (json!(format!("0x{}", "zz".repeat(32))), "no hex"),
        (json!(format!("0x{}", "ff".repeat(32))), "more than 64 bits"),
        (json!(format!("0x{}", "ff".repeat(1 << 20))), "larger than"),
    ] {
        let chain = Chain::new();
        let stub = Stub::rpc(move |method, params| match method {
            "eth_call" => Some(nonsense.clone()),
            _ => chain.lock().result(method, params),
        })
        .await;
        let options = L1Options { urls: vec![stub.url.clone()], root_chain: CONTRACT, l1_chain_id: None };
        let error = L1::new(&options).unwrap().latest().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    for text in ["", "{}", "[]", "<html>", r#"{"result":"0x1"}"#] {
        let stub = Stub::start(move |_, _| Some((200, text.to_owned()))).await;
        let options = L1Options { urls: vec![stub.url.clone()], root_chain: CONTRACT, l1_chain_id: Some(1) };
        assert!(L1::new(&options).unwrap().latest().await.is_err(), "{text:?}");
    }
}
