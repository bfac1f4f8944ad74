//! Held blocks as archives.

use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hypasis_cache::Store;
use hypasis_chain::Block;
use hypasis_upstream::archive::{self, Exporter};

use super::Format;

/// Writes `range` into `out`; every height must be held. Returns the files for the operator.
pub(super) fn export(
    store: &Store,
    range: RangeInclusive<u64>,
    out: &Path,
    format: Format,
) -> Result<String> {
    ensure!(range.start() <= range.end(), "--from {} lies above --to {}", range.start(), range.end());
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let (format, receipts) = match format {
        Format::Ere => (archive::Format::Ere, true),
        Format::Rlp => (archive::Format::Plain, false),
    };
    let mut exporter = Exporter::new(out, "hypasis", format);
    let view = store.view();
    for number in range {
        let held = view.by_number(number)?.with_context(|| format!("block {number} is not held"))?;
        let missing = |part: &str| format!("the {part} of block {number} are not held");
        let block = Block {
            id: held.id,
            header: view.header(&held)?.with_context(|| missing("headers"))?,
            body: view.body(&held)?.with_context(|| missing("transactions"))?,
            receipts: if receipts {
                Some(view.receipts(&held)?.with_context(|| missing("receipts"))?)
            } else {
                None
            },
            extra: None,
        };
        exporter.push(&block, None)?;
    }
    let files = exporter.finish()?;
    Ok(files.iter().map(|file| format!("{}\n", file.display())).collect())
}
