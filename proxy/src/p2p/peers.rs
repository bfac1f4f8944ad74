//! Who is connected, who may come in, and who is banned.
//!
//! Every connection holds a [`Knock`] from its first byte on and a [`Seat`] once its id is proven; both give back
//! what they take when they are dropped. Trusted and static peers come in when all is full; nobody comes in twice.

mod bans;
mod entry;
mod knocks;
mod limits;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hypasis_upstream::peer::PeerId;
use hypasis_wire::p2p::DisconnectReason;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use self::bans::Bans;
use self::entry::Entry;
pub use self::entry::PeerView;
pub(super) use self::entry::{Direction, Facts};
use self::knocks::Knocks;
pub(super) use self::limits::Limits;
use super::address::host;
use super::metrics::Metrics;

/// Dials of nodes that discovery found, at once.
const DIALS_MAX: usize = 16;
/// Peers that asked nothing for this long make place for newcomers when all seats are taken.
const IDLE: Duration = Duration::from_secs(600);
/// What a peer does for us, and we for it, is judged after this long.
const PROBATION: Duration = Duration::from_secs(900);

/// The book of peers; clone freely.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    me: PeerId,
    limits: Limits,
    metrics: Metrics,
    book: Mutex<Book>,
    /// Peers now; moves whenever one comes or goes.
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Book {
    seats: HashMap<PeerId, Entry>,
    knocks: Knocks,
    /// Dials of nodes that discovery found, until they have a seat.
    dialling: usize,
    bans: Bans,
}

/// Where a newcomer sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where nobody does.
    Free,
    /// Where this one did.
    Of(PeerId),
}

/// A connection whose handshake is under way.
#[derive(Debug)]
pub(super) struct Knock {
    peers: Peers,
    ip: IpAddr,
}

/// A dial under way; dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Dial {
    peers: Peers,
}

/// A peer's place; dropping frees it.
#[derive(Debug)]
pub(super) struct Seat {
    peers: Peers,
    id: PeerId,
    pub(super) end: watch::Receiver<Option<DisconnectReason>>,
}

// === impl Peers ===

impl Peers {
    pub(super) fn new(me: PeerId, limits: Limits, metrics: Metrics) -> Self {
        let book = Mutex::new(Book::default());
        Self { inner: Arc::new(Inner { me, limits, metrics, book, count: watch::Sender::new(0) }) }
    }

    /// Whether a connection with that address may shake hands. Refusals say nothing: port scanners learn nothing.
    pub(super) fn knock(&self, ip: IpAddr) -> Option<Knock> {
        let Inner { limits, metrics, book, .. } = &*self.inner;
        if limits.is_blocked(None, ip) {
            return None;
        }
        let mut book = book.lock();
        let per_ip = limits.counts(ip).then_some(limits.per_ip);
        if per_ip.is_some() && book.bans.has_ip(ip)
            || !book.knocks.begin(ip, limits.knocking, per_ip, Instant::now())
        {
            return None;
        }
        metrics.handshakes.set(i64::try_from(book.knocks.all()).unwrap_or(i64::MAX));
        drop(book);
        Some(Knock { peers: self.clone(), ip })
    }

    /// Whether dialling makes sense.
    pub(super) fn is_welcome(&self, id: PeerId, ip: IpAddr) -> bool {
        let Inner { me, limits, book, .. } = &*self.inner;
        let book = book.lock();
        let banned = !limits.is_known(&id) && book.bans.has(&id, ip);
        id != *me && !banned && !limits.is_blocked(Some(id), ip) && !book.seats.contains_key(&id)
    }

    /// What a proven id may expect before it has said anything else. Nothing changes by it: whoever is seated stays so
    /// until the newcomer has shown a status of our chain, and asks again with [`Peers::seat`].
    pub(super) fn consider(
        &self,
        id: PeerId,
        ip: IpAddr,
        direction: Direction,
    ) -> Result<(), DisconnectReason> {
        self.inner.place_for(&self.inner.book.lock(), id, ip, direction).map(drop)
    }

