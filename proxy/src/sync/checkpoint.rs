//! Where trust starts, and who vouches for what follows.
//!
//! * `static`: what the operator names
//! * `upstream` ([`first_use`]): what the sources agree to be final when the store is new; said loudly
//! * `signed` ([`signed`]): a file with enough signatures of configured signers
//! * `ethereum-l1` ([`l1`]): Polygon's checkpoints in its contract on Ethereum, followed for as long as sync runs
//!
//! Whichever it was, it is persisted with its proof, and from then on as good as a static one: nothing is stored
//! before a checkpoint is known, none is ever replaced by what a source says later, and a restart needs nobody.

mod authorities;
mod first_use;
mod follow;
mod l1;
pub mod metrics;
pub mod record;
mod signed;
mod status;

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use hypasis_cache::StoreError;
use hypasis_chain::BlockId;
use hypasis_upstream::checkpoint::L1Checkpoint;

use super::shared::{Halt, Shared};
use crate::config::CheckpointSource;

pub(crate) use authorities::{Authorities, follow_heimdall};
pub(crate) use first_use::{hashes_at, split};
pub(crate) use follow::run as follow;
pub(crate) use status::page;

/// Name of the persisted record.
pub const RECORD: &str = "checkpoint";

/// The trusted block, and how it came to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checkpoint {
    /// Height and hash.
    #[serde(flatten)]
    pub id: BlockId,
    /// Who named it.
    pub source: CheckpointSource,
    /// Ids of the sources that named it (`upstream`), or whose headers add up to L1's root (`ethereum-l1`).
    pub named_by: Vec<String>,
    /// Seconds since the epoch when it was first trusted.
    pub trusted_at: u64,
    /// Total difficulty up to and with it, where whoever vouches for it told it.
    #[serde(default)]
    pub total_difficulty: Option<U256>,
    /// Why it is trusted, for sources that prove it.
    #[serde(default)]
    pub proof: Option<Proof>,
}

/// Why a block is trusted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Proof {
    /// The root over the headers up to it stands in the contract on L1.
    #[serde(rename = "ethereum-l1")]
    EthereumL1 {
        /// The contract.
        root_chain: Address,
        /// The checkpoint as L1 has it.
        #[serde(flatten)]
        checkpoint: L1Checkpoint,
    },
    /// Enough of the configured signers signed it.
    Signed {
        /// Who did.
        signers: Vec<Address>,
        /// How many must.
        threshold: usize,
        /// Seconds since the epoch when the file was made, as it says.
        timestamp: u64,
    },
}

/// What is to be done with what the operator names and what the store remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// This one; the flag says whether it must be persisted.
    Use(Box<Checkpoint>, bool),
    /// Somebody has to be asked.
    Ask,
    /// They contradict each other: the operator must decide.
    Refuse(String),
}

/// Decides from what is named now, the persisted record, and the hash that the store holds at the named height.
pub fn start(
    named: Option<Checkpoint>,
    persisted: Option<Checkpoint>,
    held: impl FnOnce(u64) -> Option<B256>,
) -> Start {
    let Some(mut named) = named else {
        return persisted.map_or(Start::Ask, |checkpoint| Start::Use(Box::new(checkpoint), false));
    };
    let id = named.id;
    if let Some(persisted) = persisted {
        if persisted.id == id {
            named.trusted_at = persisted.trusted_at;
            // What was told of a block once is not forgotten because it is named without it now.
            named.total_difficulty = named.total_difficulty.or(persisted.total_difficulty);
            let changed = named != persisted;
            return Start::Use(Box::new(named), changed);
        }
        if persisted.id.number == id.number {
            return Start::Refuse(contradiction(&named, persisted.id.hash));
        }
    }
    match held(id.number) {
        Some(hash) if hash != id.hash => Start::Refuse(contradiction(&named, hash)),
        _ => Start::Use(Box::new(named), true),
    }
}

/// Finds the checkpoint; waits for those that name it where it takes them. `None`: sync must not run.
pub(crate) async fn resolve(shared: &Arc<Shared>) -> Result<Option<Checkpoint>, StoreError> {
    let persisted: Option<Checkpoint> =
        shared.store.record(RECORD)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let config = &shared.checkpoint_config;
    let named = match config.source {
        CheckpointSource::Upstream => None,
        CheckpointSource::Static => match (config.number, config.hash) {
            (Some(number), Some(hash)) => Some(Checkpoint {
                id: BlockId { number, hash },
                source: CheckpointSource::Static,
                named_by: Vec::new(),
                trusted_at: now(),
                total_difficulty: config.total_difficulty,
                proof: None,
            }),
            _ => return refuse(shared, "a static checkpoint needs both number and hash".into()),
        },
        CheckpointSource::Signed => match signed::read(config, shared.spec.chain_id) {
            Ok(checkpoint) => Some(checkpoint),
            Err(error) if error.is_gone() && is_from(&persisted, CheckpointSource::Signed) => {
                tracing::warn!(%error, "The checkpoint file is gone; what it said at an earlier start is still trusted");
                None
            }
            Err(error) => return refuse(shared, error.to_string()),
        },
        CheckpointSource::EthereumL1 => match (shared.authorities.l1(), &persisted) {
            (Some(l1), Some(persisted)) if l1::is_proven_by(persisted, l1.root_chain()) => None,
            (Some(l1), _) => Some(l1::first(shared, l1).await),
            (None, _) => {
                let why = shared.authorities.why_not().unwrap_or("no L1 endpoint is configured");
                return refuse(shared, format!("the source ethereum-l1 cannot be used: {why}"));
            }
        },
    };
    let held = match &named {
        Some(named) => shared.store.view().by_number(named.id.number)?,
        None => None,
    };
    match start(named, persisted, |_| held.map(|block| block.id.hash)) {
        Start::Use(checkpoint, false) => Ok(Some(*checkpoint)),
        Start::Use(checkpoint, true) => persist(shared, *checkpoint).map(Some),
        Start::Refuse(reason) => refuse(shared, reason),
        Start::Ask => {
            let checkpoint = first_use::ask(shared).await;
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

fn refuse(shared: &Shared, reason: String) -> Result<Option<Checkpoint>, StoreError> {
    shared.halt(Halt::Checkpoint, Some(reason));
    Ok(None)
}

fn is_from(persisted: &Option<Checkpoint>, source: CheckpointSource) -> bool {
    persisted.as_ref().is_some_and(|checkpoint| checkpoint.source == source)
}

fn persist(shared: &Shared, checkpoint: Checkpoint) -> Result<Checkpoint, StoreError> {
    put(shared, RECORD, &checkpoint)?;
    tracing::info!(
        number = checkpoint.id.number,
        hash = %checkpoint.id.hash,
        source = checkpoint.source.name(),
        "Trust starts at this block"
    );
    Ok(checkpoint)
}

/// Writes a record.
fn put(shared: &Shared, name: &str, value: &impl serde::Serialize) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(value).map_err(|error| StoreError::Refused(error.to_string()))?;
    shared.store.put_record(name, &bytes)
}

fn contradiction(named: &Checkpoint, held: B256) -> String {
    let BlockId { number, hash } = named.id;
    let way_out = match named.source {
        CheckpointSource::Static => "Correct `checkpoint.hash`, or use another data directory",
        _ => "Use another data directory, or another source",
    };
    format!(
        "the checkpoint {hash} at height {number} (source {}) contradicts the store, which holds {held} there. {way_out}",
        named.source.name()
    )
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |age| age.as_secs())
}
