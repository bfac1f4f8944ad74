//! Bodies and receipts by hash: a prefix of what was asked, to the limits of the protocol.

use std::collections::HashMap;
use std::sync::OnceLock;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_cache::Kind;
use hypasis_chain::{Block, Level};
use hypasis_wire::eth::EthVersion;
use proptest::prelude::*;

use super::library::{Rig, WHOLE, bodies, chain, fill, receipts, trust, verified};
use crate::support::store_of;

/// Height of the head, and the first of the tip window.
const HEAD: u64 = 420;
const WINDOW: u64 = 400;

/// A store with two gaps in bodies, one of them in receipts too, and a tip window with a replaced branch.
struct Scene {
    rig: Rig,
    blocks: Vec<Block>,
    side: Vec<Block>,
    held: HashMap<B256, Block>,
    runtime: tokio::runtime::Runtime,
}

fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let chain = chain(HEAD, 12);
        let side = chain.blocks(HEAD - 5..HEAD + 1);
        chain.head();
        chain.reorg(6, 6);
        let blocks = chain.blocks(0..HEAD + 1);
        let store = store_of(chain.spec().chain_id);
        fill(&store, &chain, 0..=WINDOW - 1, &[Kind::Header]);
        fill(&store, &chain, 0..=149, &WHOLE);
        fill(&store, &chain, 170..=299, &WHOLE);
        fill(&store, &chain, 300..=319, &[Kind::Body, Kind::Index]);
        fill(&store, &chain, 320..=WINDOW - 1, &WHOLE);
        let tip = |blocks: &[Block]| -> Vec<_> {
            blocks.iter().map(|block| verified(&chain, block.clone())).collect()
        };
        let canonical = tip(&blocks[WINDOW as usize..]);
        store.insert_tip(&canonical, &trust(Level::Full)).unwrap();
        store.set_canonical(&canonical.iter().map(|block| block.block.id).collect::<Vec<_>>()).unwrap();
        store.insert_tip(&tip(&side), &trust(Level::Full)).unwrap();
        let held = blocks.iter().filter(|block| !(150..170).contains(&block.id.number)).chain(&side);
        let held = held.map(|block| (block.id.hash, block.clone())).collect();
        let rig = Rig::over(store, &chain, chain.head(), &[]);
        Scene { rig, blocks, side, held, runtime: tokio::runtime::Runtime::new().unwrap() }
    })
}

/// Items until the first that is not held, or the one that reaches 2 MiB.
fn prefix(hashes: &[B256], item: impl Fn(&Block) -> Option<Bytes>) -> Vec<Bytes> {
    let mut bytes = 0;
    let items = hashes.iter().map_while(|hash| scene().held.get(hash).and_then(&item));
    let within = items.take_while(|item| {
        let takes = bytes < 2 << 20;
        bytes += item.len();
        takes
    });
    within.take(1_024).collect()
}

