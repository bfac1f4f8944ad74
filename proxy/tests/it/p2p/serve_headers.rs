//! Every form of a request for headers is answered as a plain reading of the protocol says.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use alloy_primitives::{B256, keccak256};
use bytes::Bytes;
use hypasis_cache::{Kind, Store};
use hypasis_chain::dev::DevChain;
use hypasis_chain::rlp::{Item, write_list, write_string};
use hypasis_chain::{Block, BlockId, Header, Level};
use hypasis_proxy::p2p::serve::HARD_LIMIT;
use hypasis_wire::eth::{BlockHashOrNumber, GetBlockHeaders, HeadersDirection};
use proptest::prelude::*;

use super::library::{Rig, WHOLE, chain, fill, query, query_by_hash, trust, verified};
use crate::support::store_of;

/// Height of the head, and of the last block that all branches share.
const HEAD: u64 = 640;
const SHARED: u64 = 619;
/// Blocks of history; the others are in the tip window.
const HISTORY: u64 = 600;

/// A store with history, a tip window and a replaced branch in it.
struct Scene {
    rig: Rig,
    canonical: Vec<Block>,
    side: Vec<Block>,
    runtime: tokio::runtime::Runtime,
}

fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let chain = chain(630, 2);
        let replaced = chain.blocks(SHARED + 1..631);
        chain.head();
        chain.reorg(630 - SHARED, HEAD - SHARED);
        let canonical = chain.blocks(0..HEAD + 1);
        let store = store_of(chain.spec().chain_id);
        fill(&store, &chain, 0..=HISTORY - 1, &WHOLE);
        window(&store, &chain, &canonical[HISTORY as usize..]);
        let side: Vec<_> = replaced.iter().map(|block| verified(&chain, block.clone())).collect();
        store.insert_tip(&side, &trust(Level::Full)).unwrap();
        assert_ne!(replaced[0].id, canonical[SHARED as usize + 1].id);
        let rig = Rig::over(store, &chain, chain.head(), &[]);
        Scene { rig, canonical, side: replaced, runtime: tokio::runtime::Runtime::new().unwrap() }
    })
}

fn window(store: &Store, chain: &Arc<DevChain>, blocks: &[Block]) {
    let tip: Vec<_> = blocks.iter().map(|block| verified(chain, block.clone())).collect();
    store.insert_tip(&tip, &trust(Level::Full)).unwrap();
    store.set_canonical(&tip.iter().map(|block| block.block.id).collect::<Vec<BlockId>>()).unwrap();
}

/// The answer by the words of the protocol, with numbers that cannot overflow.
fn model(scene: &Scene, query: &GetBlockHeaders) -> Vec<Bytes> {
    let limit = query.limit.min(1_024) as usize;
    let falling = query.direction == HeadersDirection::Falling;
    let step = i128::from(query.skip) + 1;
    let at = |number: i128| {
        usize::try_from(number).ok().and_then(|number| scene.canonical.get(number)).map(|b| b.header.clone())
    };
    let row = |first: i128| {
        let numbers = (0..limit as i128).map(move |i| first + if falling { -i * step } else { i * step });
        let present: Vec<Option<Bytes>> = numbers.map(at).collect();
        // A falling row without gaps may begin above the head.
        let skipped =
            if falling && step == 1 { present.iter().take_while(|h| h.is_none()).count() } else { 0 };
        present.into_iter().skip(skipped).map_while(|header| header).collect::<Vec<_>>()
    };
    let hash = match query.start_block {
        BlockHashOrNumber::Number(number) => return row(number.into()),
        BlockHashOrNumber::Hash(hash) => hash,
    };
    if let Some(block) = scene.canonical.iter().find(|block| block.id.hash == hash) {
        return row(block.id.number.into());
    }
    let all: HashMap<B256, &Block> =
        scene.canonical.iter().chain(&scene.side).map(|block| (block.id.hash, block)).collect();
    let Some(mut block) = all.get(&hash).copied() else { return Vec::new() };
    let mut found = vec![block.header.clone()];
    'more: while falling && found.len() < limit {
        for _ in 0..step {
            let parent = Header::parse(&block.header).unwrap().parent_hash();
            let Some(below) = all.get(&parent) else { break 'more };
            block = below;
        }
        found.push(block.header.clone());
    }
    found.truncate(limit);
    found
}

