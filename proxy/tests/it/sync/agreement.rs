//! What several sources agree on.

use std::sync::Arc;

use alloy_primitives::B256;
use hypasis_chain::BlockId;
use hypasis_proxy::sync::agreement::*;
use hypasis_proxy::sync::metrics::Metrics;
use hypasis_proxy::sync::sources::Sources;
use hypasis_upstream::{Heads, Source};

use super::rig::{Puppet, chain};

fn id(number: u64, fork: u8) -> BlockId {
    BlockId { number, hash: B256::with_last_byte(fork) }
}

fn opinion(name: &str, latest: Option<BlockId>, finalized: Option<BlockId>) -> Opinion {
    Opinion { source: name.into(), heads: Heads { latest, finalized, ..Heads::default() } }
}

fn answers(hashes: &[u8]) -> Vec<(Arc<str>, B256)> {
    hashes.iter().enumerate().map(|(i, hash)| (format!("s{i}").into(), B256::with_last_byte(*hash))).collect()
}

#[test]
fn one_source_alone_is_believed() {
    assert_eq!(weigh(&answers(&[7])), Verdict::Agreed(B256::with_last_byte(7), vec![]));
}

#[test]
fn two_that_contradict_each_other_are_not_believed() {
    assert!(matches!(weigh(&answers(&[7, 8])), Verdict::Split(said) if said.len() == 2));
    assert!(matches!(weigh(&answers(&[7, 8, 7, 8])), Verdict::Split(_)));
}

#[test]
fn more_than_half_name_the_others() {
    let verdict = weigh(&answers(&[7, 8, 7]));
    assert_eq!(verdict, Verdict::Agreed(B256::with_last_byte(7), vec!["s1".into()]));
}

#[test]
fn only_those_who_have_a_say_are_waited_for() {
    let chain = chain(10, 0);
    let [one, other] = ["one", "other"].map(|name| Arc::new(Puppet::new(name, &chain)));
    let archive = Arc::new(Puppet::new("archive", &chain).not_following());
    let all_have_spoken = |puppets: &[&Arc<Puppet>]| {
        let sources = puppets.iter().map(|puppet| Arc::clone(puppet) as Arc<dyn Source>).collect();
        Sources::new(sources, Metrics::default()).all_have_spoken()
    };
    archive.announce(None);
    assert!(all_have_spoken(&[&archive]));
    assert!(!all_have_spoken(&[&archive, &one]), "a node overrules the archive");
    one.announce(None);
    assert!(all_have_spoken(&[&archive, &one]));
    assert!(!all_have_spoken(&[&archive, &one, &other]));
    let strangers = Arc::new(Puppet::new("peers", &chain).not_following());
    assert!(all_have_spoken(&[&strangers, &one]), "the silent ones would not be heard beside a node");
    assert!(!all_have_spoken(&[&strangers, &archive]));
}

#[test]
fn silence_is_no_agreement() {
    assert_eq!(weigh(&[]), Verdict::Silent);
    assert_eq!(head_height(&[]), None);
    assert_eq!(settled_height(&[], 10), None);
}

#[test]
fn one_of_three_cannot_run_ahead_alone() {
    let opinions = [
        opinion("a", Some(id(u64::MAX, 1)), None),
        opinion("b", Some(id(100, 1)), None),
        opinion("c", Some(id(101, 1)), None),
    ];
    assert_eq!(head_height(&opinions), Some(101));
    assert_eq!(settled_height(&opinions, 64), Some(37));
}

#[test]
fn finality_is_what_more_than_half_have_reached() {
    let head = Some(id(100, 1));
    let opinions =
        [opinion("a", head, Some(id(90, 2))), opinion("b", head, Some(id(80, 3))), opinion("c", head, None)];
    assert_eq!(finalized_height(&opinions), Some(80));
    assert_eq!(finalized_block(&opinions), Some(id(80, 3)));
    assert_eq!(settled_height(&opinions, 64), Some(80));
}

#[test]
fn two_names_for_one_finalized_height_are_none() {
    let head = Some(id(100, 1));
    let opinions = [opinion("a", head, Some(id(80, 2))), opinion("b", head, Some(id(80, 3)))];
    assert_eq!(finalized_block(&opinions), None);
}

#[test]
fn a_short_chain_without_finality_settles_at_block_zero() {
    assert_eq!(settled_height(&[opinion("a", Some(id(5, 1)), None)], 1_024), Some(0));
}
