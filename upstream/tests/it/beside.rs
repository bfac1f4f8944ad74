//! What stands beside blocks of Polygon, as nodes and peers tell it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::bor::state_sync::{NONE, derived_hash, settle};
use hypasis_chain::bor::{BorConfig, Schedule};
use hypasis_chain::dev::DevChain;
use hypasis_chain::receipt::Receipt;
use hypasis_chain::spec::Family;
use hypasis_chain::{Block, BlockId, ChainSpec};
use hypasis_upstream::{ExpectedChain, Fetched, Pool, Source};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::fake::{Fake, all_up, chain, quick};

/// Blocks of a sprint.
const SPRINT: u64 = 4;
/// Raw forms.
const RAW: [&str; 3] = ["debug_getRawHeader", "debug_getRawBlock", "debug_getRawReceipts"];

/// The development chain with Bor's sprints.
fn bor(chain: &DevChain) -> Arc<ChainSpec> {
    let bor = BorConfig { sprint: Schedule::new([(0, SPRINT)]), ..BorConfig::default() };
    Arc::new(ChainSpec { family: Family::Bor, bor: Some(bor), ..chain.spec() })
}

/// Every other sprint begins with a state sync.
fn has_state_sync(number: u64) -> bool {
    number > 0 && number.is_multiple_of(2 * SPRINT)
}

/// As Bor tells it (`internal/ethapi/api.go`): in the JSON forms alone.
fn tell(chain: &DevChain, call: &Value, result: &mut Value) {
    let hash = |value: &Value| value.as_str().and_then(|text| text.parse::<B256>().ok());
    let found = hash(&call["params"][0]).and_then(|hash| chain.block_by_hash(&hash));
    match (call["method"].as_str().unwrap(), found) {
        ("eth_getBlockReceipts", Some(block)) if has_state_sync(block.id.number) => {
            result.as_array_mut().unwrap().push(receipt(block.id));
        }
        ("eth_getBlockByHash", Some(block)) if has_state_sync(block.id.number) => {
            let transactions = result["transactions"].as_array_mut().unwrap();
            let mut transaction = receipt(block.id);
            transaction["hash"] = transaction["transactionHash"].clone();
            transactions.push(transaction);
        }
        ("eth_getTransactionReceipt", _) if result.is_null() => {
            let wanted = hash(&call["params"][0]).unwrap();
            let mut ids = (0..=chain.head().number).map(|number| chain.id_at(number));
            let id = ids.find(|id| derived_hash(id.number, id.hash) == wanted);
            *result = id.filter(|id| has_state_sync(id.number)).map_or(Value::Null, receipt);
        }
        _ => {}
    }
}

fn receipt(id: BlockId) -> Value {
    json!({
        "blockHash": id.hash.to_string(), "blockNumber": format!("{:#x}", id.number), "cumulativeGasUsed": "0x1",
        "transactionHash": derived_hash(id.number, id.hash).to_string(), "type": "0x0", "status": "0x1",
        "logs": [{ "address": format!("0x{:040x}", id.number), "topics": [], "data": "0x1234" }],
    })
}

async fn source(fake: &Fake) -> (Arc<dyn Source>, Pool, JoinSet<()>) {
    let pool = Pool::new(&[fake.options()], quick(), ExpectedChain::default()).unwrap();
    let tasks = pool.spawn();
    all_up(&pool).await;
    (pool.sources_of(&bor(&fake.chain)).remove(0), pool, tasks)
}

fn ids(chain: &DevChain) -> Vec<BlockId> {
    (1..=20).map(|number| chain.id_at(number)).collect()
}

/// Takes what is wanted however often that asks.
async fn take(source: &dyn Source, wanted: &[BlockId]) -> Vec<Fetched> {
    let mut blocks = Vec::new();
    while blocks.len() < wanted.len() {
        blocks.extend(source.blocks(&wanted[blocks.len()..], true).await.unwrap());
    }
    blocks
}

/// Asserts that the blocks are those of the chain, and what stands beside them is told as `tells` says.
fn assert_told(chain: &DevChain, blocks: Vec<Fetched>, tells: bool) {
    for (block, number) in blocks.into_iter().zip(1..) {
        assert_eq!(Block { extra: None, ..block.clone() }, chain.block(number));
        let settled = settle(&bor(chain), block).unwrap();
        match settled.extra {
            Some(extra) if has_state_sync(number) => {
                let receipt = Receipt::parse(&extra).unwrap();
                let log = receipt.logs().next().unwrap().unwrap();
                assert_eq!(log.address[12..], number.to_be_bytes());
            }
            Some(extra) => assert!(number.is_multiple_of(SPRINT) && extra.as_ref() == NONE, "block {number}"),
            None => assert!(!tells || !number.is_multiple_of(SPRINT), "block {number} is not told"),
        }
        assert!(tells || !number.is_multiple_of(SPRINT) || settled.receipts.is_some());
    }
}

