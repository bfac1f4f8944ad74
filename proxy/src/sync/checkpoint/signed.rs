//! Source `signed`: the configured file, checked against the configured signers.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use hypasis_chain::BlockId;
use hypasis_upstream::checkpoint::signed::FILE_BYTES_MAX;
use hypasis_upstream::checkpoint::{SignedCheckpoint, SignedError};

use super::{Checkpoint, Proof, now};
use crate::config::{CheckpointConfig, CheckpointSource};

/// Why a checkpoint file cannot be used. The operator must act.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It cannot be read.
    #[error("the checkpoint file {path} cannot be read: {source}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is refused.
    #[error("the checkpoint file {path} is refused: {source}")]
    Refused {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: SignedError,
    },
    /// None is configured.
    #[error("a signed checkpoint needs `checkpoint.file` and `checkpoint.signers`")]
    Unconfigured,
}

// === impl FileError ===

impl FileError {
    /// Whether there is no file any more.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if source.kind() == ErrorKind::NotFound)
    }
}

/// The checkpoint of the configured file.
pub(super) fn read(config: &CheckpointConfig, chain_id: u64) -> Result<Checkpoint, FileError> {
    let path = config.file.as_ref().filter(|_| !config.signers.is_empty()).ok_or(FileError::Unconfigured)?;
    let signers = config.signers();
    let file = load(path)?;
    let signed = file.verify(chain_id, &signers);
    let signed = signed.map_err(|source| FileError::Refused { path: path.clone(), source })?;
    Ok(Checkpoint {
        id: BlockId { number: file.number, hash: file.hash },
        source: CheckpointSource::Signed,
        named_by: Vec::new(),
        trusted_at: now(),
        total_difficulty: file.total_difficulty,
        proof: Some(Proof::Signed {
            signers: signed,
            threshold: signers.threshold,
            timestamp: file.timestamp,
        }),
    })
}

/// Reads a checkpoint file without asking who signed it.
fn load(path: &Path) -> Result<SignedCheckpoint, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    SignedCheckpoint::parse(&bytes).map_err(|source| FileError::Refused { path: path.to_owned(), source })
}
