//! Many peers as one source: each answers for itself.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_chain::dev::{DevChain, DevOptions};
use hypasis_chain::{Block, BlockId, Fault};
use hypasis_upstream::peer::{
    Answer, Askers, PeerError, PeerHandle, PeerId, PeerSource, Question, Request, Start,
};
use hypasis_upstream::{Heads, Source, SourceError};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How a peer behaves, asked for anything but its head by hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Sound,
    /// Takes requests and never answers.
    Stalls,
    /// Has nothing of what it says it has.
    Empty,
    /// Does not answer what it is asked, and says so at once.
    Busy,
    /// Headers of another chain.
    Forges,
    /// One body more than was asked for.
    Surplus,
    /// No receipts.
    Bare,
    /// Three blocks at a time.
    Brief,
    /// A receipt more than transactions at every eighth block, as Bor's eth/69.
    Beside,
}

#[derive(Debug)]
struct Player {
    handle: PeerHandle,
    asked: Arc<Mutex<Vec<Question>>>,
}

// === impl Player ===

impl Player {
    fn new(name: u8, chain: &Arc<DevChain>, manner: Manner, heads: Heads) -> Self {
        Self::of_version(69, name, chain, manner, heads)
    }

    fn of_version(version: u8, name: u8, chain: &Arc<DevChain>, manner: Manner, heads: Heads) -> Self {
        let (handle, requests) = PeerHandle::new(PeerId::repeat_byte(name), version, heads);
        let asked = Arc::<Mutex<Vec<Question>>>::default();
        tokio::spawn(play(requests, chain.clone(), manner, asked.clone()));
        Self { handle, asked }
    }

    fn whole(name: u8, chain: &Arc<DevChain>, manner: Manner) -> Self {
        Self::new(name, chain, manner, heads(chain, 0, chain.head().number))
    }

    fn condemned(&self) -> bool {
        self.handle.condemned().borrow().is_some()
    }

    /// Questions but those about its head.
    fn asked(&self) -> usize {
        let of_head =
            |question: &&Question| matches!(question, Question::Headers { start: Start::Hash(_), .. });
        let asked = self.asked.lock();
        asked.len() - asked.iter().filter(of_head).count()
    }
}

async fn play(
    mut requests: mpsc::Receiver<Request>,
    chain: Arc<DevChain>,
    manner: Manner,
    asked: Arc<Mutex<Vec<Question>>>,
) {
    let other = Arc::new(DevChain::new(DevOptions { seed: 99, ..chain.options().clone() }, 1_700_000_000));
    let mut unanswered = Vec::new();
    while let Some(Request { question, answer }) = requests.recv().await {
        asked.lock().push(question.clone());
        let of_head = matches!(question, Question::Headers { start: Start::Hash(_), .. });
        if manner == Manner::Stalls && !of_head {
            unanswered.push(answer);
            continue;
        }
        if manner == Manner::Busy && !of_head {
            let _ = answer.send(Err(PeerError::Busy));
            continue;
        }
        let items = match &question {
            _ if manner == Manner::Empty && !of_head => Vec::new(),
            Question::Headers { start: Start::Number(number), limit, .. } => {
                let chain = if manner == Manner::Forges { &other } else { &chain };
                chain.headers(*number..number.saturating_add(*limit).min(chain.head().number + 1))
            }
            Question::Headers { start: Start::Hash(hash), .. } => {
                chain.block_by_hash(hash).map(|block| block.header).into_iter().collect()
            }
            Question::Bodies(hashes) => bodies(&chain, hashes, manner),
            Question::Receipts { .. } if manner == Manner::Bare => Vec::new(),
            Question::Receipts { hashes, .. } if manner == Manner::Beside => {
                blocks(&chain, hashes).into_iter().map(with_beside).collect()
            }
            Question::Receipts { hashes, .. } => {
                blocks(&chain, hashes).into_iter().filter_map(|block| block.receipts).collect()
            }
        };
        let _ = answer.send(Ok(Answer { items, incomplete: false }));
    }
}

/// The slim receipt of a state sync.
const STATE_SYNC: [u8; 5] = [0xc4, 0x80, 0x01, 0x80, 0xc0];

fn with_beside(block: Block) -> Bytes {
    let receipts = block.receipts.unwrap();
    if !block.id.number.is_multiple_of(8) {
        return receipts;
    }
    let mut payload = hypasis_chain::rlp::Item::parse(&receipts).unwrap().payload().to_vec();
    payload.extend_from_slice(&STATE_SYNC);
    let mut list = Vec::new();
    hypasis_chain::rlp::write_list(&mut list, &payload);
    list.into()
}

fn blocks(chain: &DevChain, hashes: &[B256]) -> Vec<Block> {
    hashes.iter().map_while(|hash| chain.block_by_hash(hash)).collect()
}

