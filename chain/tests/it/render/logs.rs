//! Log filters against a plain search through the receipts.

use hypasis_chain::render::{self, Client, LogFilter, Profile};
use hypasis_chain::{ChainSpec, Header, Receipts};
use serde_json::Value;

use super::mainnet::mainnet;
use super::{Held, hash};

#[test]
fn a_filter_finds_what_a_plain_search_finds_and_the_bloom_never_hides_it() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let mut matches = 0;
    for held in mainnet().values().filter(|held| held.receipts.is_some()) {
        let all = all_logs(held, &spec);
        for log in all.iter().step_by(all.len() / 2 + 1) {
            for filter in filters_around(log) {
                let expected: Vec<&Value> = all.iter().filter(|log| plainly_matches(log, &filter)).collect();
                let (found, count) = found_logs(held, &spec, &filter);
                assert_eq!(found.iter().collect::<Vec<_>>(), expected, "block {} {filter:?}", held.number);
                assert_eq!(count, expected.len());
                let header = Header::parse(&held.header).unwrap();
                assert!(filter.may_match(&header) || expected.is_empty());
                matches += expected.len();
            }
        }
    }
    assert!(matches > 300, "{matches} matches");
}

#[test]
fn a_filter_that_nothing_in_the_block_matches_writes_nothing() {
    let spec = ChainSpec::named("ethereum").unwrap();
    let nobody = LogFilter { addresses: vec![[0xee; 20].into()], topics: Vec::new() };
    for held in mainnet().values().filter(|held| held.receipts.is_some()) {
        assert_eq!(found_logs(held, &spec, &nobody), (Vec::new(), 0));
    }
}

/// Filters that this log matches, and some that it does not.
fn filters_around(log: &Value) -> Vec<LogFilter> {
    let address = log["address"].as_str().unwrap().parse().unwrap();
    let topics: Vec<_> = log["topics"].as_array().unwrap().iter().map(hash).collect();
    let exact: Vec<Vec<_>> = topics.iter().map(|topic| vec![*topic]).collect();
    let mut longer = exact.clone();
    longer.push(Vec::new());
    let mut wild = exact.clone();
    wild.iter_mut().step_by(2).for_each(Vec::clear);
    vec![
        LogFilter::default(),
        LogFilter { addresses: vec![address], topics: Vec::new() },
        LogFilter { addresses: vec![[1; 20].into(), address], topics: exact.clone() },
        LogFilter { addresses: Vec::new(), topics: exact },
        LogFilter { addresses: Vec::new(), topics: longer },
        LogFilter { addresses: Vec::new(), topics: wild },
        LogFilter { addresses: vec![[1; 20].into()], topics: Vec::new() },
    ]
}

fn plainly_matches(log: &Value, filter: &LogFilter) -> bool {
    let topics: Vec<_> = log["topics"].as_array().unwrap().iter().map(hash).collect();
    let address = log["address"].as_str().unwrap().parse().unwrap();
    (filter.addresses.is_empty() || filter.addresses.contains(&address))
        && filter.topics.len() <= topics.len()
        && filter.topics.iter().zip(&topics).all(|(any, topic)| any.is_empty() || any.contains(topic))
}

fn all_logs(held: &Held, spec: &ChainSpec) -> Vec<Value> {
    let receipts = Receipts::parse(held.receipts.as_deref().unwrap()).unwrap();
    let text = held
        .render(spec, &Profile::of(Client::Geth), |out, parts| render::block_receipts(out, parts, &receipts));
    let receipts: Vec<Value> = serde_json::from_str(&text.unwrap()).unwrap();
    receipts.iter().flat_map(|receipt| receipt["logs"].as_array().unwrap().clone()).collect()
}

fn found_logs(held: &Held, spec: &ChainSpec, filter: &LogFilter) -> (Vec<Value>, usize) {
    let receipts = Receipts::parse(held.receipts.as_deref().unwrap()).unwrap();
    let mut count = 0;
    let text = held.render(spec, &Profile::of(Client::Geth), |out, parts| {
        render::logs(out, parts, &receipts, filter, &mut count)
    });
    (serde_json::from_str(&format!("[{}]", text.unwrap())).unwrap(), count)
}
