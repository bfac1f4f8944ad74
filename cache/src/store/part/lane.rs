//! Value rows on their way into SST files, a thread for each family.
//!
//! Compression is most of the work, so families run beside each other; rows travel in batches, and a full queue
//! holds the caller back.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use rocksdb::{Options, SstFileWriter};

use crate::store::families::{Family, Shared};

/// Rows of a batch at most.
const BATCH_ROWS: usize = 256;
/// Bytes of a batch after which it is sent.
const BATCH_BYTES: usize = 1 << 20;
/// Batches that wait in a queue at most.
const BATCHES_WAITING: usize = 2;

/// The value families of one part, in the order in which they are taken in.
pub(super) struct Lanes {
    shared: Shared,
    folder: PathBuf,
    lanes: Vec<Lane>,
}

/// One family's thread, and the rows that were not sent to it yet.
struct Lane {
    family: Family,
    rows: Vec<Row>,
    bytes: usize,
    queue: SyncSender<Message>,
    thread: JoinHandle<Result<Vec<PathBuf>, rocksdb::Error>>,
}

/// A row on its way.
pub(super) struct Row {
    pub(super) number: u64,
    /// First of the heights without a hole that the row belongs to, where not each of them has a row; else each hole
    /// ends a file.
    pub(super) run: Option<u64>,
    pub(super) value: Bytes,
}

enum Message {
    Rows(Vec<Row>),
    /// Complete the files. Without it, a closed queue means that the part was given up.
    Finish,
}

// === impl Lanes ===

impl Lanes {
    pub(super) fn new(shared: Shared, folder: PathBuf) -> Self {
        Self { shared, folder, lanes: Vec::new() }
    }

    /// Appends a row; heights ascend within a family.
    pub(super) fn push(&mut self, family: Family, row: Row) -> Result<(), String> {
        let place = match self.lanes.iter().position(|lane| lane.family == family) {
            Some(place) => place,
            None => {
                self.lanes.push(Lane::start(family, &self.shared, &self.folder)?);
                self.lanes.len() - 1
            }
        };
        let Some(lane) = self.lanes.get_mut(place) else { return Err("no such lane".to_owned()) };
        lane.bytes += row.value.len();
        lane.rows.push(row);
        if lane.rows.len() < BATCH_ROWS && lane.bytes < BATCH_BYTES {
            return Ok(());
        }
        if lane.send() { Ok(()) } else { Err(self.failure()) }
    }

    /// Completes and syncs all files.
    pub(super) fn finish(&mut self) -> Result<Vec<(Family, Vec<PathBuf>)>, String> {
        for lane in &mut self.lanes {
            // A thread that is gone tells why when it is joined.
            let _ = lane.send() && lane.queue.send(Message::Finish).is_ok();
        }
        let mut lanes = std::mem::take(&mut self.lanes);
        lanes.sort_by_key(|lane| lane.family);
        let files = lanes.into_iter().map(|lane| (lane.family, lane.join()));
        files.map(|(family, files)| Ok((family, files?))).collect()
    }

    /// Gives up: the threads end without completing a file.
    pub(super) fn abandon(&mut self) {
        for lane in std::mem::take(&mut self.lanes) {
            let _ = lane.join();
        }
    }

    fn failure(&mut self) -> String {
        let joined = std::mem::take(&mut self.lanes).into_iter().map(Lane::join);
        let error = joined.filter_map(Result::err).next();
        error.unwrap_or_else(|| "a file could not be written".to_owned())
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lanes.iter().map(|lane| lane.family)).finish()
    }
}

// === impl Lane ===

impl Lane {
    fn start(family: Family, shared: &Shared, folder: &Path) -> Result<Self, String> {
        let (queue, rows) = sync_channel(BATCHES_WAITING);
        let options = family.options(shared);
        let folder = folder.to_path_buf();
        let name = format!("sst-{}", family.name());
        let thread = thread::Builder::new().name(name).spawn(move || build(&options, family, &folder, &rows));
        let thread = thread.map_err(|error| error.to_string())?;
        Ok(Self { family, rows: Vec::with_capacity(BATCH_ROWS), bytes: 0, queue, thread })
    }

    fn send(&mut self) -> bool {
        self.bytes = 0;
        let rows = std::mem::replace(&mut self.rows, Vec::with_capacity(BATCH_ROWS));
        self.queue.send(Message::Rows(rows)).is_ok()
    }

    fn join(self) -> Result<Vec<PathBuf>, String> {
        drop(self.queue);
        match self.thread.join() {
            Ok(files) => files.map_err(String::from),
            Err(_) => Err("a writing thread died".to_owned()),
        }
    }
}

/// Writes rows into a file for each unbroken run of heights, so that no file spans what another one holds.
fn build(
    options: &Options,
    family: Family,
    folder: &Path,
    queue: &Receiver<Message>,
) -> Result<Vec<PathBuf>, rocksdb::Error> {
    let mut files = Vec::new();
    let mut open: Option<(SstFileWriter<'_>, u64, Option<u64>)> = None;
    while let Ok(message) = queue.recv() {
        let Message::Rows(rows) = message else {
            if let Some((mut file, ..)) = open {
                file.finish()?;
            }
            return Ok(files);
        };
        for Row { number, run, value } in rows {
            let ends =
                |next: u64, last: Option<u64>| if run.is_some() { last != run } else { next != number };
            if let Some((mut file, ..)) = open.take_if(|(_, next, last)| ends(*next, *last)) {
                file.finish()?;
            }
            let (file, next, _) = match &mut open {
                Some(open) => open,
                None => {
                    let path = folder.join(format!("{}-{number}.sst", family.name()));
                    let file = SstFileWriter::create(options);
                    file.open(&path)?;
                    files.push(path);
                    open.insert((file, number, run))
                }
            };
            file.put(number.to_be_bytes(), &value)?;
            *next = number.saturating_add(1);
        }
    }
    Ok(Vec::new())
}
