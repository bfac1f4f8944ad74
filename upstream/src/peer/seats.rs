//! The peers behind one source: what each has, who is asked next, and who rests.
//!
//! What a peer says of itself is a claim. Its head counts once its header has come; where it turns out to lack what it
//! claims, it is not asked for that again before it claims something else.

use std::time::Duration;

use alloy_primitives::U256;
use hypasis_chain::BlockId;
use tokio::time::Instant;

use super::{PeerHandle, PeerId};
use crate::source::Heads;

/// Requests for history that one peer bears at once. Each asks for headers, bodies and receipts together.
const PARALLEL: usize = 3;
/// Most requests over all peers of one source.
const PARALLEL_MAX: usize = 64;
/// Bytes a second that a peer is taken for before it has given any.
const SPEED_AT_START: u64 = 4_000_000;
/// First rest after a failure; doubles with each further one.
const REST: Duration = Duration::from_millis(100);
/// Longest rest after failures.
const REST_MAX: Duration = Duration::from_secs(15);

/// All peers of a source.
#[derive(Debug, Default)]
pub(super) struct Seats {
    seats: Vec<Seat>,
}

#[derive(Debug)]
struct Seat {
    peer: PeerHandle,
    since: Instant,
    requests: usize,
    /// Bytes a second lately; none before it was asked.
    speed: Option<u64>,
    failures: u32,
    rest_until: Option<Instant>,
    /// What it said last.
    claim: Heads,
    /// The last head whose header it gave.
    proven: Option<BlockId>,
    /// The head that it was asked to prove.
    tried: Option<BlockId>,
    /// From here on it has no headers, whatever it says.
    no_headers_from: Option<u64>,
    /// Below it has no bodies, whatever it says.
    no_bodies_below: u64,
}

/// What a peer must have to be asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want {
    /// The header at this height.
    Headers(u64),
    /// The block at the first height, and better all up to the last.
    Blocks(u64, u64),
    /// Whatever it has: a hash tells nothing.
    Any,
}

/// Who is asked next.
#[derive(Debug)]
pub(super) enum Next {
    /// This one, and the highest height that it has; give it back with [`Seats::put_back`].
    Peer(PeerHandle, u64),
    /// Nobody before that moment.
    Resting(Instant),
    /// Nobody has it.
    Nobody,
}

/// A head that a peer is to prove.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) peer: PeerHandle,
    pub(super) head: BlockId,
    /// Since when the peer is here.
    pub(super) since: Instant,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// So many bytes in that time.
    Gave(usize, Duration),
    /// It had nothing to give, or another was faster.
    Nothing,
    /// It did not answer, or wrongly.
    Failed,
}

// === impl Seats ===

impl Seats {
    /// A peer came; one with the same id makes place.
    pub(super) fn add(&mut self, peer: PeerHandle) {
        self.seats.retain(|seat| seat.peer.id() != peer.id());
        self.seats.push(Seat::new(peer));
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    /// Who is gone or condemned leaves; the claims of the others are taken down. Returns the heads to be proven.
    pub(super) fn look_again(&mut self) -> Vec<Claim> {
        self.seats.retain(|seat| seat.peer.is_usable());
        self.seats.iter_mut().filter_map(Seat::look_again).collect()
    }

    /// `head` is what it claims to be (true), or could not be had (false): then it is tried again when there is news.
    pub(super) fn proved(&mut self, id: PeerId, head: BlockId, proven: bool) {
        let Some(seat) = self.of(id).filter(|seat| seat.tried == Some(head)) else { return };
        if proven {
            seat.proven = Some(head);
        } else {
            seat.tried = None;
        }
    }

    /// What they have together, without a hole between them.
    pub(super) fn heads(&self) -> Heads {
        let mut ranges: Vec<(u64, BlockId, Option<U256>)> = self
            .seats
            .iter()
            .filter(|seat| seat.peer.is_usable())
            .filter_map(|seat| {
                let head = seat.head()?;
                let difficulty = seat.claim.total_difficulty.filter(|_| seat.claim.latest == Some(head));
                Some((seat.earliest(), head, difficulty))
            })
            .collect();
        ranges.sort_unstable_by_key(|(_, head, difficulty)| std::cmp::Reverse((head.number, *difficulty)));
        let latest = ranges.first().map(|(_, head, _)| *head);
        let mut earliest = ranges.first().map_or(0, |(earliest, ..)| *earliest);
        // By falling heads, so that each extends what is there or lies below a hole.
        for (from, head, _) in &ranges {
            if head.number.saturating_add(1) >= earliest {
                earliest = earliest.min(*from);
            }
        }
        Heads { latest, earliest, total_difficulty: self.total_difficulty(latest), ..Heads::default() }
    }

    /// What is said of the head's total difficulty; the lowest if they differ.
    fn total_difficulty(&self, latest: Option<BlockId>) -> Option<U256> {
        let there = self.seats.iter().filter(|seat| seat.peer.is_usable() && seat.head() == latest);
        let told = there.filter(|seat| latest.is_some() && seat.claim.latest == latest);
        told.filter_map(|seat| seat.claim.total_difficulty).min()
    }

    /// Requests that all bear at once.
    pub(super) fn parallel(&self) -> usize {
        self.seats.len().saturating_mul(PARALLEL).min(PARALLEL_MAX)
    }

    /// Bytes a second of the best: what one request may expect. Those that were never asked count only where nobody
    /// was.
    pub(super) fn speed(&self) -> u64 {
        let at_start = if self.seats.is_empty() { 0 } else { SPEED_AT_START };
        self.seats.iter().filter_map(|seat| seat.speed).max().unwrap_or(at_start)
    }

    /// Takes the fittest peer that is not in `except`.
    pub(super) fn take(&mut self, want: Want, except: &[PeerId]) -> Next {
        let now = Instant::now();
        let has = |seat: &Seat| {
            seat.peer.is_usable() && !except.contains(&seat.peer.id()) && seat.has(want).is_some()
        };
        let fit = self.seats.iter_mut().filter(|seat| has(seat));
        let best = fit.filter(|seat| !seat.rests(now)).max_by_key(|seat| {
            let share = seat.speed.unwrap_or(SPEED_AT_START) / (seat.requests as u64 + 1);
            (seat.has(want), share)
        });
        if let Some(seat) = best {
            seat.requests += 1;
            return Next::Peer(seat.peer.clone(), seat.reach());
        }
        let resting = self.seats.iter().filter(|seat| has(seat)).filter_map(|seat| seat.rest_until);
        resting.min().map_or(Next::Nobody, Next::Resting)
    }

    /// A request has ended.
    pub(super) fn put_back(&mut self, id: PeerId, outcome: Outcome) {
        let Some(seat) = self.of(id) else { return };
        seat.requests = seat.requests.saturating_sub(1);
        let speed = match outcome {
            Outcome::Gave(bytes, time) => {
                (seat.failures, seat.rest_until) = (0, None);
                let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
                (bytes as u64).saturating_mul(1_000_000) / micros
            }
            Outcome::Nothing => 0,
            Outcome::Failed => {
                seat.rest();
                0
            }
        };
        // A quarter of the new figure and three of the old; a failure counts as nothing given.
        let old = seat.speed.unwrap_or(SPEED_AT_START);
        seat.speed = Some((old / 4).saturating_mul(3).saturating_add(speed / 4).max(1));
    }

    /// A peer has no header at `number`, whatever it says.
    pub(super) fn lacks_header(&mut self, id: PeerId, number: u64) {
        if let Some(seat) = self.of(id) {
            seat.no_headers_from = Some(seat.no_headers_from.map_or(number, |from| from.min(number)));
        }
    }

    /// A peer has no body at `number`, whatever it says.
    pub(super) fn lacks_body(&mut self, id: PeerId, number: u64) {
        if let Some(seat) = self.of(id) {
            seat.no_bodies_below = seat.no_bodies_below.max(number.saturating_add(1));
        }
    }

    fn of(&mut self, id: PeerId) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.peer.id() == id)
    }
}

