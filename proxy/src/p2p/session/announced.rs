//! Blocks in this session: what the peer announces of its head, and what it is told of ours.
//!
//! An announced block is the peer's head once the peer has shown its header: Bor announces a block before it has
//! imported it, so it is asked for until it is there. Only the newest is asked for, one at a time; whoever announces
//! more than any chain makes is not listened to for the rest of the second. Before eth/69 a peer names its first head
//! by hash alone, which goes the same way.

use std::future::pending;
use std::time::Duration;

use alloy_primitives::{B256, U256, keccak256};
use futures_util::future::BoxFuture;
use hypasis_chain::{BlockId, Header};
use hypasis_upstream::Heads;
use hypasis_upstream::peer::{PeerError, PeerHandle, Question, Start};
use hypasis_wire::eth::{NewBlock, NewBlockHashes, UnifiedStatus};
use tokio::time::{Instant, sleep, sleep_until};

use super::super::Room;
use super::super::announce::{Announcement, Ear, Herald};
use super::handshake::is_possible;

/// Messages with announcements that are taken in a second; Polygon makes a block in one or two.
const MESSAGES: u32 = 32;
/// Hashes of a message that are looked at, the last ones.
const HASHES_MAX: usize = 64;
/// When an announced header is asked for again: Bor needs some hundred milliseconds to import a block.
const PAUSES_MS: [u64; 8] = [0, 30, 60, 120, 250, 500, 1_000, 2_000];

/// The session's part in announcements.
pub(super) struct Announced {
    peer: PeerHandle,
    /// `None` where blocks are not announced.
    news: Option<(Herald, Ear)>,
    left: u32,
    /// The newest block that it is to show, and when to begin.
    wanted: Option<Wanted>,
    from: Instant,
    asking: Option<BoxFuture<'static, Option<Shown>>>,
}

#[derive(Clone, Copy, Debug)]
struct Wanted {
    hash: B256,
    number: Option<u64>,
    total_difficulty: Option<U256>,
}

/// A head whose header the peer has given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    id: BlockId,
    parent: B256,
    difficulty: U256,
    total_difficulty: Option<U256>,
}

/// Something to do.
#[derive(Debug)]
pub(super) enum Step {
    /// To be sent.
    Tell(Announcement),
    /// To be taken for the peer's head.
    Adopt(Shown),
}

// === impl Announced ===

impl Announced {
    /// For a session whose peer said `theirs` and was told of the block `ours`. Where blocks are not announced, nothing
    /// is asked for the first `quiet` moments.
    pub(super) fn new(
        room: &Room,
        peer: PeerHandle,
        ours: B256,
        theirs: &UnifiedStatus,
        quiet: Duration,
    ) -> Self {
        let news = room.herald.clone().map(|herald| {
            let ear = herald.connected(&peer, room.peers.is_configured(&peer.id()), ours);
            herald.has(&peer.id(), theirs.blockhash);
            (herald, ear)
        });
        let total_difficulty = theirs.total_difficulty.filter(|_| news.is_some());
        let unnamed = Wanted { hash: theirs.blockhash, number: None, total_difficulty };
        let from = Instant::now() + if news.is_some() { Duration::ZERO } else { quiet };
        let wanted = theirs.latest_block.is_none().then_some(unnamed);
        Self { peer, news, left: MESSAGES, wanted, from, asking: None }
    }

    /// A second has passed.
    pub(super) fn refill(&mut self) {
        self.left = MESSAGES;
    }

    /// The peer sent a block. Says whether its head moved by that; `Err` for what no sound peer sends.
    pub(super) fn block(&mut self, block: &NewBlock) -> Result<bool, String> {
        let Some(herald) = self.listening("block", 1) else { return Ok(false) };
        let header = block.header().map_err(|error| error.to_string())?;
        let parsed = Header::parse(&header).map_err(|error| format!("it announced a block: {error}"))?;
        let (number, difficulty) = (parsed.number(), parsed.difficulty());
        let (Some(below), Some(before)) = (number.checked_sub(1), block.td.checked_sub(difficulty)) else {
            return Err(format!("it announced block {number} with less total difficulty than its own"));
        };
        let hash = keccak256(&header);
        herald.has(&self.peer.id(), hash);
        // As Bor counts: it has the parent now, and the block when it has imported it.
        let parent = BlockId { number: below, hash: parsed.parent_hash() };
        let heads = self.peer.heads();
        let moved = heads.latest != Some(parent) && is_better(&heads, parent, Some(before));
        if moved {
            self.peer.announce(Heads { latest: Some(parent), total_difficulty: Some(before), ..heads });
        }
        self.want(Wanted { hash, number: Some(number), total_difficulty: Some(block.td) });
        Ok(moved)
    }

