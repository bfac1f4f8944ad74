//! Bor's section of a genesis file: sprints, periods, and the forks that are Bor's own.
//!
//! Source: Bor `params/config.go` (`BorConfig`). These forks lie inside the section, so they are in no fork id.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::spec::SpecError;

/// Forks of Bor's own, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "names of forks")]
pub enum BorFork {
    Jaipur,
    Delhi,
    Indore,
    Ahmedabad,
    Bhilai,
    Rio,
    /// PIP-74: state syncs move into the body.
    Madhugiri,
    MadhugiriPro,
    Dandeli,
    Lisovo,
    LisovoPro,
    Giugliano,
    Chicago,
    Valencia,
}

/// A number that holds from a height on, until another one does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule(BTreeMap<u64, u64>);

/// A Bor chain's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BorConfig {
    /// Blocks of a sprint.
    pub sprint: Schedule,
    /// Seconds between blocks.
    pub period: Schedule,
    /// Seconds that the first block of a sprint waits.
    pub producer_delay: Schedule,
    /// Seconds that each further backup producer waits.
    pub backup_multiplier: Schedule,
    /// First height of each fork that the chain has.
    pub forks: BTreeMap<BorFork, u64>,
}

// === impl BorFork ===

impl BorFork {
    /// All of them, in order.
    pub const ALL: [Self; 14] = [
        Self::Jaipur,
        Self::Delhi,
        Self::Indore,
        Self::Ahmedabad,
        Self::Bhilai,
        Self::Rio,
        Self::Madhugiri,
        Self::MadhugiriPro,
        Self::Dandeli,
        Self::Lisovo,
        Self::LisovoPro,
        Self::Giugliano,
        Self::Chicago,
        Self::Valencia,
    ];

    /// The key of its height in `config.bor`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Jaipur => "jaipurBlock",
            Self::Delhi => "delhiBlock",
            Self::Indore => "indoreBlock",
            Self::Ahmedabad => "ahmedabadBlock",
            Self::Bhilai => "bhilaiBlock",
            Self::Rio => "rioBlock",
            Self::Madhugiri => "madhugiriBlock",
            Self::MadhugiriPro => "madhugiriProBlock",
            Self::Dandeli => "dandeliBlock",
            Self::Lisovo => "lisovoBlock",
            Self::LisovoPro => "lisovoProBlock",
            Self::Giugliano => "giuglianoBlock",
            Self::Chicago => "chicagoBlock",
            Self::Valencia => "valenciaBlock",
        }
    }
}

// === impl Schedule ===

impl Schedule {
    /// From pairs of first height and number.
    pub fn new(pairs: impl IntoIterator<Item = (u64, u64)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The number that holds at `height`. Below the first entry the first one does, as in Bor.
    pub fn at(&self, height: u64) -> Option<u64> {
        let held = self.0.range(..=height).next_back().or_else(|| self.0.iter().next());
        held.map(|(_, number)| *number)
    }

    /// An object of heights, or one number for all of them.
    fn read(config: &Map<String, Value>, key: &str) -> Result<Self, SpecError> {
        let wrong = || SpecError::Genesis(format!("config.bor.{key} maps no heights to numbers"));
        match config.get(key) {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(Value::Number(number)) => Ok(Self::new([(0, number.as_u64().ok_or_else(wrong)?)])),
            Some(Value::Object(entries)) => {
                let pair =
                    |(height, number): (&String, &Value)| Some((height.parse().ok()?, number.as_u64()?));
                entries.iter().map(pair).collect::<Option<_>>().map(Self).ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
        }
    }
}

// === impl BorConfig ===

impl BorConfig {
    /// The `bor` section of a genesis file's `config`. Keys that change no rule checked here are passed over.
    pub fn read(section: &Map<String, Value>) -> Result<Self, SpecError> {
        let mut config = Self {
            sprint: Schedule::read(section, "sprint")?,
            period: Schedule::read(section, "period")?,
            producer_delay: Schedule::read(section, "producerDelay")?,
            backup_multiplier: Schedule::read(section, "backupMultiplier")?,
            forks: BTreeMap::new(),
        };
        if config.sprint.0.values().any(|length| *length == 0) {
            return Err(SpecError::Genesis("config.bor.sprint has sprints without blocks".to_owned()));
        }
        for fork in BorFork::ALL {
            let key = fork.key();
            match section.get(key) {
                None | Some(Value::Null) => {}
                Some(height) => {
                    let height = height.as_u64();
                    let height =
                        height.ok_or_else(|| SpecError::Genesis(format!("config.bor.{key} is no number")))?;
                    config.forks.insert(fork, height);
                }
            }
        }
        Ok(config)
    }

    /// First height with `fork`'s rules.
    pub fn fork(&self, fork: BorFork) -> Option<u64> {
        self.forks.get(&fork).copied()
    }

    /// Whether `fork`'s rules hold at `height`.
    pub fn is_active(&self, fork: BorFork, height: u64) -> bool {
        self.fork(fork).is_some_and(|first| height >= first)
    }

    /// Whether `height` is the first of a sprint: where state syncs are committed. Block 0 commits none.
    pub fn is_sprint_start(&self, height: u64) -> bool {
        height > 0 && self.sprint.at(height).is_none_or(|length| height.is_multiple_of(length))
    }

    /// Whether `height` is the last of a sprint: where the header names the next validators.
    pub fn is_sprint_end(&self, height: u64) -> bool {
        let next = height.saturating_add(1);
        self.sprint.at(height).is_none_or(|length| next.is_multiple_of(length))
    }
}
