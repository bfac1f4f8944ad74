//! In front of a real Bor over JSON-RPC: the same answers, also when the Bor is gone.

use std::collections::BTreeMap;
use std::path::Path;

use hypasis_chain::dev::bor::{BorForks, BorOptions};
use hypasis_tests::appliance::Appliance;
use hypasis_tests::http::{Answer, post, request};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::content::{Content, SPRINT, content};
use super::{FILLING, configured};
use crate::geth::questions;

/// Heights that are minted before Bor mines on; span 0 ends while it mines.
const MINTED: u64 = 250;

#[test]
fn every_answer_since_madhugiri_equals_bors_also_when_it_is_gone() {
    equals(BorForks::default());
}

#[test]
fn every_answer_before_madhugiri_equals_bors_also_when_it_is_gone() {
    equals(BorForks { rio: 1, ..BorForks::before_rio() });
}

#[test]
fn roots_authors_and_signers_equal_bors() {
    let dir = tempdir().unwrap();
    let Some(content) = content(dir.path(), BorOptions::default(), MINTED) else { return };
    let mut appliance = behind(dir.path(), &content);
    appliance.filled(content.head, FILLING);
    let mut differing = Vec::new();
    for body in about_bor(content.head) {
        let (ours, theirs) = (post(appliance.rpc, &body), post(content.bor.address, &body));
        if ours.body.trim_end() != theirs.body.trim_end() {
            differing.push(format!("{body}\n  bor  {}\n  ours {}", theirs.body, ours.body));
        }
    }
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}

/// Fills an appliance from a Bor with content, and compares all that the store answers with what that Bor had answered.
fn equals(forks: BorForks) {
    let dir = tempdir().unwrap();
    let Some(content) = content(dir.path(), BorOptions { forks, ..BorOptions::default() }, MINTED) else {
        return;
    };
    let mut appliance = behind(dir.path(), &content);
    appliance.filled(content.head, FILLING);
    appliance.calibrated(FILLING);
    let ask = |body: &String| (body.clone(), post(content.bor.address, body));
    let recorded: Vec<(String, Answer)> =
        questions::all(content.bor.address, content.head).iter().map(ask).collect();
    assert!(recorded.len() > 6_000, "only {} questions", recorded.len());
    let forms = appliance.status()["rpc"]["passed_through_forms"].clone();
    assert_eq!(forms, json!([]), "Bor's forms are all written here");
    content.bor.stop();
    let mut sources = BTreeMap::<String, usize>::new();
    let mut differing = Vec::new();
    for (question, expected) in &recorded {
        let answer = post(appliance.rpc, question);
        *sources.entry(answer.header("hypasis-source").unwrap_or("-").to_owned()).or_default() += 1;
        // Bor ends a body with a line feed, which is no part of the JSON.
        if answer.body.trim_end() != expected.body.trim_end() || answer.status != expected.status {
            differing.push(format!("{question}\n  bor  {}\n  ours {}", expected.body, answer.body));
        }
    }
    let first = differing[..differing.len().min(5)].join("\n");
    assert!(differing.is_empty(), "{} differ ({sources:?}), first:\n{first}", differing.len());
    let local: usize = ["store", "memory", "local"].iter().filter_map(|source| sources.get(*source)).sum();
    assert_eq!(local, recorded.len(), "{sources:?}");
}

fn behind(dir: &Path, content: &Content) -> Appliance {
    let upstream = format!("[[upstream]]\nid = \"a\"\nurl = \"http://{}\"\n", content.bor.address);
    let config = format!("{upstream}[store]\nfinality_depth = 100\n");
    configured(dir, &content.minted.genesis, &config)
}

/// What only Bor has.
fn about_bor(head: u64) -> Vec<String> {
    let mut questions = Vec::new();
    let height = |number: u64| json!(format!("{number:#x}"));
    for (from, to) in [(0, 0), (1, 1), (0, 255), (1, 200), (256, head), (head, head), (0, head)] {
        questions.push(request("bor_getRootHash", json!([from, to])));
        questions.push(request("eth_getRootHash", json!([from, to])));
    }
    // Ranges that are none.
    for (from, to) in [(5, 4), (head, head + 1), (head + 1, head + 1)] {
        questions.push(request("bor_getRootHash", json!([from, to])));
    }
    for number in (0..=head).step_by(SPRINT as usize - 1) {
        for method in ["bor_getAuthor", "bor_getSigners", "eth_getBorBlockReceipt", "eth_getTdByNumber"] {
            questions.push(request(method, json!([height(number)])));
        }
        questions.push(request("eth_getTransactionReceiptsByBlock", json!([height(number)])));
    }
    for method in ["bor_getCurrentProposer", "bor_getCurrentValidators"] {
        questions.push(request(method, Value::Array(Vec::new())));
    }
    questions
}
