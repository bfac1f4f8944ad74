//! Heimdall's JSON.

use alloy_primitives::{B256, U256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hypasis_chain::bor::Span;
use serde::Deserialize;

use super::Milestone;
use crate::checkpoint::endpoint::EndpointError;

/// A number, quoted as protobuf's JSON has it or bare.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Bare(u64),
    Quoted(String),
}

#[derive(Deserialize)]
struct MilestoneAnswer {
    milestone: MilestoneFields,
}

#[derive(Deserialize)]
struct MilestoneFields {
    start_block: Number,
    end_block: Number,
    hash: String,
    #[serde(default)]
    bor_chain_id: Option<String>,
    #[serde(default)]
    total_difficulty: Option<Number>,
}

#[derive(Deserialize)]
struct CountAnswer {
    count: Number,
}

// === impl Number ===

impl Number {
    fn uint(&self) -> Result<u64, EndpointError> {
        match self {
            Self::Bare(number) => Ok(*number),
            Self::Quoted(text) => text.parse().map_err(|_| EndpointError::Bad("a number of it is none")),
        }
    }

    fn total(&self) -> Result<U256, EndpointError> {
        match self {
            Self::Bare(number) => Ok(U256::from(*number)),
            Self::Quoted(text) => U256::from_str_radix(text, 10)
                .map_err(|_| EndpointError::Bad("its total difficulty is no number")),
        }
    }
}

/// `{"milestone": {…}}`
pub(super) fn milestone(json: &[u8], chain_id: u64) -> Result<Milestone, EndpointError> {
    let answer: MilestoneAnswer =
        serde_json::from_slice(json).map_err(|_| EndpointError::Bad("its milestone is none"))?;
    let fields = answer.milestone;
    check_chain(fields.bor_chain_id.as_deref(), chain_id)?;
    let milestone = Milestone {
        start_block: fields.start_block.uint()?,
        end_block: fields.end_block.uint()?,
        hash: hash(&fields.hash)?,
        total_difficulty: fields.total_difficulty.map(|total| total.total()).transpose()?,
    };
    if milestone.start_block > milestone.end_block || milestone.hash.is_zero() {
        return Err(EndpointError::Bad("its milestone is empty"));
    }
    Ok(milestone)
}

/// `{"span": {…}}`
pub(super) fn span(json: &[u8], chain_id: u64) -> Result<Span, EndpointError> {
    #[derive(Default, Deserialize)]
    struct SpanAnswer {
        #[serde(default)]
        span: SpanChain,
    }
    #[derive(Default, Deserialize)]
    struct SpanChain {
        #[serde(default)]
        bor_chain_id: Option<String>,
    }
    let text = std::str::from_utf8(json).map_err(|_| EndpointError::Bad("its span is no text"))?;
    let answer: SpanAnswer =
        serde_json::from_str(text).map_err(|_| EndpointError::Bad("its span is none"))?;
    check_chain(answer.span.bor_chain_id.as_deref(), chain_id)?;
    Span::parse(text).map_err(EndpointError::Span)
}

/// `{"count": "…"}`
pub(super) fn count(json: &[u8]) -> Result<u64, EndpointError> {
    let answer: CountAnswer =
        serde_json::from_slice(json).map_err(|_| EndpointError::Bad("its count is none"))?;
    answer.count.uint()
}

fn check_chain(said: Option<&str>, expected: u64) -> Result<(), EndpointError> {
    match said.map(str::parse::<u64>) {
        // Networks whose chain id is no number, and answers without one, are taken by their hashes alone.
        None | Some(Err(_)) => Ok(()),
        Some(Ok(found)) if found == expected => Ok(()),
        Some(Ok(found)) => Err(EndpointError::Chain { found, expected }),
    }
}

/// Base64 as protobuf's JSON has bytes, or `0x` and hex digits as the first version had them.
fn hash(text: &str) -> Result<B256, EndpointError> {
    let bytes = match text.strip_prefix("0x") {
        Some(digits) => const_hex::decode(digits).ok(),
        None => STANDARD.decode(text).ok(),
    };
    let hash = bytes.and_then(|bytes| B256::try_from(bytes.as_slice()).ok());
    hash.ok_or(EndpointError::Bad("the hash of its milestone is none"))
}
