//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;

use super::Origin;

/// Exit code of configuration errors (`EX_CONFIG` of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// The operator is at fault; the same configuration fails again. Printed with [`EXIT_CONFIG`] as the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where the value was written, where that is known.
    pub origin: Option<Origin>,
    /// What is wrong.
    pub problem: String,
    /// The way out.
    pub help: Option<String>,
}

// === impl ConfigError ===

impl ConfigError {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { origin: None, problem: problem.into(), help: None }
    }

    pub(super) fn at(origin: Origin, problem: impl Into<String>) -> Self {
        Self { origin: Some(origin), problem: problem.into(), help: None }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        f.write_str(&self.problem)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}
