//! Bor's section of a genesis file: sprints, periods, and the forks that are Bor's own.
//!
//! Source: Bor `params/config.go` (`BorConfig`). These forks lie inside the section, so they are in no fork id.

use std::collections::BTreeMap;

use alloy_primitives::Address;
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
    /// First height of a fork whose rules are not known here.
    pub unknown_fork: Option<u64>,
    /// Sprint ends whose validator bytes are not the span's, as the chain's history has it.
    pub skip_validator_bytes: Vec<u64>,
    /// Ranges of blocks that others than the span's producers may have sealed.
    pub override_validators: Vec<OverrideValidators>,
}

/// A range whose blocks these may have sealed as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideValidators {
    /// First block.
    pub start_block: u64,
    /// Last block.
    pub end_block: u64,
    /// Who may have sealed them.
    pub validators: Vec<Address>,
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
            unknown_fork: unknown_fork(section),
            skip_validator_bytes: skipped(section)?,
            override_validators: overrides(section)?,
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

    /// Whether all rules that hold at `height` are known here.
    pub fn is_known_at(&self, height: u64) -> bool {
        self.unknown_fork.is_none_or(|first| height < first)
    }

    /// Whether validator bytes at `height` may differ from the span's.
    pub fn skips_validator_bytes(&self, height: u64) -> bool {
        self.skip_validator_bytes.contains(&height)
    }

    /// Whether `signer` may have sealed the block at `height` without being a producer of its span.
    pub fn may_seal_anyway(&self, height: u64, signer: Address) -> bool {
        let within = |one: &&OverrideValidators| (one.start_block..=one.end_block).contains(&height);
        self.override_validators.iter().filter(within).any(|one| one.validators.contains(&signer))
    }

    /// The first block of the sprint that `height` lies in.
    pub fn sprint_start(&self, height: u64) -> u64 {
        let into = self.sprint.at(height).and_then(|length| height.checked_rem(length));
        height.saturating_sub(into.unwrap_or_default())
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

/// Names that Erigon gives to forks which Bor has at the top level.
const TOP_LEVEL: [&str; 2] = ["agraBlock", "napoliBlock"];

fn unknown_fork(section: &Map<String, Value>) -> Option<u64> {
    let known = |key: &str| TOP_LEVEL.contains(&key) || BorFork::ALL.iter().any(|fork| fork.key() == key);
    let unknown = section.iter().filter(|(key, _)| key.ends_with("Block") && !known(key));
    unknown.filter_map(|(_, height)| height.as_u64()).min()
}

fn skipped(section: &Map<String, Value>) -> Result<Vec<u64>, SpecError> {
    let wrong = || SpecError::Genesis("config.bor.skipValidatorByteCheck is no list of heights".to_owned());
    match section.get("skipValidatorByteCheck") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(heights)) => {
            heights.iter().map(Value::as_u64).collect::<Option<_>>().ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

fn overrides(section: &Map<String, Value>) -> Result<Vec<OverrideValidators>, SpecError> {
    let key = "overrideValidatorSetInRange";
    let wrong = || SpecError::Genesis(format!("config.bor.{key} is no list of ranges with validators"));
    let one = |value: &Value| {
        let height = |name: &str| value.get(name)?.as_u64();
        let validators = value.get("validators")?.as_array()?.iter();
        Some(OverrideValidators {
            start_block: height("startBlock")?,
            end_block: height("endBlock")?,
            validators: validators.map(|signer| signer.as_str()?.parse().ok()).collect::<Option<_>>()?,
        })
    };
    match section.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(ranges)) => ranges.iter().map(one).collect::<Option<_>>().ok_or_else(wrong),
        Some(_) => Err(wrong()),
    }
}