/// As a session has them: slices of one message.
fn bodies(chain: &DevChain, hashes: &[B256], manner: Manner) -> Vec<Bytes> {
    let mut items: Vec<Bytes> = blocks(chain, hashes).into_iter().map(|block| block.body).collect();
    if manner == Manner::Surplus {
        items.push(Bytes::from(vec![0xc0; 1 << 20]));
    }
    if manner == Manner::Brief {
        items.truncate(3);
    }
    let message = Bytes::from(items.concat());
    let mut at = 0;
    items
        .iter()
        .map(|item| {
            at += item.len();
            message.slice(at - item.len()..at)
        })
        .collect()
}

fn chain() -> Arc<DevChain> {
    let options = DevOptions { history: 400, transactions: 4, period_ms: 1_000, seed: 5 };
    let chain = DevChain::new(options, 1_700_000_000);
    chain.advance(0);
    Arc::new(chain)
}

fn heads(chain: &DevChain, earliest: u64, latest: u64) -> Heads {
    Heads { latest: Some(chain.id_at(latest)), earliest, ..Heads::default() }
}

fn ids(chain: &DevChain, from: u64, count: u64) -> Vec<BlockId> {
    (from..from + count).map(|number| chain.id_at(number)).collect()
}

fn fault() -> Fault {
    Fault::Number { field: "number", found: 1, expected: 2 }
}

/// The shared source of these peers, whose heads are proven.
async fn pool(players: &[&Player]) -> PeerSource {
    let source = PeerSource::of_many("peers".into(), Duration::ZERO);
    for player in players {
        source.attach(player.handle.clone());
        let asked = async {
            while player.asked.lock().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        asked.await;
    }
    settle().await;
    source
}

/// Lets everybody who can go on do so: the clock is paused and moves only then.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn more_bodies_than_were_asked_for_condemn_the_peer_and_another_is_asked() {
    let chain = chain();
    let greedy = Player::whole(1, &chain, Manner::Surplus);
    let source = pool(&[&greedy]).await;
    let wanted = ids(&chain, 10, 8);
    assert!(matches!(source.blocks(&wanted, true).await, Err(SourceError::Misbehaved { .. })));
    assert!(greedy.condemned());
    let sound = Player::whole(2, &chain, Manner::Sound);
    source.attach(sound.handle.clone());
    settle().await;
    assert_eq!(source.blocks(&wanted, true).await.unwrap(), chain.blocks(10..18));
}

#[tokio::test(start_paused = true)]
async fn blocks_do_not_keep_the_message_alive_of_which_they_were_a_part() {
    let chain = chain();
    let sound = Player::whole(1, &chain, Manner::Sound);
    let source = pool(&[&sound]).await;
    let found = source.blocks(&ids(&chain, 10, 8), true).await.unwrap();
    assert_eq!(found.len(), 8);
    for block in found {
        assert!(block.header.is_unique() && block.body.is_unique() && block.receipts.unwrap().is_unique());
    }
}

