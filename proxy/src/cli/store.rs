//! `hypasis store …`: work on a store that no instance has open.

mod export;
mod import;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use hypasis_cache::{Kind, OpenError, Options, Store};
use hypasis_chain::ChainSpec;

use super::{Failure, Flags, logs, print};
use crate::app::offline;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print sizes and counts
    Stats(Flags),
    /// Print the intervals that are held, and the gaps between them
    Gaps(Flags),
    /// Re-check every hash, root and index entry; drop bad blocks, so that they are fetched again, and mend
    /// the indexes
    Verify(Verify),
    /// Verify archives (era1, ere, plain RLP chain files) and store their blocks
    Import(Import),
    /// Write held blocks as archives
    Export(Export),
    /// Drop history below a height and give its space back
    Prune(Prune),
}

#[derive(Args, Debug)]
pub(super) struct Verify {
    #[command(flatten)]
    flags: Flags,
    /// First height
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Last height
    #[arg(long, default_value_t = u64::MAX)]
    to: u64,
    /// Report only, change nothing
    #[arg(long)]
    keep: bool,
}

#[derive(Args, Debug)]
pub(super) struct Import {
    #[command(flatten)]
    flags: Flags,
    /// Archives, in any order
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Export {
    #[command(flatten)]
    flags: Flags,
    /// First height
    #[arg(long)]
    from: u64,
    /// Last height
    #[arg(long)]
    to: u64,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Form of the files
    #[arg(long, value_enum, default_value_t = Format::Ere)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// 8,192 blocks a file, receipts included
    Ere,
    /// One chain file without receipts
    Rlp,
}

#[derive(Args, Debug)]
pub(super) struct Prune {
    #[command(flatten)]
    flags: Flags,
    /// Lowest height to keep
    #[arg(long, value_name = "NUMBER")]
    below: u64,
}

pub(super) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Stats(flags) => stats(&open(&flags)?.0),
        Command::Gaps(flags) => gaps(&open(&flags)?.0),
        Command::Verify(verify) => verify.run(),
        Command::Import(import) => {
            let (store, spec) = open(&import.flags)?;
            let summary = import::import(&store, &spec, &import.files);
            finish(&store, summary)
        }
        Command::Export(export) => {
            let (store, _) = open(&export.flags)?;
            let summary = export::export(&store, export.from..=export.to, &export.out, export.format);
            finish(&store, summary)
        }
        Command::Prune(prune) => {
            let (store, _) = open(&prune.flags)?;
            let pruned =
                store.prune_below(prune.below).and_then(|count| store.compact_indexes().map(|()| count));
            let pruned = pruned.map_err(anyhow::Error::from);
            finish(
                &store,
                pruned.map(|count| format!("{count} heights went; nothing below {} is held\n", prune.below)),
            )
        }
    }
}

/// Opens the configured store; its chain must be named, as no node is asked.
fn open(flags: &Flags) -> Result<(Store, ChainSpec), Failure> {
    open_with(flags, Store::open)
}

fn open_with(
    flags: &Flags,
    open: impl FnOnce(&Options) -> Result<Store, OpenError>,
) -> Result<(Store, ChainSpec), Failure> {
    let config = flags.config()?;
    let _ = logs::start(&config.log)?;
    Ok(offline(&config, open)?)
}

/// Closes the store whatever happened, then tells the outcome.
fn finish(store: &Store, summary: Result<String, anyhow::Error>) -> Result<(), Failure> {
    let closed = store.close().context("closing the store");
    let summary = summary?;
    closed?;
    print(summary.as_bytes())
}

fn stats(store: &Store) -> Result<(), Failure> {
    let stats = store.stats();
    let mut page = String::new();
    let _ = writeln!(page, "history     {} blocks", stats.history_blocks);
    let _ = writeln!(page, "tip         {} blocks", stats.tip_blocks);
    let _ = writeln!(page, "disk        {} bytes, {} free", stats.disk_bytes, stats.free_bytes);
    for (family, bytes) in &stats.families {
        let _ = writeln!(page, "  {family:<16} {bytes} bytes");
    }
    if let Some(reason) = store.read_only() {
        let _ = writeln!(page, "STOPPED     {reason}");
    }
    print(page.as_bytes())
}

fn gaps(store: &Store) -> Result<(), Failure> {
    let view = store.view();
    let mut page = String::new();
    let kinds = [("headers", Kind::Header), ("bodies", Kind::Body), ("receipts", Kind::Receipts)];
    for (name, kind) in kinds.into_iter().chain(store.keeps_extra().then_some(("extra", Kind::Extra))) {
        let held = view.ranges(kind);
        for range in held.iter() {
            let _ = writeln!(page, "{name:<9} held    {}..={}", range.start(), range.end());
        }
        let Some(last) = held.iter().next_back() else { continue };
        for gap in held.gaps(0..=*last.end()) {
            let _ = writeln!(page, "{name:<9} missing {}..={}", gap.start(), gap.end());
        }
    }
    print(page.as_bytes())
}

// === impl Verify ===

impl Verify {
    /// Fails if anything was bad, whether or not it was mended.
    fn run(&self) -> Result<(), Failure> {
        let (mut store, _) = open_with(&self.flags, Store::open_to_verify)?;
        let mut bad = Vec::new();
        let outcome = self.check(&mut store, &mut bad);
        if bad.is_empty() {
            return finish(&store, outcome);
        }
        // What was found is worth telling also if it could not be mended.
        let done = if self.keep || outcome.is_err() { "found" } else { "found, and dropped or mended" };
        print(format!("{done}:\n{}\n", bad.join("\n")).as_bytes())?;
        finish(&store, outcome.map(|_| String::new()))?;
        Err(Failure::Negative)
    }

    fn check(&self, store: &mut Store, bad: &mut Vec<String>) -> Result<String, anyhow::Error> {
        let findings = store.verify(self.from..=self.to, !self.keep, &mut |range, what| {
            bad.push(format!("{}..={}: {what}", range.start(), range.end()));
        })?;
        if !self.keep && !findings.lost.is_empty() {
            store.renew(&findings.lost)?;
            bad.extend(findings.lost.iter().map(|family| format!("{} is made anew", family.name())));
        }
        Ok(format!("{} blocks are sound\n", findings.checked))
    }
}
