//! `hypasis key show|new|rotate`: the node key.

use clap::Subcommand;

use super::{Failure, Flags, logs, print};
use crate::config::Config;
use crate::p2p::key::{KeyError, KeyFile, NodeKey, announced_ip};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the node's enode:// and enr:, a line each
    Show(Flags),
    /// Make a node key where there is none, and print as `show` does
    New(Flags),
    /// Replace the node key, keep the old one beside it under a dated name, and print as `show` does
    Rotate(Flags),
}

pub(super) fn run(command: Command) -> Result<(), Failure> {
    let (Command::Show(flags) | Command::New(flags) | Command::Rotate(flags)) = &command;
    let config = flags.config()?;
    let _ = logs::start(&config.log)?;
    let file = KeyFile::of(&config);
    let key = match command {
        Command::Show(_) => file.load(),
        Command::New(_) => file.make(),
        Command::Rotate(_) => file.rotate().map(|(key, old)| {
            tracing::info!(old = %old.display(), "The node key is new; a running instance takes it at its next start.");
            key
        }),
    };
    let lines = key.and_then(|key| lines(&key, &config)).map_err(anyhow::Error::from)?;
    print(lines.as_bytes())
}

/// The record of a running node may be newer: its port if that was 0, its address as peers see it, its fork id.
fn lines(key: &NodeKey, config: &Config) -> Result<String, KeyError> {
    let (ip, port) = (announced_ip(&config.p2p), config.p2p.listen.port());
    Ok(format!("{}\n{}\n", key.enode(ip, port, port), key.record(ip, port, port)?))
}
