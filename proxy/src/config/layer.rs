//! One layer of configuration (a file, the environment, the flags) as a tree that remembers whence each value came.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file: line and column count from 1.
    File {
        /// Path as it was given or found.
        path: Arc<Path>,
        /// Line.
        line: usize,
        /// Column, in characters.
        column: usize,
    },
    /// In an environment variable.
    Env(Arc<str>),
    /// On the command line.
    Flag,
}

/// A value with its origin.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Table(BTreeMap<String, Node>),
    Array(Vec<Node>),
    Leaf(Value),
}

/// How lists of a later layer meet those of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    /// They replace them: the environment and the flags.
    Replace,
    /// Entries with the same `id` are merged, others appended: `conf.d`, where each file may bring an upstream.
    MergeById,
}

// === impl Node ===

impl Node {
    /// Parses a file's text.
    pub(super) fn parse(path: &Arc<Path>, text: &str) -> Result<Self, ConfigError> {
        let place = Place { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            ConfigError::at(
                place.of(error.span().unwrap_or_default()),
                format!("no TOML: {}", error.message()),
            )
        })?;
        let values: toml::Table = toml::from_str(text).map_err(|error| {
            ConfigError::at(
                place.of(error.span().unwrap_or_default()),
                format!("no TOML: {}", error.message()),
            )
        })?;
        let origin = place.of(0..0);
        Ok(Self { origin, kind: Kind::Table(from_table(&place, table.get_ref(), values)) })
    }

    /// A value that all came from one place.
    pub(super) fn uniform(origin: &Origin, value: Value) -> Self {
        let kind = match value {
            Value::Table(table) => Kind::Table(
                table.into_iter().map(|(key, value)| (key, Self::uniform(origin, value))).collect(),
            ),
            Value::Array(values) => {
                Kind::Array(values.into_iter().map(|value| Self::uniform(origin, value)).collect())
            }
            value => Kind::Leaf(value),
        };
        Self { origin: origin.clone(), kind }
    }

    /// Lays a later layer over this one.
    pub(super) fn merge(&mut self, later: Self, lists: Lists) {
        match (&mut self.kind, later.kind) {
            (Kind::Table(table), Kind::Table(later)) => {
                for (key, node) in later {
                    match table.get_mut(&key) {
                        Some(known) => known.merge(node, lists),
                        None => drop(table.insert(key, node)),
                    }
                }
            }
            (Kind::Array(nodes), Kind::Array(later)) if lists == Lists::MergeById => {
                for node in later {
                    let id = node.id().map(str::to_owned);
                    match nodes.iter_mut().find(|known| id.is_some() && known.id() == id.as_deref()) {
                        Some(known) => known.merge(node, lists),
                        None => nodes.push(node),
                    }
                }
            }
            (_, kind) => *self = Self { origin: later.origin, kind },
        }
    }

    /// The bare values.
    pub(super) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Table(table) => {
                Value::Table(table.iter().map(|(key, node)| (key.clone(), node.to_value())).collect())
            }
            Kind::Array(nodes) => Value::Array(nodes.iter().map(Self::to_value).collect()),
            Kind::Leaf(value) => value.clone(),
        }
    }

    /// Where the value at a path like `upstream.0.url` was written, or the nearest table around it.
    pub(super) fn origin_of(&self, path: &str) -> Origin {
        let mut node = self;
        for key in path.split('.') {
            let inner = match &node.kind {
                Kind::Table(table) => table.get(key),
                Kind::Array(nodes) => key.parse().ok().and_then(|place: usize| nodes.get(place)),
                Kind::Leaf(_) => None,
            };
            match inner {
                Some(inner) => node = inner,
                None => break,
            }
        }
        node.origin.clone()
    }

    fn id(&self) -> Option<&str> {
        let Kind::Table(table) = &self.kind else { return None };
        match &table.get("id")?.kind {
            Kind::Leaf(Value::String(id)) => Some(id),
            _ => None,
        }
    }
}

// === impl Origin ===

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Flag => write!(f, "command line"),
        }
    }
}

/// Turns byte offsets of a text into origins.
pub(super) struct Place<'a> {
    pub(super) path: &'a Arc<Path>,
    pub(super) text: &'a str,
}

// === impl Place ===

impl Place<'_> {
    pub(super) fn of(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Origin::File { path: self.path.clone(), line, column }
    }
}

/// The spanned tree tells the places of keys, the plain one the values.
fn from_table(place: &Place<'_>, spans: &DeTable<'_>, mut values: toml::Table) -> BTreeMap<String, Node> {
    let mut nodes = BTreeMap::new();
    for (key, spanned) in spans {
        let name = key.get_ref().to_string();
        if let Some(value) = values.remove(&name) {
            nodes.insert(name, from_value(place, key.span(), spanned.get_ref(), value));
        }
    }
    nodes
}

fn from_value(place: &Place<'_>, span: Range<usize>, spans: &DeValue<'_>, value: Value) -> Node {
    let kind = match (spans, value) {
        (DeValue::Table(spans), Value::Table(values)) => Kind::Table(from_table(place, spans, values)),
        (DeValue::Array(spans), Value::Array(values)) => {
            let pairs = spans.iter().zip(values);
            Kind::Array(
                pairs.map(|(item, value)| from_value(place, item.span(), item.get_ref(), value)).collect(),
            )
        }
        (_, value) => Kind::Leaf(value),
    };
    Node { origin: place.of(span), kind }
}
