//! The pool: bytes of transactions that are passed on, bounded in number and bytes.
//!
//! Without state no transaction can be told from one that nobody will ever pay for. So room is shared out by
//! who brought what: when it gets tight, whoever brought most loses its cheapest first, of equally cheap ones
//! the oldest. One peer can fill a quiet pool, but cannot push out what others bring.
//!
//! Transactions are numbered as they come, so that a peer's place in the pool is one number.

mod room;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use alloy_primitives::{Address, B256, U256};
use bytes::Bytes;
use hypasis_chain::transaction::kind;

use self::room::{Claim, Rank, Room};
use super::limits::{EXPIRY_BLOCKS, Limits};
use super::rules::Checked;
use super::slots::{Slot, SlotSet};
use super::verdict::Rejection;

/// Bytes that an entry takes beside its own.
const ENTRY_BYTES: usize = 512;
/// How much more a replacement must pay (go-ethereum `legacypool` and `blobpool` `PriceBump`).
const PRICE_BUMP_PERCENT: u64 = 10;
const BLOB_PRICE_BUMP_PERCENT: u64 = 100;

/// Who brought a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// A caller of this program.
    Local,
    /// A connected peer.
    Peer(Slot),
    /// Peers that have left, all in one.
    Gone,
}

/// A transaction in the pool.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) hash: B256,
    pub(super) kind: u8,
    /// The form of the network, a copy: a slice would keep the whole message that it came in.
    pub(super) raw: Bytes,
    pub(super) checked: Checked,
    /// Peers that have it, as far as we know.
    pub(super) known: SlotSet,
    origin: Origin,
    /// Height of the served head when it came.
    height: u64,
}

/// Transactions by number, hash and account.
#[derive(Debug, Default)]
pub(super) struct Pool {
    entries: BTreeMap<u64, Entry>,
    by_hash: HashMap<B256, u64>,
    by_account: BTreeMap<(Address, u64), u64>,
    plain: Room,
    blobs: Room,
    next: u64,
}

/// A transaction that wants to enter.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) hash: B256,
    pub(super) kind: u8,
    pub(super) raw: &'a [u8],
    pub(super) checked: Checked,
    pub(super) origin: Origin,
    pub(super) height: u64,
}

// === impl Pool ===

impl Pool {
    /// Takes a transaction in. What it replaces and what is pushed out goes to `out`, by hash.
    pub(super) fn insert(
        &mut self,
        candidate: Candidate<'_>,
        limits: &Limits,
        out: &mut Vec<B256>,
    ) -> Result<(), Rejection> {
        let account = (candidate.checked.sender, candidate.checked.nonce);
        if let Some(number) = self.by_account.get(&account).copied() {
            self.entries.get(&number).map_or(Ok(()), |old| old.give_way(&candidate))?;
            out.extend(self.remove_number(number));
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let entry = Entry::from(candidate);
        let (hash, kind) = (entry.hash, entry.kind);
        self.room(kind).add(entry.origin, entry.claim(number));
        self.by_hash.insert(hash, number);
        self.by_account.insert(account, number);
        self.entries.insert(number, entry);
        self.make_room(kind, limits, out);
        if self.by_hash.contains_key(&hash) { Ok(()) } else { Err(Rejection::Full) }
    }

    /// The transaction with that hash.
    pub(super) fn get(&self, hash: &B256) -> Option<&Entry> {
        self.entries.get(self.by_hash.get(hash)?)
    }

    /// Notes that a peer has the transaction; `false` if it is not here.
    pub(super) fn note_known(&mut self, hash: &B256, slot: Slot) -> bool {
        let entry = self.by_hash.get(hash).and_then(|number| self.entries.get_mut(number));
        entry.map(|entry| entry.known.insert(slot)).is_some()
    }

    /// The entries from `number` on, oldest first.
    pub(super) fn since(&mut self, number: u64) -> impl Iterator<Item = (u64, &mut Entry)> {
        self.entries.range_mut(number..).map(|(number, entry)| (*number, entry))
    }

    /// The number that the next transaction will have.
    pub(super) fn next_number(&self) -> u64 {
        self.next
    }

    /// Forgets a transaction.
    pub(super) fn remove(&mut self, hash: &B256) -> bool {
        self.by_hash.get(hash).copied().and_then(|number| self.remove_number(number)).is_some()
    }

    /// Forgets what an account can no longer send, since a block holds its transaction with `nonce`.
    pub(super) fn remove_spent(&mut self, sender: Address, nonce: u64, out: &mut Vec<B256>) {
        let spent = (Bound::Included((sender, 0)), Bound::Included((sender, nonce)));
        let numbers: Vec<_> = self.by_account.range(spent).map(|(_, number)| *number).collect();
        out.extend(numbers.into_iter().filter_map(|number| self.remove_number(number)));
    }

    /// Forgets what came too many blocks ago.
    pub(super) fn expire(&mut self, height: u64, out: &mut Vec<B256>) {
        let old = |entry: &Entry| entry.height.saturating_add(EXPIRY_BLOCKS) < height;
        while let Some(number) = self.entries.first_key_value().filter(|(_, e)| old(e)).map(|(n, _)| *n) {
            out.extend(self.remove_number(number));
        }
    }

    /// A peer has left: its number may be another's soon, and what it brought counts with all that have left.
    pub(super) fn forget_peer(&mut self, slot: Slot) {
        for entry in self.entries.values_mut() {
            entry.known.remove(slot);
            if entry.origin == Origin::Peer(slot) {
                entry.origin = Origin::Gone;
            }
        }
        self.plain.merge(Origin::Peer(slot), Origin::Gone);
        self.blobs.merge(Origin::Peer(slot), Origin::Gone);
    }

    /// Transactions and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.plain.bytes().saturating_add(self.blobs.bytes()))
    }

