//! Filling the store: forward to the head and along it, backward to `oldest`, and the gaps.
//!
//! Trust starts at a [`checkpoint`]. From it header [`links`] are closed first, down ([`backward`]) and up
//! ([`forward`]); [`workers`] fill bodies and receipts against linked headers. Near the head the tip window follows
//! what sources agree on ([`agreement`], [`tree`]). What is wanted next always follows from coverage ([`gaps`]), so a
//! stop at any moment costs the parts in hand and nothing else.
//!
//! Tasks: one follows the head, one links headers downward, `workers` of each direction fill, and one each recovers
//! senders, watches the disk and tells the progress. They meet in the store's coverage, in one byte [`budget`], and
//! in the served head, which [`publish`] decides and only this room publishes. Serving never waits for any of them.

pub mod agreement;
mod backward;
pub mod budget;
pub mod checkpoint;
pub mod difficulty;
mod extra;
pub mod forward;
pub mod gaps;
mod headers;
pub mod kept;
pub mod links;
pub mod metrics;
pub mod progress;
pub mod publish;
mod senders;
mod shared;
pub mod sources;
pub mod space;
mod tip;
pub mod tree;
pub mod verify;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use hypasis_cache::{Store, StoreError};
use hypasis_chain::ChainSpec;
use hypasis_chain::bor::HeimdallView;
use hypasis_upstream::Source;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::difficulty::{Anchor, Origin};
use self::kept::Kept;
use self::metrics::Metrics;
use self::progress::Rates;
pub(crate) use self::shared::blocking;
use self::shared::{Halt, Shared, Way};
use self::sources::Sources;
use self::tip::Tip;
use crate::config::{CheckpointConfig, LogConfig, StoreConfig, SyncConfig};
use crate::served::ServedHead;

/// How long workers may take to close their parts when everything must end; what is not closed is a gap.
const CLOSE: Duration = Duration::from_secs(5);
/// Rest before a store that failed at the start is asked again.
const REST: Duration = Duration::from_secs(2);

/// What the sync room needs of the others.
#[derive(Debug)]
pub struct Parts {
    /// Its section of the configuration.
    pub config: SyncConfig,
    /// Where trust starts.
    pub checkpoint: CheckpointConfig,
    /// Size limit, finality depth.
    pub store_config: StoreConfig,
    /// Progress lines.
    pub log: LogConfig,
    /// The chain's rules.
    pub spec: Arc<ChainSpec>,
    /// The store.
    pub store: Store,
    /// Where blocks come from.
    pub sources: Vec<Arc<dyn Source>>,
    /// The one served head; this room publishes it.
    pub served: ServedHead,
}

/// A running sync; clone freely.
#[derive(Clone, Debug)]
pub struct Sync {
    shared: Arc<Shared>,
    rates: Arc<Rates>,
}

// === impl Sync ===

impl Sync {
    /// Registers metrics and publishes what the store alone knows; nothing runs yet.
    pub fn new(parts: Parts, registry: &mut Registry) -> Self {
        let metrics = Metrics::new(registry);
        let checkpoints = checkpoint::metrics::Metrics::new(registry);
        let shared = Arc::new(Shared::new(parts, metrics, checkpoints));
        shared.publish(false);
        Self { shared, rates: Arc::default() }
    }

    /// Runs until `shutdown` turns true; then parts in hand are closed, within a few seconds or not at all.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        spawn(&mut tasks, &self.shared, progress::run(self.shared.clone(), self.rates.clone()));
        spawn(&mut tasks, &self.shared, checkpoint::follow_heimdall(self.shared.clone()));
        tasks.spawn(supervise(self.clone()));
        // A sender that is gone means that nobody can ask for the end any more: it has come.
        let _ = shutdown.wait_for(|stop| *stop).await;
        self.shared.stop();
        let closing = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSE, closing).await.is_err() {
            tracing::warn!("Some parts were not closed in time; their heights are gaps again");
        }
    }

    /// Changes whenever coverage, the served head, or a reason to be halted does.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }

    /// Something outside changed the store (a range was dropped): what is wanted is worked out anew.
    pub fn look_again(&self) {
        self.shared.bump();
    }

    /// Everybody whom blocks can be asked of; a lie found by one user of it counts for all.
    pub fn sources(&self) -> Sources {
        self.shared.sources.clone()
    }

    /// Where blocks go that were fetched and verified for somebody else: they are stored from there.
    pub fn kept(&self) -> Kept {
        self.shared.kept.clone()
    }

    /// Where whoever asks Heimdall puts what it says of spans and milestones (Polygon).
    pub fn heimdall(&self) -> watch::Sender<HeimdallView> {
        self.shared.heimdall().clone()
    }

    /// For status and the REST paths.
    pub fn status(&self) -> SyncStatus {
        let shared = &self.shared;
        SyncStatus {
            forward: progress::direction(shared, &self.rates, Way::Forward),
            backward: progress::direction(shared, &self.rates, Way::Backward),
            checkpoint: shared.checkpoint().map(|_| checkpoint::page(shared)),
            oldest: shared.oldest(),
            halted: shared.halted(),
            in_flight_bytes_peak: shared.budget.peak(),
        }
    }

    /// The trusted checkpoint, its proof, what it covers, and those who vouch for it; its `number` is `null` while
    /// nothing is trusted yet.
    pub fn checkpoint(&self) -> serde_json::Value {
        checkpoint::page(&self.shared)
    }

    /// Finds where trust starts and sets everything going. All of it ends when it is told to, or with the set.
    async fn start(self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let shared = self.shared;
        let Some(tip) = begin(&shared).await else {
            spawn(&mut tasks, &shared.clone(), follow_upstream(shared));
            return tasks;
        };
        let stop = shared.clone();
        if shared.config.forward.enabled {
            spawn(&mut tasks, &stop, forward::run(shared.clone(), tip));
        } else {
            spawn(&mut tasks, &stop, follow_upstream(shared.clone()));
        }
        spawn(&mut tasks, &stop, backward::run(shared.clone()));
        spawn(&mut tasks, &stop, checkpoint::follow(shared.clone()));
        spawn(&mut tasks, &stop, senders::run(shared.clone()));
        spawn(&mut tasks, &stop, difficulty::run(shared.clone()));
        spawn(&mut tasks, &stop, extra::run(shared.clone()));
        spawn(&mut tasks, &stop, space::run(shared.clone()));
        let (forward, backward) = (&shared.config.forward, &shared.config.backward);
        for _ in 0..if forward.enabled { forward.workers.max(1) } else { 0 } {
            tasks.spawn(workers::run(shared.clone(), Way::Forward));
        }
        for _ in 0..if backward.enabled { backward.workers.max(1) } else { 0 } {
            tasks.spawn(workers::run(shared.clone(), Way::Backward));
        }
        tasks
    }
}

