//! A transaction as it travels.
//!
//! Blob transactions travel with their blobs: `0x03 ‖ rlp([fields, blobs, commitments, proofs])` (EIP-4844),
//! or with a version before the blobs, then with 128 proofs of cells a blob (EIP-7594). The hash covers the
//! fields only. All others travel as they stand in blocks.

use std::borrow::Cow;

use alloy_primitives::{B256, keccak256};
use hypasis_chain::Transaction;
use hypasis_chain::rlp::{Item, RlpError};
use hypasis_chain::transaction::kind;

use super::limits::{MAX_BLOB_BYTES, MAX_PLAIN_BYTES};
use super::sidecar::Sidecar;
use super::verdict::Rejection;

/// A transaction in the form of the network, read where it lies.
#[derive(Debug)]
pub(super) struct Pooled<'a> {
    /// The bytes that are hashed.
    envelope: Cow<'a, [u8]>,
    /// EIP-2718 type; 0 for legacy transactions.
    pub(super) kind: u8,
    /// Transaction hash.
    pub(super) hash: B256,
    /// Blobs and what belongs to them; blob transactions have them unless the sender left them out.
    pub(super) sidecar: Option<Sidecar<'a>>,
}

// === impl Pooled ===

impl<'a> Pooled<'a> {
    /// Finds the parts. Nothing is looked at beyond the bound of the type's size.
    pub(super) fn read(raw: &'a [u8]) -> Result<Self, Rejection> {
        let blobs = raw.first() == Some(&kind::BLOB);
        let max = if blobs { MAX_BLOB_BYTES } else { MAX_PLAIN_BYTES };
        if raw.len() > max {
            return Err(Rejection::Oversized { bytes: raw.len(), max });
        }
        if blobs {
            return Self::read_blobs(raw);
        }
        let kind = Transaction::parse(raw)?.kind();
        Ok(Self { envelope: Cow::Borrowed(raw), kind, hash: keccak256(raw), sidecar: None })
    }

    /// As it stands in a block.
    pub(super) fn transaction(&self) -> Result<Transaction<'_>, RlpError> {
        Transaction::parse(&self.envelope)
    }

    /// Whether the proofs of its blobs hold, if it has any.
    pub(super) fn check_proofs(&self) -> Result<(), Rejection> {
        self.sidecar.as_ref().map_or(Ok(()), Sidecar::check_proofs)
    }

    fn read_blobs(raw: &'a [u8]) -> Result<Self, Rejection> {
        let list = Item::parse(raw.get(1..).unwrap_or_default())?;
        let mut items = list.items()?;
        let first = items.field("transaction")?;
        let (envelope, sidecar) = if first.is_list() {
            let mut envelope = Vec::with_capacity(first.raw().len().saturating_add(1));
            envelope.push(kind::BLOB);
            envelope.extend_from_slice(first.raw());
            (Cow::Owned(envelope), Some(Sidecar::read(items)?))
        } else {
            (Cow::Borrowed(raw), None)
        };
        let hash = keccak256(&envelope);
        Ok(Self { envelope, kind: kind::BLOB, hash, sidecar })
    }
}
