//! The records of a tree.

use alloy_primitives::keccak256;
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use discv5::Enr;
use secp256k1::ecdsa::Signature;
use secp256k1::{Message, Secp256k1};

use super::TreeUrl;

/// Bytes of a hash that name a record, in base32: 16 in every tree that there is; EIP-1459 allows 12 to 32.
const NAME_BYTES: std::ops::RangeInclusive<usize> = 12..=32;
/// Names in a branch; 13 fill a packet of DNS.
const NAMES_MAX: usize = 64;

const ROOT: &str = "enrtree-root:v1";
const BRANCH: &str = "enrtree-branch:";
const LINK: &str = "enrtree://";
const NODE: &str = "enr:";

/// Why a record is none of the tree. Whoever serves or made the tree is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EntryError {
    #[error("the root is no `enrtree-root:v1` with e, l, seq and sig")]
    Root,
    #[error("the root is not signed by the list's key")]
    Signature,
    #[error("a record is not the one that its name says")]
    Hash,
    #[error("a record's name is no hash in base32")]
    Name,
    #[error("a branch has more than {NAMES_MAX} names")]
    Branch,
    #[error("a record is neither branch, link nor node")]
    Kind,
    #[error("a node's record cannot be read: {0}")]
    Node(String),
    #[error("a link to another list: {0}")]
    Link(String),
}

/// The signed record at the tree's own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) nodes: String,
    pub(super) links: String,
    pub(super) sequence: u64,
}

/// Any other record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// Names of further records.
    Branch(Vec<String>),
    /// Another tree.
    Link(TreeUrl),
    /// A node, whose own signature was checked.
    Node(Box<Enr>),
}

// === impl Root ===

impl Root {
    /// `enrtree-root:v1 e=<name> l=<name> seq=<number> sig=<65 bytes in base64>`, signed by the key in `url`.
    pub(super) fn read(text: &str, url: &TreeUrl) -> Result<Self, EntryError> {
        let (signed, signature) = text.rsplit_once(" sig=").ok_or(EntryError::Root)?;
        let mut words = signed.split(' ');
        let mut field = |prefix: &str| words.next().and_then(|word| word.strip_prefix(prefix));
        field(ROOT).filter(|rest| rest.is_empty()).ok_or(EntryError::Root)?;
        let nodes = name(field("e=").ok_or(EntryError::Root)?)?;
        let links = name(field("l=").ok_or(EntryError::Root)?)?;
        let sequence = field("seq=").and_then(|text| text.parse().ok()).ok_or(EntryError::Root)?;
        if words.next().is_some() {
            return Err(EntryError::Root);
        }
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_| EntryError::Signature)?;
        // The last byte is for recovery; the key is known.
        let compact = signature.get(..64).filter(|_| signature.len() == 65).ok_or(EntryError::Signature)?;
        let signature = Signature::from_compact(compact).map_err(|_| EntryError::Signature)?;
        let digest = Message::from_digest(keccak256(signed).0);
        Secp256k1::verification_only()
            .verify_ecdsa(digest, &signature, &url.key)
            .map_err(|_| EntryError::Signature)?;
        Ok(Self { nodes, links, sequence })
    }
}

// === impl Entry ===

impl Entry {
    /// The record that `name` names.
    pub(super) fn read(text: &str, name: &str) -> Result<Self, EntryError> {
        let wanted = BASE32_NOPAD.decode(name.as_bytes()).map_err(|_| EntryError::Name)?;
        if !keccak256(text).starts_with(&wanted) {
            return Err(EntryError::Hash);
        }
        if let Some(names) = text.strip_prefix(BRANCH) {
            let names = names.split(',').filter(|name| !name.is_empty()).take(NAMES_MAX + 1);
            let names: Vec<String> = names.map(self::name).collect::<Result<_, _>>()?;
            return if names.len() > NAMES_MAX { Err(EntryError::Branch) } else { Ok(Self::Branch(names)) };
        }
        if text.starts_with(LINK) {
            return text.parse().map(Self::Link).map_err(EntryError::Link);
        }
        if text.starts_with(NODE) {
            return text.parse().map(|enr| Self::Node(Box::new(enr))).map_err(EntryError::Node);
        }
        Err(EntryError::Kind)
    }
}

/// A record's name: the front of its hash.
fn name(text: &str) -> Result<String, EntryError> {
    let bytes = BASE32_NOPAD.decode(text.as_bytes()).map_err(|_| EntryError::Name)?;
    NAME_BYTES.contains(&bytes.len()).then(|| text.to_owned()).ok_or(EntryError::Name)
}
