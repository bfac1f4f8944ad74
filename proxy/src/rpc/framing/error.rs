//! Errors that this program says itself, in the forms that Geth's `rpc` package writes.

use std::borrow::Cow;

use bytes::Bytes;

use super::text::quote;

/// A JSON-RPC error object. Who is at fault shows in the code: −326xx and −32700 the caller, others this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RpcError {
    /// `code`.
    pub(crate) code: i32,
    /// `message`.
    pub(crate) message: Cow<'static, str>,
    /// `data`, a string; absent if `None`.
    pub(crate) data: Option<&'static str>,
}

// === impl RpcError ===

impl RpcError {
    /// The body is not JSON.
    pub(crate) const PARSE: Self = Self::fixed(-32700, "parse error");
    /// The message is no call.
    pub(crate) const INVALID_REQUEST: Self = Self::fixed(-32600, "invalid request");
    /// `[]`.
    pub(crate) const EMPTY_BATCH: Self = Self::fixed(-32600, "empty batch");
    /// More members than allowed.
    pub(crate) const BATCH_TOO_LARGE: Self = Self::fixed(-32600, "batch too large");
    /// The answer exceeds the limit.
    pub(crate) const RESPONSE_TOO_LARGE: Self = Self::fixed(-32003, "response too large");
    /// The call took longer than allowed.
    pub(crate) const TIMEOUT: Self = Self::fixed(-32002, "request timed out");
    /// Bytes in flight over all clients are at their limit; a retry helps.
    pub(crate) const BUSY: Self = Self::fixed(-32005, "too many bytes in flight, try again");
    /// Something this side could not do though it should; a retry may help.
    pub(crate) const INTERNAL: Self = Self::fixed(-32603, "internal error");

    const fn fixed(code: i32, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message), data: None }
    }

    /// Parameters are wrong.
    pub(crate) fn params(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: -32602, message: message.into(), data: None }
    }

    /// Geth's words for a method that is not there, or not allowed here.
    pub(crate) fn no_method(method: &str) -> Self {
        let message = format!("the method {method} does not exist/is not available");
        Self { code: -32601, message: message.into(), data: None }
    }

    /// `hypasis-route: store` asked for what the store does not hold; `reason` as in `hypasis-miss`.
    pub(crate) fn not_held(reason: &'static str) -> Self {
        Self { code: -32001, message: "not held in the store".into(), data: Some(reason) }
    }

    /// No node answered; `reason` says why the store did not.
    pub(crate) fn upstream(message: String, reason: Option<&'static str>) -> Self {
        Self { code: -32000, message: message.into(), data: reason }
    }

    /// Everything of a reply behind its id: `,"error":{…}}`.
    pub(crate) fn tail(&self) -> Bytes {
        let mut out = Vec::with_capacity(64 + self.message.len());
        out.extend_from_slice(b",\"error\":{\"code\":");
        out.extend_from_slice(self.code.to_string().as_bytes());
        out.extend_from_slice(b",\"message\":");
        quote(&mut out, &self.message);
        if let Some(data) = self.data {
            out.extend_from_slice(b",\"data\":");
            quote(&mut out, data);
        }
        out.extend_from_slice(b"}}");
        out.into()
    }
}
