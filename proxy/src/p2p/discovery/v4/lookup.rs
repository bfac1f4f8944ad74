//! A walk through the network towards an id.

use std::collections::HashSet;

use alloy_primitives::B256;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hypasis_wire::node::{NodeRecord, PeerId};

use super::V4;
use crate::p2p::discovery::table::{BUCKET_SIZE, place};

/// Nodes asked at once (go-ethereum `alpha`).
const ALPHA: usize = 3;
/// Nodes asked in one walk, however many nearer ones are told of.
const ASKED_MAX: usize = 64;

impl V4 {
    /// Asks ever nearer nodes until none is nearer. Whoever is told of enters the table, unproven, and is considered
    /// for the dialer. Returns how many were new to the table.
    pub(super) async fn lookup(&self, target: PeerId) -> usize {
        let mut walk = Walk::new(target);
        let known = self.state.lock().table.closest(target, false, |_| true);
        let known = if known.is_empty() { self.bootnodes.clone() } else { known };
        known.into_iter().for_each(|node| walk.told(node));

        let (mut asking, mut new) = (FuturesUnordered::new(), 0);
        loop {
            while asking.len() < ALPHA
                && let Some(node) = walk.next()
            {
                asking.push(self.ask_neighbors(node, target));
            }
            let Some(nodes) = asking.next().await else { return new };
            for node in nodes {
                walk.told(node);
                new += usize::from(self.heard_of(node));
            }
        }
    }

    fn heard_of(&self, node: NodeRecord) -> bool {
        let new = {
            let mut state = self.state.lock();
            !state.table.contains(node.id) && state.table.add(node, false)
        };
        self.consider(node);
        new
    }
}

/// The nearest nodes of a walk so far.
#[derive(Debug)]
struct Walk {
    target: B256,
    nearest: Vec<(B256, NodeRecord)>,
    seen: HashSet<PeerId>,
    asked: HashSet<PeerId>,
}

// === impl Walk ===

impl Walk {
    fn new(target: PeerId) -> Self {
        Self { target: place(target), nearest: Vec::new(), seen: HashSet::new(), asked: HashSet::new() }
    }

    fn told(&mut self, node: NodeRecord) {
        if !self.seen.insert(node.id) {
            return;
        }
        let distance = place(node.id) ^ self.target;
        let at = self.nearest.partition_point(|(nearer, _)| *nearer < distance);
        if at < BUCKET_SIZE {
            self.nearest.insert(at, (distance, node));
            self.nearest.truncate(BUCKET_SIZE);
        }
    }

    fn next(&mut self) -> Option<NodeRecord> {
        if self.asked.len() >= ASKED_MAX {
            return None;
        }
        let (_, node) = self.nearest.iter().find(|(_, node)| !self.asked.contains(&node.id))?;
        self.asked.insert(node.id);
        Some(*node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_ends_whatever_it_is_told() {
        let mut walk = Walk::new(PeerId::ZERO);
        let (mut n, mut asked) = (0_u32, 0);
        let mut tell = |walk: &mut Walk| {
            for _ in 0..BUCKET_SIZE {
                n += 1;
                let mut id = PeerId::ZERO;
                id[..4].copy_from_slice(&n.to_be_bytes());
                let address = "127.0.0.1".parse().unwrap();
                walk.told(NodeRecord { id, address, tcp_port: 1, udp_port: 2000 });
            }
        };
        tell(&mut walk);
        while walk.next().is_some() {
            asked += 1;
            tell(&mut walk);
        }
        assert!(asked <= ASKED_MAX && walk.nearest.len() == BUCKET_SIZE);
        assert!(walk.nearest.is_sorted_by_key(|(distance, _)| *distance));
    }
}
