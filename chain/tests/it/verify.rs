//! What is checked before a block may enter the store: real blocks pass, each lie is named.

mod liars;

use hypasis_chain::body::split_block;
use hypasis_chain::dev::{DevChain, DevForks, DevOptions};
use hypasis_chain::verify::{self, Level};
use hypasis_chain::{Block, BlockId, Body, ChainSpec, Header, rebuild};

use crate::support::{Vector, era1, json, lines, raw_blocks, text, vectors};

/// Checks all header rules, those towards the parent too where it is there. Returns how many links there were.
fn check_headers(spec: &ChainSpec, headers: &[Header<'_>]) -> usize {
    let mut links = 0;
    for header in headers {
        verify::check_header(spec, header).unwrap_or_else(|fault| panic!("{}: {fault}", header.number()));
    }
    for pair in headers.windows(2) {
        let [parent, child] = pair else { continue };
        if child.number() == parent.number() + 1 {
            verify::check_link(parent, parent.hash(), child).unwrap();
            verify::check_succession(spec, parent, child)
                .unwrap_or_else(|fault| panic!("{}: {fault}", child.number()));
            links += 1;
        }
    }
    links
}

fn headers(blocks: &[Vector]) -> Vec<Header<'_>> {
    let mut headers: Vec<_> = blocks.iter().map(|block| Header::parse(&block.header).unwrap()).collect();
    headers.sort_by_key(Header::number);
    headers
}

fn check_whole(spec: &ChainSpec, block: &Block) {
    let verified = verify::verify(Level::Full, spec, block, block.id)
        .unwrap_or_else(|fault| panic!("{}: {fault}", block.id.number));
    assert_eq!(verified.level, Level::Full);
    let body = Body::parse(&block.body).unwrap();
    let hashes: Vec<_> = body.transactions().map(|transaction| transaction.unwrap().hash()).collect();
    assert_eq!(verified.transaction_hashes, hashes);
}

#[test]
fn real_blocks_of_mainnet_pass_at_full() {
    let blocks = vectors("ethereum/mainnet_blocks.jsonl");
    let spec = ChainSpec::named("ethereum").unwrap();
    let links = check_headers(&spec, &headers(&blocks));
    assert!(links >= 40, "{links}");
    let whole: Vec<Block> = blocks.iter().filter_map(Vector::block).collect();
    assert!(whole.len() >= 50, "{}", whole.len());
    whole.iter().for_each(|block| check_whole(&spec, block));
}

#[test]
fn era1_archives_pass_at_full() {
    for (name, file) in [
        ("ethereum", "ethereum/era1/mainnet-00000-5ec1ffb8.era1"),
        ("sepolia", "ethereum/era1/sepolia-00021-b8814b14.era1"),
    ] {
        let blocks = era1(file);
        let spec = ChainSpec::named(name).unwrap();
        assert_eq!(check_headers(&spec, &headers(&blocks)), 8191);
        blocks.iter().for_each(|block| check_whole(&spec, &block.block().unwrap()));
    }
}

#[test]
fn a_chain_through_every_fork_keeps_all_rules() {
    let spec =
        ChainSpec::from_genesis_json(text("rpc_fixtures/execution-apis/genesis.json").as_bytes()).unwrap();
    let raw = raw_blocks("rpc_fixtures/execution-apis/chain.rlp");
    let split: Vec<_> = raw.iter().map(|raw| split_block(raw).unwrap()).collect();
    let genesis = spec.genesis.clone().unwrap();
    let mut headers: Vec<_> = split.iter().map(|(header, _)| Header::parse(header).unwrap()).collect();
    if headers[0].number() == 1 {
        headers.insert(0, Header::parse(&genesis.header).unwrap());
    }
    assert_eq!(check_headers(&spec, &headers), headers.len() - 1);
    let fields: Vec<usize> = headers.iter().map(Header::field_count).collect();
    for count in [15, 16, 17, 20, 21] {
        assert!(fields.contains(&count), "{count} fields");
    }
    for (header, body) in split {
        let parsed = Header::parse(header).unwrap();
        let id = BlockId { number: parsed.number(), hash: parsed.hash() };
        let block =
            Block { id, header: header.to_vec().into(), body: body.into(), receipts: None, extra: None };
        verify::verify(Level::Light, &spec, &block, id).unwrap();
        assert_eq!(verify::verify(Level::Full, &spec, &block, id).unwrap_err().field(), "receipts");
    }
}

#[test]
fn chains_with_other_rules_pass_by_theirs() {
    let polygon = ChainSpec::named("polygon").unwrap();
    let rebuilt: Vec<_> = lines("polygon/checkpoint_9825948_9827227/blocks_first1024.jsonl")
        .iter()
        .map(|block| rebuild::header(&block.to_string()).unwrap())
        .collect();
    let parsed: Vec<_> = rebuilt.iter().map(|raw| Header::parse(raw).unwrap()).collect();
    assert_eq!(check_headers(&polygon, &parsed), 1023);
    check_headers(&polygon, &headers(&vectors("polygon/mainnet_blocks.jsonl")));

    let besu = raw_blocks("synthetic_chains/besu-500/chain.rlp");
    let besu: Vec<_> = besu.iter().map(|raw| Header::parse(split_block(raw).unwrap().0).unwrap()).collect();
    assert_eq!(check_headers(&ChainSpec::unknown(1337, None), &besu), 500);
    for file in ["bsc_headers_31297199", "gnosis", "optimism", "scroll_19604670_19604689"] {
        let blocks = vectors(&format!("other_chains/{file}.jsonl"));
        check_headers(&ChainSpec::unknown(7, None), &headers(&blocks));
    }
    let fixture = json("other_chains/avalanche_synchronoustest_fixture.json");
    let raw: Vec<Vec<u8>> =
        fixture["blocks"].as_array().unwrap().iter().map(|b| crate::support::hex(&b["rlp"])).collect();
    let parsed: Vec<_> = raw.iter().map(|raw| Header::parse(split_block(raw).unwrap().0).unwrap()).collect();
    assert_eq!(check_headers(&ChainSpec::unknown(43_110, None), &parsed), 21);
}

#[test]
fn development_chains_keep_all_rules_through_every_fork() {
    for forks in [DevForks::default(), DevForks::staged(6)] {
        let options = DevOptions { history: 60, transactions: 12, period_ms: 1_000, seed: 7 };
        let chain = DevChain::with_forks(options, 1_700_000_000, forks);
        let spec = chain.spec();
        let blocks: Vec<Block> = (0..=60).map(|number| chain.block(number)).collect();
        let headers: Vec<_> = blocks.iter().map(|block| Header::parse(&block.header).unwrap()).collect();
        assert_eq!(check_headers(&spec, &headers), 60);
        blocks.iter().for_each(|block| check_whole(&spec, block));
    }
}
