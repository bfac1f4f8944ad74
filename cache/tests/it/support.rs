//! Blocks and stores to test with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_primitives::{Address, B256, keccak256};
use bytes::Bytes;
use hypasis_cache::store::trace::Observer;
use hypasis_cache::{Kind, Options, Store, Trust, Verified, View};
use hypasis_chain::bor::{BorConfig, BorFork, Schedule, state_sync};
use hypasis_chain::rlp::{write_list, write_string, write_uint};
use hypasis_chain::spec::Family;
use hypasis_chain::{Block, BlockId, Body, ChainSpec, Level, Receipts, roots};

/// All that a full block brings.
pub(crate) const FULL: [Kind; 4] = [Kind::Header, Kind::Body, Kind::Receipts, Kind::Index];

/// The folder of test data: `HYPASIS_TESTDATA`, or `shared/testdata` beside the checkout.
pub(crate) fn testdata() -> PathBuf {
    std::env::var_os("HYPASIS_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/testdata")),
        PathBuf::from,
    )
}

/// The blocks of a chain file (raw blocks one after the other), without receipts.
pub(crate) fn chain_file(path: &Path) -> Vec<Verified> {
    let raw = std::fs::read(path).unwrap();
    let (mut rest, mut blocks) = (raw.as_slice(), Vec::new());
    while !rest.is_empty() {
        let item = hypasis_chain::rlp::Item::read(&mut rest).unwrap();
        let (header, body) = hypasis_chain::body::split_block(item.raw()).unwrap();
        let number = hypasis_chain::Header::parse(header).unwrap().number();
        let transactions = Body::parse(&body).unwrap().transactions();
        blocks.push(Verified {
            transaction_hashes: transactions.map(|transaction| transaction.unwrap().hash()).collect(),
            block: Block {
                id: BlockId { number, hash: keccak256(header) },
                header: Bytes::copy_from_slice(header),
                body: body.into(),
                receipts: None,
                extra: None,
            },
            senders: None,
        });
    }
    blocks
}

pub(crate) fn options(path: &Path) -> Options {
    Options {
        path: path.to_path_buf(),
        memory: 16 << 20,
        chain_id: 1337,
        genesis_hash: None,
        direct_reads: false,
        tip_blocks_max: 64,
        spec: Some(bor()),
    }
}

/// Blocks of a sprint.
pub(crate) const SPRINT: u64 = 4;

/// First height at which state syncs stand inside of blocks.
pub(crate) const MADHUGIRI: u64 = 1_000;

/// A chain in Bor's form, so that something stands beside some blocks in every test.
pub(crate) fn bor() -> Arc<ChainSpec> {
    let bor = BorConfig {
        sprint: Schedule::new([(0, SPRINT)]),
        forks: [(BorFork::Madhugiri, MADHUGIRI)].into(),
        ..BorConfig::default()
    };
    Arc::new(ChainSpec { family: Family::Bor, bor: Some(bor), ..ChainSpec::unknown(1337, None) })
}

/// The hash of the transaction beside the block, if there is one.
pub(crate) fn beside(block: &Block) -> Option<B256> {
    let there = block.extra.as_ref().is_some_and(|extra| extra.as_ref() != state_sync::NONE);
    there.then(|| state_sync::derived_hash(block.id.number, block.id.hash))
}

