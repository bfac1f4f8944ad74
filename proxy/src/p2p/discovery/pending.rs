//! What we asked by discv4 and may be answered. An answer that nobody waits for is unsolicited and ignored.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use alloy_primitives::B256;
use bytes::Bytes;
use hypasis_wire::discv4::{EnrResponse, MAX_NEIGHBORS, Neighbors, Pong};
use hypasis_wire::node::{NodeRecord, PeerId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// How long an answer is waited for (go-ethereum `respTimeout`).
pub(super) const RESPONSE: Duration = Duration::from_millis(500);
/// Questions that are open at once; beyond, strangers' pings are answered but not returned.
const PENDING_MAX: usize = 4096;
/// Room among them that is kept for questions of our own.
const PENDING_OWN: usize = 256;

/// Open questions, by whom and where they were asked. Dropping one tells its asker that no answer came.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pings: HashMap<Asked, Ping>,
    questions: HashMap<(Asked, Kind), Question>,
}

/// A node at an address: ports may change on the way, as in go-ethereum.
pub(super) type Asked = (PeerId, IpAddr);

#[derive(Debug)]
struct Ping {
    hash: B256,
    deadline: Instant,
    pinged: Pinged,
    waiters: Vec<oneshot::Sender<()>>,
}

/// Whom a ping went to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pinged {
    /// The node, as we believe it to be.
    pub(super) record: NodeRecord,
    /// It had pinged us from there.
    pub(super) pinged_us: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Neighbors,
    /// With the question's hash. The same question within one second has the same hash.
    Record(B256),
}

#[derive(Debug)]
struct Question {
    deadline: Instant,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Neighbors { received: usize, nodes: mpsc::Sender<Vec<NodeRecord>> },
    Record(Vec<oneshot::Sender<Bytes>>),
}

// === impl Pending ===

impl Pending {
    /// Whether another ping to `asked` may be sent now: none is open, and there is room.
    pub(super) fn may_ping(&self, asked: &Asked, own: bool, now: Instant) -> bool {
        let open = self.pings.get(asked).is_some_and(|ping| ping.deadline > now);
        let room = if own { PENDING_MAX } else { PENDING_MAX - PENDING_OWN };
        !open && self.pings.len() < room
    }

    /// A ping goes out.
    pub(super) fn ping(&mut self, asked: Asked, hash: B256, pinged: Pinged, now: Instant) {
        self.pings.insert(asked, Ping { hash, deadline: now + RESPONSE, pinged, waiters: Vec::new() });
    }

    /// Told when the open ping to `asked` is answered; `None` if there is none.
    pub(super) fn await_pong(&mut self, asked: &Asked) -> Option<oneshot::Receiver<()>> {
        let ping = self.pings.get_mut(asked)?;
        let (sender, receiver) = oneshot::channel();
        // Only our own tasks wait: lookups, resolvers and the revalidation, all bounded.
        ping.waiters.push(sender);
        Some(receiver)
    }

    /// It pings us while our ping is open.
    pub(super) fn pinged_us(&mut self, asked: &Asked) {
        if let Some(ping) = self.pings.get_mut(asked) {
            ping.pinged.pinged_us = true;
        }
    }

    /// A pong: whose ping it answers, if it does and in time.
    pub(super) fn pong(&mut self, from: &Asked, pong: &Pong, now: Instant) -> Option<Pinged> {
        let ping = self.pings.get(from)?;
        if ping.hash != pong.echo || ping.deadline < now {
            return None;
        }
        let ping = self.pings.remove(from)?;
        for waiter in ping.waiters {
            // Who no longer waits needs no word.
            let _ = waiter.send(());
        }
        Some(ping.pinged)
    }

    /// A question for neighbours goes out.
    pub(super) fn find_node(
        &mut self,
        asked: Asked,
        now: Instant,
    ) -> Option<mpsc::Receiver<Vec<NodeRecord>>> {
        // As many packets as there may be nodes: no answer ever waits for room.
        let (nodes, receiver) = mpsc::channel(MAX_NEIGHBORS);
        self.ask((asked, Kind::Neighbors), Answer::Neighbors { received: 0, nodes }, now).then_some(receiver)
    }

    /// Neighbours came. Whether they were asked for, and not more than may be.
    pub(super) fn neighbors(&mut self, from: &Asked, neighbors: Neighbors, now: Instant) -> bool {
        let key = (*from, Kind::Neighbors);
        let Some(question) = self.questions.get_mut(&key).filter(|question| question.deadline >= now) else {
            return false;
        };
        let Answer::Neighbors { received, nodes } = &mut question.answer else { return false };
        *received += neighbors.nodes.len();
        let (received, full) = (*received, neighbors.nodes.is_empty());
        let sent = received <= MAX_NEIGHBORS && nodes.try_send(neighbors.nodes).is_ok();
        if full || received >= MAX_NEIGHBORS {
            self.questions.remove(&key);
        }
        sent
    }

