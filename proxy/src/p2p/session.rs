//! One session with one peer, from the first byte to the farewell.
//!
//! A single task moves everything: messages in and out ([`line`]), what the peer asks ([`inbox`]), what we ask it
//! ([`asked`]), transactions ([`relay`]), and the clock. It waits neither for the peer (one that reads slowly is not
//! read from any more, one that stops reading is cut off) nor for itself: what is ready is taken in no fixed order.

mod announced;
mod asked;
mod ended;
mod handshake;
mod inbox;
mod incoming;
mod line;
mod pace;
mod relay;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hypasis_chain::BlockId;
use hypasis_upstream::Heads;
use hypasis_upstream::peer::{PeerHandle, PeerId, Request};
use hypasis_wire::eth::{BlockRangeUpdate, EthMessage, EthVersion};
use hypasis_wire::p2p::{DisconnectReason, P2PStreamError};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use self::announced::{Announced, Step};
use self::asked::{Asked, What};
use self::ended::Ended;
use self::handshake::Shaken;
pub(super) use self::incoming::Incoming;

use self::inbox::{Inbox, Outgoing};
use self::line::{Event, Line};
use self::pace::Pace;
use self::relay::Relay;
use super::Room;
use super::gossip::{Accepted, Violation};
use super::metrics;
use super::peers::{Dial, Direction, Facts, Knock, Seat};

/// How often a peer is pinged (Geth: the same).
const PING: Duration = Duration::from_secs(15);
/// A peer that says nothing at all for this long, not even pongs, is gone (Geth: the same).
const SILENT: Duration = Duration::from_secs(30);
/// Of blocks nothing is said or asked in the first seconds: probes read the first message that comes.
const QUIET: Duration = Duration::from_secs(5);
/// The range is told again after so many blocks (Geth: an epoch).
const RANGE_STEP: u64 = 32;
/// While so many bytes wait for the peer to read them, it is told of no new block.
const UNTOLD_BYTES: usize = 4 << 20;
/// The session's clock.
const TICK: Duration = Duration::from_secs(1);

/// Which side began, and what that needs.
#[derive(Debug)]
pub(super) enum Way {
    /// They dialled.
    In(Knock),
    /// We dialled that id; an attempt that discovery led to is counted until it has its seat.
    Out(PeerId, Option<Dial>),
}

/// What comes next.
#[derive(Debug)]
enum Turn {
    End(Ended),
    Line(Result<Option<Event>, P2PStreamError>),
    Answer(Outgoing),
    Ask(Request),
    Relay(Option<Result<Accepted, Violation>>),
    Blocks(Step),
    Tick(Instant),
}

/// A running session.
#[derive(Debug)]
struct Session<'r> {
    room: &'r Arc<Room>,
    peer: PeerHandle,
    version: EthVersion,
    line: Line,
    inbox: Inbox,
    asked: Asked,
    relay: Relay,
    announced: Announced,
    seat: Seat,
    since: Instant,
    heard: Instant,
    pinged: Instant,
    told: BlockRangeUpdate,
    /// What the peer last said of its range, until the next tick takes it.
    range: Option<BlockRangeUpdate>,
    pace: Pace,
}

/// Shakes hands and stays until the peer, we, or the connection has enough.
pub(super) async fn run(
    room: Arc<Room>,
    stream: TcpStream,
    address: SocketAddr,
    way: Way,
    mut stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let (direction, dialled, knock, dial) = match way {
        Way::In(knock) => (Direction::Inbound, None, Some(knock), None),
        Way::Out(id, dial) => (Direction::Outbound, Some(id), None, dial),
    };
    let shaken = tokio::select! {
        shaken = handshake::shake(&room, stream, address, dialled) => shaken,
        _ = stopped.wait_for(|stop| *stop) => return,
    };
    let is_breach = shaken.as_ref().is_err_and(handshake::Failure::is_breach);
    knock.into_iter().for_each(|knock| knock.over(is_breach));
    let outcome = shaken.as_ref().err().map_or("open", handshake::Failure::name);
    let label = metrics::Session { direction: direction.name(), outcome };
    room.metrics.sessions.get_or_create(&label).inc();
    match shaken {
        Ok(shaken) => talk(&room, shaken, address, direction, dial, stopped).await,
        Err(failure) => {
            tracing::debug!(%address, ?direction, %failure, "A handshake failed");
            if let (Some(id), true) = (dialled, failure.is_hopeless()) {
                room.peers.useless(id);
            }
        }
    }
}

