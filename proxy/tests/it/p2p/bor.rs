//! A chain in Bor's form: what Bor asks when it syncs, and what it is told of new blocks.

use std::sync::Arc;

use alloy_primitives::{B256, U256, hex};
use bytes::Bytes;
use hypasis_cache::Store;
use hypasis_cache::store::{SECTION, Verified};
use hypasis_chain::bor::state_sync::NONE;
use hypasis_chain::dev::bor::{BorChain, BorForks, BorMinter, BorOptions};
use hypasis_chain::{Block, BlockId, Header, Level};
use hypasis_proxy::p2p::announce::{Ear, Herald};
use hypasis_proxy::p2p::forward::{Forward, Parts};
use hypasis_proxy::p2p::serve::{Library, Who};
use hypasis_proxy::served::{Served, ServedHead};
use hypasis_proxy::sync::kept::Kept;
use hypasis_proxy::sync::metrics::Metrics;
use hypasis_proxy::sync::sources::Sources;
use hypasis_proxy::sync::verify::Checks;
use hypasis_upstream::Heads;
use hypasis_upstream::peer::{PeerHandle, PeerId};
use hypasis_wire::eth::{Dialect, EthMessage, EthVersion, GetBlockHeaders};

use super::library::{WHOLE, bodies, headers, items, query, query_by_hash, receipts, trust};
use crate::support::{store_by, store_of};

/// Blocks of the chain, and its highest.
const HEAD: u64 = 5_000;
/// First blocks of sprints: with a state sync beside it, without one, and one of which nothing is known.
const BESIDE: u64 = 4_992;
const NOTHING_BESIDE: u64 = 4_976;
const UNKNOWN_BESIDE: u64 = 4_960;
/// The receipt of a state sync with one log, without topics or data.
const RECEIPT: [u8; 29] = hex!("dc800180d8d7940000000000000000000000000000000000001001c080");

/// Three validators in turns, so that difficulties differ.
fn turns() -> BorChain {
    let options = BorOptions {
        validators: vec![10, 20, 30],
        producers: 3,
        forks: BorForks::before_rio(),
        ..BorOptions::default()
    };
    BorChain::new(options).unwrap()
}

/// A block without transactions, as verified.
fn empty(block: &Block) -> Verified {
    Verified { block: block.clone(), transaction_hashes: Vec::new(), senders: None }
}

/// The block that is announced next, and its total difficulty.
async fn announced(ear: &mut Ear) -> (BlockId, U256) {
    let news = ear.next().await;
    let message = EthMessage::decode(EthVersion::Eth68, Dialect::Bor, news.id, news.payload).unwrap();
    let EthMessage::NewBlock(block) = message else { panic!("{message:?}") };
    let header = block.header().unwrap();
    let header = Header::parse(&header).unwrap();
    (BlockId { number: header.number(), hash: header.hash() }, block.td)
}

/// A chain, all of it held.
struct Polygon {
    blocks: Vec<Block>,
    totals: Vec<U256>,
    store: Store,
    served: ServedHead,
    library: Library,
}

impl Polygon {
    fn new() -> Self {
        let chain = turns();
        let mut minter = chain.minter();
        let (mut blocks, mut totals) = (vec![chain.genesis().clone()], vec![minter.total_difficulty()]);
        for number in 1..=HEAD {
            minter = minter.succession(usize::from(number % 5 == 0));
            let extra = match number {
                BESIDE => Some(Bytes::from_static(&RECEIPT)),
                NOTHING_BESIDE => Some(Bytes::from_static(NONE)),
                _ => None,
            };
            blocks.push(Block { extra, ..minter.mint() });
            totals.push(minter.total_difficulty());
        }
        let store = store_by(chain.options().chain_id, Some(Arc::new(chain.spec().clone())));
        for part in blocks.chunk_by(|a, b| a.id.number / SECTION == b.id.number / SECTION) {
            let range = part[0].id.number..=part[part.len() - 1].id.number;
            let mut writer = store.begin_part(range, WHOLE.to_vec()).unwrap();
            for block in part {
                writer.append(&empty(block)).unwrap();
            }
            writer.finish(&trust(Level::Full)).unwrap();
        }
        let latest = Some(blocks[HEAD as usize].id);
        let served = ServedHead::new(Served { latest, local: true, ..Served::default() });
        let forward = Forward::new(Parts {
            sources: Sources::new(Vec::new(), Metrics::default()),
            checks: Checks::new(Level::Full, Arc::new(chain.spec().clone())),
            kept: Kept::default(),
            store: store.clone(),
            served: served.clone(),
        });
        let library = Library::new(store.clone(), served.clone(), forward);
        Self { blocks, totals, store, served, library }
    }

    fn id(&self, number: u64) -> BlockId {
        self.blocks[number as usize].id
    }

    /// The heights of the headers that are answered.
    async fn heights(&self, query: GetBlockHeaders) -> Vec<u64> {
        let answer = self.library.answer(EthVersion::Eth68, headers(query), &Who::default()).await;
        let headers = items(EthVersion::Eth68, &answer).into_iter();
        headers
            .map(|header| {
                let number = Header::parse(&header).unwrap().number();
                assert_eq!(header, self.blocks[number as usize].header);
                number
            })
            .collect()
    }
}

