//! What is known of the forms of the node behind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hypasis_cache::View;
use parking_lot::{Mutex, MutexGuard, RwLock};
use serde::{Deserialize, Serialize};

use super::survey::Survey;
use super::{BESIDE, Facts, Form, Unit};
use crate::rpc::methods::{Class, Local, TABLE};
use crate::rpc::source::Miss;

/// Most units that are remembered; there are a few hundred at most on a real chain.
const UNITS_MAX: usize = 4_096;

/// What is known of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Equal to the node's.
    Equal,
    /// The first difference found.
    Differs(String),
}

/// What is known of all units for the client version at hand.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    units: RwLock<BTreeMap<Unit, Verdict>>,
    /// Whether something was learned since it was last kept.
    changed: AtomicBool,
    /// `web3_clientVersion` whose forms these are; nodes of another version are not compared with.
    client: RwLock<Option<String>>,
    /// Methods that the node said it lacks, a bit for each [`Local`].
    lacking: AtomicU64,
    /// What is in the held blocks.
    survey: Mutex<Survey>,
}

// === impl Verdicts ===

impl Verdicts {
    /// Whether answers of this form may be given; `upstream`: whether a node is up that one could ask instead.
    pub(crate) fn allows(&self, form: Form, facts: Facts, upstream: bool) -> Result<(), Miss> {
        let units = self.units.read();
        for unit in facts.units(form) {
            match units.get(&unit) {
                Some(Verdict::Equal) => {}
                Some(Verdict::Differs(_)) => return Err(Miss::Differs),
                None if upstream => return Err(Miss::Calibration),
                None => {}
            }
        }
        Ok(())
    }

    /// Whether the node's `eth_getLogs` shows the logs of state syncs that stand beside blocks, if that is known.
    pub(crate) fn shows_state_sync_logs(&self) -> Option<bool> {
        let units = self.units.read();
        let mut unit = Facts::ANY.units(Form::StateSyncLogs);
        unit.find_map(|unit| units.get(&unit)).map(|verdict| *verdict == Verdict::Equal)
    }

    /// Whether all units of this form are settled.
    pub(crate) fn settled(&self, form: Form, facts: Facts) -> bool {
        let units = self.units.read();
        facts.units(form).all(|unit| units.contains_key(&unit))
    }

    /// Notes a comparison. What was once found to differ stays so. Returns whether that changed what is served.
    pub(crate) fn note(&self, form: Form, facts: Facts, difference: Option<&str>) -> bool {
        let mut units = self.units.write();
        let mut worse = false;
        for unit in facts.units(form) {
            if units.len() >= UNITS_MAX && !units.contains_key(&unit) {
                continue;
            }
            match difference {
                None if units.contains_key(&unit) => continue,
                None => {
                    units.insert(unit, Verdict::Equal);
                }
                Some(_) if matches!(units.get(&unit), Some(Verdict::Differs(_))) => continue,
                Some(text) => {
                    units.insert(unit, Verdict::Differs(text.to_owned()));
                    worse = true;
                }
            }
            self.changed.store(true, Ordering::Relaxed);
        }
        worse
    }

    /// Starts anew, with what an earlier run learned of this client version.
    pub(crate) fn replace(&self, client: &str, known: BTreeMap<Unit, Verdict>) {
        *self.client.write() = Some(client.to_owned());
        *self.units.write() = known;
        self.lacking.store(0, Ordering::Relaxed);
        *self.survey.lock() = Survey::default();
    }

    /// Whether the node said that it lacks the method.
    pub(crate) fn lacks(&self, method: Local) -> bool {
        self.lacking.load(Ordering::Relaxed) & method_bit(method) != 0
    }

    /// Notes that the node lacks the method.
    pub(crate) fn note_lacking(&self, method: Local) {
        self.lacking.fetch_or(method_bit(method), Ordering::Relaxed);
        self.changed.store(true, Ordering::Relaxed);
    }

    /// What is in the held blocks. Held for moments only: status asks too.
    pub(super) fn survey(&self) -> MutexGuard<'_, Survey> {
        self.survey.lock()
    }

    /// Whether these are the forms of a node of this version.
    pub(crate) fn of(&self, version: Option<&str>) -> bool {
        version.is_some() && self.client.read().as_deref() == version
    }

    /// Whether something was learned since this was last asked.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }

    /// Everything known.
    pub(crate) fn all(&self) -> BTreeMap<Unit, Verdict> {
        self.units.read().clone()
    }

    /// For status: forms and methods that were left to the node, each form with its first difference.
    pub(crate) fn differing(&self) -> Vec<serde_json::Value> {
        let units = self.units.read();
        let differing = units.iter().filter_map(|((form, era, kind), verdict)| match verdict {
            Verdict::Equal => None,
            // That they are left out is known, and done here too.
            Verdict::Differs(_) if *form == Form::StateSyncLogs => None,
            Verdict::Differs(first) => Some(serde_json::json!({
                "form": form,
                "header_fields": era.fields,
                "merged": era.merged,
                "transaction_type": kind.filter(|kind| *kind != BESIDE),
                "state_sync": *kind == Some(BESIDE),
                "first_difference": first,
            })),
        });
        let lacking = rendered().filter(|(_, method)| self.lacks(*method) && !method.is_bors());
        differing
            .chain(lacking.map(|(name, _)| serde_json::json!({ "method": name, "lacking": true })))
            .collect()
    }

    /// For status: how far the comparison has come. It is complete when every held block was looked at and every
    /// unit found is settled or was asked for in vain.
    pub(crate) fn progress(&self, view: &View) -> serde_json::Value {
        let (left, pending, unanswered) = self.survey.lock().progress(view);
        let client = self.client.read().clone();
        let units = self.units.read();
        let equal = units.values().filter(|verdict| matches!(verdict, Verdict::Equal)).count();
        serde_json::json!({
            "complete": client.is_some() && left == 0 && pending == 0,
            "client": client,
            "equal": equal,
            "differing": units.len().saturating_sub(equal),
            "pending": pending,
            "unanswered": unanswered,
            "heights_left": left,
        })
    }
}

/// Methods that show what the store holds, with their wire names: all local ones but the constants and the head.
pub(super) fn rendered() -> impl Iterator<Item = (&'static str, Local)> {
    TABLE.iter().filter_map(|(name, class)| match class {
        Class::Local(Local::ChainId | Local::NetVersion | Local::BlockNumber) => None,
        Class::Local(method) => Some((*name, *method)),
        _ => None,
    })
}

fn method_bit(method: Local) -> u64 {
    1 << (method as u32)
}
