//! Logs go to stderr, as text for people or JSON for machines. Their level can change at run time.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::config::{LogConfig, LogFormat};

/// Changes the level of the logs.
pub(super) struct Level(Box<dyn Fn(EnvFilter) -> bool + Send + Sync>);

// === impl Level ===

impl Level {
    /// Takes another filter from now on.
    pub(super) fn set(&self, config: &LogConfig) -> Result<(), Failure> {
        let changed = (self.0)(filter(config)?);
        if changed { Ok(()) } else { Err(anyhow::anyhow!("the log level cannot be changed").into()) }
    }
}

/// Starts logging; colours only on a terminal and never with `NO_COLOR`.
pub(super) fn start(config: &LogConfig) -> Result<Level, Failure> {
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter(config)?)
        .with_writer(std::io::stderr)
        // It would tell on stderr that stderr is gone, and panic.
        .log_internal_errors(false)
        .with_ansi(colours);
    let (level, started) = match config.format {
        LogFormat::Text => {
            let logs = logs.with_target(false).with_filter_reloading();
            let handle = logs.reload_handle();
            (Level(Box::new(move |filter| handle.reload(filter).is_ok())), logs.try_init())
        }
        LogFormat::Json => {
            let logs = logs.json().with_filter_reloading();
            let handle = logs.reload_handle();
            (Level(Box::new(move |filter| handle.reload(filter).is_ok())), logs.try_init())
        }
    };
    started.map_err(|error| anyhow::anyhow!("logging does not start: {error}"))?;
    Ok(level)
}

fn filter(config: &LogConfig) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(&config.level)
        .map_err(|error| anyhow::anyhow!("log.level `{}` is no filter: {error}", config.level).into())
}
