//! What a message says, borrowed from the request's bytes.

use std::borrow::Cow;

use bytes::Bytes;

use super::said::HEAD;
use super::scan::{Invalid, Scanner};
use super::text::{quote, unquote};

/// A message's members as they came. Keys match in any case and the last of equal ones wins, as in Go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Envelope<'a> {
    /// The whole message.
    pub(crate) raw: &'a [u8],
    /// `id` as it was written; `null` is an id, absence is none.
    pub(crate) id: Option<&'a [u8]>,
    /// `method`; empty if absent or no string.
    pub(crate) method: Cow<'a, str>,
    /// `params` as they were written.
    pub(crate) params: Option<&'a [u8]>,
    /// `result` as it was written.
    pub(crate) result: Option<&'a [u8]>,
    /// `error` as it was written.
    pub(crate) error: Option<&'a [u8]>,
    version: bool,
    /// Whether another reader may take another member: a key came twice, or in a spelling that some fold.
    ambiguous: bool,
}

/// What kind of message it is, by Geth's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Answered.
    Call,
    /// Executed, never answered.
    Notification,
    /// A reply to nobody: ignored.
    Response,
    /// Refused with "invalid request".
    Invalid,
}

// === impl Envelope ===

impl<'a> Envelope<'a> {
    /// Reads one message. Whatever is valid JSON but no message becomes an empty envelope.
    pub(crate) fn read(raw: &'a [u8]) -> Result<Self, Invalid> {
        let mut scanner = Scanner::members(raw);
        let mut envelope = Self { raw, ..Self::default() };
        if scanner.peek() != Some(b'{') {
            envelope.raw = scanner.value()?;
            return Ok(envelope);
        }
        envelope.members(&mut scanner)?;
        envelope.raw = scanner.taken();
        Ok(envelope)
    }

    fn members(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Invalid> {
        scanner.take(b'{');
        if scanner.take(b'}') {
            return Ok(());
        }
        loop {
            let key = scanner.key()?;
            let value = scanner.value()?;
            self.member(key, value);
            if scanner.take(b'}') {
                return Ok(());
            }
            if !scanner.take(b',') {
                return Err(Invalid);
            }
        }
    }

    fn member(&mut self, key: &[u8], value: &'a [u8]) {
        let key = match key {
            b"\"jsonrpc\"" => Key::Version,
            b"\"id\"" => Key::Id,
            b"\"method\"" => Key::Method,
            b"\"params\"" => Key::Params,
            other => {
                let folded = Key::folded(&unquote(other));
                let odd = |byte: &u8| *byte == b'\\' || !byte.is_ascii();
                self.ambiguous |= !matches!(folded, Key::Other) || other.iter().any(odd);
                folded
            }
        };
        self.ambiguous |= match key {
            Key::Id => self.id.is_some(),
            Key::Method => !self.method.is_empty(),
            Key::Params => self.params.is_some(),
            _ => false,
        };
        match key {
            Key::Version if value == b"\"2.0\"" => self.version = true,
            Key::Version if value.first() == Some(&b'"') => self.version = unquote(value) == "2.0",
            Key::Id => self.id = Some(value),
            Key::Method if value.first() == Some(&b'"') => self.method = unquote(value),
            Key::Params => self.params = Some(value),
            Key::Result => self.result = Some(value),
            Key::Error => self.error = Some(value),
            Key::Version | Key::Method | Key::Other => {}
        }
    }

    /// What kind of message it is.
    pub(crate) fn shape(&self) -> Shape {
        let answer = self.result.is_some() || self.error.is_some();
        match (self.version, self.id, self.method.is_empty()) {
            (true, None, false) => Shape::Notification,
            (true, Some(_), false) if self.valid_id() => Shape::Call,
            (true, Some(_), true) if self.valid_id() && self.params.is_none() && answer => Shape::Response,
            _ => Shape::Invalid,
        }
    }

    /// What a node is sent: the message as it came in `body`. Where readers differ in which of several members they
    /// take, that would be another call than the one that was judged, joined and kept here; it is written anew.
    pub(crate) fn message(&self, body: &Bytes) -> Bytes {
        if self.ambiguous { self.written().into() } else { body.slice_ref(self.raw) }
    }

    fn written(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len().saturating_add(64));
        match self.id {
            Some(id) => {
                out.extend_from_slice(HEAD);
                out.extend_from_slice(id);
            }
            None => out.extend_from_slice(b"{\"jsonrpc\":\"2.0\""),
        }
        out.extend_from_slice(b",\"method\":");
        quote(&mut out, &self.method);
        if let Some(params) = self.params {
            out.extend_from_slice(b",\"params\":");
            out.extend_from_slice(params);
        }
        out.push(b'}');
        out
    }

    /// The id to answer with: `null` where it is absent, an object or an array.
    pub(crate) fn reply_id(&self) -> &'a [u8] {
        self.id.filter(|_| self.valid_id()).unwrap_or(b"null")
    }

    /// The parameters, `[]` where absent.
    pub(crate) fn params(&self) -> &'a [u8] {
        self.params.unwrap_or(b"[]")
    }

    fn valid_id(&self) -> bool {
        !matches!(self.id.and_then(<[u8]>::first), None | Some(b'{' | b'['))
    }
}

enum Key {
    Version,
    Id,
    Method,
    Params,
    Result,
    Error,
    Other,
}

// === impl Key ===

impl Key {
    fn folded(key: &str) -> Self {
        const KEYS: [(&str, Key); 6] = [
            ("jsonrpc", Key::Version),
            ("id", Key::Id),
            ("method", Key::Method),
            ("params", Key::Params),
            ("result", Key::Result),
            ("error", Key::Error),
        ];
        KEYS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map_or(Key::Other, |(_, key)| key)
    }
}
