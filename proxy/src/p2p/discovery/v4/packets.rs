//! What is done with a packet.

use std::net::SocketAddr;

use alloy_primitives::B256;
use hypasis_wire::discv4::{
    Endpoint, EnrResponse, FindNode, MAX_NEIGHBORS, Message, Neighbors, Packet, Ping, Pong,
};
use hypasis_wire::node::{NodeRecord, PeerId};
use tokio::time::Instant;

use super::bonds::BOND;
use super::{State, V4, expiry, unix_seconds};
use crate::p2p::address::may_relay;
use crate::p2p::discovery::metrics::PacketResult;
use crate::p2p::discovery::pending::Pinged;

impl V4 {
    /// A datagram came that is not discv5.
    pub(in crate::p2p::discovery) fn received(&self, from: SocketAddr, datagram: &[u8]) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let result = self.judge(from, datagram);
        if result != PacketResult::Accepted {
            tracing::trace!(%from, bytes = datagram.len(), ?result, "A datagram was ignored");
        }
        self.metrics.packet(result);
    }

    fn judge(&self, from: SocketAddr, datagram: &[u8]) -> PacketResult {
        let now = Instant::now();
        if from.port() == 0 || !self.state.lock().gate.lets_in(from.ip(), now) {
            return PacketResult::Flood;
        }
        let packet = match Packet::decode(datagram) {
            Ok(packet) if packet.node_id != self.local.id() => packet,
            _ => return PacketResult::Foreign,
        };
        if expires(&packet.message).is_some_and(is_past) {
            return PacketResult::Expired;
        }
        let Packet { node_id, hash, message } = packet;
        let who = (node_id, from.ip());
        match message {
            Message::Ping(ping) => self.ping(node_id, from, hash, &ping, now),
            Message::Pong(pong) => return self.pong(node_id, from, &pong, now),
            Message::FindNode(question) => return self.find_node(node_id, from, question, now),
            Message::EnrRequest(_) => {
                if !self.state.lock().bonds.is_bonded(&who, now) {
                    return PacketResult::Unbonded;
                }
                let answer = EnrResponse { request_hash: hash, enr: self.local.encoded() };
                self.send(from, &Message::EnrResponse(answer));
            }
            Message::Neighbors(neighbors) => {
                return asked_for(self.state.lock().pending.neighbors(&who, neighbors, now));
            }
            Message::EnrResponse(response) => {
                return asked_for(self.state.lock().pending.record(&who, response, now));
            }
        }
        PacketResult::Accepted
    }

    /// `from` and `to` in it are anyone's guess; only the address that it came from counts.
    fn ping(&self, id: PeerId, from: SocketAddr, hash: B256, ping: &Ping, now: Instant) {
        let to = Endpoint::new(from, ping.from.tcp_port);
        let pong = Pong { to, echo: hash, expire: expiry(), enr_sq: Some(self.local.sequence()) };
        self.send(from, &Message::Pong(pong));

        let (who, tcp_port) = ((id, from.ip()), ping.from.tcp_port);
        let record = NodeRecord { id, address: from.ip(), tcp_port, udp_port: from.port() };
        let mut state = self.state.lock();
        let State { bonds, pending, table, .. } = &mut *state;
        if bonds.is_bonded(&who, now) {
            bonds.pinged_us(who, now);
            table.add(record, false);
            drop(state);
            self.pinged.notify_waiters();
            return;
        }
        pending.pinged_us(&who);
        if pending.may_ping(&who, false, now) {
            self.send_ping(&mut state, Pinged { record, pinged_us: true }, now);
        }
    }

    /// The proof of an endpoint, if it echoes our ping.
    fn pong(&self, id: PeerId, from: SocketAddr, pong: &Pong, now: Instant) -> PacketResult {
        let who = (id, from.ip());
        let mut state = self.state.lock();
        let Some(Pinged { record, pinged_us }) = state.pending.pong(&who, pong, now) else {
            return PacketResult::Unsolicited;
        };
        state.bonds.proven(who, pinged_us, now);
        state.gate.expect(from.ip(), now + BOND);
        // It is told to others as we reached it.
        let inside = if record.udp_port == from.port() {
            state.table.add(record, true)
        } else {
            state.table.answered(id);
            false
        };
        drop(state);
        if pinged_us {
            self.pinged.notify_waiters();
        }
        if inside {
            self.consider(record);
        }
        self.vote(from, pong, now);
        PacketResult::Accepted
    }

    fn find_node(&self, id: PeerId, from: SocketAddr, question: FindNode, now: Instant) -> PacketResult {
        let state = self.state.lock();
        if !state.bonds.is_bonded(&(id, from.ip()), now) {
            return PacketResult::Unbonded;
        }
        // Who asks knows itself.
        let tell = |node: &NodeRecord| node.id != id && may_relay(from.ip(), node.address);
        let mut nodes = state.table.closest(question.id, true, tell);
        drop(state);
        nodes.truncate(MAX_NEIGHBORS);
        for neighbors in Neighbors::split(&nodes, expiry()) {
            self.send(from, &Message::Neighbors(neighbors));
        }
        PacketResult::Accepted
    }

    fn vote(&self, from: SocketAddr, pong: &Pong, now: Instant) {
        let Some(votes) = &self.votes else { return };
        let agreed = votes.lock().cast(from.ip(), pong.to.udp_addr(), now);
        if let Some(endpoint) = agreed {
            self.local.set_endpoint(endpoint);
        }
    }
}

fn expires(message: &Message) -> Option<u64> {
    match message {
        Message::Ping(message) => Some(message.expire),
        Message::Pong(message) => Some(message.expire),
        Message::FindNode(message) => Some(message.expire),
        Message::Neighbors(message) => Some(message.expire),
        Message::EnrRequest(message) => Some(message.expire),
        // It has no such field; it is matched with its question, which is short-lived.
        Message::EnrResponse(_) => None,
    }
}

/// Unix times are signed, as in go-ethereum: one beyond that range lies before 1970.
fn is_past(expire: u64) -> bool {
    expire > i64::MAX.cast_unsigned() || expire < unix_seconds()
}

fn asked_for(asked: bool) -> PacketResult {
    if asked { PacketResult::Accepted } else { PacketResult::Unsolicited }
}
