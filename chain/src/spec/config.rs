//! The `config` section of a Geth-style genesis file.
//!
//! Geth takes the forks from the names that end in `Block` and `Time`. A name that is not known here is a fork of
//! the future; an object or a switch that is not known here belongs to another engine, whose rules are not ours.

use serde_json::{Map, Value};

use super::blobs::{BlobParams, BlobSchedule};
use super::forks::{Activation, Fork, Forks};
use super::{ChainSpec, Engine, Family, SpecError};
use crate::bor::BorConfig;

/// Sections that change no rule checked or rendered here.
const HARMLESS: [&str; 4] = ["ethash", "clique", "blobSchedule", "bor"];

/// Switches that change no rule checked or rendered here.
const HARMLESS_SWITCHES: [&str; 2] = ["daoForkSupport", "terminalTotalDifficultyPassed"];

/// Reads everything but the genesis block.
pub(super) fn read(config: &Map<String, Value>) -> Result<ChainSpec, SpecError> {
    let chain_id = config.get("chainId").and_then(Value::as_u64);
    let chain_id = chain_id.ok_or_else(|| SpecError::Genesis("config.chainId is missing".to_owned()))?;
    let mut spec = ChainSpec::unknown(chain_id, None);
    "custom".clone_into(&mut spec.name);
    spec.family = family(config);
    if config.contains_key("ethash") {
        spec.engine = Engine::Ethash;
    }
    spec.forks = forks(config)?;
    if let Some(Value::Object(section)) = config.get("bor") {
        spec.bor = Some(BorConfig::read(section)?);
    }
    spec.blobs = blobs(config.get("blobSchedule"))?;
    if config.get("terminalTotalDifficulty").is_some_and(is_zero) {
        spec.merge_block = Some(0);
    }
    Ok(spec)
}

fn family(config: &Map<String, Value>) -> Family {
    let foreign = config.iter().any(|(name, value)| match value {
        Value::Object(_) => !HARMLESS.contains(&name.as_str()),
        Value::Bool(on) => *on && !HARMLESS_SWITCHES.contains(&name.as_str()),
        _ => false,
    });
    match config.get("bor") {
        _ if foreign => Family::Unknown,
        Some(Value::Object(_)) => Family::Bor,
        _ => Family::Ethereum,
    }
}

fn forks(config: &Map<String, Value>) -> Result<Forks, SpecError> {
    let mut forks = Forks::default();
    for (key, value) in config {
        let (name, at): (_, fn(u64) -> Activation) =
            match (key.strip_suffix("Block"), key.strip_suffix("Time")) {
                (Some(name), _) => (name, Activation::Block),
                (_, Some(name)) => (name, Activation::Time),
                _ => continue,
            };
        if value.is_null() {
            continue;
        }
        let point = value.as_u64().ok_or_else(|| SpecError::Genesis(format!("config.{key} is no number")))?;
        match Fork::from_config_name(name) {
            Some(fork) => forks.push(fork, at(point)),
            None => forks.push_unknown(at(point)),
        }
    }
    Ok(forks)
}

fn blobs(schedule: Option<&Value>) -> Result<BlobSchedule, SpecError> {
    let Some(Value::Object(schedule)) = schedule else { return Ok(BlobSchedule::default()) };
    let mut entries = Vec::new();
    for (name, value) in schedule {
        // Entries of forks that are not known here are never asked for.
        let Some(fork) = Fork::from_config_name(name) else { continue };
        let params: BlobParams = serde::Deserialize::deserialize(value)
            .map_err(|error| SpecError::Genesis(format!("config.blobSchedule.{name}: {error}")))?;
        if params.base_fee_update_fraction == 0 || params.max < params.target {
            return Err(SpecError::Genesis(format!("config.blobSchedule.{name} is not possible")));
        }
        entries.push((fork, params));
    }
    Ok(BlobSchedule::new(entries))
}

/// Geth writes big numbers bare, others as strings.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => matches!(text.as_str(), "0" | "0x0"),
        _ => false,
    }
}
