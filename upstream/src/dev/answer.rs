//! A development chain's JSON-RPC answers, framed as Geth frames them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use hypasis_chain::dev::{DevChain, corrupt};
use hypasis_chain::render::Profile;
use hypasis_chain::{Block, ChainSpec};
use parking_lot::RwLock;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::CLIENT_VERSION;
use super::methods;
use super::node::Lie;
use super::params::Params;

/// Most calls of a batch, as Geth's default.
pub const BATCH_MAX: usize = 1_000;

/// Largest answer to a call or a batch, as Geth's default.
pub const ANSWER_BYTES_MAX: usize = 25_000_000;

/// Answers calls about a development chain.
#[derive(Debug)]
pub struct Responder {
    pub(super) chain: Arc<DevChain>,
    pub(super) spec: ChainSpec,
    profile: OnceLock<Profile>,
    /// Whether `debug_getRaw*` are there.
    pub(super) raw: RwLock<bool>,
    /// What it lies about.
    pub(super) lie: RwLock<Option<Lie>>,
    /// Results of methods that are answered with the same JSON each time.
    pub(super) fixed: RwLock<BTreeMap<String, String>>,
}

/// An error as JSON-RPC tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RpcError {
    code: i32,
    message: String,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(default)]
    jsonrpc: String,
    /// As it came; `null` is an id too, and only none at all makes a notification.
    #[serde(default, borrow, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(default)]
    method: String,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

// === impl Responder ===

impl Responder {
    /// Answers for `chain`.
    pub fn new(chain: Arc<DevChain>) -> Self {
        let spec = chain.spec();
        Self {
            chain,
            spec,
            profile: OnceLock::new(),
            raw: RwLock::new(true),
            lie: RwLock::default(),
            fixed: RwLock::default(),
        }
    }

    /// The answer to a call or a batch; empty if only notifications came.
    pub fn answer(&self, request: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if request.trim_ascii_start().first() != Some(&b'[') {
            self.one(request, &mut out);
            return out;
        }
        let batch: Vec<&RawValue> = match serde_json::from_slice(request) {
            Ok(batch) => batch,
            Err(_) => return error_alone(-32_700, "parse error"),
        };
        if batch.is_empty() || batch.len() > BATCH_MAX {
            return error_alone(-32_600, if batch.is_empty() { "empty batch" } else { "batch too large" });
        }
        for call in batch {
            let before = out.len();
            out.push(if before == 0 { b'[' } else { b',' });
            let start = out.len();
            self.one(call.get().as_bytes(), &mut out);
            if out.len() == start {
                out.truncate(before);
            }
        }
        if !out.is_empty() {
            out.push(b']');
        }
        out
    }

    /// A block as this node shows it: with the lie in it, if it lies about that height.
    pub(super) fn shown(&self, block: Block) -> Block {
        match &*self.lie.read() {
            Some(lie) if lie.heights.contains(&block.id.number) => {
                corrupt(&block, lie.corruption).unwrap_or(block)
            }
            _ => block,
        }
    }

    /// The forms of its answers: those of its family's first client.
    pub(super) fn profile(&self) -> &Profile {
        self.profile.get_or_init(|| Profile::detect(CLIENT_VERSION, &self.spec))
    }

    fn one(&self, call: &[u8], out: &mut Vec<u8>) {
        let Ok(request) = serde_json::from_slice::<Request<'_>>(call) else {
            // What is JSON but no call is an invalid request.
            let json = serde_json::from_slice::<&RawValue>(call).is_ok();
            let (code, message) = if json { (-32_600, "invalid request") } else { (-32_700, "parse error") };
            out.extend_from_slice(&error_alone(code, message));
            return;
        };
        let valid = request.jsonrpc == "2.0" && !request.method.is_empty();
        let Some(id) = request.id.map(RawValue::get).or((!valid).then_some("null")) else { return };
        if !valid || id.starts_with(['{', '[']) {
            out.extend_from_slice(&error_alone(-32_600, "invalid request"));
            return;
        }
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        out.extend_from_slice(id.as_bytes());
        let start = out.len();
        out.extend_from_slice(br#","result":"#);
        let done = Params::parse(request.params.map(RawValue::get))
            .and_then(|params| methods::call(self, &request.method, &params, out))
            .and_then(|()| (out.len() <= ANSWER_BYTES_MAX).then_some(()).ok_or_else(RpcError::too_large));
        if let Err(error) = done {
            out.truncate(start);
            error.write(out);
        }
        out.push(b'}');
    }
}

// === impl RpcError ===

impl RpcError {
    pub(super) fn unknown_method(method: &str) -> Self {
        Self { code: -32_601, message: format!("the method {method} does not exist/is not available") }
    }

    pub(super) fn invalid_params(message: &str) -> Self {
        Self { code: -32_602, message: message.to_owned() }
    }

    pub(super) fn argument(place: usize, message: &str) -> Self {
        Self::invalid_params(&format!("invalid argument {place}: {message}"))
    }

    pub(super) fn server(message: impl ToString) -> Self {
        Self { code: -32_000, message: message.to_string() }
    }

    fn too_large() -> Self {
        Self { code: -32_003, message: "response too large".to_owned() }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let error = serde_json::json!({ "code": self.code, "message": self.message });
        out.extend_from_slice(br#","error":"#);
        out.extend_from_slice(error.to_string().as_bytes());
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn error_alone(code: i32, message: &str) -> Vec<u8> {
    let mut out = br#"{"jsonrpc":"2.0","id":null"#.to_vec();
    RpcError { code, message: message.to_owned() }.write(&mut out);
    out.push(b'}');
    out
}
