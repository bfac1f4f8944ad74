//! Who hears of a block, and in which form.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{B256, U256};
use hypasis_cache::Store;
use hypasis_chain::BlockId;
use hypasis_chain::dev::DevChain;
use hypasis_proxy::p2p::announce::{Ear, Herald};
use hypasis_proxy::served::{Served, ServedHead};
use hypasis_upstream::Heads;
use hypasis_upstream::peer::{PeerHandle, PeerId};
use hypasis_wire::eth::{Dialect, EthMessage, EthVersion};
use proptest::prelude::*;
use tokio::time::timeout;

use crate::p2p::library::{WHOLE, chain, fill};
use crate::support::store_of;

/// Total difficulty of block 0, so that of any other is not its height.
const GENESIS: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// A herald over a chain, and peers that listen.
struct Hall {
    chain: Arc<DevChain>,
    store: Store,
    served: ServedHead,
    herald: Herald,
    ears: Vec<(PeerHandle, Ear)>,
}

/// What one peer was sent: blocks whole, and hashes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    blocks: Vec<(BlockId, U256)>,
    hashes: Vec<BlockId>,
}

impl Hall {
    /// Over `chain`, all of which is held, with its head at `head`; nothing is told of by now.
    fn new(chain: Arc<DevChain>) -> Self {
        let store = store_of(chain.spec().chain_id);
        fill(&store, &chain, 0..=chain.head().number, &WHOLE);
        let (served, herald) = (ServedHead::new(Served::default()), Herald::default());
        tokio::spawn(herald.clone().run(store.clone(), served.clone()));
        Self { chain, store, served, herald, ears: Vec::new() }
    }

    /// A peer whose head is at that height, and who was told of our block at `told`.
    fn join(&mut self, latest: Option<u64>, favoured: bool, told: u64) -> PeerId {
        let id = PeerId::left_padding_from(&(self.ears.len() as u64 + 1).to_be_bytes());
        let latest = latest.map(|number| self.chain.id_at(number));
        let (peer, _) = PeerHandle::new(id, 69, Heads { latest, ..Heads::default() });
        let ear = self.herald.connected(&peer, favoured, self.chain.id_at(told).hash);
        self.ears.push((peer, ear));
        id
    }

    /// The head moves; returns when the first to hear of it (or whoever listens beside them all) has.
    async fn advance(&mut self, number: u64, difficulty: Option<u64>) {
        // Somebody who knows nothing of the chain and hears of every block proves that all were told.
        let (peer, _) = PeerHandle::new(PeerId::repeat_byte(0xff), 69, Heads::default());
        let mut last = self.herald.connected(&peer, true, B256::ZERO);
        let head = self.chain.id_at(number);
        let total_difficulty = difficulty.map(U256::from);
        let served = Served { latest: Some(head), local: true, total_difficulty, ..Served::default() };
        self.served.publish(served);
        let told = async { while !read(last.next().await).iter().any(|(id, _)| *id == head) {} };
        timeout(PATIENCE, told).await.expect("nobody was told");
    }

    /// What each peer has heard since it was last looked at.
    async fn heard(&mut self) -> Vec<Heard> {
        let mut all = Vec::new();
        for (_, ear) in &mut self.ears {
            let mut heard = Heard::default();
            // Queues are filled before anybody is told, and what is paused ends at once.
            while let Ok(announcement) = timeout(Duration::from_secs(2), ear.next()).await {
                for (id, difficulty) in read(announcement) {
                    match difficulty {
                        Some(difficulty) => heard.blocks.push((id, difficulty)),
                        None => heard.hashes.push(id),
                    }
                }
            }
            all.push(heard);
        }
        all
    }
}

