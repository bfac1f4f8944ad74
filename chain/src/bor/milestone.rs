//! Milestones: blocks that two thirds of Polygon's validators have agreed on, as Heimdall says.

use std::sync::Arc;

use alloy_primitives::{B256, hex};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::span::{HeimdallError, Spans, number, unwrap};
use crate::block::BlockId;

/// A range whose last block is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Milestone {
    /// First block.
    pub start_block: u64,
    /// Last block: no chain without it is Polygon's any more.
    pub end: BlockId,
}

/// What Heimdall says at this moment, as far as it was asked.
#[derive(Clone, Debug, Default)]
pub struct HeimdallView {
    /// The spans that are known.
    pub spans: Arc<Spans>,
    /// The latest milestone.
    pub milestone: Option<Milestone>,
}

// === impl Milestone ===

impl Milestone {
    /// A milestone from Heimdall's JSON: version 1 has the hash in hex, version 2 in base64.
    pub fn parse(json: &str) -> Result<Self, HeimdallError> {
        let value: Value =
            serde_json::from_str(json).map_err(|error| HeimdallError::Json(error.to_string()))?;
        let value = unwrap(&value, &["milestone", "result"]);
        let start_block = number(value, &["start_block"], "start_block")?;
        let last = number(value, &["end_block"], "end_block")?;
        let text = value.get("hash").and_then(Value::as_str).ok_or(HeimdallError::Field("hash"))?;
        let hash = hash(text).ok_or(HeimdallError::Field("hash"))?;
        if start_block > last {
            return Err(HeimdallError::Field("start_block"));
        }
        Ok(Self { start_block, end: BlockId { number: last, hash } })
    }
}

fn hash(text: &str) -> Option<B256> {
    let bytes = match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).ok()?,
        None => STANDARD.decode(text).ok()?,
    };
    B256::try_from(bytes.as_slice()).ok()
}
