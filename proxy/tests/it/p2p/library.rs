//! A library over a real store, with sources that tests lead.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::B256;
use async_trait::async_trait;
use bytes::Bytes;
use hypasis_cache::store::Verified;
use hypasis_cache::{Kind, Store, Trust};
use hypasis_chain::dev::{Corruption, DevChain, DevOptions, corrupt};
use hypasis_chain::{Block, BlockId, Fault, Level};
use hypasis_proxy::p2p::forward::{Forward, Parts};
use hypasis_proxy::p2p::serve::{Answer, Library, Request, Who};
use hypasis_proxy::served::{Served, ServedHead};
use hypasis_proxy::sync::kept::Kept;
use hypasis_proxy::sync::metrics::Metrics;
use hypasis_proxy::sync::sources::Sources;
use hypasis_proxy::sync::verify::Checks;
use hypasis_upstream::dev::DevSource;
use hypasis_upstream::{Fetched, Heads, Source, SourceError, Wanted};
use hypasis_wire::eth::{
    BlockHashOrNumber, Dialect, EthMessage, EthVersion, GetBlockBodies, GetBlockHeaders, GetReceipts,
    GetReceipts70, HeadersDirection, RequestPair,
};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::support::store_of;

/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Any request id.
pub(crate) const ID: u64 = 0xfeed;
/// All that a whole block brings.
pub(crate) const WHOLE: [Kind; 4] = [Kind::Header, Kind::Body, Kind::Receipts, Kind::Index];

pub(crate) fn chain(history: u64, transactions: u32) -> Arc<DevChain> {
    let options = DevOptions { history, transactions, period_ms: 1_000, seed: 4 };
    Arc::new(DevChain::new(options, 1_700_000_000))
}

pub(crate) fn verified(chain: &DevChain, block: Block) -> Verified {
    let checks = Checks::new(Level::Full, Arc::new(chain.spec()));
    let id = block.id;
    checks.block(block, id, false).unwrap()
}

pub(crate) fn trust(level: Level) -> Trust {
    Trust { level, source: "test".into(), checkpoint: None, verified_at: 1 }
}

/// Stores these heights of the chain in history (each range within a section).
pub(crate) fn fill(store: &Store, chain: &DevChain, range: RangeInclusive<u64>, kinds: &[Kind]) {
    let mut part = store.begin_part(range.clone(), kinds.to_vec()).unwrap();
    for block in chain.blocks(*range.start()..range.end() + 1) {
        if kinds == [Kind::Header] {
            part.append_header(block.id, &block.header).unwrap();
        } else {
            part.append(&verified(chain, block)).unwrap();
        }
    }
    part.finish(&trust(Level::Full)).unwrap();
}

/// A library and what it stands on.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) kept: Kept,
    pub(crate) served: ServedHead,
    pub(crate) library: Library,
}

// === impl Rig ===

impl Rig {
    /// Over an empty store of the chain, up to its head.
    pub(crate) fn new(chain: &DevChain, sources: &[Arc<Witness>]) -> Self {
        Self::over(store_of(chain.spec().chain_id), chain, chain.head(), sources)
    }

    pub(crate) fn over(store: Store, chain: &DevChain, head: BlockId, sources: &[Arc<Witness>]) -> Self {
        let settled = head.number.min(chain.head().number).saturating_sub(64);
        let finalized = Some(chain.id_at(settled));
        let served = Served { latest: Some(head), finalized, ..Served::default() };
        let (served, kept) = (ServedHead::new(served), Kept::default());
        let sources = sources.iter().map(|source| source.clone() as Arc<dyn Source>).collect();
        Self::of(store, chain, served, kept, sources)
    }

    pub(crate) fn of(
        store: Store,
        chain: &DevChain,
        served: ServedHead,
        kept: Kept,
        sources: Vec<Arc<dyn Source>>,
    ) -> Self {
        let forward = Forward::new(Parts {
            sources: Sources::new(sources, Metrics::default()),
            checks: Checks::new(Level::Full, Arc::new(chain.spec())),
            kept: kept.clone(),
            store: store.clone(),
            served: served.clone(),
        });
        let library = Library::new(store.clone(), served.clone(), forward);
        Self { store, kept, served, library }
    }

