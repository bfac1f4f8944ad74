//! A running sync on a chain in Bor's form: fork choice, producers, finality and total difficulty.

use std::sync::Arc;

use alloy_primitives::{B256, U256};
use async_trait::async_trait;
use bytes::Bytes;
use hypasis_chain::bor::{HeimdallView, Milestone, Producer, Span, Spans};
use hypasis_chain::dev::bor::{BorChain, BorForks, BorMinter, BorOptions};
use hypasis_chain::{Block, BlockId, Fault};
use hypasis_proxy::sync::difficulty::{Anchor, Origin, RECORD};
use hypasis_upstream::{Fetched, Heads, Source, SourceError, Wanted};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::rig::{Rig, Setup};

/// A node with the blocks that the test gave it; the last given branch is its chain.
#[derive(Debug)]
struct Node {
    id: Arc<str>,
    heads: watch::Sender<Heads>,
    blocks: Mutex<Vec<Block>>,
    blamed: Mutex<Vec<(u64, Fault)>>,
    stranger: bool,
}

impl Node {
    fn new(id: &str, chain: &BorChain) -> Self {
        let blocks = Mutex::new(vec![chain.genesis().clone()]);
        let (heads, blamed) = (watch::Sender::default(), Mutex::default());
        Self { id: id.into(), heads, blocks, blamed, stranger: false }
    }

    /// Takes blocks on top of what it has below them, and says so.
    fn take(&self, blocks: &[Block], finalized: Option<u64>, total_difficulty: Option<U256>) {
        let mut own = self.blocks.lock();
        own.truncate(blocks[0].id.number as usize);
        own.extend_from_slice(blocks);
        let at = |number: u64| own.get(number as usize).map(|block| block.id);
        let latest = own.last().map(|block| block.id);
        let finalized = finalized.and_then(at);
        self.heads.send_replace(Heads { latest, finalized, total_difficulty, ..Heads::default() });
    }

    fn with_receipts(block: &Block) -> Block {
        Block { receipts: Some(Bytes::from_static(&[0xc0])), extra: None, ..block.clone() }
    }
}

#[async_trait]
impl Source for Node {
    fn id(&self) -> &Arc<str> {
        &self.id
    }

    fn heads(&self) -> watch::Receiver<Heads> {
        self.heads.subscribe()
    }

    fn parallel(&self) -> usize {
        4
    }

    fn score(&self) -> u64 {
        1
    }

    fn is_many(&self) -> bool {
        self.stranger
    }

    async fn headers(&self, from: u64, count: u64) -> Result<Vec<Bytes>, SourceError> {
        let blocks = self.blocks.lock();
        let wanted = blocks.iter().skip(from as usize).take(count as usize);
        Ok(wanted.map(|block| block.header.clone()).collect())
    }

    async fn blocks(&self, wanted: &[Wanted], _receipts: bool) -> Result<Vec<Fetched>, SourceError> {
        let blocks = self.blocks.lock();
        let found =
            wanted.iter().map_while(|id| blocks.get(id.number as usize).filter(|block| block.id == *id));
        Ok(found.map(Self::with_receipts).collect())
    }

    async fn block_by_hash(&self, hash: B256) -> Result<Option<Fetched>, SourceError> {
        Ok(self.blocks.lock().iter().find(|block| block.id.hash == hash).map(Self::with_receipts))
    }

    fn blame(&self, number: u64, fault: &Fault) {
        self.blamed.lock().push((number, fault.clone()));
    }
}

fn chain(forks: BorForks) -> BorChain {
    let validators = vec![10, 20, 30];
    BorChain::new(BorOptions { validators, producers: 3, span: 640, forks, ..BorOptions::default() }).unwrap()
}

fn mint(minter: &mut BorMinter, count: usize) -> Vec<Block> {
    (0..count).map(|_| minter.mint()).collect()
}

