//! Which keys there are: asked of the schema, so that the answer cannot differ from the types.

use schemars::Schema;
use serde_json::{Map, Value};

use super::layer::{Kind, Node};
use super::{Config, ConfigError};

/// Keys that the documentation names and this version does not have yet.
const PLANNED: [&str; 8] =
    ["auth", "tls", "limits", "cluster", "snapshot", "guard", "telemetry", "checkpoint.beacon_urls"];

/// Values that the documentation names and this version does not have yet.
const PLANNED_VALUES: [(&str, &[&str]); 1] = [("checkpoint.source", &["beacon"])];

/// A suggestion differs from the key in at most so many letters.
const DISTANCE_MAX: usize = 2;

/// The schema of [`Config`], walked by key.
#[derive(Debug)]
pub(super) struct Known {
    root: Value,
}

// === impl Known ===

impl Known {
    pub(super) fn new() -> Self {
        Self { root: schema().into() }
    }

    /// Finds the first key that no setting has.
    pub(super) fn check(&self, node: &Node) -> Result<(), ConfigError> {
        self.walk(node, &self.root, "")
    }

    /// The keys of the table at `schema`, if it is one with fixed keys.
    pub(super) fn properties<'a>(&'a self, schema: &'a Value) -> Option<&'a Map<String, Value>> {
        self.resolve(schema).get("properties")?.as_object()
    }

    /// The schema of the whole.
    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// Follows references, and the one alternative beside `null` of an optional value.
    pub(super) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(name) = self.name_of(schema) {
            return self.root.get("$defs").and_then(|defs| defs.get(name)).unwrap_or(schema);
        }
        let alternatives = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        let mut real = alternatives.filter(|one| one.get("type").and_then(Value::as_str) != Some("null"));
        real.next().map_or(schema, |one| self.resolve(one))
    }

    /// The name of the type that a schema refers to.
    pub(super) fn name_of<'a>(&self, schema: &'a Value) -> Option<&'a str> {
        schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
    }

    fn walk(&self, node: &Node, schema: &Value, path: &str) -> Result<(), ConfigError> {
        match &node.kind {
            Kind::Table(table) => {
                let Some(properties) = self.properties(schema) else { return Ok(()) };
                for (key, inner) in table {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    let Some(schema) = properties.get(key) else {
                        return Err(unknown(inner, key, &path, properties));
                    };
                    self.walk(inner, schema, &path)?;
                }
                Ok(())
            }
            Kind::Array(nodes) => {
                let Some(items) = self.resolve(schema).get("items") else { return Ok(()) };
                nodes.iter().try_for_each(|inner| self.walk(inner, items, path))
            }
            Kind::Leaf(value) => {
                let planned =
                    PLANNED_VALUES.iter().filter(|(key, _)| *key == path).flat_map(|(_, values)| *values);
                let planned = planned.copied().find(|planned| value.as_str() == Some(planned));
                planned.map_or(Ok(()), |value| {
                    let problem = format!("`{path} = \"{value}\"` is not built yet");
                    Err(ConfigError::at(node.origin.clone(), problem).help("a later version has it"))
                })
            }
        }
    }
}

/// JSON Schema of the configuration.
pub(super) fn schema() -> Schema {
    schemars::schema_for!(Config)
}

/// The one of `names` that is nearest to `word`, if any is near.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| *distance <= DISTANCE_MAX.min(name.len().div_ceil(2)))
        .min()
        .map(|(_, name)| name)
}

fn unknown(node: &Node, key: &str, path: &str, properties: &Map<String, Value>) -> ConfigError {
    let at = node.origin.clone();
    if PLANNED.contains(&path) {
        return ConfigError::at(at, format!("`{path}` is not built yet"))
            .help("remove it; a later version has it");
    }
    let error = ConfigError::at(at, format!("there is no setting `{path}`"));
    match nearest(key, properties.keys().map(String::as_str)) {
        Some(name) => error.help(format!("did you mean `{name}`?")),
        None => {
            let names: Vec<_> = properties.keys().map(|name| format!("`{name}`")).collect();
            error.help(format!("there are {}", names.join(", ")))
        }
    }
}

/// Levenshtein distance in bytes; keys are ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, left) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), line + 1);
        let mut before = line + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = diagonal + usize::from(left != right);
            diagonal = *cell;
            *cell = changed.min(before + 1).min(diagonal + 1);
            before = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}
