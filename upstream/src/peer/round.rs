//! Asking one peer, and others after it, until one has it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::seats::{Next, Outcome, Want};
use super::source::PeerSource;
use super::{PeerError, PeerHandle, PeerId};
use crate::source::SourceError;

/// Peers that are asked the same, one after the other.
const TRIES: usize = 4;
/// Peers that are asked the same at once.
const SIDE_BY_SIDE: usize = 2;
/// How long one is waited for before the next is asked beside it.
pub(super) const HEDGE: Duration = Duration::from_secs(1);

/// What a peer answered.
#[derive(Debug)]
pub(super) enum Found<T> {
    /// What was asked, and its bytes.
    All(T, usize),
    /// Something of use, but another may have more.
    Less(T, usize),
    /// No header that fits.
    NoHeader,
    /// The header, but no body.
    NoBody,
}

// === impl PeerSource ===

impl PeerSource {
    /// The best answer to `ask`, and whose it is; `None` if somebody answered that there is none. `ask` is told the
    /// highest height that the peer has; `hedge` is how long one peer is waited for before another is asked beside it.
    pub(super) async fn round<T, F: Future<Output = Result<Found<T>, PeerError>>>(
        &self,
        want: Want,
        hedge: Duration,
        ask: impl Fn(PeerHandle, u64) -> F,
    ) -> Result<Option<(T, PeerHandle)>, SourceError> {
        let mut tried: Vec<PeerId> = Vec::new();
        let mut running = FuturesUnordered::new();
        let (mut lesser, mut failure, mut absent) = (None, None, false);
        let (mut another, mut next_at) = (true, Instant::now());
        loop {
            if std::mem::take(&mut another) && running.len() < SIDE_BY_SIDE && tried.len() < TRIES {
                let except = [self.askers.list(), tried.clone()].concat();
                let next = self.room.seats.lock().take(want, &except);
                match next {
                    Next::Peer(peer, reach) => {
                        tried.push(peer.id());
                        next_at = Instant::now() + hedge;
                        running.push(asked(self, peer.clone(), ask(peer, reach)));
                    }
                    Next::Resting(until) if running.is_empty() && lesser.is_none() => {
                        sleep_until(until).await;
                        another = true;
                        continue;
                    }
                    Next::Resting(_) | Next::Nobody => {}
                }
            }
            let hedging = running.len() < SIDE_BY_SIDE && next_at > Instant::now();
            let answered = tokio::select! {
                answered = running.next() => answered,
                () = sleep_until(next_at), if hedging => {
                    another = true;
                    continue;
                }
            };
            // Nobody is asked any more, and there is nobody left to ask.
            let Some((peer, answered)) = answered else { break };
            another = true;
            match answered {
                Ok(Found::All(found, _)) => return Ok(Some((found, peer))),
                Ok(Found::Less(found, _)) => {
                    lesser.get_or_insert((found, peer));
                }
                Ok(Found::NoHeader | Found::NoBody) => {
                    absent = true;
                    self.lacks(&peer, want, matches!(answered, Ok(Found::NoBody)));
                }
                Err(error) => failure = Some(self.failed(&peer, &error)),
            }
        }
        match (lesser, failure) {
            (Some(lesser), _) => Ok(Some(lesser)),
            (None, _) if absent => Ok(None),
            (None, failure) => Err(failure.unwrap_or_else(|| SourceError::Absent(self.room.id.clone()))),
        }
    }

    fn lacks(&self, peer: &PeerHandle, want: Want, body: bool) {
        {
            let mut seats = self.room.seats.lock();
            match want {
                Want::Headers(number) => seats.lacks_header(peer.id(), number),
                Want::Blocks(first, _) if body => seats.lacks_body(peer.id(), first),
                // Its chain may have another block there.
                Want::Blocks(..) | Want::Any => return,
            }
        }
        self.room.publish();
    }

    fn failed(&self, peer: &PeerHandle, error: &PeerError) -> SourceError {
        let (id, reason) = (self.room.id.clone(), format!("peer {}: {error}", short(peer)));
        match error {
            PeerError::Wrong(fault) => {
                peer.condemn(fault.clone());
                self.room.publish();
                SourceError::Misbehaved { id, reason }
            }
            PeerError::Gone | PeerError::Busy | PeerError::Late => SourceError::Unavailable { id, reason },
        }
    }
}

/// A request under way; dropping it frees the peer's place.
#[derive(Debug)]
struct Taken<'s> {
    source: &'s PeerSource,
    peer: PeerId,
    since: Instant,
    outcome: Option<Outcome>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // Given up: who let others wait for long failed, who was only outrun did not.
        let late = if self.since.elapsed() >= HEDGE { Outcome::Failed } else { Outcome::Nothing };
        self.source.room.seats.lock().put_back(self.peer, self.outcome.unwrap_or(late));
    }
}

async fn asked<T>(
    source: &PeerSource,
    peer: PeerHandle,
    asking: impl Future<Output = Result<Found<T>, PeerError>>,
) -> (PeerHandle, Result<Found<T>, PeerError>) {
    let mut taken = Taken { source, peer: peer.id(), since: Instant::now(), outcome: None };
    let answered = asking.await;
    taken.outcome = Some(match &answered {
        Ok(Found::All(_, bytes) | Found::Less(_, bytes)) => Outcome::Gave(*bytes, taken.since.elapsed()),
        Ok(Found::NoHeader | Found::NoBody) => Outcome::Nothing,
        Err(_) => Outcome::Failed,
    });
    drop(taken);
    (peer, answered)
}

/// Enough of an id to find the peer in the log.
pub(super) fn short(peer: &PeerHandle) -> String {
    peer.id().to_string().chars().take(18).collect()
}