    fn make_room(&mut self, kind: u8, limits: &Limits, out: &mut Vec<B256>) {
        let bytes = if kind == kind::BLOB { limits.blob_bytes } else { limits.plain_bytes };
        while self.room(kind).bytes() > bytes || self.entries.len() > limits.count {
            let kind = match () {
                () if self.room(kind).bytes() > bytes => kind,
                // Too many over all. Blobs are few and dear.
                () if self.plain.bytes() > 0 => kind::LEGACY,
                () => kind::BLOB,
            };
            let Some(number) = self.room(kind).first_to_go() else { return };
            out.extend(self.remove_number(number));
        }
    }

    fn remove_number(&mut self, number: u64) -> Option<B256> {
        let entry = self.entries.remove(&number)?;
        self.by_hash.remove(&entry.hash);
        self.by_account.remove(&(entry.checked.sender, entry.checked.nonce));
        self.room(entry.kind).take(entry.origin, entry.claim(number));
        Some(entry.hash)
    }

    fn room(&mut self, kind: u8) -> &mut Room {
        if kind == kind::BLOB { &mut self.blobs } else { &mut self.plain }
    }
}

// === impl Entry ===

impl Entry {
    fn claim(&self, number: u64) -> Claim {
        let rank = Rank { fee: self.checked.fee_cap, number };
        Claim { rank, bytes: self.raw.len().saturating_add(ENTRY_BYTES) }
    }

    /// Whether `new`, of the same account and nonce, pays enough to take this one's place: every fee must be
    /// raised, else the same place could be sold over and over for nothing.
    fn give_way(&self, new: &Candidate<'_>) -> Result<(), Rejection> {
        let blobs = self.kind == kind::BLOB || new.kind == kind::BLOB;
        let percent = if blobs { BLOB_PRICE_BUMP_PERCENT } else { PRICE_BUMP_PERCENT };
        let raised = |old: U256, new: U256| {
            let least = old.saturating_mul(U256::from(percent.saturating_add(100))).div_ceil(U256::from(100));
            new > old && new >= least
        };
        let (old, new) = (&self.checked, &new.checked);
        let pays = raised(old.fee_cap, new.fee_cap)
            && raised(old.tip, new.tip)
            && (old.blob_fee_cap.is_zero() || raised(old.blob_fee_cap, new.blob_fee_cap));
        if pays { Ok(()) } else { Err(Rejection::Underpriced { percent }) }
    }
}

impl From<Candidate<'_>> for Entry {
    fn from(candidate: Candidate<'_>) -> Self {
        Self {
            hash: candidate.hash,
            kind: candidate.kind,
            raw: Bytes::copy_from_slice(candidate.raw),
            checked: candidate.checked,
            known: SlotSet::default(),
            origin: candidate.origin,
            height: candidate.height,
        }
    }
}
