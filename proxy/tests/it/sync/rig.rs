//! A running sync over a real store, with sources that tests lead.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use async_trait::async_trait;
use bytes::Bytes;
use hypasis_cache::store::Options;
use hypasis_cache::{Kind, OpenError, Store};
use hypasis_chain::dev::{Corruption, DevChain, DevOptions, corrupt};
use hypasis_chain::spec::Family;
use hypasis_chain::{Block, BlockId, Body, ChainSpec, Fault};
use hypasis_proxy::config::{CheckpointConfig, CheckpointSource, Config};
use hypasis_proxy::served::{Served, ServedHead};
use hypasis_proxy::sync::{Parts, Sync};
use hypasis_upstream::{Fetched, Heads, Source, SourceError, Wanted};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A chain of `history` blocks with `transactions` each on average.
pub(crate) fn chain(history: u64, transactions: u32) -> Arc<DevChain> {
    let options = DevOptions { history, transactions, period_ms: 1_000, seed: 7 };
    Arc::new(DevChain::new(options, 1_700_000_000))
}

/// A source that says of a chain what the test wants.
#[derive(Debug)]
pub(crate) struct Puppet {
    id: Arc<str>,
    pub(crate) chain: Arc<DevChain>,
    heads: watch::Sender<Heads>,
    score: u64,
    lie: Option<Corruption>,
    receipts: bool,
    follows: bool,
    beside: fn(u64) -> Option<Bytes>,
    blamed: Mutex<Vec<(u64, Fault)>>,
    given: Mutex<u64>,
}

// === impl Puppet ===

impl Puppet {
    pub(crate) fn new(id: &str, chain: &Arc<DevChain>) -> Self {
        Self {
            id: id.into(),
            chain: chain.clone(),
            heads: watch::Sender::default(),
            score: 1,
            lie: None,
            receipts: true,
            follows: true,
            beside: |_| None,
            blamed: Mutex::default(),
            given: Mutex::default(),
        }
    }

    /// Tells this lie in every block that can carry it, and is asked before others.
    pub(crate) fn lying(self, lie: Corruption) -> Self {
        Self { lie: Some(lie), score: 1_000, ..self }
    }

    /// Has no receipts.
    pub(crate) fn without_receipts(self) -> Self {
        Self { receipts: false, ..self }
    }

    /// Tells this of what stands beside its blocks.
    pub(crate) fn telling(self, beside: fn(u64) -> Option<Bytes>) -> Self {
        Self { beside, ..self }
    }

    /// Does not follow the chain, like an archive or strangers.
    pub(crate) fn not_following(self) -> Self {
        Self { follows: false, ..self }
    }

    /// Is asked before others.
    pub(crate) fn preferred(self) -> Self {
        Self { score: 1_000, ..self }
    }

    /// Announces the chain's head, and `finalized` if given.
    pub(crate) fn announce(&self, finalized: Option<u64>) {
        let finalized = finalized.map(|number| self.chain.id_at(number));
        self.heads.send_replace(Heads { latest: Some(self.chain.head()), finalized, ..Heads::default() });
    }

    /// Announces whatever the test says.
    pub(crate) fn claim(&self, latest: Option<BlockId>, finalized: Option<BlockId>) {
        self.heads.send_replace(Heads { latest, finalized, ..Heads::default() });
    }

    pub(crate) fn blamed(&self) -> Vec<(u64, Fault)> {
        self.blamed.lock().clone()
    }

    /// Blocks given so far.
    pub(crate) fn given(&self) -> u64 {
        *self.given.lock()
    }

    fn tell(&self, block: Block) -> Block {
        let told = self.lie.and_then(|lie| corrupt(&block, lie)).unwrap_or(block);
        *self.given.lock() += 1;
        let extra = (self.beside)(told.id.number);
        Block { receipts: told.receipts.filter(|_| self.receipts), extra, ..told }
    }

    fn absent(&self) -> SourceError {
        SourceError::Absent(self.id.clone())
    }
}

#[async_trait]
impl Source for Puppet {
    fn id(&self) -> &Arc<str> {
        &self.id
    }

    fn heads(&self) -> watch::Receiver<Heads> {
        self.heads.subscribe()
    }

    fn follows_head(&self) -> bool {
        self.follows
    }

    fn parallel(&self) -> usize {
        4
    }

    fn score(&self) -> u64 {
        self.score
    }

    async fn headers(&self, from: u64, count: u64) -> Result<Vec<Bytes>, SourceError> {
        let head = self.chain.head().number;
        let range = from..(from + count).min(head + 1);
        if self.lie.is_some() {
            return Ok(range.map(|number| self.tell(self.chain.block(number)).header).collect());
        }
        let chain = self.chain.clone();
        Ok(tokio::task::spawn_blocking(move || chain.headers(range)).await.unwrap())
    }

    async fn blocks(&self, wanted: &[Wanted], _receipts: bool) -> Result<Vec<Fetched>, SourceError> {
        let (chain, wanted) = (self.chain.clone(), wanted.to_vec());
        let found = tokio::task::spawn_blocking(move || {
            let (first, last) = (wanted[0].number, wanted[wanted.len() - 1].number);
            chain.blocks(first..last + 1)
        });
        Ok(found.await.unwrap().into_iter().map(|block| self.tell(block)).collect())
    }

    async fn block_by_hash(&self, hash: B256) -> Result<Option<Fetched>, SourceError> {
        let block = self.chain.block_by_hash(&hash).ok_or_else(|| self.absent())?;
        Ok(Some(self.tell(block)))
    }