/// Starts the tasks and waits for them. One that panics is a defect of ours: it is said, and the others go on.
async fn supervise(sync: Sync) {
    let shared = sync.shared.clone();
    let mut tasks = tokio::select! {
        tasks = sync.start() => tasks,
        () = shared.stopped() => return,
    };
    let supervised = async {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                shared.halt(Halt::Defect, Some(format!("a task of sync ended by a defect: {error}")));
            }
        }
    };
    tokio::select! {
        () = supervised => return,
        () = shared.contradicted() => {}
    }
    // What is not closed is a gap; nothing more is to be built on what is wrong.
    tasks.shutdown().await;
    tokio::select! {
        () = follow_upstream(shared.clone()) => {}
        () = shared.stopped() => {}
    }
}

/// Runs `work` until everything must end, then drops it: it holds nothing that a drop would lose.
fn spawn(tasks: &mut JoinSet<()>, shared: &Arc<Shared>, work: impl Future<Output = ()> + Send + 'static) {
    let shared = shared.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = work => {}
            () = shared.stopped() => {}
        }
    });
}

/// The checkpoint and the tip window; until they are known the served head is the upstream's.
async fn begin(shared: &Arc<Shared>) -> Option<Tip> {
    loop {
        let found = tokio::select! {
            found = checkpoint::resolve(shared) => found,
            () = follow_upstream(shared.clone()) => return None,
        };
        let loaded = match found {
            Ok(None) => return None,
            Ok(Some(checkpoint)) => {
                let (id, total) = (checkpoint.id, checkpoint.total_difficulty);
                shared.checkpoint_metrics.number.set(metrics::level_of(id.number));
                shared.state.lock().checkpoint = Some(checkpoint);
                Tip::load(shared, id).inspect(|_| {
                    if let Some(total_difficulty) = total {
                        let origin = Origin::Checkpoint;
                        shared.totals.lock().tell(Anchor { id, total_difficulty, origin });
                    }
                })
            }
            Err(error) => Err(error),
        };
        match loaded {
            Ok(tip) => {
                shared.halt(Halt::Store, None);
                shared.publish(false);
                return Some(tip);
            }
            Err(error) => store_failed(shared, &error).await,
        }
    }
}

async fn store_failed(shared: &Shared, error: &StoreError) {
    shared.halt(Halt::Store, Some(error.to_string()));
    tokio::time::sleep(REST).await;
}

/// Publishes the upstream's head for as long as nothing else does.
async fn follow_upstream(shared: Arc<Shared>) {
    let mut watch = shared.sources.watch();
    loop {
        shared.publish(false);
        watch.changed().await;
    }
}

/// What both directions are doing.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct SyncStatus {
    /// Forward.
    pub forward: Direction,
    /// Backward.
    pub backward: Direction,
    /// The trusted checkpoint, its proof and what it covers.
    pub checkpoint: Option<serde_json::Value>,
    /// Lowest height that is to be held.
    pub oldest: u64,
    /// Why sync stopped, if it did (tip window full, deep reorg, disk, no agreement).
    pub halted: Option<String>,
    /// Most bytes of blocks that workers held at once since start.
    pub in_flight_bytes_peak: u64,
}

/// One direction.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Direction {
    /// Whether it is configured to run.
    pub enabled: bool,
    /// Height it has reached.
    pub current: u64,
    /// Height it wants to reach.
    pub target: u64,
    /// Blocks stored since start.
    pub blocks: u64,
    /// Blocks a second lately.
    pub rate: f64,
    /// Seconds until done at that rate.
    pub eta_seconds: Option<u64>,
    /// Whether nothing is missing.
    pub done: bool,
}