async fn talk(
    room: &Arc<Room>,
    shaken: Shaken,
    address: SocketAddr,
    direction: Direction,
    dial: Option<Dial>,
    stopped: watch::Receiver<bool>,
) {
    let Shaken { connection, id, client, eth, version, told_of, status } = shaken;
    let (peer, requests) =
        PeerHandle::new(id, version.into(), handshake::heads(&status, room.presence.dialect));
    let unfinished = room.incoming.join(room.peers.is_configured(&id));
    let line = Line::new(connection, eth, unfinished, room.metrics.sent_bytes.clone());
    let now = Instant::now();
    let facts = Facts { handle: peer.clone(), address, direction, client: client.clone(), since: now };
    let seat = match room.peers.seat(facts) {
        Ok(seat) => seat,
        Err(reason) => return line.hang_up(reason).await,
    };
    drop(dial);
    tracing::debug!(peer = %id, %address, ?direction, client, %version, "A peer is connected");
    room.attach(&peer);
    let announced = Announced::new(room, peer.clone(), told_of, &status, QUIET);
    let told = room.presence.range();
    let inbox = Inbox::new(room.clone(), peer.id(), version);
    let mut session = Session {
        room,
        peer: peer.clone(),
        version,
        line,
        inbox,
        asked: Asked::default(),
        relay: Relay::new(room.gossip.clone(), id),
        announced,
        seat,
        since: now,
        heard: now,
        pinged: now,
        told,
        range: None,
        pace: Pace::default(),
    };
    let ended = session.run(requests, stopped).await;
    tracing::debug!(peer = %id, %address, %ended, "A peer is gone");
    session.relay.end();
    let Session { line, seat, .. } = session;
    if let Some(reason) = ended.reason() {
        line.hang_up(reason).await;
    }
    if let Some(why) = ended.fault() {
        room.peers.ban(id, address.ip(), &why);
    }
    drop(seat);
    room.refresh();
}

// === impl Session ===

