//! Index entries of a part.

use std::path::{Path, PathBuf};

use alloy_primitives::B256;
use rocksdb::SstFileWriter;

use crate::store::error::StoreError;
use crate::store::families::{Family, Shared};
use crate::store::keys;

/// Keys that gather in any order and are written sorted; 16 bytes each.
#[derive(Debug, Default)]
pub(super) struct IndexKeys {
    keys: Vec<u128>,
}

// === impl IndexKeys ===

impl IndexKeys {
    pub(super) fn push(&mut self, number: u64, position: u32, hash: &B256) -> Result<(), StoreError> {
        let Some(key) = keys::index(hash, number, position) else {
            return StoreError::refused(format!(
                "block {number} has a height or transactions beyond any bound"
            ));
        };
        self.keys.push(key);
        Ok(())
    }

    /// The transactions of a block; position is the place in the list.
    pub(super) fn push_all(&mut self, number: u64, hashes: &[B256]) -> Result<(), StoreError> {
        self.keys.reserve(hashes.len());
        (0..).zip(hashes).try_for_each(|(position, hash)| self.push(number, position, hash))
    }

    /// Writes and syncs one SST file; none if there are no keys.
    pub(super) fn write(
        mut self,
        family: Family,
        shared: &Shared,
        folder: &Path,
    ) -> Result<Option<PathBuf>, rocksdb::Error> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        self.keys.sort_unstable();
        self.keys.dedup();
        let path = folder.join(family.name()).with_extension("sst");
        let options = family.options(shared);
        let mut file = SstFileWriter::create(&options);
        file.open(&path)?;
        for key in self.keys {
            file.put(key.to_be_bytes(), [])?;
        }
        file.finish()?;
        Ok(Some(path))
    }
}