    /// Gives a peer its seat; if all are taken, that of one who has long been idle.
    pub(super) fn seat(&self, facts: Facts) -> Result<Seat, DisconnectReason> {
        let id = facts.handle.id();
        let (end, ended) = watch::channel(None);
        let mut book = self.inner.book.lock();
        let place = self.inner.place_for(&book, id, facts.address.ip(), facts.direction)?;
        if let Place::Of(idle) = place
            && let Some(entry) = book.seats.remove(&idle)
        {
            entry.end.send_replace(Some(DisconnectReason::TooManyPeers));
        }
        book.seats.insert(id, Entry { facts, end, active: Instant::now(), served: 0, asked: 0 });
        drop(book);
        self.changed();
        Ok(Seat { peers: self.clone(), id, end: ended })
    }

    /// It lied or broke the rules: it is gone for a while, longer each time.
    pub(super) fn ban(&self, id: PeerId, ip: IpAddr, reason: &str) {
        if self.inner.limits.is_known(&id) {
            tracing::warn!(peer = %id, %ip, reason, "A configured peer misbehaves; it is dropped but not banned");
            return;
        }
        let length = self.inner.book.lock().bans.add(id, self.inner.limits.counts(ip).then_some(ip));
        self.inner.metrics.bans.inc();
        tracing::warn!(peer = %id, %ip, reason, seconds = length.as_secs(), "A peer is banned");
    }

    /// It is of another chain, or speaks nothing that we do: dialling it again soon is a waste.
    pub(super) fn useless(&self, id: PeerId) {
        if !self.inner.limits.is_known(&id) {
            self.inner.book.lock().bans.add(id, None);
        }
    }

    /// Ends the outbound peer that is of the least use by the hour, so that another can be tried. Configured ones stay,
    /// and so do newcomers.
    pub(super) fn rotate(&self) {
        let book = self.inner.book.lock();
        let outbound = book.seats.iter().filter(|(id, entry)| {
            entry.facts.direction == Direction::Outbound
                && entry.facts.since.elapsed() >= PROBATION
                && !self.inner.limits.is_known(id)
        });
        let least = outbound.min_by(|(_, a), (_, b)| {
            let ((asked_a, served_a), (asked_b, served_b)) = (a.use_by_the_second(), b.use_by_the_second());
            asked_a.total_cmp(&asked_b).then(served_a.total_cmp(&served_b))
        });
        if let Some((_, entry)) = least {
            entry.end.send_replace(Some(DisconnectReason::TooManyPeers));
        }
    }

    /// Whether the configuration names it.
    pub(super) fn is_configured(&self, id: &PeerId) -> bool {
        self.inner.limits.is_known(id)
    }

    /// Peers now, followed.
    pub(super) fn count(&self) -> watch::Receiver<usize> {
        self.inner.count.subscribe()
    }

    /// Peers now.
    pub(super) fn seated(&self) -> usize {
        *self.inner.count.borrow()
    }

    /// Peers that we dialled.
    pub(super) fn outbound(&self) -> usize {
        self.inner.book.lock().sitting(Direction::Outbound)
    }

    /// Room for one more dial, if there are fewer peers than we want to dial, those counted that are being dialled.
    /// [`Peers::count`] moves when there may be room again.
    pub(super) fn begin_dial(&self) -> Option<Dial> {
        let mut book = self.inner.book.lock();
        let wanted = book.sitting(Direction::Outbound) + book.dialling < self.inner.limits.outbound;
        (wanted && book.dialling < DIALS_MAX).then(|| {
            book.dialling += 1;
            Dial { peers: self.clone() }
        })
    }

    /// The limits.
    pub(super) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// For status and REST.
    pub(super) fn list(&self) -> Vec<PeerView> {
        let book = self.inner.book.lock();
        let mut list: Vec<PeerView> =
            book.seats.values().map(|entry| entry.view(&self.inner.limits)).collect();
        list.sort_by(|a, b| a.id.cmp(&b.id));
        list
    }

