//! What this node says of itself: Status, its range, its fork id. All of it follows the one served head.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use alloy_eip2124::{ForkFilter, ForkId};
use alloy_primitives::{B256, U256};
use hypasis_cache::{Store, View};
use hypasis_chain::spec::Family;
use hypasis_chain::{BlockId, ChainSpec, Header, Level, fork_id};
use hypasis_wire::eth::{BlockRangeUpdate, Dialect, EthVersion, UnifiedStatus};
use parking_lot::Mutex;

use crate::served::{Served, ServedHead};
use crate::sync::sources::{Sources, Want};

/// What is said to peers. Clone freely.
#[derive(Clone, Debug)]
pub(super) struct Presence {
    spec: Arc<ChainSpec>,
    store: Store,
    served: ServedHead,
    sources: Sources,
    genesis: BlockId,
    pub(super) dialect: Dialect,
    told: Arc<Mutex<Option<Told>>>,
}

/// A range that was worked out just now: each session asks for it every second.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Instant,
    served: Served,
    range: BlockRangeUpdate,
}

/// How long a range is good while the served head stays.
const TOLD_TIME: Duration = Duration::from_millis(200);

// === impl Presence ===

impl Presence {
    /// `None` where devp2p cannot be spoken: block 0 or the forks of the chain are not known.
    pub(super) fn new(
        spec: Arc<ChainSpec>,
        store: Store,
        served: ServedHead,
        sources: Sources,
    ) -> Option<Self> {
        let genesis = BlockId { number: 0, hash: spec.genesis_hash? };
        fork_id::fork_id(&spec, 0, 0)?;
        let dialect = match spec.family {
            Family::Ethereum => Dialect::Ethereum,
            Family::Bor => Dialect::Bor,
            Family::Unknown => return None,
        };
        Some(Self { spec, store, served, sources, genesis, dialect, told: Arc::default() })
    }

    /// Follows the served head.
    pub(super) fn served(&self) -> &ServedHead {
        &self.served
    }

    /// The chain's rules.
    pub(super) fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// The store behind it.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// The blocks that are served: held, or to be had from another source while somebody waits.
    pub(super) fn range(&self) -> BlockRangeUpdate {
        let served = self.served.now();
        let told = *self.told.lock();
        if let Some(told) = told.filter(|told| told.served == served && told.at.elapsed() < TOLD_TIME) {
            return told.range;
        }
        let range = range(&self.store.view(), &served, &self.sources);
        let range =
            range.unwrap_or(BlockRangeUpdate { earliest: 0, latest: 0, latest_hash: self.genesis.hash });
        *self.told.lock() = Some(Told { at: Instant::now(), served, range });
        range
    }

    /// The status of a session; `latest` is never above what is served.
    pub(super) fn status(&self, version: EthVersion) -> Option<UnifiedStatus> {
        let range = self.range();
        let forkid = self.fork_id_at(range.latest, range.latest_hash)?;
        let status = UnifiedStatus::builder()
            .version(version)
            .chain(self.spec.chain_id)
            .genesis(self.genesis.hash)
            .forkid(forkid)
            .blockhash(range.latest_hash)
            .range(range.earliest, range.latest);
        let head = BlockId { number: range.latest, hash: range.latest_hash };
        Some(status.total_difficulty(self.total_difficulty(head)).build())
    }

    /// The total difficulty to go with `head` in a status.
    ///
    /// Ethereum's ends with the merge; before that it is not known here and peers do not use it. On Polygon peers sync
    /// from whoever claims most, and ask again and again who claimed too much: where it is not known, it is said to be
    /// that of block 0, which no chain has less of.
    fn total_difficulty(&self, head: BlockId) -> U256 {
        match self.dialect {
            Dialect::Ethereum => self.spec.merged_total_difficulty().unwrap_or_default(),
            Dialect::Bor => self.known_total_difficulty(head).unwrap_or_else(|| self.genesis_difficulty()),
        }
    }

    /// The total difficulty of `head`, if that is the served head and it is known.
    fn known_total_difficulty(&self, head: BlockId) -> Option<U256> {
        let served = self.served.now();
        served.total_difficulty.filter(|_| served.latest == Some(head))
    }

    fn genesis_difficulty(&self) -> U256 {
        let genesis = self.spec.genesis.as_ref().and_then(|block| Header::parse(&block.header).ok());
        genesis.map_or(U256::ZERO, |header| header.difficulty())
    }

    /// What tells whether a peer's fork id fits the served head.
    pub(super) fn fork_filter(&self) -> Option<ForkFilter> {
        let range = self.range();
        let time = self.time(range.latest, range.latest_hash);
        fork_id::filter(&self.spec, range.latest, time)
    }

    /// The fork id of the served head.
    pub(super) fn fork_id(&self) -> Option<ForkId> {
        let range = self.range();
        self.fork_id_at(range.latest, range.latest_hash)
    }

    fn fork_id_at(&self, number: u64, hash: B256) -> Option<ForkId> {
        fork_id::fork_id(&self.spec, number, self.time(number, hash))
    }

    /// The head's timestamp. A head that is not held yet is an upstream's, so it is taken to be of now.
    fn time(&self, number: u64, hash: B256) -> u64 {
        let view = self.store.view();
        let header = || view.header(&view.by_hash(&hash).ok()??).ok()?;
        let own = self.spec.genesis.as_ref().filter(|_| number == 0).map(|block| block.header.clone());
        let time =
            header().or(own).and_then(|bytes| Header::parse(&bytes).ok().map(|header| header.timestamp()));
        time.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()))
    }
}

/// The blocks that are held, or can be had of a source that the operator named; `None` if there is none at all.
///
/// What peers say to have is of use to fill from, but no reason to promise it to others.
pub fn range(view: &View, served: &Served, sources: &Sources) -> Option<BlockRangeUpdate> {
    let whole = view.whole(Level::Light);
    let can_be_had =
        |id: &BlockId| served.local || sources.any_named_has(&Want::blocks(id.number..=id.number));
    // With those gone that had it, what is held is left.
    let held = || view.by_number(whole.last()?).ok().flatten().map(|block| block.id);
    let latest = served.latest.filter(can_be_had).or_else(|| held().max(sources.named_head()))?;
    let below = whole.run(latest.number).map(|run| *run.start());
    let earliest = match (below, sources.earliest(latest.number)) {
        (Some(held), Some(elsewhere)) => held.min(elsewhere),
        (held, elsewhere) => held.or(elsewhere).unwrap_or(latest.number),
    };
    Some(BlockRangeUpdate { earliest, latest: latest.number, latest_hash: latest.hash })
}