impl Session<'_> {
    async fn run(
        &mut self,
        mut requests: mpsc::Receiver<Request>,
        mut stopped: watch::Receiver<bool>,
    ) -> Ended {
        let mut condemned = self.peer.condemned();
        let mut ticks = ticks();
        loop {
            let unread = self.line.waiting_bytes();
            let reads = self.reads();
            let turn = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => Turn::End(Ended::quitting()),
                why = told(&mut condemned) => Turn::End(Ended::lied(why)),
                reason = told(&mut self.seat.end) => Turn::End(Ended::ours(reason, "its seat is needed")),
                event = self.line.next(reads) => Turn::Line(event),
                answer = self.inbox.next_answer(unread) => Turn::Answer(answer),
                Some(request) = requests.recv(), if self.asked.has_room() => Turn::Ask(request),
                verified = self.relay.next(unread) => Turn::Relay(verified),
                step = self.announced.next(unread >= UNTOLD_BYTES) => Turn::Blocks(step),
                now = ticks.tick() => Turn::Tick(now),
            };
            if let Err(ended) = self.take(turn) {
                return ended;
            }
        }
    }

    /// Whether the peer is listened to.
    fn reads(&self) -> bool {
        self.inbox.has_room() && self.relay.has_room() && self.pace.has_room()
    }

    fn take(&mut self, turn: Turn) -> Result<(), Ended> {
        match turn {
            Turn::End(ended) => return Err(ended),
            Turn::Line(event) => self.event(event?.ok_or(Ended::Closed)?)?,
            Turn::Answer(answer) => {
                self.seat.served();
                self.line.send_encoded(answer.id, answer.payload);
            }
            Turn::Ask(request) => {
                if let Some(message) = self.asked.ask(request, self.version) {
                    self.line.send(&message);
                }
            }
            Turn::Relay(verified) => self.transactions(verified)?,
            Turn::Blocks(Step::Tell(news)) => self.line.send_encoded(news.id, news.payload),
            Turn::Blocks(Step::Adopt(shown)) => {
                if let Some(range) = self.range.take() {
                    self.take_range(range);
                }
                if self.announced.adopt(shown) {
                    self.room.refresh();
                }
            }
            Turn::Tick(now) => self.tick(now)?,
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<(), Ended> {
        match event {
            Event::Sent => Ok(()),
            Event::NoRoom => Err(Ended::ours(
                DisconnectReason::TooManyPeers,
                "it holds more unfinished messages than there is room for",
            )),
            Event::Pong => {
                self.heard = Instant::now();
                Ok(())
            }
            Event::Message(id, payload) => {
                self.heard = Instant::now();
                self.room.metrics.received_bytes.inc_by(payload.len() as u64);
                self.pace.took(payload.len());
                let message = EthMessage::decode(self.version, self.room.presence.dialect, id, payload)?;
                self.message(message)
            }
        }
    }

    fn message(&mut self, message: EthMessage) -> Result<(), Ended> {
        match message {
            EthMessage::GetBlockHeaders(pair) => self.inbox.headers(pair),
            EthMessage::GetBlockBodies(pair) => self.inbox.bodies(pair),
            EthMessage::GetReceipts(pair) => self.inbox.receipts(pair),
            EthMessage::GetReceipts70(pair) => self.inbox.receipts70(pair),
            EthMessage::BlockHeaders(pair) => {
                self.answered(pair.request_id, What::Headers, pair.message.0, false)?
            }
            EthMessage::BlockBodies(pair) => {
                self.answered(pair.request_id, What::Bodies, pair.message.0, false)?
            }
            EthMessage::Receipts(pair) => {
                self.answered(pair.request_id, What::Receipts, pair.message.0, false)?
            }
            EthMessage::Receipts69(pair) => {
                self.answered(pair.request_id, What::Receipts, pair.message.0, false)?
            }
            EthMessage::Receipts70(pair) => {
                let incomplete = pair.message.last_block_incomplete;
                self.answered(pair.request_id, What::Receipts, pair.message.receipts, incomplete)?;
            }
            EthMessage::BlockRangeUpdate(update) => self.range(update)?,
            EthMessage::Status(_) => return Err(Ended::breach("a second status")),
            EthMessage::NewBlockHashes(hashes) => self.announced.hashes(&hashes),
            EthMessage::NewBlock(block) => {
                if self.announced.block(&block).map_err(Ended::breach)? {
                    self.room.refresh();
                }
            }
            EthMessage::Transactions(transactions) => self.relay.pushed(transactions),
            EthMessage::NewPooledTransactionHashes68(announcement) => {
                self.relay.announced(&announcement, &mut self.line).map_err(Ended::breach)?;
            }
            EthMessage::GetPooledTransactions(pair) => self.inbox.transactions(pair),
            EthMessage::PooledTransactions(pair) => self.relay.answered(pair),
        }
        Ok(())
    }

    fn answered(
        &mut self,
        id: u64,
        what: What,
        items: Vec<bytes::Bytes>,
        incomplete: bool,
    ) -> Result<(), Ended> {
        match self.asked.answered(id, what, items, incomplete) {
            Ok(true) => self.seat.answered(),
            Ok(false) => {}
            Err(()) => return Err(Ended::breach("answers that nobody asked for")),
        }
        Ok(())
    }

    fn range(&mut self, update: BlockRangeUpdate) -> Result<(), Ended> {
        update.validate().map_err(Ended::breach)?;
        self.range = Some(update);
        Ok(())
    }

    /// What the peer said of its range is what it has now. What was known of the head it names stays known.
    fn take_range(&self, range: BlockRangeUpdate) {
        let BlockRangeUpdate { earliest, latest: number, latest_hash: hash } = range;
        let (latest, heads) = (Some(BlockId { number, hash }), self.peer.heads());
        if heads.latest != latest {
            self.peer.announce(Heads { latest, earliest, ..Heads::default() });
        } else if heads.earliest != earliest {
            self.peer.announce(Heads { earliest, ..heads });
        }
    }

    /// Some transactions were verified, or there are some to pass on.
    fn transactions(&mut self, verified: Option<Result<Accepted, Violation>>) -> Result<(), Ended> {
        match verified {
            Some(Ok(accepted)) => {
                if accepted.accepted > 0 {
                    self.seat.relayed();
                }
                self.relay.ask(accepted.requests, &mut self.line);
            }
            Some(Err(violation)) => return Err(Ended::breach(violation)),
            None => self.relay.pass_on(&mut self.line),
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) -> Result<(), Ended> {
        if !self.reads() {
            // It is not silent: nobody listens.
            self.heard = now;
        }
        self.pace.refill();
        self.announced.refill();
        if let Some(range) = self.range.take() {
            self.take_range(range);
            self.room.refresh();
        }
        if now.duration_since(self.heard) >= SILENT {
            return Err(Ended::ours(DisconnectReason::PingTimeout, "it has been silent for too long"));
        }
        if self.line.is_stuck(now) {
            return Err(Ended::ours(DisconnectReason::PingTimeout, "it does not read what it is sent"));
        }
        if self.asked.expire(now).is_err() {
            return Err(Ended::ours(DisconnectReason::UselessPeer, "it answers nothing"));
        }
        if now.duration_since(self.pinged) >= PING {
            self.pinged = now;
            self.line.ping();
        }
        if now.duration_since(self.since) >= QUIET {
            self.tell_range();
        }
        Ok(())
    }

    /// Tells the range when it has moved on by an epoch, or is less than what was said.
    fn tell_range(&mut self) {
        if self.version == EthVersion::Eth68 {
            return;
        }
        let now = self.room.presence.range();
        let less = now.earliest > self.told.earliest || now.latest < self.told.latest;
        if less || now.latest >= self.told.latest.saturating_add(RANGE_STEP) {
            self.told = now;
            self.line.send(&EthMessage::BlockRangeUpdate(now));
        }
    }
}

/// Waits until somebody has something to say here; for ever, if nobody can any more.
async fn told<T: Clone>(news: &mut watch::Receiver<Option<T>>) -> T {
    let said = news.wait_for(Option::is_some).await.ok().and_then(|said| said.clone());
    match said {
        Some(said) => said,
        None => std::future::pending().await,
    }
}

fn ticks() -> Interval {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
