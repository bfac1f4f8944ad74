//! Capabilities: what each side offers, and what both share.

use std::borrow::Cow;
use std::fmt;

use alloy_rlp::{Decodable, Encodable, Header};
use bytes::BufMut;

use super::{MAX_RESERVED_MESSAGE_ID, P2PStreamError};

/// A protocol's name and version, as hello lists it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Capability {
    /// Its name, up to eight ASCII characters by the specification; whatever else a peer sends is never
    /// shared.
    pub name: Cow<'static, str>,
    /// Its version.
    pub version: usize,
}

impl Capability {
    /// A capability of ours.
    pub const fn new_static(name: &'static str, version: usize) -> Self {
        Self { name: Cow::Borrowed(name), version }
    }

    /// `eth/<version>`.
    pub const fn eth(version: usize) -> Self {
        Self::new_static("eth", version)
    }

    pub(super) fn decode(list: &mut &[u8]) -> alloy_rlp::Result<Self> {
        let mut items = Header::decode_bytes(list, true)?;
        let name = Header::decode_bytes(&mut items, false)?;
        let name = Cow::Owned(String::from_utf8_lossy(name).into_owned());
        Ok(Self { name, version: usize::decode(&mut items)? })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.version)
    }
}

impl Encodable for Capability {
    fn encode(&self, out: &mut dyn BufMut) {
        let payload_length = self.name.as_ref().length() + self.version.length();
        Header { list: true, payload_length }.encode(out);
        self.name.as_ref().encode(out);
        self.version.encode(out);
    }

    fn length(&self) -> usize {
        let payload = self.name.as_ref().length() + self.version.length();
        payload + alloy_rlp::length_of_length(payload)
    }
}

/// A capability that we speak, with the number of its message ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Name and version.
    pub cap: Capability,
    /// How many ids it takes: it fixes where the next capability begins, so both sides must agree on it.
    pub messages: u8,
}

impl Protocol {
    /// A protocol of ours.
    pub const fn new(cap: Capability, messages: u8) -> Self {
        Self { cap, messages }
    }
}

/// A capability that both sides speak, and where its messages lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedCapability {
    /// Name and version.
    pub capability: Capability,
    /// Id of its message 0, counted from the first id behind the base protocol.
    pub offset: u8,
    /// How many ids it takes.
    pub messages: u8,
}

/// What both sides share: the highest common version of each name, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedCapabilities(Vec<SharedCapability>);

impl SharedCapabilities {
    /// Compares what we speak with what the peer has listed.
    ///
    /// # Errors
    ///
    /// [`P2PStreamError::NoSharedCapabilities`] if there is nothing in common,
    /// [`P2PStreamError::TooManyMessageIds`] if ours are more than a message id can tell apart.
    pub fn new(ours: &[Protocol], theirs: &[Capability]) -> Result<Self, P2PStreamError> {
        let mut common: Vec<&Protocol> = ours.iter().filter(|ours| theirs.contains(&ours.cap)).collect();
        common.sort_by(|left, right| left.cap.cmp(&right.cap));
        let mut shared: Vec<SharedCapability> = Vec::with_capacity(common.len());
        for Protocol { cap, messages } in common {
            // Versions ascend within a name, so the last one stays.
            if shared.last().is_some_and(|last| last.capability.name == cap.name) {
                shared.pop();
            }
            let end = shared.last().map_or(Some(0), |last| last.offset.checked_add(last.messages));
            let offset = end.ok_or(P2PStreamError::TooManyMessageIds)?;
            shared.push(SharedCapability { capability: cap.clone(), offset, messages: *messages });
        }
        let last = shared.last().ok_or_else(|| {
            let offered: Vec<String> = theirs.iter().map(ToString::to_string).collect();
            P2PStreamError::NoSharedCapabilities(offered.join(", "))
        })?;
        let ids = usize::from(last.offset) + usize::from(last.messages);
        if ids + usize::from(MAX_RESERVED_MESSAGE_ID) > usize::from(u8::MAX) {
            return Err(P2PStreamError::TooManyMessageIds);
        }
        Ok(Self(shared))
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> std::slice::Iter<'_, SharedCapability> {
        self.0.iter()
    }

    /// The `index`-th of them.
    pub fn get(&self, index: usize) -> Option<&SharedCapability> {
        self.0.get(index)
    }

    /// Index and version of the capability `name`.
    pub fn find(&self, name: &str) -> Option<(usize, usize)> {
        let index = self.0.iter().position(|shared| shared.capability.name == name)?;
        self.0.get(index).map(|shared| (index, shared.capability.version))
    }
}

impl<'a> IntoIterator for &'a SharedCapabilities {
    type Item = &'a SharedCapability;
    type IntoIter = std::slice::Iter<'a, SharedCapability>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