#[tokio::test(start_paused = true)]
async fn who_stalls_fails_or_has_nothing_costs_a_moment_and_the_next_gives_it() {
    let chain = chain();
    for manner in [Manner::Stalls, Manner::Busy, Manner::Empty, Manner::Surplus] {
        let (bad, sound) = (Player::whole(1, &chain, manner), Player::whole(2, &chain, Manner::Sound));
        let source = pool(&[&sound, &bad]).await;
        let started = Instant::now();
        for from in [1, 101, 201, 301] {
            assert_eq!(source.headers(from, 64).await.unwrap(), chain.headers(from..from + 64), "{manner:?}");
            let found = source.blocks(&ids(&chain, from, 16), true).await.unwrap();
            assert_eq!(found, chain.blocks(from..from + 16), "{manner:?}");
            let hash = chain.id_at(from).hash;
            assert_eq!(source.block_by_hash(hash).await.unwrap(), Some(chain.block(from)), "{manner:?}");
        }
        assert!(bad.asked() > 0, "{manner:?} was never asked");
        assert!(started.elapsed() < Duration::from_secs(15), "{manner:?}: {:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn that_there_is_no_such_block_is_said_by_somebody_and_not_by_failures() {
    let chain = chain();
    let (busy, sound) = (Player::whole(1, &chain, Manner::Busy), Player::whole(2, &chain, Manner::Sound));
    let nobody = B256::repeat_byte(9);
    // The first question of a block by hash is for its header, which even the busy one answers here.
    let known = chain.id_at(7).hash;
    assert!(matches!(pool(&[&busy]).await.block_by_hash(known).await, Err(SourceError::Unavailable { .. })));
    let both = pool(&[&busy, &sound]).await;
    assert_eq!(both.block_by_hash(nobody).await.unwrap(), None);
    assert_eq!(both.block_by_hash(known).await.unwrap(), Some(chain.block(7)));
}

#[tokio::test(start_paused = true)]
async fn receipts_come_from_who_has_them() {
    let chain = chain();
    let bare: Vec<Player> = (1..4).map(|name| Player::whole(name, &chain, Manner::Bare)).collect();
    let sound = Player::whole(9, &chain, Manner::Sound);
    let source = pool(&[&bare[0], &bare[1], &bare[2], &sound]).await;
    assert_eq!(source.blocks(&ids(&chain, 50, 4), true).await.unwrap(), chain.blocks(50..54));
    let alone = pool(&[&bare[0]]).await;
    let found = alone.blocks(&ids(&chain, 50, 4), true).await.unwrap();
    assert!(found.len() == 4 && found.iter().all(|block| block.receipts.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_lie_is_blamed_on_who_told_it_in_that_lease_and_on_nobody_for_what_it_did_not_give() {
    let chain = chain();
    let (forger, sound) = (Player::whole(1, &chain, Manner::Forges), Player::whole(2, &chain, Manner::Sound));
    let source = pool(&[&forger]).await;
    let theirs = source.leased(&Askers::default(), false).unwrap();
    assert_ne!(theirs.headers(10, 20).await.unwrap(), chain.headers(10..30));
    source.attach(sound.handle.clone());
    settle().await;
    // Others get the same heights of somebody else meanwhile.
    let askers = Askers::default();
    askers.add(forger.handle.id());
    let others = source.leased(&askers, false).unwrap();
    assert_eq!(others.headers(10, 20).await.unwrap(), chain.headers(10..30));
    assert_eq!(others.blocks(&ids(&chain, 10, 4), true).await.unwrap(), chain.blocks(10..14));
    theirs.blame(15, &fault());
    assert!(forger.condemned() && !sound.condemned());

    let brief = Player::whole(3, &chain, Manner::Brief);
    let source = pool(&[&brief]).await;
    let lease = source.leased(&Askers::default(), false).unwrap();
    assert_eq!(lease.blocks(&ids(&chain, 10, 8), true).await.unwrap().len(), 3);
    lease.blame(13, &fault());
    assert!(!brief.condemned());
    lease.blame(12, &fault());
    assert!(brief.condemned());
}

#[tokio::test(start_paused = true)]
async fn who_asks_is_not_asked() {
    let chain = chain();
    let (one, two) = (Player::whole(1, &chain, Manner::Sound), Player::whole(2, &chain, Manner::Sound));
    let source = pool(&[&one, &two]).await;
    let askers = Askers::default();
    askers.add(one.handle.id());
    let lease = source.leased(&askers, false).unwrap();
    for from in [10, 20, 30] {
        assert_eq!(lease.headers(from, 5).await.unwrap().len(), 5);
        assert_eq!(lease.blocks(&ids(&chain, from, 5), true).await.unwrap().len(), 5);
    }
    assert_eq!(one.asked(), 0);
    askers.add(two.handle.id());
    assert!(matches!(lease.headers(10, 5).await, Err(SourceError::Absent(_))));
}

#[tokio::test(start_paused = true)]
async fn a_head_counts_when_its_header_came_and_is_at_that_height() {
    let chain = chain();
    let made_up = |latest| Heads { latest: Some(latest), ..Heads::default() };
    let nowhere = BlockId { number: u64::MAX, hash: B256::repeat_byte(7) };
    let elsewhere = BlockId { number: 1 << 40, ..chain.id_at(300) };
    let unknown = Player::new(1, &chain, Manner::Sound, made_up(nowhere));
    let wrong = Player::new(2, &chain, Manner::Sound, made_up(elsewhere));
    let source = pool(&[&unknown, &wrong]).await;
    assert_eq!(*source.heads().borrow(), Heads::default());
    assert!(wrong.condemned() && !unknown.condemned());
    let sound = Player::new(3, &chain, Manner::Sound, heads(&chain, 0, 350));
    source.attach(sound.handle.clone());
    settle().await;
    assert_eq!(*source.heads().borrow(), heads(&chain, 0, 350));
    // It moves on, and is asked again.
    sound.handle.announce(heads(&chain, 0, 400));
    source.refresh();
    settle().await;
    assert_eq!(*source.heads().borrow(), heads(&chain, 0, 400));
}

#[tokio::test(start_paused = true)]
async fn ranges_with_a_hole_between_them_are_not_one() {
    let chain = chain();
    let low = Player::new(1, &chain, Manner::Sound, heads(&chain, 0, 99));
    let high = Player::new(2, &chain, Manner::Sound, heads(&chain, 200, 400));
    let source = pool(&[&low, &high]).await;
    assert_eq!(*source.heads().borrow(), heads(&chain, 200, 400));
    let between = Player::new(3, &chain, Manner::Sound, heads(&chain, 100, 250));
    source.attach(between.handle.clone());
    settle().await;
    assert_eq!(*source.heads().borrow(), heads(&chain, 0, 400));
    // A request over the seam is answered as far as one peer goes.
    let found = source.blocks(&ids(&chain, 95, 10), true).await.unwrap();
    assert_eq!(found, chain.blocks(95..100));
}

#[tokio::test(start_paused = true)]
async fn who_turns_out_to_lack_what_it_claims_claims_it_no_more() {
    let chain = chain();
    let (boaster, sound) = (
        Player::whole(1, &chain, Manner::Empty),
        Player::new(2, &chain, Manner::Sound, heads(&chain, 0, 250)),
    );
    let source = pool(&[&boaster, &sound]).await;
    assert_eq!(source.heads().borrow().latest, Some(chain.head()));
    assert!(matches!(source.headers(300, 5).await, Err(SourceError::Absent(_))));
    assert_eq!(*source.heads().borrow(), heads(&chain, 0, 250));
}

#[tokio::test(start_paused = true)]
async fn a_pruned_peer_is_asked_for_old_headers_and_not_for_old_bodies() {
    let chain = chain();
    let pruned = Player::new(1, &chain, Manner::Sound, heads(&chain, 300, 400));
    let source = pool(&[&pruned]).await;
    assert!(source.has_old_headers());
    assert_eq!(source.headers(5, 20).await.unwrap(), chain.headers(5..25));
    assert!(matches!(source.blocks(&ids(&chain, 5, 2), true).await, Err(SourceError::Absent(_))));
}

#[tokio::test(start_paused = true)]
async fn idle_strangers_do_not_add_up() {
    let chain = chain();
    let one = Player::whole(1, &chain, Manner::Sound);
    let alone = pool(&[&one]).await.score();
    let many: Vec<Player> = (1..101).map(|name| Player::whole(name, &chain, Manner::Sound)).collect();
    assert_eq!(pool(&many.iter().collect::<Vec<_>>()).await.score(), alone);
    assert_eq!(pool(&[]).await.score(), 0);
}

#[tokio::test(start_paused = true)]
async fn failures_and_lies_of_many_cost_a_rest_each_and_no_busy_loop() {
    let chain = chain();
    let busy = Player::whole(1, &chain, Manner::Busy);
    let source = pool(&[&busy]).await;
    let started = Instant::now();
    for _ in 0..6 {
        assert!(source.headers(5, 20).await.is_err());
    }
    assert!(started.elapsed() > Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(!busy.condemned());
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_asked_nothing_at_first_and_an_upstream_is_at_once() {
    let chain = chain();
    let quiet = Duration::from_secs(5);
    let player = Player::whole(1, &chain, Manner::Sound);
    let many = PeerSource::of_many("peers".into(), quiet);
    many.attach(player.handle.clone());
    tokio::time::sleep(quiet - Duration::from_millis(1)).await;
    assert!(player.asked.lock().is_empty());
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(many.heads().borrow().latest, Some(chain.head()));
    let upstream = PeerSource::new("upstream".into());
    upstream.attach(player.handle.clone());
    settle().await;
    assert_eq!(upstream.heads().borrow().latest, Some(chain.head()));
}

#[tokio::test]
async fn what_stands_beside_blocks_is_believed_of_a_named_peer_at_the_version_that_tells_it() {
    let chain = chain();
    let wanted = ids(&chain, 1, 16);
    let take = async |many: bool, version: u8| {
        let source = match many {
            true => PeerSource::of_many("peers".into(), Duration::ZERO),
            false => PeerSource::new("peer".into()),
        };
        let manner = if version == 69 { Manner::Beside } else { Manner::Sound };
        let player = Player::of_version(version, 1, &chain, manner, heads(&chain, 0, 400));
        source.attach(player.handle.clone());
        source.heads().wait_for(|heads| heads.latest.is_some()).await.unwrap();
        source.blocks(&wanted, true).await.unwrap()
    };
    for block in take(false, 69).await {
        let told: &[u8] = if block.id.number.is_multiple_of(8) { &STATE_SYNC } else { &[0xc0] };
        assert_eq!(block.extra.as_deref(), Some(told), "block {}", block.id.number);
        assert_eq!(Block { extra: None, ..block.clone() }, chain.block(block.id.number));
    }
    for (many, version) in [(true, 69), (false, 70)] {
        for block in take(many, version).await {
            assert_eq!(block, chain.block(block.id.number), "many: {many}, eth/{version}");
        }
    }
}