fn spans(chain: &BorChain) -> Arc<Spans> {
    let all = chain.validators();
    let producer = |place: usize| Producer { signer: all[place].0, power: all[place].1 };
    let sorted = |mut list: Vec<Producer>| {
        list.sort_unstable_by_key(|one| one.signer);
        list
    };
    let span = |id: u64| {
        let span = chain.span(id);
        Span {
            id,
            start_block: *span.blocks.start(),
            end_block: *span.blocks.end(),
            validators: sorted((0..all.len()).map(producer).collect()),
            selected_producers: sorted(span.producers.into_iter().map(producer).collect()),
            proposer: None,
        }
    };
    Arc::new((0..4).map(span).collect())
}

fn start(chain: &BorChain, folder: &std::path::Path, nodes: &[&Arc<Node>]) -> Rig {
    let sources = nodes.iter().map(|node| (*node).clone() as Arc<dyn Source>).collect();
    Setup::new().start_on(folder, Arc::new(chain.spec().clone()), sources)
}

async fn until_head(rig: &Rig, head: BlockId) {
    rig.until("head", |rig| rig.served.now().latest == Some(head) && rig.served.now().local).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_heavier_branch_is_followed_though_more_nodes_stand_behind_the_longer_one() {
    let chain = chain(BorForks::before_rio());
    let mut minter = chain.minter();
    let trunk = mint(&mut minter, 90);
    let nodes: Vec<_> = ["a", "b", "c"].map(|id| Arc::new(Node::new(id, &chain))).into();
    let folder = tempfile::tempdir().unwrap();
    nodes.iter().for_each(|node| node.take(&trunk, Some(60), None));
    let rig = start(&chain, folder.path(), &nodes.iter().collect::<Vec<_>>());
    until_head(&rig, minter.head()).await;

    // Out of turn: more blocks, less difficulty each.
    let mut long = minter.clone().branch(1).succession(2);
    let long_blocks = mint(&mut long, 5);
    let mut heavy = minter.clone().branch(2);
    let heavy_blocks = mint(&mut heavy, 2);
    assert!(heavy.total_difficulty() > long.total_difficulty());
    nodes[0].take(&long_blocks, Some(60), None);
    nodes[1].take(&long_blocks, Some(60), None);
    until_head(&rig, long.head()).await;
    nodes[2].take(&heavy_blocks, Some(60), None);
    until_head(&rig, heavy.head()).await;
    assert_eq!(rig.store.view().head(), Some(heavy.head()));
    rig.until("total difficulty", |rig| rig.served.now().total_difficulty == Some(heavy.total_difficulty()))
        .await;

    // A milestone on the lighter branch overrides all that; it is final then.
    let end = long_blocks[2].id;
    let milestone = Some(Milestone { start_block: 1, end });
    rig.sync.heimdall().send_replace(HeimdallView { spans: spans(&chain), milestone });
    until_head(&rig, long.head()).await;
    rig.until("finality", |rig| rig.served.now().finalized == Some(end)).await;
    rig.until("persisted", |rig| rig.store.view().finalized() == Some(end)).await;
    assert_eq!(rig.served.now().total_difficulty, Some(long.total_difficulty()));
    // However heavy the other one grows, it is never taken again.
    nodes[2].take(&mint(&mut heavy, 20), Some(60), None);
    nodes[0].take(&mint(&mut long, 1), Some(60), None);
    until_head(&rig, long.head()).await;
    assert!(nodes.iter().all(|node| node.blamed.lock().is_empty()));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_by_nobody_whose_turn_it_is_waits_and_blames_nobody() {
    let chain = chain(BorForks::default());
    let mut minter = chain.minter();
    let blocks = mint(&mut minter, 300);
    let node = Arc::new(Node::new("node", &chain));
    let folder = tempfile::tempdir().unwrap();
    node.take(&blocks[..250], Some(200), None);
    let rig = start(&chain, folder.path(), &[&node]);
    // The spans that are known name somebody else from block 256 on.
    let right = spans(&chain);
    let mut stale = (*right).clone();
    let mut span = (**right.get(1).unwrap()).clone();
    span.selected_producers = vec![Producer { signer: alloy_primitives::Address::repeat_byte(7), power: 1 }];
    stale.insert(span);
    rig.sync.heimdall().send_replace(HeimdallView { spans: Arc::new(stale), milestone: None });
    until_head(&rig, blocks[249].id).await;
    node.take(&blocks[250..], Some(200), None);
    rig.until("some of it", |rig| rig.sync.status().forward.target >= 250).await;
    tokio::task::yield_now().await;
    // Once the right span is known the same blocks are taken.
    rig.sync.heimdall().send_replace(HeimdallView { spans: right, milestone: None });
    until_head(&rig, minter.head()).await;
    assert_eq!(*node.blamed.lock(), []);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn total_difficulty_is_proved_from_block_0_and_survives_a_restart() {
    let chain = chain(BorForks::before_rio());
    let mut minter = chain.minter();
    let blocks = mint(&mut minter, 600);
    let node = Arc::new(Node::new("node", &chain));
    let folder = tempfile::tempdir().unwrap();
    // The node claims too much: what the headers add up to counts.
    let wrong = minter.total_difficulty() + U256::from(5);
    node.take(&blocks, Some(500), Some(wrong));
    let rig = start(&chain, folder.path(), &[&node]);
    let truth = minter.total_difficulty();
    rig.until("proof", |rig| {
        let recorded = rig.store.record(RECORD).unwrap().is_some_and(|bytes| {
            let anchors: Vec<Anchor> = serde_json::from_slice(&bytes).unwrap();
            anchors.iter().any(|anchor| anchor.origin == Origin::Genesis)
        });
        recorded && rig.served.now().total_difficulty == Some(truth)
    })
    .await;
    rig.stop().await;

    let store = super::rig::open_spec(folder.path(), chain.spec(), 8_192);
    let record = store.record(RECORD).unwrap().unwrap();
    let anchors: Vec<Anchor> = serde_json::from_slice(&record).unwrap();
    assert!(anchors.iter().any(|anchor| anchor.origin == Origin::Genesis), "{anchors:?}");
    store.close().unwrap();
    drop(store);
    let more = mint(&mut minter, 10);
    node.take(&more, Some(500), None);
    let rig = start(&chain, folder.path(), &[&node]);
    rig.until("after a restart", |rig| rig.served.now().total_difficulty == Some(minter.total_difficulty()))
        .await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_named_source_tells_the_total_difficulty_and_a_stranger_does_not() {
    let chain = chain(BorForks::before_rio());
    let mut minter = chain.minter();
    let blocks = mint(&mut minter, 400);
    let (truth, head) = (minter.total_difficulty(), minter.head());
    let mut stranger = Node::new("peers", &chain);
    stranger.stranger = true;
    let stranger = Arc::new(stranger);
    let node = Arc::new(Node::new("node", &chain));
    let folder = tempfile::tempdir().unwrap();
    stranger.take(&blocks, None, Some(truth + U256::from(1_000)));
    node.take(&blocks, Some(300), None);
    let setup = Setup::new().checkpoint(blocks[249].id).with(|config| {
        config.sync.backward.oldest = 200;
    });
    let sources = vec![stranger.clone() as Arc<dyn Source>, node.clone()];
    let rig = setup.start_on(folder.path(), Arc::new(chain.spec().clone()), sources);
    until_head(&rig, head).await;
    assert_eq!(rig.served.now().total_difficulty, None, "nobody who counts has said it");
    node.take(&mint(&mut minter, 1), Some(300), Some(truth + U256::from(3)));
    until_head(&rig, minter.head()).await;
    rig.until("claim", |rig| rig.served.now().total_difficulty == Some(truth + U256::from(3))).await;
    // From here on it is added up: the node need not say it again.
    node.take(&mint(&mut minter, 1), Some(300), None);
    until_head(&rig, minter.head()).await;
    let total = minter.total_difficulty();
    rig.until("sum", |rig| rig.served.now().total_difficulty == Some(total)).await;
    rig.stop().await;
}
