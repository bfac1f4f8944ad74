//! Spans: who may produce the blocks of a range, as Heimdall says.
//!
//! Both forms of Heimdall's JSON are read: version 1 (`{"result": {"span_id": …, "selected_producers":
//! [{"signer", "power", …}]}}`) and version 2 (`{"span": {"id": "…", "selected_producers": [{"signer",
//! "voting_power": "…", …}]}}`), numbers quoted or not, with or without the envelope.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;
use serde_json::Value;

/// Most validators of a span; Polygon's staking contract allows 105.
pub const VALIDATORS_MAX: usize = 512;

/// Most spans kept at once (half a year of Polygon's), so that whoever names them cannot fill the memory.
pub const SPANS_MAX: usize = 8_192;

/// Last block of the first span, which the genesis file makes rather than Heimdall.
pub const SPAN_0_END: u64 = 255;

/// Blocks of an ordinary span.
pub const SPAN_LENGTH: u64 = 6_400;

/// Somebody who may produce blocks, or stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The address of the key that seals.
    pub signer: Address,
    /// Voting power.
    pub power: u64,
}

/// A range of blocks and who may produce them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Number of the span.
    pub id: u64,
    /// First block.
    pub start_block: u64,
    /// Last block.
    pub end_block: u64,
    /// All validators, by address.
    pub validators: Vec<Producer>,
    /// Those of them who may produce blocks, by address; at least one. A single one from Rio on.
    pub selected_producers: Vec<Producer>,
    /// Whom the validators' rotation points at when the span was made.
    pub proposer: Option<Address>,
}

/// The spans that are known. From Rio on a later span may replace the rest of an earlier one, so that their blocks
/// overlap: the latest that has a block decides.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    by_id: BTreeMap<u64, Arc<Span>>,
}

/// Why Heimdall's answer is no span or milestone. Whoever gave it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeimdallError {
    /// The text is no JSON.
    #[error("Heimdall's answer is no JSON: {0}")]
    Json(String),
    /// A field is missing or has a wrong form.
    #[error("field `{0}` of Heimdall's answer is missing or malformed")]
    Field(&'static str),
    /// The fields contradict each other, or are more than there can be.
    #[error("Heimdall's span {id} {reason}")]
    Span {
        /// Number of the span.
        id: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

// === impl Span ===

impl Span {
    /// A span from Heimdall's JSON.
    pub fn parse(json: &str) -> Result<Self, HeimdallError> {
        let value: Value =
            serde_json::from_str(json).map_err(|error| HeimdallError::Json(error.to_string()))?;
        let value = unwrap(&value, &["span", "result"]);
        let set = value.get("validator_set").ok_or(HeimdallError::Field("validator_set"))?;
        let id = number(value, &["id", "span_id"], "id")?;
        let span = Self {
            id,
            start_block: number(value, &["start_block"], "start_block")?,
            end_block: number(value, &["end_block"], "end_block")?,
            validators: producers(set.get("validators"), "validator_set", id)?,
            selected_producers: producers(value.get("selected_producers"), "selected_producers", id)?,
            proposer: set.get("proposer").filter(|one| !one.is_null()).map(address).transpose()?,
        };
        if span.start_block > span.end_block {
            return Err(HeimdallError::Span { id, reason: "ends before it starts" });
        }
        if span.selected_producers.is_empty() {
            return Err(HeimdallError::Span { id, reason: "selects no producer" });
        }
        Ok(span)
    }

    /// Whether `number` is one of its blocks.
    pub fn contains(&self, number: u64) -> bool {
        (self.start_block..=self.end_block).contains(&number)
    }
}

// === impl Spans ===

impl Spans {
    /// Adds a span, in place of another with its number; where there is no room the oldest one goes.
    pub fn insert(&mut self, span: Span) {
        self.by_id.insert(span.id, Arc::new(span));
        if self.by_id.len() > SPANS_MAX {
            self.by_id.pop_first();
        }
    }

    /// The span that decides for a block, where it is known.
    pub fn at(&self, number: u64) -> Option<&Arc<Span>> {
        self.by_id.values().rev().find(|span| span.contains(number))
    }

    /// The span with that number.
    pub fn get(&self, id: u64) -> Option<&Arc<Span>> {
        self.by_id.get(&id)
    }

    /// The latest one.
    pub fn latest(&self) -> Option<&Arc<Span>> {
        self.by_id.last_key_value().map(|(_, span)| span)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

impl FromIterator<Span> for Spans {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        let mut all = Self::default();
        spans.into_iter().for_each(|span| all.insert(span));
        all
    }
}

/// What lies inside of an envelope, if there is one.
pub(super) fn unwrap<'a>(value: &'a Value, envelopes: &[&str]) -> &'a Value {
    envelopes.iter().find_map(|key| value.get(key)).unwrap_or(value)
}

/// A number, quoted or not, under the first of `keys` that is there.
pub(super) fn number(value: &Value, keys: &[&str], field: &'static str) -> Result<u64, HeimdallError> {
    let found = keys.iter().find_map(|key| value.get(key)).ok_or(HeimdallError::Field(field))?;
    let read = found.as_u64().or_else(|| found.as_str().and_then(|text| text.parse().ok()));
    read.ok_or(HeimdallError::Field(field))
}

fn producers(list: Option<&Value>, field: &'static str, id: u64) -> Result<Vec<Producer>, HeimdallError> {
    let list = list.and_then(Value::as_array).ok_or(HeimdallError::Field(field))?;
    if list.len() > VALIDATORS_MAX {
        return Err(HeimdallError::Span { id, reason: "has more validators than there can be" });
    }
    let one = |value: &Value| {
        let power = number(value, &["power", "voting_power"], "power")?;
        Ok(Producer { signer: address(value)?, power })
    };
    let mut all = list.iter().map(one).collect::<Result<Vec<_>, HeimdallError>>()?;
    all.sort_unstable_by_key(|producer| producer.signer);
    let before = all.len();
    all.dedup_by_key(|producer| producer.signer);
    if all.len() < before {
        return Err(HeimdallError::Span { id, reason: "names a validator twice" });
    }
    Ok(all)
}

fn address(validator: &Value) -> Result<Address, HeimdallError> {
    let signer = validator.get("signer").and_then(Value::as_str);
    signer.and_then(|text| text.parse().ok()).ok_or(HeimdallError::Field("signer"))
}
