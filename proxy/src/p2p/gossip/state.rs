//! All that changes, under one lock that is never held over an await or a signature.

use std::collections::HashSet;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use bytes::Bytes;
use hypasis_chain::transaction::kind;
use hypasis_wire::eth::NewPooledTransactionHashes68;
use hypasis_wire::node::PeerId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fetch::{Fetch, Offer};
use super::limits::{
    Limits, MAX_ANNOUNCED, MAX_ANSWER_BYTES, MAX_LOOKUPS, MAX_PUSHED_BYTES, MAX_PUSHED_TRANSACTION_BYTES,
    SIZE_TOLERANCE,
};
use super::peers::Peers;
use super::pool::{Candidate, Origin, Pool};
use super::rules::Rules;
use super::settled::Settled;
use super::slots::Slot;
use super::verdict::{Rejection, Violation};
use super::{Outgoing, Stats};

/// What came, in short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) hash: B256,
    pub(super) kind: u8,
    pub(super) size: usize,
}

/// Pool, announcements, peers and what is done with.
#[derive(Debug, Default)]
pub(super) struct State {
    /// `None` until the head is known: until then nothing is taken, as in Geth until it is in sync.
    pub(super) rules: Option<Rules>,
    pub(super) limits: Limits,
    pub(super) pool: Pool,
    pub(super) fetch: Fetch,
    pub(super) settled: Settled,
    pub(super) peers: Peers,
}

// === impl State ===

impl State {
    /// A peer has come; if it is here already, its old session has ended.
    pub(super) fn connect(&mut self, id: PeerId) -> Arc<Notify> {
        self.disconnect(&id);
        let (_, wake) = self.peers.join(id, self.pool.next_number());
        // The pool so far is announced first.
        wake.notify_one();
        wake
    }

    pub(super) fn disconnect(&mut self, id: &PeerId) {
        let Some(slot) = self.peers.leave(id) else { return };
        self.pool.forget_peer(slot);
        self.abandon(slot);
    }

    /// What a peer owes is asked of others.
    pub(super) fn abandon(&mut self, slot: Slot) {
        let idle = self.fetch.forget_peer(slot);
        self.peers.wake(&idle);
    }

    pub(super) fn announced(&mut self, slot: Slot, announcement: &NewPooledTransactionHashes68) {
        let Some(rules) = self.rules else { return };
        let NewPooledTransactionHashes68 { types, sizes, hashes } = announcement;
        for ((&kind, &size), hash) in types.iter().zip(sizes).zip(hashes) {
            if !self.pool.note_known(hash, slot) && !self.settled.contains(hash) && rules.allows(kind) {
                self.fetch.offer(*hash, Offer { slot, kind, size });
            }
        }
    }

    /// Holds what came against what the peer announced, and says which of it is new.
    pub(super) fn arrived(
        &mut self,
        slot: Slot,
        arrivals: &[Arrival],
        asked: bool,
    ) -> Result<Vec<bool>, Violation> {
        if self.peers.get(slot).is_none() {
            return Ok(vec![false; arrivals.len()]);
        }
        let requested = if asked { self.fetch.requested(slot) } else { HashSet::new() };
        for arrival in arrivals {
            // Also within an answer: what nobody asked for is no answer.
            if arrival.kind == kind::BLOB && !requested.contains(&arrival.hash) {
                return Err(Violation::PushedBlobs { hash: arrival.hash });
            }
            self.check_offer(slot, arrival)?;
        }
        if asked {
            let brought: HashSet<_> = arrivals.iter().map(|arrival| arrival.hash).collect();
            let idle = self.fetch.answered(slot, &brought);
            self.peers.wake(&idle);
        }
        let mut is_new = |arrival: &Arrival| {
            let here = self.pool.note_known(&arrival.hash, slot);
            !here && !self.settled.contains(&arrival.hash)
        };
        Ok(arrivals.iter().map(&mut is_new).collect())
    }

    /// Takes a verified transaction in; the peers that have announced it know it.
    pub(super) fn admit(&mut self, mut candidate: Candidate<'_>) -> Result<(), Rejection> {
        let hash = candidate.hash;
        let from = match candidate.origin {
            Origin::Peer(slot) => self.peers.get(slot).map(|_| slot),
            Origin::Local | Origin::Gone => None,
        };
        if from.is_none() && candidate.origin != Origin::Local {
            candidate.origin = Origin::Gone;
        }
        if self.pool.get(&hash).is_some() {
            // It came from two at the same time, and is sent back to neither.
            if let Some(slot) = from {
                self.pool.note_known(&hash, slot);
            }
            return Ok(());
        }
        let mut out = Vec::new();
        let result = self.pool.insert(candidate, &self.limits, &mut out);
        for slot in self.fetch.owners(&hash).chain(from) {
            self.pool.note_known(&hash, slot);
        }
        match result {
            Ok(()) => self.fetch.settle(&hash),
            Err(_) => self.settle(hash),
        }
        out.into_iter().for_each(|hash| self.settle(hash));
        result
    }

