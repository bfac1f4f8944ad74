//! Opening: whose store it is, and what an interrupted write left behind.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use alloy_primitives::B256;
use rocksdb::{ColumnFamilyDescriptor, DB, ErrorKind, WriteBatch};
use serde::{Deserialize, Serialize};

use super::Options;
use super::core::{Core, Ledger};
use super::error::{OpenError, StoreError};
use super::families::{Family, Merging, Shared, database_options};
use super::health::{Cause, Health};
use super::lock::Lock;
use super::meta::{self, Intent};
use super::trace::{Observer, Step};
use super::{part, remove, tip};
use crate::view::Hot;

/// Of the memory, this share (a quarter) goes to the hot layer, the rest to the database.
const HOT_SHARE: u64 = 4;

/// Which chain a store holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    chain_id: u64,
    genesis_hash: Option<B256>,
}

/// Opens the database, checks that it is ours, and makes it whole.
pub(super) fn open(
    options: &Options,
    observer: Arc<dyn Observer>,
    merging: Merging,
) -> Result<Arc<Core>, OpenError> {
    fs::create_dir_all(&options.path).map_err(|error| unreadable(&options.path, error))?;
    let lock = Lock::take(&options.path)?;
    let hot = options.memory / HOT_SHARE;
    let shared = Shared::new(options.memory - hot, merging);
    let health = Health::default();
    let db = open_database(options, &shared, &health)?;
    let core = Arc::new(Core::new(db, lock, options.clone(), shared, Hot::new(hot), health, observer));
    check_identity(&core)?;
    part::clear_scratch(&options.path).map_err(|error| unreadable(&options.path, error))?;
    load(&core)?;
    Ok(core)
}

fn open_database(options: &Options, shared: &Shared, health: &Health) -> Result<DB, OpenError> {
    let path = &options.path;
    let families =
        || Family::ALL.map(|family| ColumnFamilyDescriptor::new(family.name(), family.options(shared)));
    let mut database = database_options(shared, options);
    check_families(path)?;
    let error = match DB::open_cf_descriptors(&database, path, families()) {
        Ok(db) => return Ok(db),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::IOError if error.as_ref().contains("lock") => {
            Err(OpenError::Locked { path: path.clone() })
        }
        // One damaged file must not keep the others from being served.
        ErrorKind::Corruption | ErrorKind::IOError => {
            database.set_paranoid_checks(false);
            let db = DB::open_cf_descriptors(&database, path, families())
                .map_err(|_| unreadable(path, error.as_ref()))?;
            tracing::error!(%error, "The store has damaged files; what is sound is served");
            health.stop(Cause::Damage, format!("damaged files ({error}); `store verify` drops them"));
            Ok(db)
        }
        _ => Err(unreadable(path, error)),
    }
}

/// A family that is not known here was made by a newer program; the database would only say "column families
/// not opened".
fn check_families(path: &Path) -> Result<(), OpenError> {
    if !path.join("CURRENT").exists() {
        let other = fs::read_dir(path).map_err(|error| unreadable(path, error))?;
        let manifest =
            other.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("MANIFEST-"));
        return if manifest { Err(unreadable(path, "its file CURRENT is missing")) } else { Ok(()) };
    }
    let found = DB::list_cf(&rocksdb::Options::default(), path).map_err(|error| unreadable(path, error))?;
    let known = |name: &str| name == "default" || Family::ALL.iter().any(|family| family.name() == name);
    match found.into_iter().find(|name| !known(name)) {
        None => Ok(()),
        Some(family) => {
            Err(OpenError::UnknownFamily { path: path.to_path_buf(), family, known: meta::FORMAT })
        }
    }
}

fn check_identity(core: &Core) -> Result<(), OpenError> {
    let path = &core.options.path;
    let meta = core.family(Family::Meta)?;
    let row = |key| core.db.get_cf(meta, key).map_err(|error| unreadable(path, error));
    if let Some(format) = row(meta::FORMAT_KEY)? {
        let found = format.as_slice().try_into().map(u32::from_be_bytes);
        let found = found.map_err(|_| unreadable(path, "its format record is malformed"))?;
        if found > meta::FORMAT {
            return Err(OpenError::NewerFormat { path: path.clone(), found, known: meta::FORMAT });
        }
    }
    let asked = Identity { chain_id: core.options.chain_id, genesis_hash: core.options.genesis_hash };
    let found: Option<Identity> = row(meta::CHAIN_KEY)?
        .map(|row| serde_json::from_slice(&row).map_err(|error| unreadable(path, error)))
        .transpose()?;
    let identity = match found {
        None => asked,
        Some(found) => {
            let genesis = found.genesis_hash.zip(asked.genesis_hash);
            if found.chain_id != asked.chain_id || genesis.is_some_and(|(ours, theirs)| ours != theirs) {
                let (found, asked) = (found.to_string(), asked.to_string());
                return Err(OpenError::OtherChain { path: path.clone(), found, asked });
            }
            if found.genesis_hash.is_some() || asked.genesis_hash.is_none() {
                return Ok(());
            }
            asked
        }
    };
    let mut batch = WriteBatch::default();
    batch.put_cf(meta, meta::FORMAT_KEY, meta::FORMAT.to_be_bytes());
    batch.put_cf(
        meta,
        meta::CHAIN_KEY,
        serde_json::to_vec(&identity).map_err(|error| unreadable(path, error))?,
    );
    Ok(core.write_synced(Step::Record, batch)?)
}

/// Reads the bookkeeping, and deletes what was meant to be written but is not covered: nothing was served from it
/// yet, and nothing will be.
fn load(core: &Core) -> Result<(), OpenError> {
    let path = &core.options.path;
    let unreadable = |why: String| unreadable(path, why);
    let meta = core.family(Family::Meta)?;
    let coverage = meta::coverage(&core.db, meta).map_err(unreadable)?;
    for intent in meta::intents(&core.db, meta).map_err(unreadable)? {
        finish_intent(core, &intent, &coverage)?;
    }
    let finalized = meta::finalized(&core.db, meta).map_err(unreadable)?;
    let window = Arc::new(tip::load(core)?);
    let mut ledger = core.ledger();
    let Ledger { trust, .. } = &mut *ledger;
    meta::trust(&core.db, meta, |from, to, record| trust.load(from, to, record)).map_err(unreadable)?;
    let doubts = trust.doubts();
    core.publish(&mut ledger, |moment| {
        moment.coverage = coverage;
        moment.doubts = doubts;
        moment.finalized = finalized;
        moment.window = window;
    });
    core.raise_floor(&mut ledger);
    Ok(())
}

fn finish_intent(
    core: &Core,
    intent: &Intent,
    coverage: &crate::coverage::Coverage,
) -> Result<(), StoreError> {
    tracing::warn!(from = intent.from, to = intent.to, "Dropping what an interrupted write left");
    for kind in &intent.kinds {
        for gap in coverage.of(*kind).gaps(intent.range()) {
            remove::delete_rows(core, *kind, &gap)?;
        }
    }
    let mut batch = WriteBatch::default();
    intent.delete(&mut batch, core.family(Family::Meta)?);
    core.write_synced(Step::Deleted, batch)
}

fn unreadable(path: &Path, why: impl ToString) -> OpenError {
    OpenError::Unreadable { path: path.to_path_buf(), why: why.to_string() }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.chain_id)?;
        self.genesis_hash.map_or(Ok(()), |hash| write!(f, " with genesis {hash}"))
    }
}
