//! Recorded conversations of real nodes.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use serde_json::value::RawValue;

/// A call and what a real node said.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The file it comes from.
    pub file: String,
    /// The request as it was sent.
    pub request: String,
    /// What the reply says.
    pub said: Said,
}

/// What a reply says: `result` or `error`, and its JSON text as it came.
pub type Said = (String, String);

/// The conversations of `.io` files (`>>` request, `<<` reply) in the folders of `execution-apis`.
pub fn execution_apis(folder: &Path) -> Vec<Conversation> {
    let mut found = Vec::new();
    for (file, text) in files(folder, "io") {
        let mut request = None;
        for line in text.lines() {
            if let Some(line) = line.strip_prefix(">> ") {
                request = Some(line.to_owned());
            } else if let Some(line) = line.strip_prefix("<< ") {
                let request = request.take().expect("a reply follows a request");
                found.push(Conversation { file: file.clone(), request, said: said(line) });
            }
        }
    }
    found
}

/// The conversations of `erigon/rpc-tests`: files of `[{request, response}, …]`; the members of a batch stand alone.
/// Those about a moving head were recorded without what was said, and are left out.
pub fn erigon(folder: &Path) -> Vec<Conversation> {
    let mut found = Vec::new();
    for (file, text) in files(folder, "json") {
        let pairs: Vec<BTreeMap<String, Box<RawValue>>> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        for pair in pairs {
            for (request, reply) in members(&pair["request"]).iter().zip(members(&pair["response"])) {
                if reply.get().contains("\"result\"") || reply.get().contains("\"error\"") {
                    let (request, said) = (request.get().to_owned(), said(&compact(reply.get())));
                    found.push(Conversation { file: file.clone(), request, said });
                }
            }
        }
    }
    found
}

/// What a reply says.
pub fn said(reply: &str) -> Said {
    let members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(reply).unwrap_or_else(|error| panic!("{error} in {reply}"));
    let kind = if members.contains_key("error") { "error" } else { "result" };
    (kind.to_owned(), members[kind].get().to_owned())
}

/// JSON without the spaces between its parts: those are the recording's, not the node's.
fn compact(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let keep = |c: &char| {
        let space = !inside && c.is_ascii_whitespace();
        inside ^= *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        !space
    };
    json.chars().filter(keep).collect()
}

/// The members of a batch, or the call alone.
pub fn members(call: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(call.get()).unwrap_or_else(|_| vec![call])
}

/// What makes two calls the same: method and parameters.
pub fn key(request: &Value) -> (String, String) {
    let params = match &request["params"] {
        Value::Null => Value::Array(Vec::new()),
        params => params.clone(),
    };
    (request["method"].as_str().unwrap_or_default().to_owned(), params.to_string())
}

fn files(folder: &Path, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = std::fs::read_to_string(&path).expect("a recording can be read");
                found.push((path.display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}
