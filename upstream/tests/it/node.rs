//! One node: the right chain, its head, and history taken from it.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{B256, U256};
use bytes::Bytes;
use hypasis_chain::dev::{Corruption, DevChain, DevOptions, corrupt};
use hypasis_chain::{Block, BlockId, Body, Fault as Lying, Header, Receipts, verify};
use hypasis_upstream::dev::{DevNode, Lie};
use hypasis_upstream::peer::Askers;
use hypasis_upstream::{
    Call, Class, ExpectedChain, ForwardError, Need, NodeOptions, NodeStatus, Pool, PoolOptions, Source,
    SourceError, probe_chain,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::fake::{Fake, Fault, all_up, chain, quick, up};

fn pool_of(nodes: &[NodeOptions]) -> (Pool, JoinSet<()>) {
    pool_with(nodes, ExpectedChain::default())
}

fn pool_with(nodes: &[NodeOptions], expected: ExpectedChain) -> (Pool, JoinSet<()>) {
    let pool = Pool::new(nodes, quick(), expected).unwrap();
    let tasks = pool.spawn();
    (pool, tasks)
}

fn call(body: &'static str) -> Call {
    Call {
        body: Bytes::from_static(body.as_bytes()),
        class: Class::Read,
        need: Need::default(),
        method: "eth_call",
    }
}

/// Waits until the first node's status is as wished. It is a snapshot that offers no event, so it is looked at again.
async fn status(pool: &Pool, wish: impl Fn(&NodeStatus) -> bool) -> NodeStatus {
    let waiting = async {
        loop {
            let status = pool.status().remove(0);
            if wish(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("the node's status is as wished")
}

fn ids(chain: &DevChain, range: std::ops::Range<u64>) -> Vec<BlockId> {
    range.map(|number| chain.id_at(number)).collect()
}

fn check_fully(block: &Block) -> Result<(), Lying> {
    let header = Header::parse(&block.header).unwrap();
    verify::check_identity(&header, block.id.number, block.id.hash)?;
    verify::check_body(&header, &Body::parse(&block.body).unwrap())?;
    verify::check_receipts(&header, &Receipts::parse(block.receipts.as_ref().unwrap()).unwrap())
}

// === total difficulty ===

#[tokio::test]
async fn a_bor_node_is_asked_for_the_total_difficulty_of_its_head_and_no_other_is() {
    let total = |hash: B256| json!({"blockHash": hash, "totalDifficulty": "0x3e8"});
    for (version, right, expected) in
        [("bor/v2.7.2/linux", true, true), ("bor/v2.7.2/linux", false, false), ("Geth/v1.17.5", true, false)]
    {
        let fake = Fake::start("a", chain(1, 5)).await;
        fake.tell("web3_clientVersion", json!(version));
        let hash = if right { fake.chain.head().hash } else { B256::ZERO };
        fake.tell("eth_getTdByHash", total(hash));
        let (pool, _tasks) = pool_of(&[fake.options()]);
        all_up(&pool).await;
        let heads = pool.sources().remove(0).heads().borrow().clone();
        assert_eq!(heads.latest, Some(fake.chain.head()));
        assert_eq!(heads.total_difficulty, expected.then(|| U256::from(1_000)), "{version} {right}");
    }
}

// === which chain ===

#[tokio::test]
async fn a_node_of_another_chain_id_is_shut_out_and_says_why() {
    let fake = Fake::start("a", chain(1, 5)).await;
    let (pool, _tasks) =
        pool_with(&[fake.options()], ExpectedChain { chain_id: Some(1), genesis_hash: None });
    let status = status(&pool, |status| status.state.starts_with("wrong chain")).await;
    assert!(status.state.ends_with("expected 1"), "{}", status.state);
    assert_eq!((status.up, status.head), (false, None));
    assert!(matches!(
        pool.forward(call(r#"{"id":1,"method":"eth_call"}"#)).await,
        Err(ForwardError::NoUpstream)
    ));
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn a_node_with_another_block_0_is_shut_out_until_the_right_one_stands_there() {
    let (wrong, right) = (Fake::start("a", chain(1, 5)).await, Fake::start("b", chain(2, 7)).await);
    let expected = ExpectedChain { chain_id: None, genesis_hash: Some(right.chain.id_at(0).hash) };
    let (pool, _tasks) = pool_with(&[wrong.options()], expected);
    status(&pool, |status| status.state.contains("its block 0 is")).await;
    wrong.stop().await;
    wrong.start_again(&right).await;
    all_up(&pool).await;
    assert_eq!(pool.status()[0].head, Some(right.chain.head()));
}

#[tokio::test]
async fn a_node_that_comes_back_with_another_chain_is_noticed() {
    let (right, wrong) = (Fake::start("a", chain(1, 5)).await, Fake::start("b", chain(2, 7)).await);
    let expected = ExpectedChain { chain_id: None, genesis_hash: Some(right.chain.id_at(0).hash) };
    let (pool, _tasks) = pool_with(&[right.options()], expected);
    all_up(&pool).await;
    right.stop().await;
    right.start_again(&wrong).await;
    status(&pool, |status| status.state.starts_with("wrong chain")).await;
    assert_eq!(pool.sources()[0].heads().borrow().latest, None);
}

#[tokio::test]
async fn probing_tells_the_chain_or_who_contradicts() {
    let (one, other) = (Fake::start("a", chain(1, 5)).await, Fake::start("b", chain(2, 5)).await);
    let probed = probe_chain(&[one.options()]).await.unwrap();
    assert_eq!(probed.genesis_hash, Some(one.chain.id_at(0).hash));
    assert_eq!(probed.chain_id, one.chain.spec().chain_id);
    assert!(probed.client_version.unwrap().starts_with("hypasis-dev/"));
    let error = probe_chain(&[one.options(), other.options()]).await.unwrap_err().to_string();
    assert!(error.contains('a') && error.contains('b'), "{error}");
    one.stop().await;
    assert!(probe_chain(&[one.options()]).await.unwrap_err().to_string().contains("connection refused"));
    let survivor = probe_chain(&[one.options(), other.options()]).await.unwrap();
    assert_eq!(survivor.genesis_hash, Some(other.chain.id_at(0).hash));
}

#[tokio::test]
async fn ids_are_unique() {
    let a = Fake::start("a", chain(1, 5)).await;
    let error = Pool::new(&[a.options(), a.options()], quick(), ExpectedChain::default()).unwrap_err();
    assert_eq!(error.to_string(), "upstream a: its id is used twice");
}

// === its head ===

#[tokio::test]
async fn a_pool_without_a_running_node_waits_for_it() {
    let fake = Fake::start("a", chain(1, 5)).await;
    fake.stop().await;
    let (pool, _tasks) = pool_of(&[fake.options()]);
    status(&pool, |status| status.state.starts_with("down: cannot connect: connection refused")).await;
    assert!(matches!(
        pool.forward(call(r#"{"id":1,"method":"eth_call"}"#)).await,
        Err(ForwardError::NoUpstream)
    ));
    fake.start_again(&fake).await;
    all_up(&pool).await;
    assert_eq!(pool.forward(call(r#"{"id":1,"method":"eth_call"}"#)).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_head_is_followed_through_blocks_and_reorgs_of_equal_height() {
    let fake = Fake::start("a", chain(1, 100)).await;
    let (pool, _tasks) = pool_of(&[fake.options()]);
    let mut heads = pool.heads();
    let seen = heads.wait_for(|heads| heads.latest.is_some()).await.unwrap().latest;
    assert_eq!(seen, Some(fake.chain.head()));
    let grown = fake.chain.advance(3);
    heads.wait_for(|heads| heads.latest == Some(grown)).await.unwrap();
    let switched = fake.chain.reorg(2, 2);
    assert_eq!(switched.number, grown.number);
    let now = heads.wait_for(|heads| heads.latest == Some(switched)).await.unwrap().finalized.unwrap();
    assert_eq!(now, fake.chain.id_at(switched.number - 64));
    fake.stop().await;
    heads.wait_for(|heads| !heads.up && heads.latest.is_none()).await.unwrap();
}

#[tokio::test]
async fn height_0_is_a_fresh_chain_or_a_node_that_has_nothing() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let options = DevOptions { history: 0, transactions: 1, period_ms: 1_000, seed: 1 };
    let fresh = Fake::start("fresh", Arc::new(DevChain::new(options.clone(), now))).await;
    let (pool, _tasks) = pool_of(&[fresh.options()]);
    all_up(&pool).await;

    let empty = Fake::start("empty", Arc::new(DevChain::new(options, 1_600_000_000))).await;
    let (pool, _tasks) = pool_of(&[empty.options()]);
    status(&pool, |status| status.state == "down: it is at height 0, still to sync").await;
    empty.chain.advance(1);
    all_up(&pool).await;
}

#[tokio::test]
async fn answers_with_wrong_ids_take_a_node_down() {
    let fake = Fake::start("a", chain(1, 5)).await;
    fake.wrong_ids(true);
    let (pool, _tasks) = pool_of(&[fake.options()]);
    status(&pool, |status| status.state == "down: an answer carries another id").await;
    fake.wrong_ids(false);
    all_up(&pool).await;
}

// === history ===

/// The development chain as a node, and the source over it.
async fn node(raw: bool) -> (Arc<DevNode>, Pool, Arc<dyn Source>, JoinSet<()>) {
    node_of(chain(3, 300), raw).await
}

async fn node_of(chain: Arc<DevChain>, raw: bool) -> (Arc<DevNode>, Pool, Arc<dyn Source>, JoinSet<()>) {
    let node = DevNode::new(chain);
    node.offer_raw(raw);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (pool, mut tasks) = pool_of(&[NodeOptions::new("dev", url)]);
    let serving = node.clone();
    tasks.spawn(async move { serving.serve(listener).await.unwrap() });
    let source = pool.sources().remove(0);
    up(&*source).await;
    (node, pool, source, tasks)
}

#[tokio::test]
async fn history_comes_out_the_same_raw_and_rebuilt_from_json() {
    for raw in [true, false] {
        let (node, pool, source, _tasks) = node(raw).await;
        let chain = node.chain();
        assert_eq!(pool.status()[0].capabilities.raw_block, Some(raw));
        assert_eq!(source.headers(0, 250).await.unwrap(), chain.headers(0..250), "raw: {raw}");
        assert_eq!(source.headers(290, 1_000).await.unwrap(), chain.headers(290..301), "fewer at its head");
        let blocks = source.blocks(&ids(chain, 10..20), true).await.unwrap();
        assert_eq!(blocks, chain.blocks(10..20), "raw: {raw}");
        let bodies = source.blocks(&ids(chain, 10..12), false).await.unwrap();
        assert_eq!(bodies[1].body, chain.block(11).body);
        assert_eq!(bodies[1].receipts, None);
        assert_eq!(source.block_by_hash(chain.id_at(7).hash).await.unwrap(), Some(chain.block(7)));
        assert_eq!(source.block_by_hash(B256::ZERO).await.unwrap(), None);
        assert!(source.score() > 0);
        assert_eq!(node.calls("debug_getRawBlock") > 1, raw, "one call is the probe's");
    }
}

#[tokio::test]
async fn a_node_without_block_receipts_gives_them_one_by_one() {
    let fake = Fake::start("a", chain(1, 50)).await;
    fake.deny(&["debug_getRawHeader", "debug_getRawBlock", "debug_getRawReceipts", "eth_getBlockReceipts"]);
    let (pool, _tasks) = pool_of(&[fake.options()]);
    all_up(&pool).await;
    let source = pool.sources().remove(0);
    let blocks = source.blocks(&ids(&fake.chain, 10..14), true).await.unwrap();
    assert_eq!(blocks, fake.chain.blocks(10..14));
}

#[tokio::test]
async fn a_method_that_vanishes_is_replaced_by_another() {
    let fake = Fake::start("a", chain(1, 50)).await;
    let (pool, _tasks) = pool_of(&[fake.options()]);
    all_up(&pool).await;
    let source = pool.sources().remove(0);
    fake.deny(&["debug_getRawHeader", "debug_getRawBlock", "debug_getRawReceipts"]);
    assert_eq!(source.headers(1, 10).await.unwrap(), fake.chain.headers(1..11));
    assert_eq!(source.blocks(&ids(&fake.chain, 10..14), true).await.unwrap(), fake.chain.blocks(10..14));
    assert_eq!(pool.status()[0].capabilities.raw_block, Some(false));
}

#[tokio::test]
async fn batches_shrink_to_what_a_node_takes() {
    for batch_max in [7, 1, 0] {
        let fake = Fake::start("a", chain(1, 100)).await;
        fake.batch_max(batch_max);
        let (pool, _tasks) = pool_of(&[fake.options()]);
        all_up(&pool).await;
        let source = pool.sources().remove(0);
        assert_eq!(source.headers(1, 60).await.unwrap(), fake.chain.headers(1..61), "{batch_max}");
        let mut blocks = Vec::new();
        while blocks.len() < 20 {
            let wanted = ids(&fake.chain, 10 + blocks.len() as u64..30);
            blocks.extend(source.blocks(&wanted, true).await.unwrap());
        }
        assert_eq!(blocks, fake.chain.blocks(10..30));
        assert!(pool.status()[0].capabilities.batch_calls_max <= batch_max.max(1));
        assert!(fake.batch_seen() > batch_max, "larger ones were tried first");
    }
}

#[tokio::test]
async fn heights_above_the_head_are_absent_and_not_asked_for() {
    let (node, _pool, source, _tasks) = node(true).await;
    let before = node.calls("debug_getRawHeader");
    assert!(matches!(source.headers(301, 5).await, Err(SourceError::Absent(id)) if &*id == "dev"));
    let future = [BlockId { number: 301, hash: B256::ZERO }];
    assert!(matches!(source.blocks(&future, true).await, Err(SourceError::Absent(_))));
    assert_eq!(node.calls("debug_getRawHeader"), before);
    let unknown = [BlockId { number: 30, hash: B256::repeat_byte(1) }];
    assert!(matches!(source.blocks(&unknown, true).await, Err(SourceError::Absent(_))));
}

/// All that can be wrong with a block.
fn corruptions() -> Vec<Corruption> {
    use Corruption::*;
    let fields = (0..17).map(HeaderField).chain((0..9).map(TransactionField));
    let fields =
        fields.chain((0..3).map(ReceiptField)).chain((0..3).map(LogField)).chain((0..4).map(WithdrawalField));
    let whole = [
        HeaderLonger,
        HeaderShorter,
        TransactionType,
        TransactionMissing,
        TransactionTwice,
        TransactionsSwapped,
    ];
    let more =
        [UncleInvented, UncleMissing, WithdrawalInvented, WithdrawalsMissing, ReceiptLastGas, ReceiptMissing];
    let last = [ReceiptTwice, ReceiptsSwapped, LogTopic, LogMissing, LogTwice];
    fields.chain(whole).chain(more).chain(last).collect()
}

#[tokio::test]
async fn every_lie_is_named_here_or_by_verification() {
    let chain = chain(3, 300);
    let truth = chain.block(40);
    for (corruption, raw) in corruptions().into_iter().flat_map(|lie| [(lie, true), (lie, false)]) {
        if corrupt(&truth, corruption).is_none_or(|lie| lie == truth) {
            continue;
        }
        let (node, _pool, source, _tasks) = node_of(chain.clone(), raw).await;
        node.lie(Some(Lie { corruption, heights: 40..41 }));
        match source.blocks(&[truth.id], true).await {
            // A field that JSON does not show cannot be wrong in it.
            Ok(blocks) if blocks == [truth.clone()] => assert!(!raw, "{corruption:?}"),
            Ok(blocks) => assert!(check_fully(&blocks[0]).is_err(), "raw: {raw}, {corruption:?}"),
            Err(SourceError::Misbehaved { .. }) => {}
            // No rule to rebuild it, or the node cannot even write it: nothing came, so nothing was believed.
            Err(SourceError::Unavailable { .. }) => {}
            Err(SourceError::Absent(_)) => panic!("raw: {raw}, {corruption:?}"),
        }
    }
}

#[tokio::test]
async fn a_blamed_source_scores_down_and_is_then_shut_out() {
    let (node, pool, source, _tasks) = node(true).await;
    source.blocks(&ids(node.chain(), 10..20), true).await.unwrap();
    let before = source.score();
    source.blame(10, &Lying::Bloom);
    assert!(source.score() < before);
    source.blame(11, &Lying::Bloom);
    assert!(source.heads().borrow().latest.is_some());
    source.blame(12, &Lying::Bloom);
    assert_eq!(source.score(), 0);
    assert_eq!(source.heads().borrow().latest, None);
    assert!(matches!(source.headers(1, 1).await, Err(SourceError::Unavailable { .. })));
    let status = pool.status().remove(0);
    assert_eq!((status.blamed, status.state.as_str()), (3, "shut out for wrong data"));
    assert_eq!(status.last_fault.as_deref(), Some("block 12: logsBloom does not match the logs"));
}

#[tokio::test]
async fn fill_rate_caps_what_one_request_takes_but_neither_the_head_nor_what_somebody_waits_for() {
    let fake = Fake::start("a", chain(1, 300)).await;
    let (pool, _tasks) = pool_of(&[NodeOptions { fill_rate: Some(3), ..fake.options() }]);
    all_up(&pool).await;
    let source = pool.sources().remove(0);
    assert_eq!(source.blocks(&ids(&fake.chain, 10..20), true).await.unwrap().len(), 3);
    assert_eq!(source.blocks(&ids(&fake.chain, 290..300), true).await.unwrap().len(), 10);
    let waited_for = source.leased(&Askers::default(), true).unwrap();
    assert_eq!(waited_for.blocks(&ids(&fake.chain, 20..30), true).await.unwrap().len(), 10);
}

// === secrets ===

#[tokio::test]
async fn user_info_and_headers_are_sent_and_never_shown() {
    let fake = Fake::start("a", chain(1, 5)).await;
    let url = fake.url().replace("http://", "http://us%40er:hunter2@") + "/v3/apikey77?token=deadbeef";
    let mut options = NodeOptions { url, ..fake.options() };
    options.headers.insert("x-api-key".into(), "topsecret".into());
    let (pool, _tasks) = pool_of(std::slice::from_ref(&options));
    all_up(&pool).await;
    let headers = fake.headers();
    assert_eq!(headers["authorization"], "Basic dXNAZXI6aHVudGVyMg==");
    assert_eq!(headers["x-api-key"], "topsecret");
    assert!(!headers.contains_key("accept-encoding"));

    fake.fault(Fault::Close);
    let failed = pool.forward(call(r#"{"id":1,"method":"eth_call"}"#)).await.unwrap_err();
    fake.stop().await;
    let refused = probe_chain(std::slice::from_ref(&options)).await.unwrap_err();
    let bad = NodeOptions { url: "ftp://us:hunter2@x/apikey77".into(), ..options.clone() };
    let bad = Pool::new(&[bad], PoolOptions::default(), ExpectedChain::default()).unwrap_err();
    let down = status(&pool, |status| status.state.starts_with("down")).await;
    let sources = pool.sources();
    let shown = format!(
        "{options:?} {pool:?} {sources:?} {failed} {failed:?} {refused} {refused:?} {bad} {bad:?} {}",
        serde_json::to_string(&down).unwrap()
    );
    for secret in ["hunter2", "us%40er", "us@er", "apikey77", "deadbeef", "topsecret", "127.0.0.1"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