    /// A transaction was judged and is not taken.
    pub(super) fn refuse(&mut self, hash: B256, slot: Slot, reason: &Rejection) {
        if reason.is_final() {
            self.settle(hash);
        } else {
            let idle = self.fetch.release(&hash, slot);
            self.peers.wake(&idle);
        }
    }

    pub(super) fn included(&mut self, hashes: &[B256]) {
        for hash in hashes {
            self.pool.remove(hash);
            self.settle(*hash);
        }
    }

    pub(super) fn spent(&mut self, accounts: &[(Address, u64)]) {
        let mut out = Vec::new();
        accounts.iter().for_each(|(sender, nonce)| self.pool.remove_spent(*sender, *nonce, &mut out));
        out.into_iter().for_each(|hash| self.settle(hash));
    }

    pub(super) fn advance(&mut self, rules: Rules) {
        let mut out = Vec::new();
        self.pool.expire(rules.head.number, &mut out);
        out.into_iter().for_each(|hash| self.settle(hash));
        self.rules = Some(rules);
    }

    pub(super) fn pooled(&self, hashes: &[B256]) -> Vec<Bytes> {
        let mut bytes = 0_usize;
        let mut answer = Vec::new();
        for hash in hashes.iter().take(MAX_LOOKUPS) {
            if bytes >= MAX_ANSWER_BYTES {
                break;
            }
            if let Some(entry) = self.pool.get(hash) {
                bytes = bytes.saturating_add(entry.raw.len());
                answer.push(entry.raw.clone());
            }
        }
        answer
    }

    /// What a peer has not been told of, as much as goes into a message of each kind.
    pub(super) fn outgoing(&mut self, slot: Slot) -> Outgoing {
        let whole = self.peers.audience();
        let Some(peer) = self.peers.get_mut(slot) else { return Outgoing::default() };
        let mut outgoing = Outgoing::default();
        let mut pushed_bytes = 0_usize;
        let mut announced = NewPooledTransactionHashes68::default();
        for (number, entry) in self.pool.since(peer.cursor) {
            if announced.hashes.len() >= MAX_ANNOUNCED || pushed_bytes >= MAX_PUSHED_BYTES {
                outgoing.more = true;
                break;
            }
            peer.cursor = number.saturating_add(1);
            if entry.known.contains(slot) {
                continue;
            }
            entry.known.insert(slot);
            let small = entry.kind != kind::BLOB && entry.raw.len() <= MAX_PUSHED_TRANSACTION_BYTES;
            if small && number >= peer.joined && whole(slot, entry.checked.sender) {
                pushed_bytes = pushed_bytes.saturating_add(entry.raw.len());
                outgoing.transactions.push(entry.raw.clone());
            } else {
                announced.types.push(entry.kind);
                announced.sizes.push(u32::try_from(entry.raw.len()).unwrap_or(u32::MAX));
                announced.hashes.push(entry.hash);
            }
        }
        outgoing.announce = (!announced.hashes.is_empty()).then_some(announced);
        outgoing
    }

    pub(super) fn stats(&self) -> Stats {
        let (transactions, bytes) = self.pool.size();
        Stats { transactions, bytes, wanted: self.fetch.len(), peers: self.peers.len() }
    }

    /// Requests whose time has run out are asked of others.
    pub(super) fn expire_requests(&mut self, now: Instant) {
        let idle = self.fetch.expire(now);
        self.peers.wake(&idle);
    }

    fn settle(&mut self, hash: B256) {
        self.settled.insert(hash);
        self.fetch.settle(&hash);
    }

    fn check_offer(&self, slot: Slot, arrival: &Arrival) -> Result<(), Violation> {
        let Some(offer) = self.fetch.offer_of(&arrival.hash, slot) else { return Ok(()) };
        let (hash, announced) = (arrival.hash, offer.size as usize);
        if offer.kind != arrival.kind {
            return Err(Violation::Kind { hash, announced: offer.kind, came: arrival.kind });
        }
        if announced.abs_diff(arrival.size) > SIZE_TOLERANCE {
            return Err(Violation::Size { hash, announced, came: arrival.size });
        }
        Ok(())
    }
}
