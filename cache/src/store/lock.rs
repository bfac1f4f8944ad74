//! One process to a store.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::error::OpenError;

/// Beside the database's files, none of whose names it is.
const NAME: &str = "hypasis.lock";

/// The right to open the database, held until it is dropped or the process ends, however it ends.
///
/// The database has a lock of its own, but looks at it only after it has put its log aside and deleted old ones: an
/// attempt to open what another process holds would disturb that process's files, and may fail over them in ways
/// that look like damage.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

// === impl Lock ===

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(NAME);
        let unreadable = |error: std::io::Error| {
            let why = format!("{} cannot be locked: {error}", path.display());
            OpenError::Unreadable { path: folder.to_path_buf(), why }
        };
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(unreadable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: folder.to_path_buf() }),
            Err(TryLockError::Error(error)) => Err(unreadable(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would leave it to a child process that has just been forked, until that one runs its program.
        let _ = self.file.unlock();
    }
}
