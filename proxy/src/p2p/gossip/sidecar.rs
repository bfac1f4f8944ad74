//! Blobs, their commitments and proofs.

use std::iter::repeat_n;

use alloy_primitives::B256;
use c_kzg::{BYTES_PER_BLOB, Blob, Bytes48, CELLS_PER_EXT_BLOB, Cell, KzgSettings, ethereum_kzg_settings};
use hypasis_chain::rlp::{Item, Items, RlpError};
use sha2::{Digest, Sha256};

use super::verdict::Rejection;

/// First byte of a versioned hash of a KZG commitment (EIP-4844 `VERSIONED_HASH_VERSION_KZG`).
const VERSIONED_HASH_VERSION_KZG: u8 = 0x01;
/// Width of the setup's tables of precomputed points: none, since they only speed up making proofs.
const PRECOMPUTE: u64 = 0;

/// What travels with a blob transaction's fields, read where it lies.
#[derive(Clone, Debug)]
pub(super) struct Sidecar<'a> {
    /// Which proofs there are.
    pub(super) proof_kind: ProofKind,
    blobs: Vec<&'a [u8]>,
    commitments: Vec<&'a [u8; 48]>,
    proofs: Vec<&'a [u8; 48]>,
}

/// Which proofs come with blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProofKind {
    /// One a blob (EIP-4844).
    Blob,
    /// One a cell of the extended blob, 128 a blob (EIP-7594, version 1 of the network form).
    Cell,
}

// === impl Sidecar ===

impl<'a> Sidecar<'a> {
    /// Reads what follows the fields. Lengths are bounded by the transaction's own size.
    pub(super) fn read(mut items: Items<'a>) -> Result<Self, Rejection> {
        let mut blobs = items.field("blobs")?;
        let proof_kind = match blobs.is_list() {
            true => ProofKind::Blob,
            false if blobs.uint("version")? == 1 => {
                blobs = items.field("blobs")?;
                ProofKind::Cell
            }
            false => return Err(Rejection::ProofForm("a version that is not known here")),
        };
        let commitments = items.field("commitments")?;
        let proofs = items.field("proofs")?;
        if !items.rest().is_empty() {
            return Err(RlpError::Trailing.into());
        }
        let blob = |item: Item<'a>| match item.string()? {
            blob if blob.len() == BYTES_PER_BLOB => Ok(blob),
            _ => Err(RlpError::Field("blobs")),
        };
        Ok(Self {
            proof_kind,
            blobs: all(blobs, blob)?,
            commitments: all(commitments, |item| item.fixed("commitments"))?,
            proofs: all(proofs, |item| item.fixed("proofs"))?,
        })
    }

    /// Whether the parts are as many as they must be and the commitments are those that the fields name.
    /// Cheap.
    pub(super) fn check_hashes(&self, versioned: Items<'_>) -> Result<(), Rejection> {
        let proofs = match self.proof_kind {
            ProofKind::Blob => Some(self.blobs.len()),
            ProofKind::Cell => self.blobs.len().checked_mul(CELLS_PER_EXT_BLOB),
        };
        if self.commitments.len() != self.blobs.len() || Some(self.proofs.len()) != proofs {
            return Err(Rejection::Sidecar("blobs, commitments and proofs differ in number"));
        }
        if versioned.clone().count() != self.commitments.len() {
            return Err(Rejection::Sidecar("commitments and versioned hashes differ in number"));
        }
        for (versioned, commitment) in versioned.zip(&self.commitments) {
            if versioned?.hash("blobVersionedHashes")? != versioned_hash(commitment) {
                return Err(Rejection::Sidecar("a commitment is not the one that its versioned hash names"));
            }
        }
        Ok(())
    }

    /// Whether the proofs hold: 10 ms for a blob's one proof, 30 to 40 ms for its proofs of cells, and once
    /// in a process some seconds to unpack the trusted setup. Not on an async thread.
    pub(super) fn check_proofs(&self) -> Result<(), Rejection> {
        let setup = ethereum_kzg_settings(PRECOMPUTE);
        let holds = match self.proof_kind {
            ProofKind::Blob => self.blob_proofs_hold(setup),
            ProofKind::Cell => self.cell_proofs_hold(setup),
        };
        // An error is one of the sender's too: a commitment that is no point, a blob that is no polynomial.
        if matches!(holds, Ok(true)) { Ok(()) } else { Err(Rejection::Proof) }
    }

    fn blob_proofs_hold(&self, setup: &KzgSettings) -> Result<bool, c_kzg::Error> {
        let blobs: Vec<_> = self.blobs.iter().map(|blob| Blob::from_bytes(blob)).collect::<Result<_, _>>()?;
        setup.verify_blob_kzg_proof_batch(&blobs, &words(&self.commitments), &words(&self.proofs))
    }

    /// All cells of all blobs in one batch, as EIP-7594's `verify_cell_kzg_proof_batch` wants them.
    fn cell_proofs_hold(&self, setup: &KzgSettings) -> Result<bool, c_kzg::Error> {
        let mut cells: Vec<Cell> = Vec::with_capacity(self.proofs.len());
        let mut indices = Vec::with_capacity(self.proofs.len());
        let mut commitments = Vec::with_capacity(self.proofs.len());
        for (blob, commitment) in self.blobs.iter().zip(&self.commitments) {
            let computed = setup.compute_cells(&Blob::from_bytes(blob)?)?;
            cells.extend_from_slice(computed.as_slice());
            indices.extend((0..).take(computed.len()));
            commitments.extend(repeat_n(Bytes48::from(**commitment), computed.len()));
        }
        setup.verify_cell_kzg_proof_batch(&commitments, &indices, &cells, &words(&self.proofs))
    }
}

/// The hash under which a transaction names a commitment (EIP-4844 `kzg_to_versioned_hash`).
pub(super) fn versioned_hash(commitment: &[u8; 48]) -> B256 {
    let mut hash = B256::from_slice(&Sha256::digest(commitment));
    if let Some(version) = hash.first_mut() {
        *version = VERSIONED_HASH_VERSION_KZG;
    }
    hash
}

fn words(items: &[&[u8; 48]]) -> Vec<Bytes48> {
    items.iter().map(|item| Bytes48::from(**item)).collect()
}

fn all<'a, T>(list: Item<'a>, read: impl Fn(Item<'a>) -> Result<T, RlpError>) -> Result<Vec<T>, RlpError> {
    list.items()?.map(|item| read(item?)).collect()
}