fn queries() -> impl Strategy<Value = GetBlockHeaders> {
    let number = prop_oneof![
        4 => 0..HEAD + 8,
        2 => HISTORY - 4..HEAD + 4,
        1 => prop_oneof![Just(u64::MAX), Just(u64::MAX - 1), any::<u64>()],
    ];
    let limit = prop_oneof![4 => 0..40_u64, 2 => 500..1_100_u64, 1 => any::<u64>()];
    let skip = prop_oneof![
        6 => Just(0),
        4 => 1..20_u64,
        1 => 180..700_u64,
        1 => prop_oneof![Just(u64::MAX), Just(u64::MAX - 1), any::<u64>()],
    ];
    let hash = prop_oneof![
        4 => (0..=HEAD as usize).prop_map(|at| scene().canonical[at].id.hash),
        2 => (0..scene().side.len()).prop_map(|at| scene().side[at].id.hash),
        1 => Just(B256::repeat_byte(7)),
    ];
    (number, hash, limit, skip, any::<(bool, bool)>()).prop_map(
        |(number, hash, limit, skip, (falling, by_hash))| match by_hash {
            true => query_by_hash(hash, limit, skip, falling),
            false => query(number, limit, skip, falling),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn headers_are_what_a_plain_reading_of_the_protocol_says(query in queries()) {
        let scene = scene();
        let found = scene.runtime.block_on(scene.rig.headers(query));
        prop_assert_eq!(found, model(scene, &query));
    }
}

#[test]
fn a_skeleton_is_exactly_as_long_as_asked() {
    let scene = scene();
    let found = scene.runtime.block_on(scene.rig.headers(query(HEAD, 512, 0, true)));
    assert_eq!(found.len(), 512);
    let tail = scene.runtime.block_on(scene.rig.headers(query(511, 512, 0, true)));
    assert_eq!(tail.len(), 512);
}

#[test]
fn headers_alone_are_enough_to_serve_headers_and_never_past_a_hole() {
    let scene = scene();
    let chain = chain(300, 2);
    let store = store_of(chain.spec().chain_id);
    fill(&store, &chain, 0..=99, &[Kind::Header]);
    fill(&store, &chain, 150..=300, &WHOLE);
    let rig = Rig::over(store, &chain, chain.head(), &[]);
    let count = |query| scene.runtime.block_on(rig.headers(query)).len();
    assert_eq!(count(query(50, 200, 0, false)), 50);
    assert_eq!(count(query(160, 200, 0, true)), 11);
    assert_eq!(count(query(90, 10, 9, false)), 1);
    assert_eq!(count(query(99, 2, 49, false)), 1);
    assert_eq!(count(query(99, 2, 50, false)), 2);
    assert_eq!(count(query(100, 1, 0, false)), 0);
}

#[test]
fn nothing_above_the_served_head_is_served() {
    let scene = scene();
    let below = scene.canonical[620].id;
    let rig = Rig::over(scene.rig.store.clone(), &chain(630, 2), below, &[]);
    let count = |query| scene.runtime.block_on(rig.headers(query)).len();
    assert_eq!(count(query(610, 100, 0, false)), 11);
    assert_eq!(count(query(621, 1, 0, false)), 0);
    assert_eq!(count(query(625, 10, 0, true)), 5);
}

/// A row of linked headers from height 1 on, each with so many bytes of extra data.
fn large_headers(count: u64, extra: usize) -> Vec<Bytes> {
    let mut parent = B256::repeat_byte(1);
    let large = |number: u64| {
        let plain = chain(number, 1).headers(number..number + 1).remove(0);
        let fields = Item::parse(&plain).unwrap().items().unwrap().map(Result::unwrap);
        let mut payload = Vec::new();
        for (index, field) in fields.enumerate() {
            match index {
                0 => write_string(&mut payload, parent.as_slice()),
                12 => write_string(&mut payload, &vec![number as u8; extra]),
                _ => payload.extend_from_slice(field.raw()),
            }
        }
        let mut header = Vec::new();
        write_list(&mut header, &payload);
        parent = keccak256(&header);
        Bytes::from(header)
    };
    (1..=count).map(large).collect()
}

#[test]
fn a_row_of_headers_with_large_extra_data_is_whole_or_ends_where_a_message_does() {
    const COUNT: u64 = 192;
    let (scene, chain) = (scene(), chain(1, 1));
    for (extra, messages) in [(48 << 10, 1), (100 << 10, 2), (500 << 10, 10)] {
        let headers = large_headers(COUNT, extra);
        let head = BlockId { number: COUNT, hash: keccak256(headers.last().unwrap()) };
        let store = store_of(chain.spec().chain_id);
        let mut part = store.begin_part(1..=COUNT, vec![Kind::Header]).unwrap();
        for (number, header) in (1..).zip(&headers) {
            part.append_header(BlockId { number, hash: keccak256(header) }, header).unwrap();
        }
        part.finish(&trust(Level::Full)).unwrap();
        let rig = Rig::over(store, &chain, head, &[]);
        for falling in [false, true] {
            let mut rows: Vec<Vec<Bytes>> = Vec::new();
            loop {
                let got = rows.iter().map(Vec::len).sum::<usize>() as u64;
                if got == COUNT {
                    break;
                }
                let next = if falling { COUNT - got } else { got + 1 };
                let row = scene.runtime.block_on(rig.headers(query(next, COUNT - got, 0, falling)));
                assert!(row.iter().map(Bytes::len).sum::<usize>() <= HARD_LIMIT);
                assert!(!row.is_empty(), "a peer would ask for {next} for ever");
                rows.push(row);
            }
            assert_eq!(rows.len(), messages, "{extra} bytes each");
            let mut row = rows.concat();
            if falling {
                row.reverse();
            }
            assert!(row == headers, "other headers than were asked for");
        }
    }
}