// === impl Seat ===

impl Seat {
    fn new(peer: PeerHandle) -> Self {
        Self {
            claim: peer.heads(),
            peer,
            since: Instant::now(),
            requests: 0,
            speed: None,
            failures: 0,
            rest_until: None,
            proven: None,
            tried: None,
            no_headers_from: None,
            no_bodies_below: 0,
        }
    }

    /// Takes down a new claim, and returns the head that is to be proven.
    fn look_again(&mut self) -> Option<Claim> {
        let super::handle::Claim { heads: claim, shown } = self.peer.claim();
        if claim.latest != self.claim.latest {
            self.no_headers_from = None;
        }
        if claim.earliest != self.claim.earliest {
            self.no_bodies_below = 0;
        }
        self.claim = claim;
        if shown {
            (self.proven, self.tried) = (self.claim.latest, self.claim.latest);
        }
        let head =
            self.claim.latest.filter(|head| self.proven != Some(*head) && self.tried != Some(*head))?;
        self.tried = Some(head);
        Some(Claim { peer: self.peer.clone(), head, since: self.since })
    }

    /// Its head, as far as it is proven and nothing speaks against it.
    fn head(&self) -> Option<BlockId> {
        let claimed = self.claim.latest?.number;
        self.proven.filter(|head| {
            head.number <= claimed && self.no_headers_from.is_none_or(|from| head.number < from)
        })
    }

    /// The highest height that it may have.
    fn reach(&self) -> u64 {
        let claimed = self.claim.latest.map_or(0, |head| head.number);
        let proven = self.proven.map_or(0, |head| head.number.min(claimed));
        self.no_headers_from.map_or(proven, |from| proven.min(from.saturating_sub(1)))
    }

    fn earliest(&self) -> u64 {
        self.claim.earliest.max(self.no_bodies_below)
    }

    /// Whether it has the least of what is wanted, and all of it.
    fn has(&self, want: Want) -> Option<bool> {
        let (least, most) = match want {
            Want::Any => return Some(true),
            Want::Headers(number) => (number, number),
            // `earliest` is about bodies and receipts: who prunes keeps all headers.
            Want::Blocks(first, last) if self.earliest() <= first => (first, last),
            Want::Blocks(..) => return None,
        };
        let reach = self.proven.map(|_| self.reach())?;
        (least <= reach && self.no_headers_from != Some(0)).then_some(most <= reach)
    }

    fn rests(&self, now: Instant) -> bool {
        self.rest_until.is_some_and(|until| until > now)
    }

    fn rest(&mut self) {
        let rest = REST.saturating_mul(1 << self.failures.min(10)).min(REST_MAX);
        self.failures = self.failures.saturating_add(1);
        self.rest_until = self.rest_until.max(Some(Instant::now() + rest));
    }
}
