//! SIGHUP: the configuration is read again. What can change at run time does; the rest is named.

use serde_json::Value;

use super::logs::Level;
use super::{Failure, Flags};
use crate::config::Config;

/// The only key that changes at run time so far.
const AT_RUN_TIME: &str = "log.level";

/// The running configuration and what it takes to change it.
pub(super) struct Reload {
    flags: Flags,
    level: Level,
    running: Config,
}

// === impl Reload ===

impl Reload {
    pub(super) fn new(flags: Flags, level: Level, running: Config) -> Self {
        Self { flags, level, running }
    }

    /// Reads all layers again. A configuration that is wrong changes nothing.
    pub(super) fn now(&mut self) {
        match self.read() {
            Ok(waiting) if waiting.is_empty() => tracing::info!("The configuration was read again."),
            Ok(waiting) => tracing::warn!(
                keys = waiting.join(", "),
                "The configuration was read again; these keys take effect after a restart."
            ),
            Err(error) => {
                tracing::error!(%error, "The configuration was not taken; the one from before stays.");
            }
        }
    }

    /// Takes what can change; returns the keys that differ and cannot.
    fn read(&mut self) -> Result<Vec<String>, Failure> {
        let read = self.flags.config()?;
        if read.log.level != self.running.log.level {
            self.level.set(&read.log)?;
            self.running.log.level.clone_from(&read.log.level);
        }
        let json = |config: &Config| serde_json::to_value(config).unwrap_or_default();
        let mut keys = Vec::new();
        differing(&json(&self.running), &json(&read), "", &mut keys);
        keys.retain(|key| key != AT_RUN_TIME);
        Ok(keys)
    }
}

/// Names of keys whose values differ, never the values: they may be secrets. Lists differ as a whole.
fn differing(old: &Value, new: &Value, path: &str, keys: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let value = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or_default();
                differing(&value(old), &value(new), &path, keys);
            }
        }
        _ if old == new => {}
        _ => keys.push(path.to_owned()),
    }
}