    fn blame(&self, number: u64, fault: &Fault) {
        self.blamed.lock().push((number, fault.clone()));
    }
}

/// A running sync.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) sync: Sync,
    pub(crate) served: ServedHead,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// How a test wants it.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    family: Option<Family>,
}

// === impl Setup ===

impl Setup {
    pub(crate) fn new() -> Self {
        let mut config = Config::default();
        config.sync.forward.workers = 2;
        config.sync.backward.workers = 2;
        config.sync.backward.batch_size = 512;
        config.store.tip_blocks_max = 8_192;
        Self { config, family: None }
    }

    pub(crate) fn checkpoint(mut self, id: BlockId) -> Self {
        self.config.checkpoint = CheckpointConfig {
            source: CheckpointSource::Static,
            number: Some(id.number),
            hash: Some(id.hash),
            ..CheckpointConfig::default()
        };
        self
    }

    /// Takes the chain for one of Polygon's, of which nothing more is known: a state sync may stand beside each block.
    pub(crate) fn polygon(self) -> Self {
        Self { family: Some(Family::Bor), ..self }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Opens the store in `folder` and starts.
    pub(crate) fn start(&self, folder: &Path, chain: &DevChain, sources: &[&Arc<Puppet>]) -> Rig {
        let sources = sources.iter().map(|source| (*source).clone() as Arc<dyn Source>).collect();
        self.start_with(folder, chain, sources)
    }

    /// The same with sources of any kind.
    pub(crate) fn start_with(&self, folder: &Path, chain: &DevChain, sources: Vec<Arc<dyn Source>>) -> Rig {
        let family = self.family.unwrap_or(chain.spec().family);
        self.start_on(folder, Arc::new(ChainSpec { family, ..chain.spec() }), sources)
    }

    /// The same on any chain.
    pub(crate) fn start_on(&self, folder: &Path, spec: Arc<ChainSpec>, sources: Vec<Arc<dyn Source>>) -> Rig {
        let store = open_spec(folder, &spec, self.config.store.tip_blocks_max);
        let served = ServedHead::new(Served::default());
        let parts = Parts {
            config: self.config.sync.clone(),
            checkpoint: self.config.checkpoint.clone(),
            store_config: self.config.store.clone(),
            log: self.config.log.clone(),
            spec,
            store: store.clone(),
            sources,
            served: served.clone(),
        };
        let sync = Sync::new(parts, &mut Registry::default());
        let (shutdown, receiver) = watch::channel(false);
        let task = tokio::spawn(sync.clone().run(receiver));
        Rig { store, sync, served, shutdown, task }
    }
}

// === impl Rig ===

impl Rig {
    /// Waits until `reached` holds; whatever sync changes is looked at.
    pub(crate) async fn until(&self, what: &str, mut reached: impl FnMut(&Self) -> bool) {
        let mut changes = self.sync.changes();
        let wait = async {
            while !reached(self) {
                changes.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("{what}: not reached; {:?}, served {:?}", self.sync.status(), self.served.now());
        }
    }

    /// Waits until everything is held up to the chain's head.
    pub(crate) async fn until_whole(&self, chain: &DevChain) {
        self.until("whole", |rig| {
            let status = rig.sync.status();
            let served = rig.served.now();
            status.forward.done && status.backward.done && served.local && served.latest == Some(chain.head())
        })
        .await;
    }

    pub(crate) async fn stop(self) {
        self.shutdown.send_replace(true);
        self.task.await.unwrap();
        self.store.close().unwrap();
    }
}

pub(crate) fn open(folder: &Path, chain: &DevChain, tip_blocks_max: usize) -> Store {
    open_spec(folder, &chain.spec(), tip_blocks_max)
}

pub(crate) fn open_spec(folder: &Path, spec: &ChainSpec, tip_blocks_max: usize) -> Store {
    let options = Options {
        path: folder.to_path_buf(),
        memory: 64 << 20,
        chain_id: spec.chain_id,
        genesis_hash: spec.genesis_hash,
        direct_reads: false,
        tip_blocks_max,
        spec: Some(Arc::new(spec.clone())),
    };
    let patience = std::time::Instant::now() + PATIENCE;
    loop {
        match Store::open(&options) {
            Ok(store) => return store,
            // A blocking step that was under way when everything was told to end may hold the store a moment longer.
            Err(OpenError::Locked { .. }) if std::time::Instant::now() < patience => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Everything that the store says of `range` is what the chain says, by number, by hash and by transaction.
pub(crate) fn assert_holds(store: &Store, chain: &DevChain, range: std::ops::RangeInclusive<u64>) {
    let view = store.view();
    for number in range {
        let block = chain.block(number);
        let found = view.by_number(number).unwrap().unwrap_or_else(|| panic!("no block {number}"));
        assert_eq!(found.id, block.id);
        for kind in [Kind::Header, Kind::Body, Kind::Receipts] {
            assert!(view.covers(kind, number), "{kind:?} of {number}");
        }
        assert_eq!(view.header(&found).unwrap().unwrap(), block.header);
        assert_eq!(view.body(&found).unwrap().unwrap(), block.body);
        assert_eq!(view.receipts(&found).unwrap(), block.receipts);
        assert_eq!(view.by_hash(&block.id.hash).unwrap().unwrap().id, block.id);
        for (index, transaction) in Body::parse(&block.body).unwrap().transactions().enumerate() {
            let (place, at) = view.transaction(&transaction.unwrap().hash()).unwrap().unwrap();
            assert_eq!((place.id, at as usize), (block.id, index));
        }
    }
}
