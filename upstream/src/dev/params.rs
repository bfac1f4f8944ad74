//! Parameters of a call, read as Geth reads them.

use alloy_primitives::{Address, B256};
use hypasis_chain::render::LogFilter;
use serde_json::{Map, Value};

use super::answer::RpcError;

/// The parameters of one call by position.
#[derive(Debug)]
pub(super) struct Params(Vec<Value>);

/// A block as callers name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Number(u64),
    Hash(B256),
    Latest,
    Final,
    Pending,
}

/// The blocks that a log filter is about.
#[derive(Debug)]
pub(super) enum Span {
    Block(B256),
    Range(At, At),
}

// === impl Params ===

impl Params {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, RpcError> {
        match serde_json::from_str(text.unwrap_or("null")) {
            Ok(Value::Array(values)) => Ok(Self(values)),
            Ok(Value::Null) => Ok(Self(Vec::new())),
            _ => Err(RpcError::invalid_params("non-array args")),
        }
    }

    /// A height, a tag, or `{blockNumber}` and `{blockHash}`.
    pub(super) fn block(&self, place: usize) -> Result<At, RpcError> {
        match self.value(place)? {
            Value::String(text) if text.len() == 66 => hash(place, text).map(At::Hash),
            Value::String(text) => at(place, text),
            Value::Object(object) => match (object.get("blockHash"), object.get("blockNumber")) {
                (Some(Value::String(text)), None) => hash(place, text).map(At::Hash),
                (None, Some(Value::String(text))) => at(place, text),
                _ => Err(RpcError::argument(place, "cannot specify both blockHash and blockNumber")),
            },
            _ => Err(RpcError::argument(place, "block number or tag expected")),
        }
    }

    pub(super) fn hash(&self, place: usize) -> Result<B256, RpcError> {
        match self.value(place)? {
            Value::String(text) => hash(place, text),
            _ => Err(RpcError::argument(place, "hash expected")),
        }
    }

    pub(super) fn index(&self, place: usize) -> Result<usize, RpcError> {
        let text = self.value(place)?.as_str();
        let index = text.and_then(quantity).and_then(|index| usize::try_from(index).ok());
        index.ok_or_else(|| RpcError::argument(place, "hex index expected"))
    }

    pub(super) fn flag(&self, place: usize) -> Result<bool, RpcError> {
        self.value(place)?.as_bool().ok_or_else(|| RpcError::argument(place, "boolean expected"))
    }

    /// The filter of `eth_getLogs` and the blocks it is about.
    pub(super) fn log_filter(&self) -> Result<(LogFilter, Span), RpcError> {
        let Value::Object(object) = self.value(0)? else {
            return Err(RpcError::argument(0, "filter object expected"));
        };
        let addresses = any_of(object.get("address"), |text| text.parse::<Address>().ok())?;
        let topics = match object.get("topics") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(topics)) => topics
                .iter()
                .map(|topic| any_of(Some(topic), |text| text.parse::<B256>().ok()))
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(RpcError::argument(0, "topics must be an array")),
        };
        Ok((LogFilter { addresses, topics }, span(object)?))
    }

    fn value(&self, place: usize) -> Result<&Value, RpcError> {
        let value = self.0.get(place).filter(|value| !value.is_null());
        value.ok_or_else(|| RpcError::invalid_params(&format!("missing value for required argument {place}")))
    }
}

fn span(object: &Map<String, Value>) -> Result<Span, RpcError> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    match (text("blockHash"), text("fromBlock"), text("toBlock")) {
        (Some(block), None, None) => hash(0, block).map(Span::Block),
        (Some(_), ..) => Err(RpcError::argument(
            0,
            "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other",
        )),
        (None, from, to) => Ok(Span::Range(at(0, from.unwrap_or("latest"))?, at(0, to.unwrap_or("latest"))?)),
    }
}

fn any_of<T>(value: Option<&Value>, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, RpcError> {
    let one = |value: &Value| {
        let parsed = value.as_str().and_then(&parse);
        parsed.ok_or_else(|| RpcError::argument(0, "malformed address or topic"))
    };
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(values)) => values.iter().map(one).collect(),
        Some(value) => one(value).map(|value| vec![value]),
    }
}

fn at(place: usize, text: &str) -> Result<At, RpcError> {
    match text {
        "latest" => Ok(At::Latest),
        "earliest" => Ok(At::Number(0)),
        "safe" | "finalized" => Ok(At::Final),
        "pending" => Ok(At::Pending),
        text => quantity(text)
            .map(At::Number)
            .ok_or_else(|| RpcError::argument(place, "hex string without 0x prefix or not a number")),
    }
}

fn hash(place: usize, text: &str) -> Result<B256, RpcError> {
    let hash = text.starts_with("0x").then(|| text.parse().ok()).flatten();
    hash.ok_or_else(|| RpcError::argument(place, "32 bytes of hex expected"))
}

fn quantity(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?;
    let canonical = digits == "0" || !digits.starts_with('0');
    let hex = canonical && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}
