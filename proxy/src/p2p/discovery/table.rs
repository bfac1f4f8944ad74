//! The Kademlia table of discv4.
//!
//! Seventeen buckets by distance from our own id; limits are go-ethereum's (`p2p/discover/table.go`): sixteen nodes a
//! bucket, ten waiting to replace them, and of one public /24 network at most two in a bucket and ten in all, so that
//! one host cannot fill it. A node is told to others only while it is live: it answered at the endpoint that is told.

use alloy_primitives::{B256, keccak256};
use hypasis_wire::node::{NodeRecord, PeerId};

use crate::p2p::address::subnet;

/// Nodes of a bucket (`bucketSize`).
pub(super) const BUCKET_SIZE: usize = 16;
/// Nodes of a bucket that wait for a place (`maxReplacements`).
const REPLACEMENTS_MAX: usize = 10;
/// Distances beyond the most distant 1/15 meet hardly any node and share the first bucket (`nBuckets`).
const BUCKETS: usize = 17;
/// Nodes of one public /24 in a bucket (`bucketIPLimit`).
const BUCKET_SUBNET_MAX: usize = 2;
/// Nodes of one public /24 in the table (`tableIPLimit`).
const TABLE_SUBNET_MAX: usize = 10;
/// What remains of a node's good record when it is silent once; at none it leaves.
const SILENCE_DIVISOR: u32 = 3;

/// Nodes by distance.
#[derive(Debug)]
pub(super) struct Table {
    own: PeerId,
    place: B256,
    buckets: [Bucket; BUCKETS],
}

#[derive(Debug, Default)]
struct Bucket {
    entries: Vec<Entry>,
    replacements: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    record: NodeRecord,
    place: B256,
    live: bool,
    /// How often it answered, less what silence cost.
    checks: u32,
}

// === impl Table ===

impl Table {
    pub(super) fn new(own: PeerId) -> Self {
        Self { own, place: place(own), buckets: Default::default() }
    }

    /// A node that was heard of. `live`: it has just answered at this very endpoint. Tells whether it is in the table.
    pub(super) fn add(&mut self, record: NodeRecord, live: bool) -> bool {
        if record.id == self.own || record.udp_port == 0 {
            return false;
        }
        let entry = Entry { record, place: place(record.id), live, checks: u32::from(live) };
        let fits = self.fits(&entry);
        let Some(bucket) = self.bucket(entry.place) else { return false };
        if let Some(known) = bucket.entries.iter_mut().find(|known| known.record.id == record.id) {
            if live && (known.record == record || fits) {
                // It proved its endpoint; the TCP port is its own word, as it is in every record.
                *known = Entry { checks: known.checks.saturating_add(1), ..entry };
            }
            return true;
        }
        bucket.replacements.retain(|known| known.record.id != record.id);
        if !fits {
            return false;
        }
        if bucket.entries.len() < BUCKET_SIZE {
            bucket.entries.push(entry);
            return true;
        }
        if bucket.replacements.len() >= REPLACEMENTS_MAX {
            bucket.replacements.remove(0);
        }
        bucket.replacements.push(entry);
        false
    }

    /// It answered a ping.
    pub(super) fn answered(&mut self, id: PeerId) {
        if let Some(entry) = self.entry(id) {
            entry.live = true;
            entry.checks = entry.checks.saturating_add(1);
        }
    }

    /// It left a ping unanswered: a newcomer leaves, an old acquaintance loses much of its record.
    pub(super) fn silent(&mut self, id: PeerId) {
        let Some(bucket) = self.bucket(place(id)) else { return };
        let Some(at) = bucket.entries.iter().position(|entry| entry.record.id == id) else { return };
        if let Some(entry) = bucket.entries.get_mut(at) {
            entry.checks /= SILENCE_DIVISOR;
            entry.live = false;
            if entry.checks > 0 {
                return;
            }
        }
        bucket.entries.remove(at);
        if !bucket.replacements.is_empty() {
            let next = bucket.replacements.remove(rand::random_range(0..bucket.replacements.len()));
            bucket.entries.push(next);
        }
    }

    /// A random node to be pinged next: one of those that are not live, or one of those that are.
    pub(super) fn to_check(&self, live: bool) -> Option<NodeRecord> {
        let of_kind = || self.entries().filter(|entry| entry.live == live);
        let count = of_kind().count();
        if count == 0 {
            return None;
        }
        of_kind().nth(rand::random_range(0..count)).map(|entry| entry.record)
    }

    /// The nodes nearest to `target` that `tell` lets pass, nearest first.
    pub(super) fn closest(
        &self,
        target: PeerId,
        live_only: bool,
        tell: impl Fn(&NodeRecord) -> bool,
    ) -> Vec<NodeRecord> {
        let target = place(target);
        let mut nodes: Vec<_> = self
            .entries()
            .filter(|entry| (entry.live || !live_only) && tell(&entry.record))
            .map(|entry| (entry.place ^ target, entry.record))
            .collect();
        nodes.sort_unstable_by_key(|(distance, _)| *distance);
        nodes.into_iter().take(BUCKET_SIZE).map(|(_, record)| record).collect()
    }

    /// Every live node.
    pub(super) fn live(&self) -> Vec<NodeRecord> {
        self.entries().filter(|entry| entry.live).map(|entry| entry.record).collect()
    }

    pub(super) fn contains(&self, id: PeerId) -> bool {
        self.entries().any(|entry| entry.record.id == id)
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.entries.len()).sum()
    }

    /// Whether the limits of its network leave room for it, itself not counted.
    fn fits(&self, new: &Entry) -> bool {
        let Some(network) = subnet(new.record.address) else { return true };
        let index = self.index(new.place);
        let (mut in_bucket, mut in_table) = (0, 0);
        for (at, bucket) in self.buckets.iter().enumerate() {
            let known = bucket.entries.iter().chain(&bucket.replacements);
            let count = known
                .filter(|known| known.record.id != new.record.id)
                .filter(|known| subnet(known.record.address) == Some(network))
                .count();
            in_table += count;
            if at == index {
                in_bucket = count;
            }
        }
        in_bucket < BUCKET_SUBNET_MAX && in_table < TABLE_SUBNET_MAX
    }

    fn index(&self, place: B256) -> usize {
        let zeros = (place ^ self.place).iter().fold((0, true), |(zeros, leading), byte| {
            if leading { (zeros + byte.leading_zeros() as usize, *byte == 0) } else { (zeros, false) }
        });
        (BUCKETS - 1).saturating_sub(zeros.0)
    }

    fn bucket(&mut self, place: B256) -> Option<&mut Bucket> {
        let index = self.index(place);
        self.buckets.get_mut(index)
    }

    fn entry(&mut self, id: PeerId) -> Option<&mut Entry> {
        self.bucket(place(id))?.entries.iter_mut().find(|entry| entry.record.id == id)
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.buckets.iter().flat_map(|bucket| &bucket.entries)
    }
}

/// Where a node lies in the space of distances.
pub(super) fn place(id: PeerId) -> B256 {
    keccak256(id)
}

#[cfg(test)]
mod tests;