    /// The peer named blocks that it has.
    pub(super) fn hashes(&mut self, hashes: &NewBlockHashes) {
        let Some(herald) = self.listening("hashes", 1) else { return };
        let last = hashes.0.get(hashes.0.len().saturating_sub(HASHES_MAX)..).unwrap_or_default();
        last.iter().for_each(|block| herald.has(&self.peer.id(), block.hash));
        if let Some(newest) = last.iter().max_by_key(|block| block.number) {
            self.want(Wanted { hash: newest.hash, number: Some(newest.number), total_difficulty: None });
        }
    }

    /// What comes next; nothing is told while `is_full`. Safe to drop.
    pub(super) async fn next(&mut self, is_full: bool) -> Step {
        let Self { peer, news, wanted, from, asking, .. } = self;
        let shown = async {
            loop {
                if asking.is_none() {
                    if wanted.is_none() {
                        pending::<()>().await;
                    }
                    sleep_until(*from).await;
                    *asking = wanted
                        .take()
                        .map(|wanted| -> BoxFuture<'static, _> { Box::pin(show(peer.clone(), wanted)) });
                }
                let Some(running) = asking.as_mut() else { continue };
                let shown = running.await;
                *asking = None;
                if let Some(shown) = shown {
                    return shown;
                }
            }
        };
        let told = async {
            match news {
                Some((_, ear)) if !is_full => ear.next().await,
                _ => pending().await,
            }
        };
        tokio::select! {
            shown = shown => Step::Adopt(shown),
            told = told => Step::Tell(told),
        }
    }

    /// Takes a block for the peer's head, if it is further than what is known of it.
    pub(super) fn adopt(&self, shown: Shown) -> bool {
        let heads = self.peer.heads();
        let on_top = || {
            let before = heads.latest.filter(|head| head.hash == shown.parent).and(heads.total_difficulty);
            before.and_then(|before| before.checked_add(shown.difficulty))
        };
        let total_difficulty = shown.total_difficulty.or_else(on_top);
        let total_difficulty = total_difficulty.filter(|total| is_possible(*total, shown.id.number));
        let is_child = heads.latest.is_none_or(|head| head.hash == shown.parent);
        let better = is_child || is_better(&heads, shown.id, total_difficulty);
        if better {
            self.peer.show(Heads { latest: Some(shown.id), total_difficulty, ..heads });
        }
        better
    }

    /// Counts an announcement, and says whether it is looked at.
    fn listening(&mut self, form: &'static str, count: usize) -> Option<Herald> {
        let (herald, _) = self.news.as_ref().filter(|_| self.left > 0)?;
        self.left -= 1;
        herald.heard(form, count);
        Some(herald.clone())
    }

    fn want(&mut self, new: Wanted) {
        let known = self.peer.heads().latest.is_some_and(|head| head.hash == new.hash);
        let older = |old: &Wanted| old.number.is_some() && old.number > new.number;
        if !known && !self.wanted.as_ref().is_some_and(older) {
            self.wanted = Some(new);
        }
    }
}

impl std::fmt::Debug for Announced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Announced").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

/// Whether a block is further than the head in `heads`: by total difficulty where both are known, else by height.
fn is_better(heads: &Heads, id: BlockId, total_difficulty: Option<U256>) -> bool {
    match (total_difficulty, heads.total_difficulty) {
        (Some(new), Some(old)) => new > old,
        _ => heads.latest.is_none_or(|head| id.number > head.number),
    }
}

/// Asks for the header until the peer has it.
async fn show(peer: PeerHandle, wanted: Wanted) -> Option<Shown> {
    let Wanted { hash, number, total_difficulty } = wanted;
    for pause in PAUSES_MS {
        sleep(Duration::from_millis(pause)).await;
        let question = Question::Headers { start: Start::Hash(hash), limit: 1, reverse: false };
        let answer = match peer.ask(question).await {
            Ok(answer) => answer,
            Err(PeerError::Busy | PeerError::Late) => continue,
            Err(PeerError::Gone | PeerError::Wrong(_)) => return None,
        };
        let Some(header) = answer.items.first() else { continue };
        if keccak256(header) != hash {
            peer.condemn("the header of its own head is another one");
            return None;
        }
        let header = Header::parse(header).ok()?;
        let id = BlockId { number: header.number(), hash };
        if number.is_some_and(|number| number != id.number) {
            peer.condemn(format!("it announced block {} as {}", id.number, number.unwrap_or_default()));
            return None;
        }
        let (parent, difficulty) = (header.parent_hash(), header.difficulty());
        return Some(Shown { id, parent, difficulty, total_difficulty });
    }
    None
}
