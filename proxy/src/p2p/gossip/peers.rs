//! Who is connected, and how far each has been told.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use alloy_primitives::Address;
use hypasis_wire::node::PeerId;
use tokio::sync::Notify;

use super::slots::Slot;

/// Connected peers by id and by number.
#[derive(Debug, Default)]
pub(super) struct Peers {
    by_id: HashMap<PeerId, Slot>,
    slots: Vec<Option<Peer>>,
    /// Sessions so far.
    sessions: u64,
    /// Which peers get which account's transactions whole; nobody outside can tell.
    secret: RandomState,
}

/// A connected peer.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Number of the first transaction that it was not told of.
    pub(super) cursor: u64,
    /// Number of the first transaction that came after it; older ones are announced only.
    pub(super) joined: u64,
    session: u64,
    wake: Arc<Notify>,
}

// === impl Peers ===

impl Peers {
    /// A peer has come that is not here yet; `number` is that of the next transaction.
    pub(super) fn join(&mut self, id: PeerId, number: u64) -> (Slot, Arc<Notify>) {
        let wake = Arc::new(Notify::new());
        self.sessions = self.sessions.saturating_add(1);
        let slot = Slot { index: self.free_index(), session: self.sessions };
        let peer = Peer { cursor: 0, joined: number, session: slot.session, wake: Arc::clone(&wake) };
        if let Some(place) = self.slots.get_mut(slot.index) {
            *place = Some(peer);
        }
        self.by_id.insert(id, slot);
        (slot, wake)
    }

    pub(super) fn leave(&mut self, id: &PeerId) -> Option<Slot> {
        let slot = self.by_id.remove(id)?;
        if let Some(place) = self.slots.get_mut(slot.index) {
            *place = None;
        }
        Some(slot)
    }

    pub(super) fn slot(&self, id: &PeerId) -> Option<Slot> {
        self.by_id.get(id).copied()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Peer> {
        self.slots.get(slot.index)?.as_ref().filter(|peer| peer.session == slot.session)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Peer> {
        self.slots.get_mut(slot.index)?.as_mut().filter(|peer| peer.session == slot.session)
    }

    /// Wakes the sessions of these peers.
    pub(super) fn wake(&self, slots: &[Slot]) {
        let peers = slots.iter().filter_map(|slot| self.get(*slot));
        peers.for_each(|peer| peer.wake.notify_one());
    }

    /// Wakes all sessions.
    pub(super) fn wake_all(&self) {
        self.slots.iter().flatten().for_each(|peer| peer.wake.notify_one());
    }

    /// Whether a peer gets an account's transactions whole: the square root of all peers do, always the same
    /// ones, so that they come in order (go-ethereum `eth/handler.go`, `BroadcastTransactions`).
    pub(super) fn audience(&self) -> impl Fn(Slot, Address) -> bool + use<> {
        let count = self.by_id.len().max(1) as u64;
        let chosen = count.isqrt().max(1);
        let secret = self.secret.clone();
        move |slot, sender| secret.hash_one((slot.index, sender)) % count < chosen
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    fn free_index(&mut self) -> usize {
        let free = self.slots.iter().position(Option::is_none);
        if free.is_none() {
            self.slots.push(None);
        }
        free.unwrap_or(self.slots.len().saturating_sub(1))
    }
}