    pub(crate) async fn ask(&self, version: EthVersion, request: Request) -> Answer {
        self.library.answer(version, request, &Who::default()).await
    }

    pub(crate) async fn headers(&self, query: GetBlockHeaders) -> Vec<Bytes> {
        items(EthVersion::Eth69, &self.ask(EthVersion::Eth69, headers(query)).await)
    }

    pub(crate) async fn bodies(&self, hashes: &[B256]) -> Vec<Bytes> {
        items(EthVersion::Eth69, &self.ask(EthVersion::Eth69, bodies(hashes)).await)
    }

    pub(crate) async fn receipts(&self, version: EthVersion, hashes: &[B256]) -> Vec<Bytes> {
        items(version, &self.ask(version, receipts(version, hashes)).await)
    }
}

pub(crate) fn query(number: u64, limit: u64, skip: u64, falling: bool) -> GetBlockHeaders {
    let direction = if falling { HeadersDirection::Falling } else { HeadersDirection::Rising };
    GetBlockHeaders { start_block: BlockHashOrNumber::Number(number), limit, skip, direction }
}

pub(crate) fn query_by_hash(hash: B256, limit: u64, skip: u64, falling: bool) -> GetBlockHeaders {
    GetBlockHeaders { start_block: BlockHashOrNumber::Hash(hash), ..query(0, limit, skip, falling) }
}

pub(crate) fn headers(query: GetBlockHeaders) -> Request {
    Request::Headers(RequestPair::new(ID, query))
}

pub(crate) fn bodies(hashes: &[B256]) -> Request {
    Request::Bodies(RequestPair::new(ID, GetBlockBodies(hashes.to_vec())))
}

pub(crate) fn receipts(version: EthVersion, hashes: &[B256]) -> Request {
    match version {
        EthVersion::Eth70 => {
            let message = GetReceipts70 { first_block_receipt_index: 0, hashes: hashes.to_vec() };
            Request::Receipts70(RequestPair::new(ID, message))
        }
        _ => Request::Receipts(RequestPair::new(ID, GetReceipts(hashes.to_vec()))),
    }
}

/// The items of an answer, as a peer reads them.
pub(crate) fn items(version: EthVersion, answer: &Answer) -> Vec<Bytes> {
    let message = EthMessage::decode(version, Dialect::Ethereum, answer.id.into(), answer.payload.clone());
    let (id, items) = match message.unwrap() {
        EthMessage::BlockHeaders(pair) => (pair.request_id, pair.message.0),
        EthMessage::BlockBodies(pair) => (pair.request_id, pair.message.0),
        EthMessage::Receipts(pair) => (pair.request_id, pair.message.0),
        EthMessage::Receipts69(pair) => (pair.request_id, pair.message.0),
        EthMessage::Receipts70(pair) => {
            assert!(!pair.message.last_block_incomplete);
            (pair.request_id, pair.message.receipts)
        }
        other => panic!("{other:?} is no answer"),
    };
    assert_eq!((id, items.len()), (ID, answer.items));
    items
}

/// The development chain as a source that counts, lies or is silent as the test wants.
#[derive(Debug)]
pub(crate) struct Witness {
    source: DevSource,
    heads: watch::Sender<Heads>,
    lie: Option<Corruption>,
    silent: watch::Sender<bool>,
    failing: AtomicBool,
    without_receipts: AtomicBool,
    calls: AtomicU64,
    with_receipts: AtomicU64,
    blamed: Mutex<Vec<(u64, Fault)>>,
    /// Moves with each blame.
    changes: watch::Sender<u64>,
}

// === impl Witness ===

impl Witness {
    /// Truthful.
    pub(crate) async fn new(id: &str, chain: &Arc<DevChain>) -> Arc<Self> {
        Self::with(id, chain, None).await
    }

    /// Tells this lie in every block that can carry it.
    pub(crate) async fn lying(id: &str, chain: &Arc<DevChain>, lie: Corruption) -> Arc<Self> {
        Self::with(id, chain, Some(lie)).await
    }

