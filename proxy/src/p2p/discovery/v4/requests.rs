//! Questions of our own.

use discv5::Enr;
use hypasis_wire::discv4::{Endpoint, EnrRequest, FindNode, MAX_NEIGHBORS, Message, Ping};
use hypasis_wire::node::{NodeRecord, PeerId, id2pk};
use tokio::time::{Instant, timeout};

use super::{State, V4, expiry};
use crate::config::record_of;
use crate::p2p::address::may_relay;
use crate::p2p::discovery::pending::{Pinged, RESPONSE};

/// Ports up to this one belong to services of the system: a node that claims one is not asked (go-ethereum
/// `errLowPort`).
const LOW_PORT: u16 = 1024;

impl V4 {
    /// Whether the node answers. An open ping is joined, not repeated.
    pub(super) async fn ask_ping(&self, node: NodeRecord) -> bool {
        let (who, now) = ((node.id, node.address), Instant::now());
        let pong = {
            let mut state = self.state.lock();
            state.gate.expect(node.address, now + RESPONSE);
            if state.pending.may_ping(&who, true, now) {
                self.send_ping(&mut state, Pinged { record: node, pinged_us: false }, now);
            }
            state.pending.await_pong(&who)
        };
        match pong {
            Some(pong) => pong.await.is_ok(),
            None => false,
        }
    }

    /// The nodes that `node` knows near `target`, none if it does not answer. What it may not tell is left out.
    pub(super) async fn ask_neighbors(&self, node: NodeRecord, target: PeerId) -> Vec<NodeRecord> {
        if !self.bond(node).await {
            return Vec::new();
        }
        let who = (node.id, node.address);
        let asked = self.state.lock().pending.find_node(who, Instant::now());
        let Some(mut answers) = asked else { return Vec::new() };
        self.send(node.udp_addr(), &Message::FindNode(FindNode { id: target, expire: expiry() }));
        let mut nodes = Vec::new();
        while let Some(told) = answers.recv().await {
            nodes.extend(told.into_iter().filter(|told| self.is_usable(&node, told)));
        }
        nodes.truncate(MAX_NEIGHBORS);
        nodes
    }

    /// The node's record, if it answers with one that is its own. discv5 gets it too.
    pub(super) async fn ask_record(&self, node: NodeRecord) -> Option<Enr> {
        if !self.bond(node).await {
            return None;
        }
        let request = Message::EnrRequest(EnrRequest { expire: expiry() });
        let answer = {
            let mut state = self.state.lock();
            let hash = self.send(node.udp_addr(), &request);
            state.pending.enr((node.id, node.address), hash, Instant::now())?
        };
        let encoded = answer.await.ok()?;
        let enr: Enr = alloy_rlp::Decodable::decode(&mut &*encoded).ok()?;
        let says = record_of(&enr)?;
        if says.id != node.id {
            return None;
        }
        // Only where it has answered us: else its owner could send us, and whom we tell, to anybody.
        if let Some(v5) = &self.v5
            && says.udp_addr() == node.udp_addr()
        {
            v5.admit(enr.clone());
        }
        Some(enr)
    }

    /// Sends a ping and remembers it. The state is locked all the while: no pong comes before it is waited for.
    pub(super) fn send_ping(&self, state: &mut State, pinged: Pinged, now: Instant) {
        let to = pinged.record.udp_addr();
        let own = self.local.endpoint();
        let from = own.unwrap_or(Endpoint { address: to.ip(), udp_port: 0, tcp_port: 0 });
        let (to_endpoint, enr_sq) = (Endpoint::new(to, 0), Some(self.local.sequence()));
        let ping = Ping { from, to: to_endpoint, expire: expiry(), enr_sq };
        let hash = self.send(to, &Message::Ping(ping));
        state.pending.ping((pinged.record.id, pinged.record.address), hash, pinged, now);
    }

    /// Makes sure that both sides have proven their addresses, as far as it depends on us.
    async fn bond(&self, node: NodeRecord) -> bool {
        let who = (node.id, node.address);
        let knows_us = || self.state.lock().bonds.knows_us(&who, Instant::now());
        if knows_us() {
            return true;
        }
        if !self.ask_ping(node).await {
            return false;
        }
        // A node that does not know us pings back; one that does, does not: then it is asked all the same.
        let pinged_back = async {
            loop {
                let pinged = self.pinged.notified();
                tokio::pin!(pinged);
                pinged.as_mut().enable();
                if knows_us() {
                    return;
                }
                pinged.await;
            }
        };
        let _ = timeout(RESPONSE, pinged_back).await;
        true
    }

    fn is_usable(&self, teller: &NodeRecord, told: &NodeRecord) -> bool {
        told.id != self.local.id()
            && told.udp_port > LOW_PORT
            && may_relay(teller.address, told.address)
            && id2pk(told.id).is_ok()
    }
}
