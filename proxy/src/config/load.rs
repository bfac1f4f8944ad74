//! Defaults, file, `conf.d`, environment and flags become one configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use toml::{Table, Value};

use super::known::Known;
use super::layer::{Lists, Node, Origin, Place};
use super::{Config, ConfigError, check};

/// Variables that begin so are settings, `__` between the keys: `HYPASIS__RPC__LISTEN`.
const ENV_PREFIX: &str = "HYPASIS__";

/// Largest configuration file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads every layer, checks each by itself and then the whole.
///
/// `path` is the file, which must be there; `overrides` are the flags, as the tables that a file would have;
/// `env` is the environment.
pub fn load(
    path: Option<&Path>,
    overrides: Table,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let known = Known::new();
    let mut whole = Node::uniform(&Origin::Flag, Value::Table(Table::new()));
    for path in path.map(files).transpose()?.unwrap_or_default() {
        whole.merge(read_file(&known, &path)?, Lists::MergeById);
    }
    let mut variables: Vec<_> = env.filter(|(name, _)| name.starts_with(ENV_PREFIX)).collect();
    variables.sort();
    for (name, text) in variables {
        whole.merge(read_variable(&known, &name, &text)?, Lists::Replace);
    }
    let flags = Node::uniform(&Origin::Flag, Value::Table(overrides));
    known.check(&flags)?;
    typed(&flags)?;
    whole.merge(flags, Lists::Replace);
    let mut config = typed(&whole)?;
    name_upstreams(&mut config);
    check::check(&config, &|path| whole.origin_of(path))?;
    Ok(config)
}

/// The file and what lies in `conf.d` beside it, in lexical order.
fn files(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files = vec![path.to_path_buf()];
    let dir = path.parent().unwrap_or(Path::new("")).join("conf.d");
    if dir.is_dir() {
        let entries = fs::read_dir(&dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|error| unreadable(&dir, &error))?;
        let paths = entries.into_iter().map(|entry| entry.path());
        let mut paths: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|ext| ext == "toml")).collect();
        paths.sort();
        files.extend(paths);
    }
    Ok(files)
}

fn read_file(known: &Known, path: &Path) -> Result<Node, ConfigError> {
    let size = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if size > FILE_BYTES_MAX {
        let problem = format!("{}: {size} bytes are more than {FILE_BYTES_MAX}", path.display());
        return Err(ConfigError::new(problem));
    }
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let path: Arc<Path> = path.into();
    let node = Node::parse(&path, &text)?;
    known.check(&node)?;
    // The text itself is read into the types, since that tells the place of a wrong value.
    toml::from_str::<Config>(&text).map_err(|error| {
        let place = Place { path: &path, text: &text };
        ConfigError::at(place.of(error.span().unwrap_or_default()), error.message())
    })?;
    Ok(node)
}

/// A variable's text is a TOML value where it reads as one that fits, and a plain string otherwise.
fn read_variable(known: &Known, name: &str, text: &str) -> Result<Node, ConfigError> {
    let origin = Origin::Env(name.into());
    let keys = name.strip_prefix(ENV_PREFIX).unwrap_or_default().to_ascii_lowercase();
    let keys: Vec<_> = keys.split("__").collect();
    let node = |value: Value| {
        let nested = keys
            .iter()
            .rev()
            .fold(value, |value, key| Value::Table(Table::from_iter([((*key).to_owned(), value)])));
        Node::uniform(&origin, nested)
    };
    let plain = node(Value::String(text.to_owned()));
    known.check(&plain)?;
    let value = toml::de::ValueDeserializer::parse(text).and_then(Value::deserialize);
    if let Some(parsed) = value.ok().map(node) {
        known.check(&parsed)?;
        if typed(&parsed).is_ok() {
            return Ok(parsed);
        }
    }
    typed(&plain).map_err(|error| ConfigError::at(origin.clone(), error.problem))?;
    Ok(plain)
}

fn typed(node: &Node) -> Result<Config, ConfigError> {
    Config::deserialize(node.to_value())
        .map_err(|error| ConfigError::at(node.origin.clone(), error.to_string().trim().replace('\n', " ")))
}

/// Upstreams without an id get one from their position, `upstream-1` being the first.
fn name_upstreams(config: &mut Config) {
    for (place, upstream) in config.upstream.iter_mut().enumerate() {
        if upstream.id.is_empty() {
            upstream.id = format!("upstream-{}", place + 1);
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::new(format!("{}: {error}", path.display())).help("check the path given with --config")
}
