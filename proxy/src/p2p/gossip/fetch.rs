//! What was announced and is not here yet.
//!
//! Each hash is asked of one peer at a time, and each peer has one request at a time. What a peer does not
//! bring (in time) is asked of the next that announced it. A peer that is late gets no further request, and
//! nothing it announces is noted, until it has answered after all.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use alloy_primitives::B256;
use tokio::time::Instant;

use super::limits::{
    MAX_OFFERS_PER_HASH, MAX_OFFERS_PER_PEER, MAX_REQUEST_BYTES, MAX_REQUEST_HASHES, MAX_WANTED,
    MIN_OFFERS_PER_PEER,
};
use super::slots::Slot;

/// How long a peer has for an answer (go-ethereum `txFetchTimeout`).
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// A queue this long holds hashes that are here meanwhile, which are then dropped.
const MAX_QUEUE: usize = 2 * MAX_OFFERS_PER_PEER;

/// Announced transactions by hash, and what each peer owes.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    wanted: HashMap<B256, Wanted>,
    peers: HashMap<Slot, Debtor>,
}

/// An announced transaction.
#[derive(Debug, Default)]
struct Wanted {
    offers: Vec<Offer>,
    /// Who was asked for it, or has brought it and waits for the verdict.
    asked: Option<Slot>,
}

/// What a peer says of a transaction that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) slot: Slot,
    pub(super) kind: u8,
    pub(super) size: u32,
}

/// A peer that has announced something.
#[derive(Debug, Default)]
struct Debtor {
    /// Hashes to ask it for; some may be here meanwhile, or asked of another peer.
    queue: VecDeque<B256>,
    /// How many hashes name it as owner.
    offers: usize,
    request: Request,
}

/// A peer's one request.
#[derive(Debug, Default)]
enum Request {
    #[default]
    None,
    /// In the order asked. An answer that has come and waits to be looked at has no deadline any more.
    Open { hashes: Vec<B256>, deadline: Option<Instant> },
    /// Its time ran out; what was asked was asked of others.
    Late,
}

/// Peers that have something to be asked for now.
pub(super) type Idle = Vec<Slot>;

/// How many hashes may name one of so many peers. Together they leave room for as many more, so that a few who announce
/// what does not exist cannot keep the others from being heard.
fn share(peers: usize) -> usize {
    (MAX_WANTED / 2 / peers.max(1)).clamp(MIN_OFFERS_PER_PEER, MAX_OFFERS_PER_PEER)
}

// === impl Fetch ===

impl Fetch {
    /// Notes an announced transaction.
    pub(super) fn offer(&mut self, hash: B256, offer: Offer) {
        let full = self.wanted.len() >= MAX_WANTED;
        let share = share(self.peers.len());
        let debtor = self.peers.entry(offer.slot).or_default();
        if debtor.offers >= share || matches!(debtor.request, Request::Late) {
            return;
        }
        if full && !self.wanted.contains_key(&hash) {
            return;
        }
        let wanted = self.wanted.entry(hash).or_default();
        let known = wanted.offers.iter().any(|known| known.slot == offer.slot);
        if known || wanted.offers.len() >= MAX_OFFERS_PER_HASH {
            return;
        }
        wanted.offers.push(offer);
        debtor.offers += 1;
        if wanted.asked.is_none() {
            debtor.queue.push_back(hash);
        }
        if debtor.queue.len() > MAX_QUEUE {
            let mut seen = HashSet::new();
            debtor.queue.retain(|hash| self.wanted.contains_key(hash) && seen.insert(*hash));
        }
    }

    /// What `slot` said of a transaction.
    pub(super) fn offer_of(&self, hash: &B256, slot: Slot) -> Option<Offer> {
        self.wanted.get(hash)?.offers.iter().find(|offer| offer.slot == slot).copied()
    }

    /// Who has announced a transaction.
    pub(super) fn owners(&self, hash: &B256) -> impl Iterator<Item = Slot> {
        self.wanted.get(hash).into_iter().flat_map(|wanted| wanted.offers.iter().map(|offer| offer.slot))
    }

    /// The next request to a peer that has none, if there is something to ask it for.
    pub(super) fn request(&mut self, slot: Slot, now: Instant) -> Option<Vec<B256>> {
        let debtor = self.peers.get_mut(&slot)?;
        if !matches!(debtor.request, Request::None) {
            return None;
        }
        let mut hashes = Vec::new();
        let mut bytes = 0_usize;
        while hashes.len() < MAX_REQUEST_HASHES && bytes < MAX_REQUEST_BYTES {
            let Some(hash) = debtor.queue.pop_front() else { break };
            let Some(wanted) = self.wanted.get_mut(&hash).filter(|wanted| wanted.asked.is_none()) else {
                continue;
            };
            let Some(offer) = wanted.offers.iter().find(|offer| offer.slot == slot) else { continue };
            bytes = bytes.saturating_add(offer.size as usize);
            wanted.asked = Some(slot);
            hashes.push(hash);
        }
        if hashes.is_empty() {
            return None;
        }
        debtor.request = Request::Open { hashes: hashes.clone(), deadline: Some(now + FETCH_TIMEOUT) };
        Some(hashes)
    }

    /// What a peer was asked for and has not answered yet.
    pub(super) fn requested(&self, slot: Slot) -> HashSet<B256> {
        match self.peers.get(&slot).map(|debtor| &debtor.request) {
            Some(Request::Open { hashes, .. }) => hashes.iter().copied().collect(),
            _ => HashSet::new(),
        }
    }