#[tokio::test]
async fn a_node_tells_it_in_every_form_of_its_blocks() {
    let raw_blocks: &[&str] = &[];
    let json_blocks = &RAW[..];
    let singles = &[RAW[0], RAW[1], RAW[2], "eth_getBlockReceipts"][..];
    for denied in [raw_blocks, json_blocks, singles] {
        let fake = Fake::start("a", chain(1, 30)).await;
        let told = fake.chain.clone();
        fake.retell(move |call, result| tell(&told, call, result));
        fake.deny(&denied.iter().map(|method| -> &'static str { method }).collect::<Vec<_>>());
        let (source, _pool, _tasks) = source(&fake).await;
        let blocks = take(&*source, &ids(&fake.chain)).await;
        assert_eq!(blocks.iter().filter(|block| block.extra.is_some()).count(), 5, "{denied:?}");
        assert_told(&fake.chain, blocks, true);
        let one = source.block_by_hash(fake.chain.id_at(8).hash).await.unwrap().unwrap();
        assert!(one.extra.is_some_and(|extra| extra.as_ref() != NONE), "{denied:?}");
    }
}

#[tokio::test]
async fn a_node_that_cannot_tell_gives_its_blocks_all_the_same() {
    let fake = Fake::start("a", chain(1, 30)).await;
    fake.deny(&["eth_getBlockReceipts"]);
    let (source, _pool, _tasks) = source(&fake).await;
    let blocks = take(&*source, &ids(&fake.chain)).await;
    assert!(blocks.iter().all(|block| block.extra.is_none()));
    assert_told(&fake.chain, blocks, false);
}

#[tokio::test]
async fn a_node_that_contradicts_itself_does_not_tell() {
    let fake = Fake::start("a", chain(1, 30)).await;
    let told = fake.chain.clone();
    fake.retell(move |call, result| {
        if call["method"] == "eth_getBlockReceipts" {
            tell(&told, call, result);
        }
    });
    fake.deny(&RAW);
    let (source, _pool, _tasks) = source(&fake).await;
    for block in take(&*source, &ids(&fake.chain)).await {
        let none = (block.id.number % (2 * SPRINT) == SPRINT).then_some(Bytes::from_static(NONE));
        assert_eq!(block.extra, none, "block {}", block.id.number);
    }
}

#[tokio::test]
async fn a_hash_that_is_not_the_derived_one_is_an_ordinary_receipt_too_many() {
    let fake = Fake::start("a", chain(1, 30)).await;
    let told = fake.chain.clone();
    fake.retell(move |call, result| {
        tell(&told, call, result);
        if call["method"] == "eth_getBlockReceipts" {
            for receipt in result.as_array_mut().unwrap() {
                if receipt["cumulativeGasUsed"] == "0x1" {
                    receipt["transactionHash"] = json!(B256::repeat_byte(7).to_string());
                }
            }
        }
    });
    let (source, _pool, _tasks) = source(&fake).await;
    let blocks = take(&*source, &ids(&fake.chain)).await;
    let told = blocks.iter().filter(|block| block.extra.is_some()).map(|block| block.id.number);
    assert_eq!(told.collect::<Vec<_>>(), vec![4, 12, 20], "what counts right is told");
}

#[tokio::test]
async fn only_where_it_may_stand_is_anything_asked_for_it() {
    let fake = Fake::start("a", chain(1, 30)).await;
    let (told, asked) = (fake.chain.clone(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    fake.retell(move |call, result| {
        if call["method"] == "eth_getBlockReceipts" {
            count.fetch_add(1, Ordering::Relaxed);
        }
        tell(&told, call, result);
    });
    let (source, pool, _tasks) = source(&fake).await;
    let probed = asked.load(Ordering::Relaxed);
    take(&*source, &ids(&fake.chain)).await;
    assert_eq!(asked.load(Ordering::Relaxed), probed + 5);
    let plain = pool.sources().remove(0);
    let blocks = take(&*plain, &ids(&fake.chain)).await;
    assert!(blocks.iter().all(|block| block.extra.is_none()));
    assert_eq!(asked.load(Ordering::Relaxed), probed + 5);
}
