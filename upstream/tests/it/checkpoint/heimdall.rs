//! Heimdall's milestones and spans as several endpoints tell them.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hypasis_upstream::checkpoint::{Heimdall, HeimdallOptions};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::stub::Stub;

/// Milestones that an endpoint has, of ten blocks each, and the number of its latest span, of a hundred blocks each.
struct Node {
    milestones: u64,
    span: u64,
    lie: bool,
    away: bool,
}

type Shared = Arc<Mutex<Node>>;

// === impl Node ===

impl Node {
    fn new(milestones: u64) -> Shared {
        Arc::new(Mutex::new(Self { milestones, span: 0, lie: false, away: false }))
    }

    fn answer(&self, path: &str) -> Option<(u16, String)> {
        if self.away {
            return None;
        }
        if let Some(span) = path.strip_prefix("/bor/spans/") {
            let id = if span == "latest" { self.span } else { span.parse().ok()? };
            return Some(match id <= self.span {
                true => (200, json!({ "span": self.span(id) }).to_string()),
                false => (404, r#"{"code":5,"message":"span not found"}"#.to_owned()),
            });
        }
        let number = match path {
            "/milestones/latest" => self.milestones,
            "/milestones/count" => {
                return Some((200, json!({ "count": self.milestones.to_string() }).to_string()));
            }
            path => path.strip_prefix("/milestones/")?.parse().ok()?,
        };
        if number == 0 || number > self.milestones {
            return Some((500, r#"{"code":5,"message":"milestone not found","details":[]}"#.to_owned()));
        }
        Some((200, json!({ "milestone": self.milestone(number) }).to_string()))
    }

    fn span(&self, id: u64) -> Value {
        let signer = format!("0x{:040x}", 1_000 * u64::from(self.lie) + id + 1);
        let validator = json!({
            "val_id": "1", "voting_power": "10", "signer": signer, "proposer_priority": "0", "pub_key": "AA==",
        });
        json!({
            "id": id.to_string(), "start_block": (id * 100).to_string(), "end_block": (id * 100 + 99).to_string(),
            "validator_set": { "validators": [validator], "proposer": validator, "total_voting_power": "10" },
            "selected_producers": [validator], "bor_chain_id": "15001",
        })
    }

    fn milestone(&self, number: u64) -> Value {
        let hash = B256::from(U256::from(number + u64::from(self.lie) * 1_000));
        json!({
            "proposer": "0x6ab3d36c46ecfb9b9c0bd51cb1c3da5a2c81cea6",
            "start_block": (number * 10).to_string(), "end_block": (number * 10 + 9).to_string(),
            "hash": STANDARD.encode(hash), "bor_chain_id": "15001", "milestone_id": "x",
            "timestamp": "1", "total_difficulty": (number * 77).to_string(),
        })
    }
}

async fn start(nodes: &[&Shared]) -> (Vec<Stub>, Heimdall) {
    let mut stubs = Vec::new();
    for node in nodes {
        let node = Shared::clone(node);
        stubs.push(Stub::start(move |path, _| node.lock().answer(path)).await);
    }
    let urls = stubs.iter().map(|stub| stub.url.clone()).collect();
    (stubs, Heimdall::new(&HeimdallOptions { urls, chain_id: 15_001 }).unwrap())
}

async fn one(answer: &str) -> Result<hypasis_upstream::checkpoint::Milestone, String> {
    let text = answer.to_owned();
    let stub = Stub::start(move |_, _| Some((200, text.clone()))).await;
    let options = HeimdallOptions { urls: vec![stub.url.clone()], chain_id: 15_001 };
    Heimdall::new(&options).unwrap().latest_milestone().await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn one_heimdall_is_asked_for_its_latest_milestone() {
    let node = Node::new(7);
    let (stubs, heimdall) = start(&[&node]).await;
    let milestone = heimdall.latest_milestone().await.unwrap();
    assert_eq!((milestone.start_block, milestone.end_block), (70, 79));
    assert_eq!(milestone.hash, B256::from(U256::from(7)));
    assert_eq!(milestone.total_difficulty, Some(U256::from(539)));
    assert_eq!(stubs[0].asked.lock().len(), 1);
    assert_eq!(heimdall.status()[0].height, Some(79));
}

#[tokio::test]
async fn several_are_believed_where_enough_of_them_are() {
    let nodes = [Node::new(9), Node::new(8), Node::new(1_000_000)];
    let (_stubs, heimdall) = start(&[&nodes[0], &nodes[1], &nodes[2]]).await;
    nodes[2].lock().lie = true;
    let milestone = heimdall.latest_milestone().await.unwrap_err();
    // Nine is what two claim to have; they contradict each other there, and the third is not that far.
    assert!(milestone.to_string().contains("milestone 9"), "{milestone}");
    nodes[1].lock().milestones = 9;
    assert_eq!(heimdall.latest_milestone().await.unwrap().hash, B256::from(U256::from(9)));
    assert_eq!(heimdall.status()[2].dissents, 2);
    nodes[0].lock().away = true;
    nodes[2].lock().away = true;
    let error = heimdall.latest_milestone().await.unwrap_err().to_string();
    assert!(error.starts_with("1 of 3 endpoints answered"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn every_form_of_a_milestone_is_read_and_nonsense_is_refused() {
    let hash = B256::repeat_byte(7);
    let hex = format!(r#"{{"milestone":{{"start_block":1,"end_block":"2","hash":"{hash}"}}}}"#);
    let milestone = one(&hex).await.unwrap();
    assert_eq!((milestone.hash, milestone.end_block, milestone.total_difficulty), (hash, 2, None));
    for (wrong, expected) in [
        ("{}", "its milestone is none"),
        ("[]", "its milestone is none"),
        (r#"{"milestone":{"start_block":"3","end_block":"2","hash":"H"}}"#, "the hash"),
        (r#"{"milestone":{"start_block":"-3","end_block":"2","hash":"0x"}}"#, "number"),
    ] {
        let error = one(wrong).await.unwrap_err();
        assert!(error.contains(expected), "{wrong}: {error}");
    }
    let reversed = hex.replace("\"2\"", "\"0\"");
    assert!(one(&reversed).await.unwrap_err().contains("empty"));
    let foreign = hex.replace("\"end_block\"", "\"bor_chain_id\":\"137\",\"end_block\"");
    assert!(one(&foreign).await.unwrap_err().contains("its chain id is 137, expected 15001"));
    let large = format!("{{\"milestone\":\"{}\"}}", "x".repeat(2 << 20));
    assert!(one(&large).await.unwrap_err().contains("larger than"));
}

#[tokio::test]
async fn the_watch_follows_outlives_an_absence_and_never_goes_back() {
    let node = Node::new(3);
    let (_stubs, heimdall) = start(&[&node]).await;
    let mut milestones = heimdall.milestones();
    let following = tokio::spawn(heimdall.clone().run());
    let end = |end| {
        move |held: &Option<hypasis_upstream::checkpoint::Milestone>| {
            held.is_some_and(|held| held.end_block == end)
        }
    };
    milestones.wait_for(end(39)).await.unwrap();
    node.lock().away = true;
    while heimdall.trouble().is_none() {
        tokio::task::yield_now().await;
    }
    assert!(end(39)(&milestones.borrow()), "what is known stays");
    node.lock().milestones = 2;
    node.lock().away = false;
    while heimdall.trouble().is_some() {
        tokio::task::yield_now().await;
    }
    assert!(end(39)(&milestones.borrow()), "a milestone is never taken back");
    node.lock().milestones = 5;
    milestones.wait_for(end(59)).await.unwrap();
    following.abort();
}

#[tokio::test]
async fn spans_are_had_by_number_and_the_latest_that_enough_endpoints_have() {
    let nodes = [Node::new(1), Node::new(1), Node::new(1)];
    for (node, span) in nodes.iter().zip([7, 6, 1_000_000]) {
        node.lock().span = span;
    }
    let (_stubs, heimdall) = start(&[&nodes[0], &nodes[1], &nodes[2]]).await;
    // Seven is what two have reached, and both say the same of it.
    let latest = heimdall.latest_span().await.unwrap();
    assert_eq!((latest.id, latest.start_block, latest.end_block), (7, 700, 799));
    assert_eq!(latest.selected_producers.len(), 1);
    nodes[2].lock().lie = true;
    let span = heimdall.span(5).await.unwrap();
    assert_eq!(span.selected_producers[0].signer, Address::with_last_byte(6));
    assert_eq!(heimdall.status().iter().map(|node| node.dissents).collect::<Vec<_>>(), [0, 0, 1]);
    let error = heimdall.span(8).await.unwrap_err().to_string();
    assert!(error.starts_with("1 of 3 endpoints answered") && error.contains("HTTP status 404"), "{error}");
}

#[tokio::test]
async fn a_span_of_another_number_or_chain_is_refused() {
    let node = Node::new(1);
    let stub = Stub::start(move |_, _| {
        let text = json!({ "span": node.lock().span(3) }).to_string();
        Some((200, text.replace("15001", "137")))
    });
    let stub = stub.await;
    let heimdall =
        |chain_id| Heimdall::new(&HeimdallOptions { urls: vec![stub.url.clone()], chain_id }).unwrap();
    assert!(heimdall(137).span(3).await.is_ok());
    assert!(heimdall(137).span(4).await.unwrap_err().to_string().contains("another span than was asked for"));
    assert!(heimdall(15_001).span(3).await.unwrap_err().to_string().contains("its chain id is 137"));
}

#[tokio::test]
async fn the_view_has_all_spans_from_the_milestone_to_the_latest_and_follows_both() {
    let node = Node::new(45);
    node.lock().span = 7;
    let (stubs, heimdall) = start(&[&node]).await;
    let mut views = heimdall.views();
    let following = tokio::spawn(heimdall.clone().run());
    // The milestone ends at 459, in span 4.
    let view = views.wait_for(|view| !view.spans.is_empty()).await.unwrap().clone();
    assert_eq!(view.milestone.map(|milestone| milestone.end.number), Some(459));
    assert_eq!((view.spans.len(), view.spans.get(4).is_some(), view.spans.get(3).is_none()), (4, true, true));
    assert_eq!(view.spans.at(459).map(|span| span.id), Some(4));
    node.lock().span = 8;
    node.lock().milestones = 46;
    let follows = |view: &hypasis_chain::bor::HeimdallView| {
        view.spans.latest().is_some_and(|span| span.id == 8)
            && view.milestone.is_some_and(|milestone| milestone.end.number == 469)
    };
    views.wait_for(follows).await.unwrap();
    let asked = stubs[0].asked.lock().clone();
    let of_five = asked.iter().filter(|(path, _)| path == "/bor/spans/5").count();
    assert_eq!(of_five, 1, "what is known is not asked for again");
    // Somebody needs those of older blocks too.
    heimdall.want_from(150);
    let has_all = |view: &hypasis_chain::bor::HeimdallView| (1..=8).all(|id| view.spans.get(id).is_some());
    let view = views.wait_for(has_all).await.unwrap().clone();
    assert!(view.spans.get(0).is_none(), "and no others");
    following.abort();
}
