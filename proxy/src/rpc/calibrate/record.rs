//! What was learned, kept in the store by client version.

use std::collections::BTreeMap;

use hypasis_cache::{Store, StoreError};
use serde::{Deserialize, Serialize};

use super::verdicts::rendered;
use super::{Unit, Verdict, Verdicts};

/// Name of the record.
const RECORD: &str = "calibration";
/// A record written by a program whose renderings may differ is not believed.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A record.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Calibration {
    /// Version of the program that rendered.
    version: String,
    /// `web3_clientVersion` of the node that was compared with.
    pub(crate) client: String,
    units: Vec<(Unit, Verdict)>,
    /// Names of methods that the node lacks.
    #[serde(default)]
    pub(crate) lacking: Vec<String>,
}

// === impl Calibration ===

impl Calibration {
    /// Of this program's renderings and that node.
    pub(crate) fn new(client: &str, verdicts: &Verdicts) -> Self {
        let lacking = rendered().filter(|(_, method)| verdicts.lacks(*method));
        Self {
            version: VERSION.into(),
            client: client.into(),
            units: verdicts.all().into_iter().collect(),
            lacking: lacking.map(|(name, _)| name.to_owned()).collect(),
        }
    }

    /// What an earlier run wrote, if it is of use to this program.
    pub(crate) fn load(store: &Store) -> Option<Self> {
        let bytes = store.record(RECORD).ok().flatten()?;
        serde_json::from_slice(&bytes).ok().filter(|record: &Self| record.version == VERSION)
    }

    /// Writes it.
    pub(crate) fn save(&self, store: &Store) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(self).map_err(|error| StoreError::Refused(error.to_string()))?;
        store.put_record(RECORD, &bytes)
    }

    /// What is known.
    pub(crate) fn units(self) -> BTreeMap<Unit, Verdict> {
        self.units.into_iter().collect()
    }
}
