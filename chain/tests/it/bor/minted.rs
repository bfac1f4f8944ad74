//! The rules on chains that were minted by their own reading of them, and that a real Bor takes.

use hypasis_chain::bor::{Producer, Span, Spans};
use hypasis_chain::dev::bor::{BorChain, BorForks, BorOptions};
use hypasis_chain::{Block, Header};

use super::headers::check;

/// What Heimdall would say of the chain's spans.
fn spans(chain: &BorChain, last: u64) -> Spans {
    let all = chain.validators();
    let producer = |place: usize| Producer { signer: all[place].0, power: all[place].1 };
    let sorted = |mut list: Vec<Producer>| {
        list.sort_unstable_by_key(|one| one.signer);
        list
    };
    let span = |id: u64| {
        let span = chain.span(id);
        Span {
            id,
            start_block: *span.blocks.start(),
            end_block: *span.blocks.end(),
            validators: sorted((0..all.len()).map(producer).collect()),
            selected_producers: sorted(span.producers.into_iter().map(producer).collect()),
            proposer: None,
        }
    };
    (0..=chain.span_at(last + 1).id).map(span).collect()
}

/// Blocks 1 to `count`; the signer changes from sprint to sprint and sometimes within one.
fn mint(chain: &BorChain, count: u64) -> Vec<Block> {
    let mut minter = chain.minter();
    let mut blocks = Vec::new();
    for number in 1..=count {
        let places = if number % 7 == 0 { 1 } else { 0 } + (number / 48) as usize % 3;
        minter = minter.succession(places);
        blocks.push(minter.mint());
    }
    blocks
}

fn check_chain(options: BorOptions, count: u64) {
    let chain = BorChain::new(options).unwrap();
    let blocks = mint(&chain, count);
    let known = spans(&chain, count);
    let genesis = chain.genesis().clone();
    let raw: Vec<_> = std::iter::once(&genesis).chain(&blocks).map(|block| block.header.clone()).collect();
    let headers: Vec<_> = raw.iter().map(|raw| Header::parse(raw).unwrap()).collect();
    for spans in [&known, &Spans::default()] {
        for pair in headers.windows(2) {
            check(chain.spec(), spans, &pair[0], &pair[1])
                .unwrap_or_else(|fault| panic!("{}: {fault}", pair[1].number()));
        }
    }
}

#[test]
fn a_minted_chain_through_all_eras_keeps_all_rules() {
    let forks = BorForks::staged(120);
    let validators = vec![10, 20, 30, 40, 50];
    check_chain(BorOptions { validators, producers: 3, span: 64, forks, ..BorOptions::default() }, 1_400);
}

#[test]
fn a_minted_chain_of_the_newest_rules_keeps_them() {
    check_chain(BorOptions { validators: vec![10, 20, 30], span: 64, ..BorOptions::default() }, 1_000);
}

#[test]
fn a_minted_chain_before_rio_with_long_sprints_keeps_all_rules() {
    let options = BorOptions {
        validators: vec![7, 1, 1, 3],
        producers: 4,
        span: 128,
        sprint: vec![(0, 64), (512, 16)],
        producer_delay: 4,
        backup_multiplier: 2,
        period: vec![(0, 2)],
        forks: BorForks { cancun: 700, ..BorForks::before_rio() },
        ..BorOptions::default()
    };
    check_chain(options, 1_200);
}

/// Whoever signs beside his turn is told apart, by spans and by the chain's own sprint ends.
#[test]
fn a_branch_by_other_validators_is_refused() {
    let ours = BorOptions { validators: vec![10, 20], producers: 2, span: 64, ..BorOptions::default() };
    let ours = BorOptions { forks: BorForks::before_rio(), ..ours };
    let chain = BorChain::new(ours.clone()).unwrap();
    // The same keys in another order of powers: other first producers.
    let blocks = mint(&chain, 400);
    let known = spans(&chain, 400);
    let mut foreign = known.clone();
    for id in 0..=chain.span_at(401).id {
        let mut span = (**known.get(id).unwrap()).clone();
        span.selected_producers.truncate(1);
        span.validators.truncate(1);
        foreign.insert(span);
    }
    let headers: Vec<_> = blocks.iter().map(|block| Header::parse(&block.header).unwrap()).collect();
    let faults: Vec<&str> = headers
        .windows(2)
        .filter_map(|pair| check(chain.spec(), &foreign, &pair[0], &pair[1]).err())
        .map(|fault| fault.field())
        .collect();
    assert!(faults.contains(&"seal"), "{faults:?}");
    assert!(faults.contains(&"extraData"), "{faults:?}");
}
