//! Archives into the store.
//!
//! The operator names the files, so their last block is the checkpoint of what they hold, as far as their links
//! hold from end to end, they fit what the store has above and below, and a block 0 among them is the chain's own.
//! The links of a whole file are checked before its first block is written.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use hypasis_cache::store::{SECTION, Verified};
use hypasis_cache::{Kind, Store, Trust};
use hypasis_chain::{BlockId, ChainSpec, Header, Level, verify};
use hypasis_upstream::archive::ArchiveFile;

/// Imports the files in ascending order; returns a summary for the operator.
pub(super) fn import(store: &Store, spec: &ChainSpec, files: &[PathBuf]) -> Result<String> {
    let mut archives = Vec::with_capacity(files.len());
    for path in files {
        archives.push(ArchiveFile::open(path)?);
    }
    archives.sort_by_key(|archive| archive.numbers().start);
    let mut summary = String::new();
    for mut archive in archives {
        let name = name(archive.path());
        if let Some(fault) = archive.take_fault() {
            return Err(fault).with_context(|| name.clone());
        }
        let written = import_file(store, spec, &archive).with_context(|| name.clone())?;
        summary.push_str(&format!("{name}: {written} blocks stored\n"));
    }
    Ok(summary)
}

fn import_file(store: &Store, spec: &ChainSpec, archive: &ArchiveFile) -> Result<u64> {
    let numbers = archive.numbers();
    ensure!(!numbers.is_empty(), "the file holds no blocks");
    let (first, last) = (numbers.start, numbers.end - 1);
    let ids = linked(store, spec, archive)?;
    let trust = Trust {
        level: if archive.has_receipts() { Level::Full } else { Level::Light },
        source: format!("import:{}", name(archive.path())),
        checkpoint: ids.last().copied(),
        verified_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()),
    };
    let mut written = 0;
    for gap in store.view().ranges(Kind::Body).gaps(first..=last) {
        let mut from = *gap.start();
        while from <= *gap.end() {
            let to = (from | (SECTION - 1)).min(*gap.end());
            let offset = usize::try_from(from - first).unwrap_or(usize::MAX);
            write_part(store, spec, archive, ids.get(offset..).unwrap_or_default(), from..=to, &trust)?;
            written += to - from + 1;
            from = to + 1;
        }
    }
    Ok(written)
}

/// Checks the links of the whole file and to what the store holds around it.
fn linked(store: &Store, spec: &ChainSpec, archive: &ArchiveFile) -> Result<Vec<BlockId>> {
    let view = store.view();
    let mut ids: Vec<BlockId> = Vec::new();
    for number in archive.numbers() {
        let bytes = archive.header(number)?;
        let header = Header::parse(&bytes).with_context(|| format!("header {number}"))?;
        ensure!(header.number() == number, "block {number} calls itself {}", header.number());
        let parent = match ids.last() {
            Some(parent) => Some(parent.hash),
            None => number
                .checked_sub(1)
                .map(|below| view.by_number(below))
                .transpose()?
                .flatten()
                .map(|b| b.id.hash),
        };
        if let Some(parent) = parent {
            let found = header.parent_hash();
            ensure!(found == parent, "block {number} has the parent {found}, not {parent}");
        }
        ids.push(BlockId { number, hash: header.hash() });
    }
    if let (Some(first), Some(genesis)) = (ids.first(), spec.genesis_hash) {
        let other = first.number == 0 && first.hash != genesis;
        ensure!(!other, "block 0 is {}, not the genesis {genesis} of {}", first.hash, spec.name);
    }
    if let Some(last) = ids.last()
        && let Some(above) = view.by_number(last.number.saturating_add(1))?
        && let Some(bytes) = view.header(&above)?
    {
        let parent = Header::parse(&bytes)?.parent_hash();
        ensure!(parent == last.hash, "the store's block {} has the parent {parent}", above.id.number);
    }
    Ok(ids)
}

fn write_part(
    store: &Store,
    spec: &ChainSpec,
    archive: &ArchiveFile,
    ids: &[BlockId],
    range: std::ops::RangeInclusive<u64>,
    trust: &Trust,
) -> Result<()> {
    let receipts = archive.has_receipts();
    let mut kinds = vec![Kind::Header, Kind::Body, Kind::Index];
    if receipts {
        kinds.push(Kind::Receipts);
    }
    let mut part = store.begin_part(range.clone(), kinds)?;
    for (number, id) in range.zip(ids) {
        let block = archive.block(number, receipts)?;
        let checked = match verify::verify(trust.level, spec, &block, *id) {
            Ok(checked) => checked,
            Err(fault) => bail!("block {number}: {fault}"),
        };
        part.append(&Verified { block, transaction_hashes: checked.transaction_hashes, senders: None })?;
    }
    part.finish(trust)?;
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
