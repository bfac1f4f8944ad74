//! `hypasis config check|show|default|schema`.

use clap::{Args, Subcommand};

use super::{Failure, Flags, print};
use crate::config::{default_text, schema, show};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Validate the configuration
    Check(File),
    /// Print the effective values, secrets redacted
    Show(File),
    /// Print the commented defaults
    Default,
    /// Print the JSON Schema of the configuration
    Schema,
}

#[derive(Args, Debug)]
pub(super) struct File {
    #[command(flatten)]
    flags: Flags,
}

pub(super) fn run(command: Command) -> Result<(), Failure> {
    let text = match command {
        Command::Check(file) => {
            file.flags.config()?;
            "the configuration is valid\n".to_owned()
        }
        Command::Show(file) => show(&file.flags.config()?),
        Command::Default => default_text(),
        Command::Schema => schema(),
    };
    print(text.as_bytes())
}