    async fn with(id: &str, chain: &Arc<DevChain>, lie: Option<Corruption>) -> Arc<Self> {
        let source = DevSource::new(id.into(), chain.clone());
        source.advance(0).await.unwrap();
        let heads = watch::Sender::new(source.heads().borrow().clone());
        Arc::new(Self {
            source,
            heads,
            lie,
            silent: watch::Sender::new(false),
            failing: AtomicBool::default(),
            without_receipts: AtomicBool::default(),
            calls: AtomicU64::default(),
            with_receipts: AtomicU64::default(),
            blamed: Mutex::default(),
            changes: watch::Sender::default(),
        })
    }

    /// Takes requests and answers none until it is told otherwise.
    pub(crate) fn silence(&self, silent: bool) {
        self.failing.store(false, Ordering::SeqCst);
        self.silent.send_replace(silent);
    }

    /// Who waits for an answer gets an error; so it goes on until silence is broken or begun.
    pub(crate) fn fail(&self) {
        self.failing.store(true, Ordering::SeqCst);
        self.silent.send_modify(|_| {});
    }

    /// Has no receipts from now on.
    pub(crate) fn without_receipts(&self, without: bool) {
        self.without_receipts.store(without, Ordering::SeqCst);
    }

    pub(crate) async fn until_blamed(&self) {
        self.until(|| !self.blamed.lock().is_empty()).await;
    }

    async fn until(&self, reached: impl Fn() -> bool) {
        let mut changes = self.changes.subscribe();
        let wait = changes.wait_for(|_| reached());
        tokio::time::timeout(PATIENCE, wait).await.expect("it never came").unwrap();
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Calls for blocks that wanted receipts too.
    pub(crate) fn with_receipts(&self) -> u64 {
        self.with_receipts.load(Ordering::SeqCst)
    }

    /// Says of itself whatever the test wants.
    pub(crate) fn claim(&self, heads: Heads) {
        self.heads.send_replace(heads);
    }

    pub(crate) fn blamed(&self) -> Vec<(u64, Fault)> {
        self.blamed.lock().clone()
    }

    async fn called(&self) -> Result<(), SourceError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let failing = || self.failing.load(Ordering::SeqCst);
        self.silent.subscribe().wait_for(|silent| !silent || failing()).await.unwrap();
        match failing() {
            true => Err(SourceError::Unavailable { id: self.id().clone(), reason: "told to fail".into() }),
            false => Ok(()),
        }
    }

    fn tell(&self, block: Block) -> Block {
        let told = self.lie.and_then(|lie| corrupt(&block, lie)).unwrap_or(block);
        let receipts = told.receipts.filter(|_| !self.without_receipts.load(Ordering::SeqCst));
        Block { receipts, ..told }
    }
}

#[async_trait]
impl Source for Witness {
    fn id(&self) -> &Arc<str> {
        self.source.id()
    }

    fn heads(&self) -> watch::Receiver<Heads> {
        self.heads.subscribe()
    }

    fn parallel(&self) -> usize {
        64
    }

    /// Who lies is asked first.
    fn score(&self) -> u64 {
        if self.lie.is_some() { 1_000_000 } else { 1_000 }
    }

    async fn headers(&self, from: u64, count: u64) -> Result<Vec<Bytes>, SourceError> {
        self.called().await?;
        if self.lie.is_none() {
            return self.source.headers(from, count).await;
        }
        let chain = self.source.chain();
        Ok((from..from + count).map(|number| self.tell(chain.block(number)).header).collect())
    }

    async fn blocks(&self, wanted: &[Wanted], receipts: bool) -> Result<Vec<Fetched>, SourceError> {
        self.with_receipts.fetch_add(receipts.into(), Ordering::SeqCst);
        self.called().await?;
        let blocks = self.source.blocks(wanted, receipts).await?;
        Ok(blocks.into_iter().map(|block| self.tell(block)).collect())
    }

    async fn block_by_hash(&self, hash: B256) -> Result<Option<Fetched>, SourceError> {
        self.called().await?;
        Ok(self.source.block_by_hash(hash).await?.map(|block| self.tell(block)))
    }

    fn blame(&self, number: u64, fault: &Fault) {
        self.blamed.lock().push((number, fault.clone()));
        self.changes.send_modify(|count| *count += 1);
    }
}