/// The blocks of an announcement, with total difficulties where they are whole.
fn read(announcement: hypasis_proxy::p2p::announce::Announcement) -> Vec<(BlockId, Option<U256>)> {
    let id = announcement.id;
    match EthMessage::decode(EthVersion::Eth69, Dialect::Bor, id, announcement.payload).unwrap() {
        EthMessage::NewBlock(block) => {
            let header = block.header().unwrap();
            let parsed = hypasis_chain::Header::parse(&header).unwrap();
            vec![(BlockId { number: parsed.number(), hash: parsed.hash() }, Some(block.td))]
        }
        EthMessage::NewBlockHashes(hashes) => {
            let named = hashes.0.into_iter();
            named.map(|block| (BlockId { number: block.number, hash: block.hash }, None)).collect()
        }
        other => panic!("{other:?} announces no block"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_square_root_of_the_peers_and_the_configured_ones_get_it_whole_and_the_others_its_hash() {
    let mut hall = Hall::new(chain(40, 2));
    hall.advance(20, Some(GENESIS)).await;
    for _ in 0..15 {
        hall.join(Some(20), false, 20);
    }
    let configured = [hall.ears.len(), hall.ears.len() + 1];
    hall.join(Some(20), true, 20);
    hall.join(Some(20), true, 20);
    hall.advance(21, Some(GENESIS)).await;
    let heard = hall.heard().await;
    let head = hall.chain.id_at(21);
    let whole: HashSet<usize> = (0..heard.len()).filter(|at| !heard[*at].blocks.is_empty()).collect();
    assert!(configured.iter().all(|at| whole.contains(at)));
    // 17 listeners and the one beside them, of whom some of the root may be configured.
    assert!((4..=6).contains(&whole.len()), "{whole:?}");
    for (at, heard) in heard.iter().enumerate() {
        let wanted = match whole.contains(&at) {
            true => Heard { blocks: vec![(head, U256::from(GENESIS))], hashes: vec![] },
            false => Heard { blocks: vec![], hashes: vec![head] },
        };
        assert_eq!(*heard, wanted, "peer {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_gets_a_whole_block_in_its_turn() {
    let mut hall = Hall::new(chain(60, 1));
    hall.advance(20, Some(GENESIS)).await;
    for _ in 0..9 {
        hall.join(Some(20), false, 20);
    }
    let mut served = HashSet::new();
    for number in 21..=23 {
        hall.advance(number, Some(GENESIS)).await;
        let heard = hall.heard().await;
        served.extend((0..9).filter(|at| !heard[*at].blocks.is_empty()));
    }
    assert_eq!(served.len(), 9, "the root of nine or ten is three");
}

#[tokio::test(start_paused = true)]
async fn without_a_total_difficulty_there_are_hashes_alone() {
    let mut hall = Hall::new(chain(40, 1));
    hall.advance(20, None).await;
    hall.join(Some(20), true, 20);
    hall.advance(21, None).await;
    let heard = hall.heard().await;
    assert_eq!(heard, [Heard { blocks: vec![], hashes: vec![hall.chain.id_at(21)] }]);
}

#[tokio::test(start_paused = true)]
async fn who_has_a_block_does_not_hear_of_it() {
    let mut hall = Hall::new(chain(40, 1));
    hall.advance(20, Some(GENESIS)).await;
    let announced = hall.join(Some(20), true, 20);
    hall.join(Some(21), true, 20);
    hall.join(Some(25), true, 20);
    hall.herald.has(&announced, hall.chain.id_at(21).hash);
    hall.advance(21, Some(GENESIS)).await;
    assert_eq!(hall.heard().await, [Heard::default(), Heard::default(), Heard::default()]);
    // A head that is not of this chain says nothing about it.
    let (peer, _) = &hall.ears[2];
    let strange = BlockId { number: 30, hash: B256::repeat_byte(9) };
    peer.announce(Heads { latest: Some(strange), ..Heads::default() });
    hall.advance(22, Some(GENESIS)).await;
    assert_eq!(hall.heard().await.iter().filter(|heard| heard.blocks.len() == 1).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_step_of_some_blocks_is_told_in_order_and_of_a_long_one_the_end() {
    let mut hall = Hall::new(chain(100, 1));
    hall.advance(20, Some(GENESIS)).await;
    hall.join(Some(20), true, 20);
    hall.advance(25, Some(GENESIS)).await;
    let numbers: Vec<u64> = hall.heard().await[0].blocks.iter().map(|(id, _)| id.number).collect();
    assert_eq!(numbers, [21, 22, 23, 24, 25]);
    hall.advance(60, Some(GENESIS)).await;
    let numbers: Vec<u64> = hall.heard().await[0].blocks.iter().map(|(id, _)| id.number).collect();
    assert_eq!(numbers, [60]);
}

#[tokio::test(start_paused = true)]
async fn who_syncs_gets_hashes_and_now_and_then_a_whole_block() {
    let mut hall = Hall::new(chain(400, 1));
    hall.advance(300, Some(GENESIS)).await;
    hall.join(Some(3), true, 300);
    let (mut whole, mut hashes) = (0, 0);
    for number in 301..=330 {
        hall.advance(number, Some(GENESIS)).await;
        // Listening takes more than two seconds each time.
        let heard = hall.heard().await;
        whole += heard[0].blocks.len();
        hashes += heard[0].hashes.len();
    }
    assert_eq!(whole + hashes, 30);
    assert!((4..=8).contains(&whole), "{whole} whole blocks in a good minute");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_has_a_bounded_queue_and_who_comes_late_hears_the_last() {
    let mut hall = Hall::new(chain(400, 1));
    hall.advance(20, Some(GENESIS)).await;
    hall.join(Some(20), true, 20);
    for number in 21..=60 {
        hall.advance(number, Some(GENESIS)).await;
    }
    let heard = hall.heard().await;
    assert_eq!(heard[0].blocks.len(), 8);
    // Between its status and its seat the head moved.
    hall.join(Some(20), false, 59);
    hall.join(Some(20), false, 60);
    let heard = hall.heard().await;
    assert_eq!(heard[1].blocks.iter().map(|(id, _)| id.number).collect::<Vec<_>>(), [60]);
    assert_eq!(heard[2], Heard::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_peer_hears_of_a_block_at_most_once(
        peers in prop::collection::vec((0_u64..=50, any::<bool>()), 1..12),
        steps in prop::collection::vec((1_u64..12, any::<bool>()), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let mut hall = Hall::new(chain(220, 1));
            let mut number = 50;
            hall.advance(number, Some(GENESIS)).await;
            for (latest, favoured) in &peers {
                hall.join(Some(*latest), *favoured, 50);
            }
            let mut told: HashMap<(usize, BlockId), usize> = HashMap::new();
            for (step, known) in steps {
                number += step;
                hall.advance(number, known.then_some(GENESIS)).await;
                for (at, heard) in hall.heard().await.into_iter().enumerate() {
                    let blocks = heard.blocks.into_iter().map(|(id, _)| id);
                    for id in blocks.chain(heard.hashes) {
                        assert_eq!(id, hall.chain.id_at(id.number));
                        *told.entry((at, id)).or_default() += 1;
                    }
                }
                let head = hall.chain.id_at(number);
                assert!((0..peers.len()).all(|at| told.contains_key(&(at, head))), "{number} was not told");
            }
            assert!(told.values().all(|times| *times == 1));
            drop(hall.store);
        });
    }
}
