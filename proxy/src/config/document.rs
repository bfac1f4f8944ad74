//! The commented defaults and the JSON Schema, both made from the types and their doc comments.

use std::fmt::Write;

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde_json::Value;
use toml::Value as Toml;

use super::known::{self, Known};
use super::*;

/// Comments are folded at this width.
const WIDTH: usize = 100;

/// All settings with their meaning and default. Loading it gives the defaults.
pub fn default_text() -> String {
    let known = Known::new();
    let defaults = Toml::try_from(Config::default()).unwrap_or_else(|_| Toml::Table(toml::Table::new()));
    let mut out = String::new();
    comment(&mut out, "Settings that are commented out have no value by default.");
    comment(&mut out, "Times are written like \"500ms\" or \"1h\", sizes like \"2GiB\".");
    out.push('\n');
    let page = Page { known: &known, commented: false };
    page.table(&mut out, known.root(), Some(&defaults), "", "Config");
    out
}

/// JSON Schema of the configuration.
pub fn schema() -> String {
    serde_json::to_string_pretty(&known::schema()).unwrap_or_default()
}

/// How a part of the page is written.
struct Page<'a> {
    known: &'a Known,
    /// Whether it is an example only.
    commented: bool,
}

// === impl Page ===

impl Page<'_> {
    /// Values first and tables after them, as TOML demands; each in the order of the type's fields.
    fn table(&self, out: &mut String, schema: &Value, values: Option<&Toml>, path: &str, name: &str) {
        let Some(properties) = self.known.properties(schema) else { return };
        let mut keys: Vec<_> = properties.iter().collect();
        let fields = fields_of_type(name);
        keys.sort_by_key(|(key, _)| fields.iter().position(|field| field == key).unwrap_or(usize::MAX));
        let (tables, plain): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|(_, schema)| self.is_table(schema));
        for (key, schema) in plain {
            self.value(out, key, schema, values.and_then(|values| values.get(key)));
        }
        for (key, schema) in tables {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let items = self.known.resolve(schema).get("items");
            out.push('\n');
            comment(out, &self.meaning(schema));
            match items {
                Some(item) => {
                    let _ = writeln!(out, "# [[{path}]]");
                    let example = Page { known: self.known, commented: true };
                    let defaults = Toml::try_from(UpstreamConfig::default()).ok();
                    let name = self.known.name_of(item).unwrap_or_default();
                    example.table(out, item, defaults.as_ref(), &path, name);
                }
                None => {
                    let _ = writeln!(out, "[{path}]");
                    let name = self.known.name_of(schema).unwrap_or_default();
                    self.table(out, schema, values.and_then(|values| values.get(key)), &path, name);
                }
            }
        }
    }

    fn value(&self, out: &mut String, key: &str, schema: &Value, value: Option<&Toml>) {
        comment(out, &self.meaning(schema));
        let mark = if self.commented || value.is_none() { "# " } else { "" };
        let text = value.map_or_else(|| self.example(schema), ToString::to_string);
        let _ = writeln!(out, "{mark}{key} = {text}");
    }

    fn is_table(&self, schema: &Value) -> bool {
        let schema = self.known.resolve(schema);
        self.known.properties(schema).is_some()
            || schema.get("items").is_some_and(|items| self.known.properties(items).is_some())
    }

    /// The doc comment of the field, else of its type.
    fn meaning(&self, schema: &Value) -> String {
        let own = schema.get("description").or_else(|| self.known.resolve(schema).get("description"));
        own.and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
    }

    /// A value of the right type for what has none by default.
    fn example(&self, schema: &Value) -> String {
        let schema = self.known.resolve(schema);
        if let Some(example) = schema.get("examples").and_then(|examples| examples.get(0)) {
            return example.to_string();
        }
        let kinds = schema.get("type");
        let kind = kinds.and_then(Value::as_str).or_else(|| kinds?.get(0)?.as_str());
        match kind {
            Some("integer" | "number") => "0".to_owned(),
            Some("boolean") => "false".to_owned(),
            Some("array") => "[]".to_owned(),
            Some("object") => "{}".to_owned(),
            _ => "\"\"".to_owned(),
        }
    }
}

fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    if line.len() > 1 {
        let _ = writeln!(out, "{line}");
    }
}

/// The fields of a section in the order in which the type has them; a schema only has them sorted by name.
fn fields_of_type(name: &str) -> &'static [&'static str] {
    match name {
        "Config" => fields::<Config>(),
        "ChainConfig" => fields::<ChainConfig>(),
        "StoreConfig" => fields::<StoreConfig>(),
        "UpstreamConfig" => fields::<UpstreamConfig>(),
        "CheckpointConfig" => fields::<CheckpointConfig>(),
        "SyncConfig" => fields::<SyncConfig>(),
        "ForwardConfig" => fields::<ForwardConfig>(),
        "BackwardConfig" => fields::<BackwardConfig>(),
        "RpcConfig" => fields::<RpcConfig>(),
        "P2pConfig" => fields::<P2pConfig>(),
        "AdminConfig" => fields::<AdminConfig>(),
        "DevConfig" => fields::<DevConfig>(),
        "LogConfig" => fields::<LogConfig>(),
        _ => &[],
    }
}

fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The deserializer only listens to what it is asked for, so that this never succeeds.
    let _ = T::deserialize(Listener(&mut fields));
    fields
}

/// Learns the names of a struct's fields from the request to deserialize it.
struct Listener<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Listener<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("only listening"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(Self::Error::custom("only listening"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
