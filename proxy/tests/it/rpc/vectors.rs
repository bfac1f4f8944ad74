//! The conversations of `execution-apis`: a real chain's answers, recorded from Geth.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use hypasis_chain::ChainSpec;
use hypasis_proxy::config::RpcConfig;
use serde_json::Value;

use super::rig::{Node, Port};
use crate::support::{store, testdata};

/// Chain id of the suite's genesis.
const CHAIN_ID: u64 = 3_503_995_874_084_926;

/// A recorded call: file, request, reply.
struct Conversation {
    file: String,
    request: String,
    reply: String,
}

fn conversations() -> Vec<Conversation> {
    let mut files = Vec::new();
    collect(&testdata().join("rpc_fixtures/execution-apis"), &mut files);
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut request = String::new();
        for line in text.lines() {
            if let Some(line) = line.strip_prefix(">> ") {
                request = line.to_owned();
            } else if let Some(line) = line.strip_prefix("<< ") {
                let (file, request, reply) = (file.clone(), request.clone(), line.to_owned());
                found.push(Conversation { file, request, reply });
            }
        }
    }
    found
}

fn collect(folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "io") {
            files.push(path.to_str().unwrap().to_owned());
        }
    }
}

/// A reply's text from `"result"` or `"error"` on.
fn said(reply: &str) -> String {
    let start = reply.find("\"result\":").into_iter().chain(reply.find("\"error\":")).min().unwrap();
    reply[start..reply.len() - 1].to_owned()
}

#[tokio::test]
async fn every_conversation_passes_through_unchanged() {
    let conversations = conversations();
    let files: std::collections::BTreeSet<_> =
        conversations.iter().map(|conversation| &conversation.file).collect();
    assert_eq!(files.len(), 116);
    let mut recorded = HashMap::new();
    for conversation in &conversations {
        let request: Value = serde_json::from_str(&conversation.request).unwrap();
        recorded.insert(
            (request["method"].to_string(), request["params"].to_string()),
            said(&conversation.reply),
        );
    }
    let script = move |method: &str, params: &Value| {
        recorded.get(&(Value::from(method).to_string(), params.to_string())).cloned().unwrap_or_default()
    };
    let node = Node::replay(Arc::new(script)).await;
    let spec = ChainSpec::unknown(CHAIN_ID, None);
    let port = Port::start(store(), spec, RpcConfig::default(), &[&node]).await;
    for conversation in &conversations {
        let answer = port.post(&conversation.request).await;
        assert_eq!(answer.status, 200, "{}", conversation.file);
        if conversation.request.contains("eth_blockNumber") {
            // The one served head is the test's own.
            assert_eq!(answer.json()["result"], "0x3e8");
            continue;
        }
        assert_eq!(answer.text(), conversation.reply, "{}", conversation.file);
    }
    let members: Vec<&str> = conversations.iter().map(|conversation| conversation.request.as_str()).collect();
    let answers = port.post(&format!("[{}]", members.join(","))).await.json();
    for (answer, conversation) in answers.as_array().unwrap().iter().zip(&conversations) {
        if !conversation.request.contains("eth_blockNumber") {
            assert_eq!(
                *answer,
                serde_json::from_str::<Value>(&conversation.reply).unwrap(),
                "{}",
                conversation.file
            );
        }
    }
}
