//! The command line: flags become overrides of the configuration, errors become exit codes.
//!
//! Exit codes: 0 success, 1 failure, 64 usage, 78 configuration (as in sysexits). stdout is for results, stderr
//! for logs and errors.

mod checkpoint;
mod config;
mod descriptors;
mod key;
mod logs;
mod reload;
mod run;
mod status;
mod store;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config::{Config, ConfigError, load};

const USAGE: u8 = 64;
const CONFIGURATION: u8 = 78;

/// A transparent JSON-RPC and devp2p proxy that owns the chain's history
#[derive(Debug, Parser)]
#[command(name = "hypasis", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the appliance
    Run(Flags),
    /// Check, show or explain the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Show a running instance
    Status(status::Flags),
    /// Exit with 0 if a running instance is healthy
    Health(status::Admin),
    /// Work on a store that no instance has open
    #[command(subcommand)]
    Store(store::Command),
    /// Checkpoint files, and the checkpoint of a running instance
    #[command(subcommand)]
    Checkpoint(checkpoint::Command),
    /// The node key: who this node is to its devp2p peers
    #[command(subcommand)]
    Key(key::Command),
    /// Print a completion script for a shell
    Completion {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Print the version
    Version,
}

/// Settings that most commands take; each overrides the configuration file.
#[derive(Args, Clone, Debug, Default)]
struct Flags {
    /// Configuration file (TOML); `conf.d/*.toml` beside it is read too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Chain: ethereum, sepolia, polygon, amoy, dev, or a genesis.json
    #[arg(long)]
    chain: Option<String>,
    /// Where blocks and answers come from: a node's URL, a peer's enode://, a folder of archives, or dev:
    /// (repeatable)
    #[arg(long, value_name = "URL")]
    upstream: Vec<String>,
    /// Folder of the store
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address of the RPC port
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Address of the devp2p port, TCP and UDP
    #[arg(long, value_name = "ADDR")]
    p2p: Option<String>,
    /// Address of the admin port
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// Trusted block: static:NUMBER:HASH, upstream, signed:FILE or ethereum-l1
    #[arg(long, value_name = "SPEC")]
    checkpoint: Option<String>,
}

/// Parses the process's arguments and runs the command.
pub fn main() -> ExitCode {
    run_with(std::env::args_os())
}

fn run_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; both print themselves. A broken pipe is no failure.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = match cli.command {
        Command::Run(flags) => run::run(&flags),
        Command::Config(command) => config::run(command),
        Command::Status(flags) => status::status(&flags),
        Command::Health(admin) => status::health(&admin),
        Command::Store(command) => store::run(command),
        Command::Checkpoint(command) => checkpoint::run(command),
        Command::Key(command) => key::run(command),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "hypasis", &mut script);
            print(&script)
        }
        Command::Man => manual(),
        Command::Version => print(format!("hypasis {}\n", env!("CARGO_PKG_VERSION")).as_bytes()),
    };
    outcome.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

// === impl Flags ===

impl Flags {
    /// The configuration with these flags on top.
    fn config(&self) -> Result<Config, Failure> {
        Ok(load(self.config.as_deref(), self.overrides()?, std::env::vars())?)
    }

    fn overrides(&self) -> Result<toml::Table, Failure> {
        let mut table = toml::Table::new();
        if let Some(chain) = &self.chain {
            set(&mut table, "chain", "name", chain.as_str());
        }
        if let Some(dir) = &self.data_dir {
            set(&mut table, "store", "data_dir", dir.to_string_lossy().as_ref());
        }
        if let Some(address) = &self.http {
            set(&mut table, "rpc", "listen", address.as_str());
        }
        if let Some(address) = &self.p2p {
            set(&mut table, "p2p", "listen", address.as_str());
        }
        if let Some(address) = &self.admin {
            set(&mut table, "admin", "listen", address.as_str());
        }
        if !self.upstream.is_empty() {
            let upstreams = self.upstream.iter().map(|url| {
                toml::Value::Table(toml::Table::from_iter([("url".to_owned(), url.as_str().into())]))
            });
            table.insert("upstream".into(), toml::Value::Array(upstreams.collect()));
        }
        if let Some(spec) = &self.checkpoint {
            trusted(&mut table, spec)?;
        }
        Ok(table)
    }
}

/// A checkpoint SPEC as overrides of `[checkpoint]`; what a source needs beside stands in the configuration.
fn trusted(table: &mut toml::Table, spec: &str) -> Result<(), Failure> {
    let (source, rest) = spec.split_once(':').map_or((spec, None), |(source, rest)| (source, Some(rest)));
    let by_name = |rest: &str| {
        let (number, hash) = rest.split_once(':')?;
        Some((number.parse::<i64>().ok()?, hash.to_owned()))
    };
    match (source, rest, rest.and_then(by_name)) {
        ("static", _, Some((number, hash))) => {
            set(table, "checkpoint", "number", number);
            set(table, "checkpoint", "hash", hash);
        }
        ("signed", Some(file), _) if !file.is_empty() => set(table, "checkpoint", "file", file),
        ("upstream" | "ethereum-l1", None, _) => {}
        _ => {
            return Err(Failure::Usage(format!(
                "--checkpoint {spec}: expected static:NUMBER:HASH, upstream, signed:FILE or ethereum-l1"
            )));
        }
    }
    set(table, "checkpoint", "source", source);
    Ok(())
}

fn set(table: &mut toml::Table, section: &str, key: &str, value: impl Into<toml::Value>) {
    let section = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let Some(section) = section.as_table_mut() {
        section.insert(key.to_owned(), value.into());
    }
}

/// Why a command failed: decides the exit code.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The command line is at fault.
    #[error("{0}")]
    Usage(String),
    /// The configuration is at fault.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The command ran and failed.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
    /// The answer of the command is no, without more to say.
    #[error("")]
    Negative,
}

// === impl Failure ===

impl Failure {
    fn report(self) -> ExitCode {
        let (code, text) = match &self {
            Self::Usage(text) => (USAGE, text.clone()),
            Self::Config(error) => (CONFIGURATION, error.to_string()),
            Self::Failed(error) => (1, format!("{error:#}")),
            Self::Negative => return ExitCode::FAILURE,
        };
        let _ = writeln!(std::io::stderr(), "hypasis: {text}");
        ExitCode::from(code)
    }
}

/// Writes a result to stdout; a reader that went away is no failure.
fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::from(error).into())
        }
        _ => Ok(()),
    }
}

/// The manual page: the program, then each command.
fn manual() -> Result<(), Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(anyhow::Error::from)?;
    print(&page)
}
