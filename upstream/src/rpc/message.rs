//! JSON-RPC of our own calls: requests written, answers matched by id.
//!
//! Ids are our own and unique on a node's lifetime; an answer with another id, twice the same id or none is the
//! node's fault. Results stay the JSON text that came, as slices of the body.

use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Longest part of a node's error text that is kept.
const MESSAGE_CHARS_MAX: usize = 200;

/// One call of ours.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// Method.
    pub(crate) method: &'static str,
    /// Parameters: a JSON array.
    pub(crate) params: String,
}

/// A node's own error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub(crate) struct RpcError {
    /// Code.
    pub(crate) code: i64,
    /// Message, cut short.
    pub(crate) message: String,
}

/// The result of one call as JSON text, or the node's error.
pub(crate) type Outcome = Result<Bytes, RpcError>;

/// An answer that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadAnswer(pub(crate) &'static str);

// === impl Ask ===

impl Ask {
    pub(crate) fn new(method: &'static str, params: impl Into<String>) -> Self {
        Self { method, params: params.into() }
    }
}

/// Writes one call as an object, several as a batch; ids count up from `first_id`.
pub(crate) fn write(asks: &[Ask], first_id: u64) -> Bytes {
    let mut out =
        String::with_capacity(asks.iter().map(|ask| ask.method.len() + ask.params.len() + 64).sum());
    if asks.len() != 1 {
        out.push('[');
    }
    for (ask, id) in asks.iter().zip(first_id..) {
        if id != first_id {
            out.push(',');
        }
        let Ask { method, params } = ask;
        // Writing to a string cannot fail.
        let _ = write!(out, r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
    }
    if asks.len() != 1 {
        out.push(']');
    }
    out.into()
}

/// Reads the answers to `count` calls with ids from `first_id`, in the order of the calls. A single error object in
/// place of a batch is everybody's error.
pub(crate) fn read(body: &Bytes, first_id: u64, count: usize) -> Result<Vec<Outcome>, BadAnswer> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') {
        let envelope: Envelope<'_> = parse(body)?;
        if count == 1 && envelope.id != Some(first_id) && envelope.error.is_none() {
            return Err(BadAnswer("an answer carries another id"));
        }
        if count != 1 && envelope.error.is_none() {
            return Err(BadAnswer("a batch was answered by one result"));
        }
        let outcome = envelope.outcome(body);
        return Ok(vec![outcome; count]);
    }
    let envelopes: Vec<Envelope<'_>> = parse(body)?;
    if envelopes.len() > count {
        return Err(BadAnswer("more answers than calls"));
    }
    let mut by_id = HashMap::with_capacity(envelopes.len());
    for envelope in envelopes {
        let id = envelope.id.ok_or(BadAnswer("an answer carries no id"))?;
        if by_id.insert(id, envelope.outcome(body)).is_some() {
            return Err(BadAnswer("two answers carry the same id"));
        }
    }
    let ids = first_id..first_id.saturating_add(count as u64);
    ids.map(|id| by_id.remove(&id).ok_or(BadAnswer("an answer is missing or carries another id"))).collect()
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, BadAnswer> {
    serde_json::from_slice(body).map_err(|_| BadAnswer("the answer is not JSON-RPC"))
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    id: Option<u64>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

// === impl Envelope ===

impl Envelope<'_> {
    fn outcome(&self, body: &Bytes) -> Outcome {
        if let Some(WireError { code, message }) = &self.error {
            return Err(RpcError { code: *code, message: message.chars().take(MESSAGE_CHARS_MAX).collect() });
        }
        Ok(self.result.map_or(Bytes::from_static(b"null"), |raw| body.slice_ref(raw.get().as_bytes())))
    }
}

// === impl RpcError ===

impl RpcError {
    /// The node does not offer the method.
    pub(crate) fn is_unsupported(&self) -> bool {
        self.code == -32601
            || self.says(&["method not found", "does not exist/is not available", "not supported"])
    }

    /// The node wants fewer calls at once, or none together. Asked of batches alone: ours are well-formed, so that
    /// "invalid request" and "parse error" can only mean that it takes no batches.
    pub(crate) fn is_batch_limit(&self) -> bool {
        matches!(self.code, -32600 | -32700)
            || self.says(&["batch too large", "batch size", "batch limit", "too many requests in batch"])
    }

    /// The answer would be more than the node gives (Geth: −32003).
    pub(crate) fn is_size_limit(&self) -> bool {
        self.says(&["response too large", "response size", "exceeds the limit"])
    }

    /// The node wants to be asked less often.
    pub(crate) fn is_rate_limit(&self) -> bool {
        self.code == -32005
            || self.code == 429
            || self.says(&["rate limit", "too many requests", "compute units"])
    }

    /// The node lacks the data (pruned, not yet there), another may have them (−32014; Geth's 4444: history pruned).
    pub(crate) fn is_missing_data(&self) -> bool {
        matches!(self.code, -32014 | 4444)
            || self.says(&[
                "missing trie node",
                "header not found",
                "unknown block",
                "pruned",
                "historical state",
            ])
    }

    fn says(&self, needles: &[&str]) -> bool {
        let message = self.message.to_ascii_lowercase();
        needles.iter().any(|needle| message.contains(needle))
    }
}