    /// A question for a record goes out; one that is open already is joined.
    pub(super) fn enr(&mut self, asked: Asked, hash: B256, now: Instant) -> Option<oneshot::Receiver<Bytes>> {
        let (waiter, receiver) = oneshot::channel();
        let key = (asked, Kind::Record(hash));
        if let Some(Question { answer: Answer::Record(waiters), .. }) = self.questions.get_mut(&key) {
            waiters.push(waiter);
            return Some(receiver);
        }
        self.ask(key, Answer::Record(vec![waiter]), now).then_some(receiver)
    }

    /// A record came. Whether it was asked for.
    pub(super) fn record(&mut self, from: &Asked, response: EnrResponse, now: Instant) -> bool {
        let question = self.questions.remove(&(*from, Kind::Record(response.request_hash)));
        match question {
            Some(Question { answer: Answer::Record(waiters), deadline }) if deadline >= now => {
                for waiter in waiters {
                    // Who no longer waits needs no word.
                    let _ = waiter.send(response.enr.clone());
                }
                true
            }
            _ => false,
        }
    }

    /// Forgets what is too late to be answered.
    pub(super) fn expire(&mut self, now: Instant) {
        self.pings.retain(|_, ping| ping.deadline >= now);
        self.questions.retain(|_, question| question.deadline >= now);
    }

    fn ask(&mut self, key: (Asked, Kind), answer: Answer, now: Instant) -> bool {
        let open = self.questions.get(&key).is_some_and(|question| question.deadline >= now);
        if open || self.questions.len() >= PENDING_MAX {
            return false;
        }
        self.questions.insert(key, Question { deadline: now + RESPONSE, answer });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(n: u32) -> Asked {
        let mut id = PeerId::ZERO;
        id[..4].copy_from_slice(&n.to_be_bytes());
        (id, "127.0.0.1".parse().unwrap())
    }

    fn pinged(asked: &Asked) -> Pinged {
        let record = NodeRecord { id: asked.0, address: asked.1, tcp_port: 1, udp_port: 1 };
        Pinged { record, pinged_us: true }
    }

    #[test]
    fn strangers_cannot_take_the_room_of_our_own_questions() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        for n in 0..100_000 {
            if pending.may_ping(&asked(n), false, now) {
                pending.ping(asked(n), B256::ZERO, pinged(&asked(n)), now);
            }
            let _ = pending.find_node(asked(n), now);
        }
        assert_eq!(pending.pings.len(), PENDING_MAX - PENDING_OWN);
        assert_eq!(pending.questions.len(), PENDING_MAX);
        assert!(pending.may_ping(&asked(100_001), true, now));
        pending.expire(now + 2 * RESPONSE);
        assert!(pending.pings.is_empty() && pending.questions.is_empty());
    }

    #[test]
    fn an_answer_counts_once_in_time_and_up_to_sixteen_nodes() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        let neighbors = |count| {
            let nodes = vec![pinged(&asked(7)).record; count];
            Neighbors { nodes, expire: 0 }
        };
        assert!(!pending.neighbors(&asked(1), neighbors(1), now), "nobody asked");
        let mut nodes = pending.find_node(asked(1), now).unwrap();
        assert!(pending.find_node(asked(1), now).is_none(), "one question at a time");
        assert!(!pending.neighbors(&asked(2), neighbors(1), now), "another was asked");
        assert!(pending.neighbors(&asked(1), neighbors(12), now));
        assert!(!pending.neighbors(&asked(1), neighbors(5), now), "more than a bucket");
        assert!(!pending.neighbors(&asked(1), neighbors(1), now), "it is closed");
        assert_eq!(nodes.try_recv().unwrap().len(), 12);

        pending.ping(asked(1), B256::ZERO, pinged(&asked(1)), now);
        let to = hypasis_wire::discv4::Endpoint::new("127.0.0.1:1".parse().unwrap(), 0);
        let pong = |echo| Pong { to, echo, expire: 0, enr_sq: None };
        assert!(pending.pong(&asked(1), &pong(B256::repeat_byte(1)), now).is_none(), "another hash");
        assert!(pending.pong(&asked(1), &pong(B256::ZERO), now + 2 * RESPONSE).is_none(), "too late");
        assert!(pending.pong(&asked(1), &pong(B256::ZERO), now).is_some());
        assert!(pending.pong(&asked(1), &pong(B256::ZERO), now).is_none(), "twice");
    }
}
