//! Outgoing connections.
//!
//! Configured peers (static ones and `enode://` upstreams) are dialled for ever, with longer and longer rests. Others
//! come from discovery, as many as there are outbound seats for; one of them makes place now and then, so that the
//! circle does not freeze.

use std::sync::Arc;
use std::time::Duration;

use hypasis_wire::node::NodeRecord;
use rand::RngExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::Room;
use super::peers::Dial;
use super::session::{self, Way};

/// Longest wait for a TCP connection.
const CONNECT: Duration = Duration::from_secs(10);
/// First rest before a configured peer is dialled again; doubles up to [`REST_MAX`].
const REST: Duration = Duration::from_secs(1);
/// Longest rest. Geth takes a peer from the same address once in 30 seconds.
const REST_MAX: Duration = Duration::from_secs(60);
/// A session this long makes the next rest short again.
const GOOD_SESSION: Duration = Duration::from_secs(60);
/// How often a peer makes place for another one when all outbound seats are taken.
const ROTATION: Duration = Duration::from_secs(1_800);
/// How often too few peers are spoken of in the log.
const LONELY: Duration = Duration::from_secs(300);

/// Dials until everything must end, then waits for the sessions.
pub(super) async fn run(room: Arc<Room>, configured: Vec<NodeRecord>, mut stopped: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    for node in configured {
        tasks.spawn(keep(room.clone(), node, stopped.clone()));
    }
    let sessions_end = stopped.clone();
    tokio::select! {
        () = find(&room, &mut tasks, &sessions_end) => {}
        () = turn_over(&room) => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    while tasks.join_next().await.is_some() {}
}

/// Stays connected with a configured peer.
async fn keep(room: Arc<Room>, node: NodeRecord, mut stopped: watch::Receiver<bool>) {
    let mut rest = REST;
    loop {
        let began = Instant::now();
        if room.peers.is_welcome(node.id, node.address) {
            Box::pin(dial(room.clone(), node, None, stopped.clone())).await;
        }
        rest = next_rest(rest, began.elapsed());
        // Two nodes that dial each other at the same moment must not do so again and again.
        let jitter = rand::rng().random_range(0.75..1.25);
        tokio::select! {
            () = tokio::time::sleep(rest.mul_f64(jitter)) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// Fills the outbound seats from discovery.
async fn find(room: &Arc<Room>, tasks: &mut JoinSet<()>, stopped: &watch::Receiver<bool>) {
    let Some(discovery) = &room.discovery else { return std::future::pending().await };
    let mut count = room.peers.count();
    loop {
        while tasks.try_join_next().is_some() {}
        count.borrow_and_update();
        let Some(begun) = room.peers.begin_dial() else {
            let _ = count.changed().await;
            continue;
        };
        let node = discovery.next_candidate().await.node;
        if room.peers.is_welcome(node.id, node.address) {
            tasks.spawn(dial(room.clone(), node, Some(begun), stopped.clone()));
        }
    }
}

/// Makes place for others now and then, and says when there are too few.
async fn turn_over(room: &Arc<Room>) {
    let (mut rotated, mut lonely) = (Instant::now(), Instant::now());
    let mut ticks = tokio::time::interval(Duration::from_secs(30));
    loop {
        ticks.tick().await;
        let limits = room.peers.limits();
        if rotated.elapsed() >= ROTATION && room.peers.outbound() >= limits.outbound {
            rotated = Instant::now();
            room.peers.rotate();
        }
        let peers = *room.peers.count().borrow();
        if peers < limits.least && lonely.elapsed() >= LONELY {
            lonely = Instant::now();
            tracing::warn!(
                peers,
                least = limits.least,
                "Fewer peers than p2p.min_peers; check bootnodes, and that the port is reachable from outside"
            );
        }
    }
}

/// One attempt, and the session that it leads to. `begun` goes when the peer has its seat, or gets none.
async fn dial(room: Arc<Room>, node: NodeRecord, begun: Option<Dial>, mut stopped: watch::Receiver<bool>) {
    let stream = tokio::select! {
        stream = connect(&node) => stream,
        _ = stopped.wait_for(|stop| *stop) => return,
    };
    if let Some(stream) = stream {
        session::run(room, stream, node.tcp_addr(), Way::Out(node.id, begun), stopped).await;
    }
}

/// Twice as long each time, until a session was worth its name.
fn next_rest(last: Duration, session: Duration) -> Duration {
    if session >= GOOD_SESSION { REST } else { last.saturating_mul(2).min(REST_MAX) }
}

async fn connect(node: &NodeRecord) -> Option<TcpStream> {
    match timeout(CONNECT, TcpStream::connect(node.tcp_addr())).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%node, %error, "A peer could not be dialled");
            None
        }
        Err(_) => {
            tracing::debug!(%node, "A peer could not be dialled in time");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_a_minute_and_a_good_session_makes_them_short_again() {
        let mut rest = REST;
        let rests = std::iter::repeat_with(|| {
            rest = next_rest(rest, Duration::from_secs(1));
            rest.as_secs()
        });
        assert_eq!(rests.take(8).collect::<Vec<_>>(), [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(next_rest(REST_MAX, GOOD_SESSION), REST);
    }
}