/// What stands beside the block at `number`: at every other sprint's first block a state sync that logs.
fn extra(number: u64, fork: u64, gas: u64) -> Option<Bytes> {
    if !state_sync::may_stand_beside(&bor(), number) {
        return None;
    }
    if !number.is_multiple_of(2 * SPRINT) {
        return Some(Bytes::from_static(state_sync::NONE));
    }
    let (mut topics, mut log, mut logs, mut receipt, mut out) =
        <(Vec<_>, Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
    write_string(&mut topics, &[7; 32]);
    write_string(&mut log, &[1; 20]);
    write_list(&mut log, &topics);
    write_string(&mut log, &[number.to_be_bytes(), fork.to_be_bytes()].concat());
    write_list(&mut logs, &log);
    for value in [0, 1, gas] {
        write_uint(&mut receipt, value);
    }
    write_list(&mut receipt, &logs);
    write_list(&mut out, &receipt);
    Some(out.into())
}

pub(crate) fn open(path: &Path) -> Store {
    Store::open(&options(path)).unwrap()
}

pub(crate) fn open_observed(path: &Path, observer: Arc<dyn Observer>) -> Store {
    Store::open_observed(&options(path), observer).unwrap()
}

pub(crate) fn trust(source: &str) -> Trust {
    Trust { level: Level::Full, source: source.to_owned(), checkpoint: None, verified_at: 1 }
}

/// A block with real roots on `parent`; `fork` makes it differ from its siblings.
pub(crate) fn block(number: u64, parent: B256, fork: u64, transactions: u64) -> Verified {
    let (mut list, mut receipts, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for position in 0..transactions {
        let mut fields = Vec::new();
        for value in [number, fork, position] {
            write_uint(&mut fields, value);
        }
        let start = list.len();
        write_list(&mut list, &fields);
        hashes.push(keccak256(&list[start..]));
        let mut receipt = Vec::new();
        for value in [0, 1, 21_000 * (position + 1)] {
            write_uint(&mut receipt, value);
        }
        write_list(&mut receipt, &[]);
        write_list(&mut receipts, &receipt);
    }
    let mut parts = Vec::new();
    write_list(&mut parts, &list);
    write_list(&mut parts, &[]);
    let (mut body, mut slim) = (Vec::new(), Vec::new());
    write_list(&mut body, &parts);
    write_list(&mut slim, &receipts);
    let header = header(number, parent, fork, &body, &slim, 21_000 * transactions);
    let id = BlockId { number, hash: keccak256(&header) };
    let senders = hashes.iter().map(|hash| Address::from_slice(&hash[..20])).collect();
    Verified {
        block: Block {
            id,
            header: header.into(),
            body: body.into(),
            receipts: Some(slim.into()),
            extra: extra(number, fork, 21_000 * transactions),
        },
        transaction_hashes: hashes,
        senders: Some(senders),
    }
}

fn header(number: u64, parent: B256, fork: u64, body: &[u8], receipts: &[u8], gas: u64) -> Vec<u8> {
    let body = Body::parse(body).unwrap();
    let (receipts_root, bloom) = roots::receipts_root(&Receipts::parse(receipts).unwrap()).unwrap();
    let mut fields = Vec::new();
    write_string(&mut fields, parent.as_slice());
    write_string(&mut fields, body.uncles_hash().as_slice());
    write_string(&mut fields, &[0; 20]);
    write_string(&mut fields, &[0; 32]);
    write_string(&mut fields, roots::transactions_root(&body).unwrap().as_slice());
    write_string(&mut fields, receipts_root.as_slice());
    write_string(&mut fields, bloom.as_slice());
    for value in [1, number, 30_000_000, gas, number] {
        write_uint(&mut fields, value);
    }
    write_string(&mut fields, &fork.to_be_bytes());
    write_string(&mut fields, &[0; 32]);
    write_string(&mut fields, &[0; 8]);
    let mut header = Vec::new();
    write_list(&mut header, &fields);
    header
}

/// A linked chain `from..from + length` on `parent`.
pub(crate) fn chain(from: u64, length: u64, parent: B256, fork: u64) -> Vec<Verified> {
    let mut blocks: Vec<Verified> = Vec::new();
    for number in from..from + length {
        let parent = blocks.last().map_or(parent, |block| block.block.id.hash);
        blocks.push(block(number, parent, fork, number % 4));
    }
    blocks
}

pub(crate) fn ids(blocks: &[Verified]) -> Vec<BlockId> {
    blocks.iter().map(|block| block.block.id).collect()
}

/// Writes linked blocks as one part.
pub(crate) fn fill(store: &Store, blocks: &[Verified]) -> Result<(), hypasis_cache::StoreError> {
    let (first, last) = (blocks[0].block.id.number, blocks.last().unwrap().block.id.number);
    let mut part = store.begin_part(first..=last, FULL.to_vec())?;
    for block in blocks {
        part.append(block)?;
    }
    part.finish(&trust("test"))
}

/// Asserts that a canonical block is held in all its ways, and is right.
pub(crate) fn assert_held(view: &View, block: &Verified) {
    let id = block.block.id;
    let by_number = view.by_number(id.number).unwrap().expect("held by number");
    assert_eq!(by_number.id, id);
    assert_eq!(view.by_hash(&id.hash).unwrap(), Some(by_number));
    assert_eq!(view.header(&by_number).unwrap().unwrap(), block.block.header);
    assert_eq!(view.body(&by_number).unwrap().unwrap(), block.block.body);
    assert_eq!(view.receipts(&by_number).unwrap(), block.block.receipts);
    assert_eq!(view.senders(&by_number).unwrap(), block.senders);
    assert_eq!(view.extra(&by_number).unwrap(), block.block.extra);
    assert!(view.covers(Kind::Extra, id.number));
    let beside = beside(&block.block);
    for (position, hash) in (0..).zip(block.transaction_hashes.iter().chain(&beside)) {
        assert_eq!(view.transaction(hash).unwrap(), Some((by_number, position)));
    }
}

/// Asserts that nothing of a block is served.
pub(crate) fn assert_missed(view: &View, block: &Verified) {
    let id = block.block.id;
    assert!(FULL.iter().all(|kind| !view.covers(*kind, id.number)));
    assert_eq!(view.by_number(id.number).unwrap(), None);
    assert_eq!(view.by_hash(&id.hash).unwrap(), None);
    for hash in block.transaction_hashes.iter().chain(&beside(&block.block)) {
        assert_eq!(view.transaction(hash).unwrap(), None);
    }
}

/// Asserts that whatever coverage claims of these canonical blocks is there and right.
pub(crate) fn assert_claims_hold(view: &View, blocks: &[Verified]) {
    for block in blocks {
        let number = block.block.id.number;
        let Some(held) = view.by_number(number).unwrap() else {
            assert!(FULL.iter().all(|kind| !view.covers(*kind, number)));
            assert!(block.transaction_hashes.iter().all(|hash| view.transaction(hash).unwrap().is_none()));
            continue;
        };
        assert_eq!(held.id, block.block.id);
        let parts: [(Kind, Option<Bytes>, Option<Bytes>); 4] = [
            (Kind::Header, view.header(&held).unwrap(), Some(block.block.header.clone())),
            (Kind::Body, view.body(&held).unwrap(), Some(block.block.body.clone())),
            (Kind::Receipts, view.receipts(&held).unwrap(), block.block.receipts.clone()),
            (Kind::Extra, view.extra(&held).unwrap(), block.block.extra.clone()),
        ];
        for (kind, found, right) in parts {
            assert_eq!(found, right.filter(|_| view.covers(kind, number)), "{kind:?} of {number}");
        }
        if view.covers(Kind::Index, number) {
            for hash in &block.transaction_hashes {
                assert!(view.transaction(hash).unwrap().is_some());
            }
        }
        if let Some(hash) = beside(&block.block) {
            let found = view.transaction(&hash).unwrap().is_some();
            let held = view.covers(Kind::Extra, number);
            assert_eq!(found, held && view.covers(Kind::Index, number), "beside {number}");
        }
    }
}
