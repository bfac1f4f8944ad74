//! Where trust starts.
//!
//! `static` is what the operator names. `upstream` is trust on first use: what the sources agree to be final when the
//! store is new; it is said loudly, persisted, and from then on as good as a static one. Nothing is stored before a
//! checkpoint is known, and none is ever replaced by what a source says later.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{B256, keccak256};
use futures_util::future::join_all;
use hypasis_cache::StoreError;
use hypasis_chain::BlockId;

use super::agreement::{self, Verdict};
use super::shared::{Halt, Shared};
use crate::config::CheckpointSource;

/// Name of the persisted record.
pub const RECORD: &str = "checkpoint";
/// How long sources that are slow to answer are waited for once the first one is up.
const GATHER: Duration = Duration::from_secs(3);
/// Rest before sources that disagree are asked again.
const REST: Duration = Duration::from_secs(1);
/// Longest wait for one source's header.
const ANSWER: Duration = Duration::from_secs(10);

/// The trusted block, and how it came to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checkpoint {
    /// Height and hash.
    #[serde(flatten)]
    pub id: BlockId,
    /// `static` or `upstream`.
    pub source: CheckpointSource,
    /// Ids of the sources that named it (`upstream`).
    pub named_by: Vec<String>,
    /// Seconds since the epoch when it was first trusted.
    pub trusted_at: u64,
}

/// What is to be done with what the operator names and what the store remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// This one; the flag says whether it must be persisted.
    Use(Checkpoint, bool),
    /// Sources have to be asked.
    Ask,
    /// They contradict each other: the operator must decide.
    Refuse(String),
}

/// Decides from the configuration, the persisted record, and the hash that the store holds at the static height.
pub fn start(
    configured: Option<BlockId>,
    persisted: Option<Checkpoint>,
    held: impl FnOnce(u64) -> Option<B256>,
    now: u64,
) -> Start {
    let Some(id) = configured else {
        return persisted.map_or(Start::Ask, |checkpoint| Start::Use(checkpoint, false));
    };
    if let Some(persisted) = persisted {
        if persisted.id == id {
            return Start::Use(persisted, false);
        }
        if persisted.id.number == id.number {
            return Start::Refuse(contradiction(id, persisted.id.hash));
        }
    }
    match held(id.number) {
        Some(hash) if hash != id.hash => Start::Refuse(contradiction(id, hash)),
        _ => {
            let source = CheckpointSource::Static;
            Start::Use(Checkpoint { id, source, named_by: Vec::new(), trusted_at: now }, true)
        }
    }
}

/// Finds the checkpoint; waits for sources where it takes them. `None`: sync must not run.
pub(crate) async fn resolve(shared: &Arc<Shared>) -> Result<Option<Checkpoint>, StoreError> {
    let configured = match (
        shared.checkpoint_config.source,
        shared.checkpoint_config.number,
        shared.checkpoint_config.hash,
    ) {
        (CheckpointSource::Static, Some(number), Some(hash)) => Some(BlockId { number, hash }),
        (CheckpointSource::Static, _, _) => {
            shared.halt(Halt::Checkpoint, Some("a static checkpoint needs both number and hash".into()));
            return Ok(None);
        }
        (CheckpointSource::Upstream, _, _) => None,
    };
    let persisted = shared.store.record(RECORD)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let held = configured.map(|id| shared.store.view().by_number(id.number)).transpose()?.flatten();
    match start(configured, persisted, |_| held.map(|block| block.id.hash), now()) {
        Start::Use(checkpoint, false) => Ok(Some(checkpoint)),
        Start::Use(checkpoint, true) => persist(shared, checkpoint).map(Some),
        Start::Refuse(reason) => {
            shared.halt(Halt::Checkpoint, Some(reason));
            Ok(None)
        }
        Start::Ask => {
            let checkpoint = ask(shared).await;
            tracing::warn!(
                number = checkpoint.id.number,
                hash = %checkpoint.id.hash,
                named_by = checkpoint.named_by.join(","),
                "TRUST ON FIRST USE: everything stored will link to this block, which only the upstreams vouch for. \
                 Compare it with an independent source, or configure a static checkpoint"
            );
            persist(shared, checkpoint).map(Some)
        }
    }
}

/// Asks the sources until they agree.
async fn ask(shared: &Shared) -> Checkpoint {
    let mut watch = shared.sources.watch();
    let all_up = async {
        while shared.sources.opinions().is_empty() {
            watch.changed().await;
        }
        let everybody = async {
            while shared.sources.opinions().len() < shared.sources.len() {
                watch.changed().await;
            }
        };
        let _ = tokio::time::timeout(GATHER, everybody).await;
    };
    all_up.await;
    loop {
        if let Some(height) =
            agreement::settled_height(&shared.sources.opinions(), shared.store_config.finality_depth)
        {
            let answers = hashes_at(shared, height).await;
            match agreement::weigh(&answers) {
                Verdict::Agreed(hash, others) => {
                    let named =
                        answers.iter().filter(|(id, _)| !others.contains(id)).map(|(id, _)| id.to_string());
                    shared.halt(Halt::Agreement, None);
                    return Checkpoint {
                        id: BlockId { number: height, hash },
                        source: CheckpointSource::Upstream,
                        named_by: named.collect(),
                        trusted_at: now(),
                    };
                }
                Verdict::Split(said) => shared.halt(Halt::Agreement, Some(split(height, &said))),
                Verdict::Silent => {}
            }
        }
        tokio::time::sleep(REST).await;
    }
}

/// The hash that each source names for a settled height; those that do not answer in time have no say.
pub(crate) async fn hashes_at(shared: &Shared, height: u64) -> Vec<(Arc<str>, B256)> {
    let asked = shared.sources.opinions().into_iter().filter_map(|opinion| {
        let reaches = opinion.heads.latest.is_some_and(|id| id.number >= height);
        let source = shared.sources.by_id(&opinion.source).filter(|_| reaches)?;
        Some(async move {
            let answer = tokio::time::timeout(ANSWER, source.headers(height, 1)).await;
            let headers = answer.ok()?.ok()?;
            Some((opinion.source, keccak256(headers.first()?)))
        })
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Says who named what.
pub(crate) fn split(height: u64, said: &[(Arc<str>, B256)]) -> String {
    let said: Vec<String> = said.iter().map(|(source, hash)| format!("{source} says {hash}")).collect();
    format!("sources contradict each other on block {height}: {}", said.join(", "))
}

fn persist(shared: &Shared, checkpoint: Checkpoint) -> Result<Checkpoint, StoreError> {
    let bytes = serde_json::to_vec(&checkpoint).map_err(|error| StoreError::Refused(error.to_string()))?;
    shared.store.put_record(RECORD, &bytes)?;
    Ok(checkpoint)
}

fn contradiction(id: BlockId, held: B256) -> String {
    format!(
        "the configured checkpoint {} at height {} contradicts the store, which holds {held} there. Correct \
         `checkpoint.hash`, or use another data directory",
        id.hash, id.number
    )
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |age| age.as_secs())
}