fn hashes() -> impl Strategy<Value = Vec<B256>> {
    let run = (0..HEAD, 1..200_u64).prop_map(|(from, count)| {
        (from..(from + count).min(HEAD + 1)).map(|number| scene().blocks[number as usize].id.hash).collect()
    });
    let backwards = (10..HEAD).prop_map(|from| {
        (from - 10..from).rev().map(|number| scene().blocks[number as usize].id.hash).collect()
    });
    let side = (0..scene().side.len()).prop_map(|at| vec![scene().side[at].id.hash]);
    let unknown = any::<[u8; 32]>().prop_map(|hash| vec![B256::from(hash)]);
    let piece = prop_oneof![6 => run, 2 => backwards, 2 => side, 1 => unknown];
    prop::collection::vec(piece, 0..5).prop_map(|pieces: Vec<Vec<B256>>| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bodies_are_the_prefix_that_is_held(hashes in hashes()) {
        let found = scene().runtime.block_on(scene().rig.bodies(&hashes));
        prop_assert_eq!(found, prefix(&hashes, |block| Some(block.body.clone())));
    }

    #[test]
    fn receipts_are_the_prefix_that_is_held(hashes in hashes()) {
        let found = scene().runtime.block_on(scene().rig.receipts(EthVersion::Eth69, &hashes));
        let lacking = 300..320;
        let slim = |block: &Block| block.receipts.clone().filter(|_| !lacking.contains(&block.id.number));
        prop_assert_eq!(&found, &prefix(&hashes, slim));
        let paged = scene().runtime.block_on(scene().rig.receipts(EthVersion::Eth70, &hashes));
        prop_assert_eq!(paged, found);
    }
}

#[test]
fn an_answer_ends_with_the_body_that_reaches_two_mebibytes() {
    let all: Vec<B256> = scene().blocks.iter().take(150).map(|block| block.id.hash).collect();
    let asked: Vec<B256> = all.iter().cycle().take(1_200).copied().collect();
    let found = scene().runtime.block_on(scene().rig.bodies(&asked));
    let bytes: usize = found.iter().map(Bytes::len).sum();
    let last = found.last().unwrap().len();
    assert!(bytes >= 2 << 20 && bytes - last < 2 << 20, "{bytes} bytes with the last of {last}");
}

#[test]
fn an_answer_has_at_most_1024_items() {
    let genesis = vec![scene().blocks[0].id.hash; 3_000];
    assert_eq!(scene().runtime.block_on(scene().rig.bodies(&genesis)).len(), 1_024);
    let lists = scene().runtime.block_on(scene().rig.receipts(EthVersion::Eth69, &genesis));
    assert_eq!(lists.len(), 1_024);
}

#[test]
fn what_was_not_verified_is_not_served() {
    let chain = chain(40, 3);
    let blocks = chain.blocks(0..41);
    for (level, bodies_served, receipts_served) in
        [(Level::None, 0, 0), (Level::Header, 0, 0), (Level::Light, 41, 20), (Level::Full, 41, 41)]
    {
        let store = store_of(chain.spec().chain_id);
        let mut part = store.begin_part(0..=40, WHOLE.to_vec()).unwrap();
        for block in &blocks {
            let mut block = verified(&chain, block.clone());
            // Below `full` nobody has held the receipts against their root.
            if block.block.id.number == 20 && level < Level::Full {
                block.block.receipts = blocks[21].receipts.clone();
            }
            part.append(&block).unwrap();
        }
        part.finish(&trust(level)).unwrap();
        let rig = Rig::over(store, &chain, chain.head(), &[]);
        let hashes: Vec<B256> = blocks.iter().map(|block| block.id.hash).collect();
        let runtime = &scene().runtime;
        assert_eq!(runtime.block_on(rig.bodies(&hashes)).len(), bodies_served, "{level:?}");
        let lists = runtime.block_on(rig.receipts(EthVersion::Eth69, &hashes));
        assert_eq!(lists.len(), receipts_served, "{level:?}");
    }
}

#[test]
fn what_was_removed_is_not_served_and_what_is_damaged_is_nobodys() {
    let chain = chain(40, 3);
    let store = store_of(chain.spec().chain_id);
    fill(&store, &chain, 0..=40, &WHOLE);
    let rig = Rig::over(store.clone(), &chain, chain.head(), &[]);
    let hashes: Vec<B256> = chain.blocks(0..41).iter().map(|block| block.id.hash).collect();
    let runtime = &scene().runtime;
    assert_eq!(runtime.block_on(rig.bodies(&hashes)).len(), 41);
    store.remove(10..=12).unwrap();
    assert_eq!(runtime.block_on(rig.bodies(&hashes)).len(), 10);
    assert_eq!(runtime.block_on(rig.bodies(&hashes[13..])).len(), 28);
}

#[test]
fn nothing_asked_is_nothing_answered() {
    let runtime = &scene().runtime;
    for request in [bodies(&[]), receipts(EthVersion::Eth68, &[]), receipts(EthVersion::Eth70, &[])] {
        let answer = runtime.block_on(scene().rig.ask(EthVersion::Eth70, request));
        assert_eq!((answer.items, answer.forwarded), (0, 0));
    }
}
