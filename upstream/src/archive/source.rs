//! A folder of archives as a [`Source`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::B256;
use async_trait::async_trait;
use bytes::Bytes;
use hypasis_chain::Fault;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::{ArchiveError, Folder};
use crate::source::{Fetched, Heads, Source, SourceError, Wanted};

/// Most headers of one answer.
const HEADERS_MAX: u64 = 8_192;

/// An answer of blocks ends with the one that reaches this.
const ANSWER_BYTES: usize = 32 << 20;

/// Reads at once: beyond a few, a disk only seeks more.
const PARALLEL: usize = 4;

/// Assumed until something was read: 100 MB/s.
const SPEED_AT_START: u64 = 100_000_000;

/// A source whose blocks lie in files. It never changes while it is open; all reads run on blocking threads.
#[derive(Clone, Debug)]
pub struct ArchiveSource {
    id: Arc<str>,
    folder: Arc<Folder>,
    heads: watch::Sender<Heads>,
    speed: Arc<AtomicU64>,
}

// === impl ArchiveSource ===

impl ArchiveSource {
    /// Opens a folder or a file. What cannot be read is logged by name and left out.
    ///
    /// The head is the highest block of any file, whether or not there are gaps below it. Finalized is the highest
    /// of era1 and ere files, which only finalized blocks come into; a plain chain file does not say.
    pub async fn open(id: Arc<str>, path: PathBuf) -> Result<Self, ArchiveError> {
        let whole: Arc<Path> = path.into();
        let opened = spawn_blocking({
            let whole = whole.clone();
            move || {
                let folder = Folder::open(&whole)?;
                let (latest, finalized) = (folder.latest(), folder.latest_final());
                let heads = Heads {
                    latest,
                    finalized,
                    earliest: folder.earliest().unwrap_or_default(),
                    ..Heads::default()
                };
                Ok((folder, heads))
            }
        });
        let (folder, heads) = opened.await.map_err(|error| ArchiveError::io(&whole, error.into()))??;
        for fault in folder.faults() {
            tracing::warn!(upstream = %id, %fault, "An archive is damaged and is left out from there on.");
        }
        if heads.latest.is_none() {
            tracing::warn!(upstream = %id, folder = %whole.display(), "No archive was found.");
        }
        let speed = Arc::new(AtomicU64::new(SPEED_AT_START));
        Ok(Self { id, folder: Arc::new(folder), heads: watch::Sender::new(heads), speed })
    }

    /// The files behind.
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Folder) -> Result<(T, usize), ArchiveError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let (folder, started) = (self.folder.clone(), Instant::now());
        let read = spawn_blocking(move || read(&folder)).await;
        let (found, bytes) = read
            .map_err(|error| SourceError::Unavailable { id: self.id.clone(), reason: error.to_string() })?
            .map_err(|error| self.fault(&error))?;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        let speed = (bytes as u64).saturating_mul(1_000_000) / micros;
        // An eighth of the new figure and seven of the old: one slow seek does not condemn a disk.
        let _ = self.speed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
            Some((old / 8).saturating_mul(7).saturating_add(speed / 8).max(1))
        });
        Ok(found)
    }

    fn fault(&self, error: &ArchiveError) -> SourceError {
        let (id, reason) = (self.id.clone(), error.to_string());
        match error {
            ArchiveError::Absent { .. } => SourceError::Absent(id),
            ArchiveError::Io { .. } => SourceError::Unavailable { id, reason },
            ArchiveError::Corrupt { .. } | ArchiveError::Unfit { .. } => {
                SourceError::Misbehaved { id, reason }
            }
        }
    }
}

#[async_trait]
impl Source for ArchiveSource {
    fn id(&self) -> &Arc<str> {
        &self.id
    }

    fn heads(&self) -> watch::Receiver<Heads> {
        self.heads.subscribe()
    }

    fn follows_head(&self) -> bool {
        false
    }

    fn parallel(&self) -> usize {
        PARALLEL
    }

    fn score(&self) -> u64 {
        if self.heads.borrow().latest.is_some() { self.speed.load(Ordering::Relaxed) } else { 0 }
    }

    async fn headers(&self, from: u64, count: u64) -> Result<Vec<Bytes>, SourceError> {
        let headers = self.read(move |folder| read_headers(folder, from, count.min(HEADERS_MAX))).await?;
        if headers.is_empty() && count > 0 { Err(SourceError::Absent(self.id.clone())) } else { Ok(headers) }
    }

    async fn blocks(&self, wanted: &[Wanted], receipts: bool) -> Result<Vec<Fetched>, SourceError> {
        let (asked, wanted) = (wanted.len(), wanted.to_vec());
        let blocks = self.read(move |folder| read_blocks(folder, &wanted, receipts)).await?;
        if blocks.is_empty() && asked > 0 { Err(SourceError::Absent(self.id.clone())) } else { Ok(blocks) }
    }

    /// Archives have no index by hash.
    async fn block_by_hash(&self, _hash: B256) -> Result<Option<Fetched>, SourceError> {
        Ok(None)
    }

    fn blame(&self, number: u64, fault: &Fault) {
        let file = self.folder.blame(number).map(|path| path.display().to_string()).unwrap_or_default();
        tracing::warn!(upstream = %self.id, number, file, %fault, "An archive holds a wrong block, which is left out.");
    }
}

/// Headers up to the first height that is missing or damaged; an error only if that is the very first.
fn read_headers(folder: &Folder, from: u64, count: u64) -> Result<(Vec<Bytes>, usize), ArchiveError> {
    let (mut headers, mut bytes) = (Vec::new(), 0_usize);
    for number in from..from.saturating_add(count) {
        match folder.header(number) {
            Ok(Some(header)) => {
                bytes = bytes.saturating_add(header.len());
                headers.push(header);
            }
            Ok(None) => break,
            Err(error) if headers.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok((headers, bytes))
}

/// Blocks up to the first that is missing or damaged, or to [`ANSWER_BYTES`]; an error only if that is the first.
fn read_blocks(
    folder: &Folder,
    wanted: &[Wanted],
    receipts: bool,
) -> Result<(Vec<Fetched>, usize), ArchiveError> {
    let (mut blocks, mut bytes) = (Vec::new(), 0_usize);
    for id in wanted {
        match folder.block(id.number, &id.hash, receipts) {
            Ok(Some(block)) => {
                let len = block.body.len().saturating_add(block.receipts.as_ref().map_or(0, Bytes::len));
                bytes = bytes.saturating_add(len).saturating_add(block.header.len());
                blocks.push(block);
            }
            Ok(None) => break,
            Err(error) if blocks.is_empty() => return Err(error),
            Err(_) => break,
        }
        if bytes >= ANSWER_BYTES {
            break;
        }
    }
    Ok((blocks, bytes))
}
