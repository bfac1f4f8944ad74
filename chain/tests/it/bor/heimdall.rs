//! Heimdall's answers in both of its versions.

use alloy_primitives::{B256, address};
use hypasis_chain::BlockId;
use hypasis_chain::bor::span::HeimdallError;
use hypasis_chain::bor::{Milestone, Producer, Span, Spans};

use super::span;
use crate::support::{json, testdata};

#[test]
fn real_spans_of_version_1_are_read() {
    for (id, start, end, producers) in
        [(0, 0, 255, 4), (1, 256, 6_655, 7), (22, 134_656, 141_055, 7), (1_536, 9_824_256, 9_830_655, 8)]
    {
        let span = span(id);
        assert_eq!((span.id, span.start_block, span.end_block), (id, start, end));
        assert_eq!(span.selected_producers.len(), producers);
        assert!(span.selected_producers.is_sorted_by_key(|one| one.signer));
        let known = |one: &Producer| span.validators.iter().any(|other| other.signer == one.signer);
        assert!(span.selected_producers.iter().all(known));
    }
    assert_eq!(span(1_536).proposer, Some(address!("b702f1c9154ac9c08da247a8e30ee6f2f3373f41")));
}

#[test]
fn version_2_says_the_same_in_other_words() {
    let one = r#"{"val_id":"1","voting_power":"10","signer":"0x71562b71999873DB5b286dF957af199Ec94617F7","proposer_priority":"0"}"#;
    let text = format!(
        r#"{{"span":{{"id":"1","start_block":"256","end_block":"6655","validator_set":{{"validators":[{one}],
        "proposer":{one}}},"selected_producers":[{one}],"bor_chain_id":"15001"}}}}"#
    );
    let signer = address!("71562b71999873db5b286df957af199ec94617f7");
    let producer = Producer { signer, power: 10 };
    let expected = Span {
        id: 1,
        start_block: 256,
        end_block: 6_655,
        validators: vec![producer],
        selected_producers: vec![producer],
        proposer: Some(signer),
    };
    assert_eq!(Span::parse(&text).unwrap(), expected);
    assert_eq!(Span::parse(&text.replace("\"1\"", "1").replace("\"256\"", "256")).unwrap(), expected);
    let enveloped =
        text.replace("{\"span\":", "{\"height\":\"7\",\"result\":").replace("\"id\"", "\"span_id\"");
    assert_eq!(Span::parse(&enveloped).unwrap(), expected);
    for (from, to, field) in [
        ("\"256\"", "\"x\"", HeimdallError::Field("start_block")),
        ("\"256\"", "6656", HeimdallError::Span { id: 1, reason: "ends before it starts" }),
        ("0x7156", "0x", HeimdallError::Field("signer")),
        ("selected_producers", "producers", HeimdallError::Field("selected_producers")),
    ] {
        assert_eq!(Span::parse(&text.replace(from, to)), Err(field));
    }
    let none = text.replace(&format!("\"selected_producers\":[{one}]"), "\"selected_producers\":[]");
    assert_eq!(Span::parse(&none), Err(HeimdallError::Span { id: 1, reason: "selects no producer" }));
    let twice = text.replace(&format!(":[{one}]"), &format!(":[{one},{one}]"));
    assert_eq!(Span::parse(&twice), Err(HeimdallError::Span { id: 1, reason: "names a validator twice" }));
}

#[test]
fn the_latest_span_that_has_a_block_decides() {
    let with = |id: u64, start_block: u64, end_block: u64| Span {
        id,
        start_block,
        end_block,
        validators: Vec::new(),
        selected_producers: vec![Producer { signer: Default::default(), power: 1 }],
        proposer: None,
    };
    let spans = Spans::from_iter([with(1, 0, 99), with(2, 100, 199), with(3, 150, 249)]);
    let at = |number: u64| spans.at(number).map(|span| span.id);
    assert_eq!(
        [at(99), at(100), at(149), at(150), at(249), at(250)],
        [Some(1), Some(2), Some(2), Some(3), Some(3), None]
    );
}

#[test]
fn real_milestones_of_both_versions_are_read() {
    for chain in ["amoy", "mainnet"] {
        let folder = format!("polygon/heimdall/{chain}_milestones");
        let mut seen = 0;
        for entry in std::fs::read_dir(testdata().join(&folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let value = json(&format!("{folder}/{name}"));
            let read = Milestone::parse(&value.to_string()).unwrap();
            assert_eq!(Some(read.end.number), value["end_block"].as_u64());
            assert_eq!(read.end.hash.to_string(), value["hash"].as_str().unwrap());
            seen += 1;
        }
        assert!(seen > 0, "{chain}");
    }
    let two = r#"{"milestone":{"start_block":"1","end_block":"2","timestamp":"1","total_difficulty":"1",
        "hash":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="}}"#;
    let hash = B256::from_slice(&(1..=32).collect::<Vec<u8>>());
    let expected = Milestone { start_block: 1, end: BlockId { number: 2, hash } };
    assert_eq!(Milestone::parse(two), Ok(expected));
    for wrong in ["AQID", "", "0x01", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHy!="] {
        let text = two.replace("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=", wrong);
        assert_eq!(Milestone::parse(&text), Err(HeimdallError::Field("hash")), "{wrong}");
    }
}
