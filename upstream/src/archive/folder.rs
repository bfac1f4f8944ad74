//! Many archive files as one map of heights.
//!
//! Opening reads every index once and keeps of each file only its range: a whole chain is thousands of files,
//! more than may be open. A few stay open. Files that cannot be read are named and left out; the rest serves.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use hypasis_chain::{Block, BlockId};
use parking_lot::Mutex;

use super::{ArchiveError, ArchiveFile};

/// Most files of a folder: a hundred thousand sections are 800 million blocks.
pub const FILES_MAX: usize = 100_000;

/// Files that stay open.
const OPEN_MAX: usize = 16;

/// Heights of one file that may be found wrong before all of it is left alone.
const BLAMED_MAX: usize = 16;

/// The archives of a folder, or a single one.
#[derive(Debug)]
pub struct Folder {
    /// Sorted by first height.
    files: Vec<FileEntry>,
    /// Heights of the longest file: bounds where a file that holds a height may begin.
    longest: u64,
    faults: Vec<ArchiveError>,
    open: Mutex<VecDeque<(usize, Arc<ArchiveFile>)>>,
}

#[derive(Debug)]
struct FileEntry {
    path: PathBuf,
    numbers: Range<u64>,
    receipts: bool,
    is_final: bool,
    /// Heights whose blocks turned out wrong.
    blamed: Mutex<BTreeSet<u64>>,
}

// === impl Folder ===

impl Folder {
    /// Opens all archives right in the folder `path`, or the one file that `path` is.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let (mut files, mut faults) = (Vec::new(), Vec::new());
        for path in archives(path).map_err(|error| ArchiveError::io(&path.into(), error))? {
            match ArchiveFile::open(&path) {
                Ok(mut file) => {
                    faults.extend(file.take_fault());
                    let (numbers, receipts, is_final) =
                        (file.numbers(), file.has_receipts(), file.is_final());
                    files.push(FileEntry { path, numbers, receipts, is_final, blamed: Mutex::default() });
                }
                Err(fault) => faults.push(fault),
            }
        }
        files.sort_by_key(|file| file.numbers.start);
        let longest = files.iter().map(|file| file.numbers.end.saturating_sub(file.numbers.start)).max();
        Ok(Self { files, longest: longest.unwrap_or_default(), faults, open: Mutex::default() })
    }

    /// What was left out when the folder was opened: each error names its file.
    pub fn faults(&self) -> &[ArchiveError] {
        &self.faults
    }

    /// The heights of each file, ascending, with its path.
    pub fn files(&self) -> impl Iterator<Item = (Range<u64>, &Path)> {
        self.files.iter().map(|file| (file.numbers.clone(), file.path.as_path()))
    }

    /// Lowest height of all files.
    pub fn earliest(&self) -> Option<u64> {
        self.files.first().map(|file| file.numbers.start)
    }

    /// The highest block of all files.
    pub fn latest(&self) -> Option<BlockId> {
        self.highest(|_| true)
    }

    /// The highest block of files that only finalized blocks come into.
    pub fn latest_final(&self) -> Option<BlockId> {
        self.highest(|file| file.is_final)
    }

    /// Whether receipts of that height are here.
    pub fn has_receipts(&self, number: u64) -> bool {
        self.holding(number).iter().any(|(_, file)| file.receipts)
    }

    /// The header of `number` from the first file that gives it; `None` if none holds that height.
    pub fn header(&self, number: u64) -> Result<Option<Bytes>, ArchiveError> {
        self.first(number, |file| file.header(number).map(Some))
    }

    /// The block at `number` with the hash `hash`, from the first file that gives it; `None` if none does.
    pub fn block(&self, number: u64, hash: &B256, receipts: bool) -> Result<Option<Block>, ArchiveError> {
        self.first(number, |file| {
            Ok(Some(file.block(number, receipts)?).filter(|block| block.id.hash == *hash))
        })
    }

    /// The block at `number` was found to be wrong: whoever gave it is not asked for it again.
    pub fn blame(&self, number: u64) -> Option<&Path> {
        let (_, file) = self.holding(number).into_iter().next()?;
        file.blamed.lock().insert(number);
        Some(&file.path)
    }

    fn highest(&self, wanted: impl Fn(&FileEntry) -> bool) -> Option<BlockId> {
        let files = self.files.iter().filter(|file| wanted(file));
        let number = files.map(|file| file.numbers.end).max()?.checked_sub(1)?;
        let header = self.header(number).ok()??;
        Some(BlockId { number, hash: keccak256(&header) })
    }

    /// The files that hold `number` and were not found wrong there, those with receipts first.
    fn holding(&self, number: u64) -> Vec<(usize, &FileEntry)> {
        let begin = |height: u64| self.files.partition_point(|file| file.numbers.start < height);
        let from = begin(number.saturating_sub(self.longest));
        let near =
            self.files.iter().enumerate().skip(from).take_while(|(_, file)| file.numbers.start <= number);
        let mut holding: Vec<_> = near.filter(|(_, file)| file.is_sound_at(number)).collect();
        holding.sort_by_key(|(_, file)| !file.receipts);
        holding
    }

    /// Asks the files that hold `number` until one gives something. An error counts only if none does.
    fn first<T>(
        &self,
        number: u64,
        read: impl Fn(&ArchiveFile) -> Result<Option<T>, ArchiveError>,
    ) -> Result<Option<T>, ArchiveError> {
        let mut fault = None;
        for (place, entry) in self.holding(number) {
            match self.file(place, entry).and_then(|file| read(&file)) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(error) => fault = Some(error),
            }
        }
        fault.map_or(Ok(None), Err)
    }

    fn file(&self, place: usize, entry: &FileEntry) -> Result<Arc<ArchiveFile>, ArchiveError> {
        let mut open = self.open.lock();
        if let Some(known) = open.iter().position(|(at, _)| *at == place).and_then(|at| open.remove(at)) {
            let file = known.1.clone();
            open.push_front(known);
            return Ok(file);
        }
        drop(open);
        let file = Arc::new(ArchiveFile::open(&entry.path)?);
        let mut open = self.open.lock();
        open.push_front((place, file.clone()));
        open.truncate(OPEN_MAX);
        Ok(file)
    }
}

// === impl FileEntry ===

impl FileEntry {
    fn is_sound_at(&self, number: u64) -> bool {
        let blamed = self.blamed.lock();
        self.numbers.contains(&number) && blamed.len() < BLAMED_MAX && !blamed.contains(&number)
    }
}

/// The archives that `path` means, by name.
fn archives(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if ArchiveFile::is_archive(&path) {
            paths.push(path);
        }
        if paths.len() > FILES_MAX {
            let reason = format!("more than {FILES_MAX} archives in one folder");
            return Err(io::Error::other(reason));
        }
    }
    paths.sort();
    Ok(paths)
}
