//! A file that gets its name only when it is complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ArchiveError;
use super::e2store::write_entry;
use super::frame;

/// Bytes gathered before each write: an entry is often only some hundred bytes.
const BUFFER_BYTES: usize = 256 << 10;

/// A file under a temporary name; dropped before [`persist`](Self::persist), it is removed again.
#[derive(Debug)]
pub(super) struct PartFile {
    path: Arc<Path>,
    out: BufWriter<File>,
    written: u64,
    kept: bool,
}

// === impl PartFile ===

impl PartFile {
    /// Makes `dir/name.part`; a rest of an earlier run is overwritten.
    pub(super) fn create(dir: &Path, name: &str) -> Result<Self, ArchiveError> {
        let path: Arc<Path> = dir.join(format!("{name}.part")).into();
        let file = File::create(&path).map_err(|error| ArchiveError::io(&path, error))?;
        Ok(Self { path, out: BufWriter::with_capacity(BUFFER_BYTES, file), written: 0, kept: false })
    }

    /// Bytes written until now.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.out.write_all(bytes).map_err(|error| ArchiveError::io(&self.path, error))?;
        self.written = self.written.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Appends an entry and returns where it begins.
    pub(super) fn write_entry(&mut self, kind: u16, data: &[u8]) -> Result<u64, ArchiveError> {
        let offset = self.written;
        let len =
            write_entry(&mut self.out, kind, data).map_err(|error| ArchiveError::io(&self.path, error))?;
        self.written = self.written.saturating_add(len);
        Ok(offset)
    }

    /// Appends an entry of framed data and returns where it begins.
    pub(super) fn write_packed(&mut self, kind: u16, data: &[u8]) -> Result<u64, ArchiveError> {
        let packed = frame::pack(data).map_err(|error| ArchiveError::io(&self.path, error))?;
        self.write_entry(kind, &packed)
    }

    /// Appends all of another part, which is removed, and returns where it begins.
    pub(super) fn append(&mut self, mut other: Self) -> Result<u64, ArchiveError> {
        let offset = self.written;
        let copied = other.out.flush().and_then(|()| io::copy(&mut File::open(&other.path)?, &mut self.out));
        let copied = copied.map_err(|error| ArchiveError::io(&other.path, error))?;
        self.written = self.written.saturating_add(copied);
        Ok(offset)
    }

    /// Makes the file durable under its name. Only after the sync may the name appear, and only after the folder's
    /// sync does it stay.
    pub(super) fn persist(mut self, name: &str) -> Result<PathBuf, ArchiveError> {
        let dir = self.path.parent().unwrap_or(Path::new(".")).to_path_buf();
        let target = dir.join(name);
        self.out
            .flush()
            .and_then(|()| self.out.get_ref().sync_all())
            .and_then(|()| fs::rename(&self.path, &target))
            .and_then(|()| File::open(&dir)?.sync_all())
            .map_err(|error| ArchiveError::io(&self.path, error))?;
        self.kept = true;
        Ok(target)
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing can be done about a failure here, and the next run overwrites the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}
