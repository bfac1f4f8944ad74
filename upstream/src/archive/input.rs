//! Bounded reads at any place of a file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::ArchiveError;

/// An open file whose every read is checked against its size. Reads are positional, so that threads may share it.
#[derive(Debug)]
pub struct Input {
    path: Arc<Path>,
    file: File,
    len: u64,
}

// === impl Input ===

impl Input {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let path: Arc<Path> = path.into();
        let open = || {
            let file = File::open(&path)?;
            let len = file.metadata()?.len();
            Ok((file, len))
        };
        let (file, len) = open().map_err(|error| ArchiveError::io(&path, error))?;
        Ok(Self { path, file, len })
    }

    /// The file's path.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// The file's size in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.len
    }

    /// A little-endian integer at `offset`.
    pub fn uint(&self, offset: u64) -> Result<u64, ArchiveError> {
        self.array::<8>(offset).map(u64::from_le_bytes)
    }

    /// Exactly `N` bytes at `offset`.
    pub fn array<const N: usize>(&self, offset: u64) -> Result<[u8; N], ArchiveError> {
        let mut bytes = [0; N];
        self.fill(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// `len` bytes at `offset`, of which there may be `limit`.
    pub fn bytes(&self, offset: u64, len: u64, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        if len > limit {
            return Err(self.corrupt(offset, format_args!("{len} bytes are more than {limit}")));
        }
        // Compared with the size before anything is allocated.
        let mut bytes = vec![0; usize::try_from(self.within(offset, len)?).unwrap_or_default()];
        self.fill(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// This file is wrong at `offset`.
    pub fn corrupt(&self, offset: u64, reason: impl ToString) -> ArchiveError {
        ArchiveError::corrupt(&self.path, offset, reason)
    }

    fn fill(&self, offset: u64, bytes: &mut [u8]) -> Result<(), ArchiveError> {
        self.within(offset, bytes.len() as u64)?;
        self.file.read_exact_at(bytes, offset).map_err(|error| ArchiveError::io(&self.path, error))
    }

    fn within(&self, offset: u64, len: u64) -> Result<u64, ArchiveError> {
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(
                self.corrupt(offset, format_args!("{len} bytes wanted, but the file ends at {}", self.len))
            );
        }
        Ok(len)
    }
}