    /// A peer's answer has come. However long it waits to be looked at, the peer was in time.
    pub(super) fn in_time(&mut self, slot: Slot) {
        if let Some(Debtor { request: Request::Open { deadline, .. }, .. }) = self.peers.get_mut(&slot) {
            *deadline = None;
        }
    }

    /// A peer's request is answered. What it left out before the last transaction that it brought, it does
    /// not have; what it left out behind that was cut off and is asked again (go-ethereum `fetcher`). What it
    /// brought waits for [`Fetch::settle`] or [`Fetch::release`].
    pub(super) fn answered(&mut self, slot: Slot, brought: &HashSet<B256>) -> Idle {
        let mut idle = Idle::new();
        let Some(debtor) = self.peers.get_mut(&slot) else { return idle };
        let Request::Open { hashes, .. } = std::mem::take(&mut debtor.request) else { return idle };
        let cut = hashes.iter().rposition(|hash| brought.contains(hash)).map_or(0, |last| last + 1);
        let (reached, cut_off) = hashes.split_at_checked(cut).unwrap_or((&hashes, &[]));
        if cut == 0 {
            hashes.iter().for_each(|hash| self.release_to(hash, slot, &mut idle));
            return idle;
        }
        for hash in cut_off.iter().rev() {
            if let Some(wanted) = self.wanted.get_mut(hash).filter(|wanted| wanted.asked == Some(slot)) {
                wanted.asked = None;
                debtor.queue.push_front(*hash);
            }
        }
        for hash in reached.iter().filter(|hash| !brought.contains(*hash)) {
            self.release_to(hash, slot, &mut idle);
        }
        idle
    }

    /// A transaction is here, or will not be taken from anybody.
    pub(super) fn settle(&mut self, hash: &B256) {
        let Some(wanted) = self.wanted.remove(hash) else { return };
        for offer in wanted.offers {
            self.forget_offer(offer.slot);
        }
    }

    /// What a peer brought was not what the hash stands for, or it brought nothing: the next that announced
    /// it is asked.
    pub(super) fn release(&mut self, hash: &B256, slot: Slot) -> Idle {
        let mut idle = Idle::new();
        self.release_to(hash, slot, &mut idle);
        idle
    }

    /// Requests whose time has run out are asked of others.
    pub(super) fn expire(&mut self, now: Instant) -> Idle {
        let late =
            |debtor: &Debtor| matches!(debtor.request, Request::Open { deadline: Some(at), .. } if at <= now);
        let late: Vec<_> =
            self.peers.iter().filter(|(_, debtor)| late(debtor)).map(|(slot, _)| *slot).collect();
        let mut idle = Idle::new();
        for slot in late {
            if let Some(debtor) = self.peers.get_mut(&slot) {
                debtor.request = Request::Late;
            }
            self.take_back(slot, &mut idle);
        }
        idle
    }

    /// A peer has left or is about to be sent away: what it owes is asked of others.
    pub(super) fn forget_peer(&mut self, slot: Slot) -> Idle {
        let mut idle = Idle::new();
        if let Some(debtor) = self.peers.get_mut(&slot) {
            debtor.request = Request::Late;
        }
        self.take_back(slot, &mut idle);
        self.peers.remove(&slot);
        idle
    }

    /// Hashes that are wanted.
    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Takes a peer's name off all that it announced. Whoever was asked for something has announced it.
    fn take_back(&mut self, slot: Slot, idle: &mut Idle) {
        let Some(debtor) = self.peers.get_mut(&slot).filter(|debtor| debtor.offers > 0) else { return };
        debtor.queue.clear();
        let named = |wanted: &Wanted| wanted.offers.iter().any(|offer| offer.slot == slot);
        let owed: Vec<_> =
            self.wanted.iter().filter(|(_, wanted)| named(wanted)).map(|(hash, _)| *hash).collect();
        for hash in owed {
            self.release_to(&hash, slot, idle);
        }
    }

    fn release_to(&mut self, hash: &B256, slot: Slot, idle: &mut Idle) {
        let Some(wanted) = self.wanted.get_mut(hash) else { return };
        let before = wanted.offers.len();
        wanted.offers.retain(|offer| offer.slot != slot);
        let removed = before != wanted.offers.len();
        if wanted.asked == Some(slot) {
            wanted.asked = None;
        }
        if wanted.offers.is_empty() {
            self.wanted.remove(hash);
        } else if wanted.asked.is_none() {
            // An idle peer first; a late one is no help.
            let free = |slot: &Slot| self.peers.get(slot).is_some_and(|d| matches!(d.request, Request::None));
            let busy =
                |slot: &Slot| self.peers.get(slot).is_some_and(|d| !matches!(d.request, Request::Late));
            let mut slots = wanted.offers.iter().map(|offer| offer.slot);
            let next = slots.clone().find(free).or_else(|| slots.find(busy));
            if let Some(debtor) = next.and_then(|next| self.peers.get_mut(&next)) {
                debtor.queue.push_back(*hash);
            }
            idle.extend(next);
        }
        if removed {
            self.forget_offer(slot);
        }
    }

    fn forget_offer(&mut self, slot: Slot) {
        if let Some(debtor) = self.peers.get_mut(&slot) {
            debtor.offers = debtor.offers.saturating_sub(1);
        }
    }
}
