//! Where we are, as others see it.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use crate::p2p::address::subnet;

/// Networks that must have spoken before their majority counts (go-ethereum `localnode`: ten statements).
const VOTES_MIN: usize = 10;
/// Networks whose last word is kept.
const VOTES_MAX: usize = 64;
/// How long a word counts.
const VOTE: Duration = Duration::from_secs(5 * 60);

/// The last statement of each network that answered our pings. A network has one voice, however many nodes it runs.
#[derive(Debug, Default)]
pub(super) struct Votes {
    votes: VecDeque<Vote>,
}

#[derive(Debug)]
struct Vote {
    voter: u128,
    endpoint: SocketAddr,
    at: Instant,
}

// === impl Votes ===

impl Votes {
    /// A pong from `voter` says that our ping came from `endpoint`. Tells the endpoint that most agree on.
    pub(super) fn cast(&mut self, voter: IpAddr, endpoint: SocketAddr, now: Instant) -> Option<SocketAddr> {
        let voter = subnet(voter)?;
        if endpoint.port() == 0 || subnet(endpoint.ip()).is_none() {
            return None;
        }
        self.votes.retain(|vote| vote.voter != voter && now.saturating_duration_since(vote.at) < VOTE);
        if self.votes.len() >= VOTES_MAX {
            self.votes.pop_front();
        }
        self.votes.push_back(Vote { voter, endpoint, at: now });
        if self.votes.len() < VOTES_MIN {
            return None;
        }
        let mut counts: HashMap<SocketAddr, usize> = HashMap::new();
        for vote in &self.votes {
            *counts.entry(vote.endpoint).or_default() += 1;
        }
        let (endpoint, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        (2 * count > self.votes.len()).then_some(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_majority_of_networks_moves_us() {
        let (us, lie) = ("8.8.4.4:30303".parse().unwrap(), "9.9.9.9:1".parse().unwrap());
        let mut votes = Votes::default();
        let now = Instant::now();
        for n in 0..200 {
            assert_eq!(votes.cast(IpAddr::from([11, 0, 0, n]), lie, now), None, "one network, one voice");
        }
        let agreed =
            (0..20_u8).find_map(|n| votes.cast(IpAddr::from([12, 0, n, 1]), us, now).map(|us| (n, us)));
        assert_eq!(agreed, Some((8, us)), "with nine others the tenth voice decides");
        assert_eq!(votes.cast("127.0.0.1".parse().unwrap(), lie, now), None, "loopback has no voice");
        for n in 0..255 {
            votes.cast(IpAddr::from([13, n, 0, 1]), us, now);
        }
        assert!(votes.votes.len() <= VOTES_MAX);
    }
}