#[tokio::test]
async fn every_request_of_bors_sync_is_answered_in_full() {
    let polygon = Polygon::new();
    let every = |from: u64, step: u64, count: u64| -> Vec<u64> {
        (from..=HEAD).step_by(step as usize).take(count as usize).collect()
    };
    // The head by its hash, with a step that its one header does not need.
    let head = query_by_hash(polygon.id(HEAD).hash, 1, 63, true);
    assert_eq!(polygon.heights(head).await, [HEAD]);
    // The header at a milestone, and the span in which a common ancestor is looked for.
    assert_eq!(polygon.heights(query(4_711, 1, 0, false)).await, [4_711]);
    assert_eq!(polygon.heights(query(4_823, 12, 15, false)).await, every(4_823, 16, 12));
    // The skeleton, as far as the chain, and the fills between, each of exactly 192.
    assert_eq!(polygon.heights(query(192, 128, 191, false)).await, every(192, 192, 128));
    for from in [1, 193, 385, 4_609] {
        assert_eq!(polygon.heights(query(from, 192, 0, false)).await, every(from, 1, 192));
    }
    // At the end: nothing beyond the head, and what is left before it.
    assert!(polygon.heights(query(HEAD + 1, 128, 191, false)).await.is_empty());
    assert_eq!(polygon.heights(query(4_811, 192, 0, false)).await, every(4_811, 1, 190));
    assert_eq!(polygon.heights(query(HEAD - 1, 192, 0, false)).await, [HEAD - 1, HEAD]);
}

#[tokio::test]
async fn bodies_are_a_prefix_of_what_bor_asks() {
    let polygon = Polygon::new();
    let [first, second] = [polygon.id(4_999).hash, polygon.id(HEAD).hash];
    let asked = bodies(&[first, second, B256::repeat_byte(7), first]);
    let answer = polygon.library.answer(EthVersion::Eth68, asked, &Who::default()).await;
    assert_eq!(items(EthVersion::Eth68, &answer).len(), 2);
}

#[tokio::test]
async fn the_receipt_beside_a_block_is_its_last_at_69_and_none_at_68() {
    let polygon = Polygon::new();
    let hashes = [4_999, BESIDE, NOTHING_BESIDE, UNKNOWN_BESIDE, HEAD].map(|number| polygon.id(number).hash);
    let lists = async |version| {
        let answer = polygon.library.answer(version, receipts(version, &hashes), &Who::default()).await;
        items(version, &answer)
    };
    let plain = || Bytes::from_static(&[0xc0]);
    assert_eq!(lists(EthVersion::Eth68).await, vec![plain(); 5]);
    let beside = [&[0xc0 + RECEIPT.len() as u8][..], &RECEIPT].concat();
    // Where it is not known whether there is one, the answer ends.
    assert_eq!(lists(EthVersion::Eth69).await, [plain(), beside.into(), plain()]);
}

#[tokio::test(start_paused = true)]
async fn each_announced_block_has_its_own_total_difficulty() {
    let polygon = Polygon::new();
    let herald = Herald::default();
    let publish = |number: u64| {
        let total_difficulty = Some(polygon.totals[number as usize]);
        let latest = Some(polygon.id(number));
        polygon.served.publish(Served { latest, local: true, total_difficulty, ..Served::default() });
    };
    publish(4_990);
    tokio::spawn(herald.clone().run(polygon.store.clone(), polygon.served.clone()));
    let latest = Some(polygon.id(4_989));
    let (peer, _) = PeerHandle::new(PeerId::repeat_byte(1), 68, Heads { latest, ..Heads::default() });
    let mut ear = herald.connected(&peer, true, polygon.id(4_989).hash);
    let mut next = 4_990;
    for head in [4_990, 4_991, 4_996, 5_000] {
        publish(head);
        while next <= head {
            assert_eq!(announced(&mut ear).await, (polygon.id(next), polygon.totals[next as usize]));
            next += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_reorg_the_new_branch_is_announced_though_it_ends_lower() {
    let chain = turns();
    let (store, served) = (store_of(chain.options().chain_id), ServedHead::new(Served::default()));
    let mut trunk = chain.minter();
    let mut blocks = vec![(chain.genesis().clone(), trunk.total_difficulty())];
    let mint = |minter: &mut BorMinter| (minter.mint(), minter.total_difficulty());
    for _ in 1..=17 {
        blocks.push(mint(&mut trunk));
    }
    // Two blocks in turn are heavier than three that are not.
    let (mut branch, mut trunk) = (trunk.clone().branch(1), trunk.succession(2));
    for _ in 18..=20 {
        blocks.push(mint(&mut trunk));
    }
    let rivals = [mint(&mut branch), mint(&mut branch)];
    assert!(rivals[1].1 > blocks[20].1);
    let verified: Vec<Verified> = blocks.iter().chain(&rivals).map(|(block, _)| empty(block)).collect();
    store.insert_tip(&verified, &trust(Level::Full)).unwrap();
    store.set_canonical(&blocks.iter().map(|(block, _)| block.id).collect::<Vec<_>>()).unwrap();

    let publish = |(block, total): &(Block, U256)| {
        let (latest, total_difficulty) = (Some(block.id), Some(*total));
        served.publish(Served { latest, local: true, total_difficulty, ..Served::default() });
    };
    let herald = Herald::default();
    publish(&blocks[15]);
    tokio::spawn(herald.clone().run(store.clone(), served.clone()));
    let (peer, _) = PeerHandle::new(PeerId::repeat_byte(1), 68, Heads::default());
    let mut ear = herald.connected(&peer, true, blocks[14].0.id.hash);
    for block in &blocks[15..] {
        publish(block);
        assert_eq!(announced(&mut ear).await, (block.0.id, block.1));
    }
    peer.announce(Heads { latest: Some(blocks[20].0.id), ..Heads::default() });
    store.set_canonical(&[rivals[0].0.id, rivals[1].0.id]).unwrap();
    publish(&rivals[1]);
    for (block, total) in &rivals {
        assert_eq!(announced(&mut ear).await, (block.id, *total));
    }
}
