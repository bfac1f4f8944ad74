//! What a caller is told: ready bytes, between whose head and tail the caller's id is spliced.

use bytes::Bytes;

use super::envelope::Envelope;
use super::error::RpcError;
use crate::rpc::source::{Miss, Source};

/// How Geth's replies begin, up to the id.
pub(crate) const HEAD: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":";
const RESULT: &[u8] = b",\"result\":";

/// An answer without its id.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// What stands before the id.
    pub(crate) head: Bytes,
    /// What stands behind the id.
    pub(crate) tail: Bytes,
    /// Where it came from.
    pub(crate) source: Source,
    /// Why the store did not answer, if it did not.
    pub(crate) miss: Option<Miss>,
    /// Whether it is an error.
    pub(crate) failed: bool,
}

/// A finished result as memory keeps it: `,"result":…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendered(pub(crate) Bytes);

/// Writes a result in place, so that it never moves.
#[derive(Debug)]
pub(crate) struct ResultWriter(Vec<u8>);

// === impl Said ===

impl Said {
    /// A result from here.
    pub(crate) fn result(rendered: Rendered, source: Source) -> Self {
        Self { head: Bytes::from_static(HEAD), tail: rendered.0, source, miss: None, failed: false }
    }

    /// An error from here.
    pub(crate) fn error(error: &RpcError, miss: Option<Miss>) -> Self {
        let (head, tail) = (Bytes::from_static(HEAD), error.tail());
        Self { head, tail, source: Source::Local, miss, failed: true }
    }

    /// A node's reply, whose id will be replaced; `None` if it is no reply.
    pub(crate) fn node(reply: &Bytes, source: Source, miss: Option<Miss>) -> Option<Self> {
        let envelope = Envelope::read(reply).ok()?;
        if envelope.result.is_none() && envelope.error.is_none() {
            return None;
        }
        let id = envelope.id?;
        let before = (id.as_ptr() as usize).checked_sub(reply.as_ptr() as usize)?;
        let head = reply.slice(..before);
        let tail = reply.slice(before.checked_add(id.len()).filter(|end| *end <= reply.len())?..);
        let failed = envelope.error.is_some_and(|error| error != b"null");
        Some(Self { head, tail: trim(&tail), source, miss, failed })
    }

    /// Length of the reply to a caller with this id.
    pub(crate) fn len(&self, id: &[u8]) -> usize {
        self.head.len().saturating_add(id.len()).saturating_add(self.tail.len())
    }

    /// Appends the reply to a caller with this id.
    pub(crate) fn write(&self, out: &mut Vec<u8>, id: &[u8]) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(id);
        out.extend_from_slice(&self.tail);
    }
}

// === impl Rendered ===

impl Rendered {
    /// Wraps the text of a result.
    pub(crate) fn of(result: &[u8]) -> Self {
        let mut writer = ResultWriter::with_capacity(result.len());
        writer.buffer().extend_from_slice(result);
        writer.finish()
    }

    /// The text of the result alone.
    pub(crate) fn result(&self) -> &[u8] {
        self.0.get(RESULT.len()..self.0.len().saturating_sub(1)).unwrap_or_default()
    }
}

// === impl ResultWriter ===

impl ResultWriter {
    /// Room for a result of about `bytes`.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(bytes.saturating_add(RESULT.len() + 1));
        buffer.extend_from_slice(RESULT);
        Self(buffer)
    }

    /// Where the result is appended.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Bytes of result written so far.
    pub(crate) fn len(&self) -> usize {
        self.0.len().saturating_sub(RESULT.len())
    }

    /// Closes the reply.
    pub(crate) fn finish(mut self) -> Rendered {
        self.0.push(b'}');
        self.0.shrink_to_fit();
        Rendered(self.0.into())
    }
}

/// Nodes end replies with a new line; inside a batch it would be noise.
fn trim(tail: &Bytes) -> Bytes {
    tail.slice(..tail.trim_ascii_end().len())
}