    fn changed(&self) {
        let count = self.inner.book.lock().seats.len();
        self.inner.metrics.peers.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.inner.count.send_replace(count);
    }
}

// === impl Inner ===

impl Inner {
    /// Where a newcomer would sit, or why it may not.
    fn place_for(
        &self,
        book: &Book,
        id: PeerId,
        ip: IpAddr,
        direction: Direction,
    ) -> Result<Place, DisconnectReason> {
        if id == self.me {
            return Err(DisconnectReason::ConnectedToSelf);
        }
        if self.limits.is_blocked(Some(id), ip) {
            return Err(DisconnectReason::DisconnectRequested);
        }
        if book.seats.contains_key(&id) {
            return Err(DisconnectReason::AlreadyConnected);
        }
        if self.limits.is_known(&id) {
            return Ok(Place::Free);
        }
        if book.bans.has(&id, ip) {
            return Err(DisconnectReason::UselessPeer);
        }
        let there = |entry: &&Entry| host(entry.facts.address.ip()) == host(ip);
        if self.limits.counts(ip) && book.seats.values().filter(there).count() >= self.limits.per_ip {
            return Err(DisconnectReason::TooManyPeers);
        }
        let inbound = book.sitting(Direction::Inbound);
        let full = book.seats.len() >= self.limits.peers
            || direction == Direction::Inbound && inbound >= self.limits.inbound;
        if !full {
            return Ok(Place::Free);
        }
        book.idle(direction, &self.limits).map(Place::Of).ok_or(DisconnectReason::TooManyPeers)
    }
}

// === impl Book ===

impl Book {
    fn sitting(&self, direction: Direction) -> usize {
        self.seats.values().filter(|entry| entry.facts.direction == direction).count()
    }

    /// Who must make place for a newcomer of that direction: whoever asked nothing and answered nothing for the longest
    /// time. Those that we chose never do for those that come to us, and nobody does while peers are few.
    fn idle(&self, direction: Direction, limits: &Limits) -> Option<PeerId> {
        if self.seats.len() < limits.least {
            return None;
        }
        let idle = self.seats.iter().filter(|(id, entry)| {
            entry.facts.direction == direction && entry.active.elapsed() > IDLE && !limits.is_known(id)
        });
        idle.min_by_key(|(_, entry)| entry.active).map(|(id, _)| *id)
    }
}

// === impl Seat ===

impl Seat {
    /// One of its requests was answered.
    pub(super) fn served(&self) {
        self.touch(|entry| entry.served += 1);
    }

    /// It brought transactions that were new.
    pub(super) fn relayed(&self) {
        self.touch(|_| {});
    }

    /// It answered one of ours.
    pub(super) fn answered(&self) {
        self.touch(|entry| entry.asked += 1);
    }

    fn touch(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.peers.inner.book.lock().seats.get_mut(&self.id) {
            entry.active = Instant::now();
            change(entry);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut book = self.peers.inner.book.lock();
        // One that had to make place is gone already, and may even have come again.
        if book.seats.get(&self.id).is_some_and(|entry| self.end.same_channel(&entry.end.subscribe())) {
            book.seats.remove(&self.id);
        }
        drop(book);
        self.peers.changed();
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        let mut book = self.peers.inner.book.lock();
        book.dialling = book.dialling.saturating_sub(1);
        drop(book);
        self.peers.changed();
    }
}

// === impl Knock ===

impl Knock {
    /// The handshake is over. What was none counts against its host, which is banned when that happens often.
    pub(super) fn over(self, breach: bool) {
        let Inner { limits, book, .. } = &*self.peers.inner;
        if breach && limits.counts(self.ip) {
            book.lock().bans.mark(self.ip);
        }
    }
}

impl Drop for Knock {
    fn drop(&mut self) {
        let Inner { metrics, book, .. } = &*self.peers.inner;
        let mut book = book.lock();
        book.knocks.end(self.ip);
        metrics.handshakes.set(i64::try_from(book.knocks.all()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests;
