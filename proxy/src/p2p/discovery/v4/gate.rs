//! Whose packets are worth recovering a signature, which is what they cost.
//!
//! The address that a packet comes from is anybody's guess until its signature is checked, so that a limit for each
//! address is also a means to silence one: strangers would speak in its name. For addresses that have proven
//! themselves, or that we have just asked, there is therefore a common reserve beyond that limit; all strangers share
//! one below it.

use std::net::IpAddr;

use tokio::time::Instant;

use crate::p2p::address::{host, is_lan};
use crate::p2p::generations::Generations;
use crate::p2p::rate::{Bucket, Pace, Rate};

/// Packets from one public host. A lookup asks each node once; a busy bootnode's neighbour sends a few.
const HOST: Pace = Pace { burst: 100.0, per_second: 50.0 };
/// For loopback and LAN addresses, behind which many nodes may live.
const LAN_FACTOR: f64 = 20.0;
/// Packets of all strangers: signatures that take a tenth of a core.
const STRANGERS: Pace = Pace { burst: 4_000.0, per_second: 2_000.0 };
/// Packets of all others beyond the limit of their host.
const FRIENDS: Pace = Pace { burst: 4_000.0, per_second: 2_000.0 };
/// Hosts that are remembered to be no strangers.
const FRIENDS_MAX: usize = 16_384;

/// What has come so far.
#[derive(Debug)]
pub(super) struct Gate {
    hosts: Rate,
    strangers: Bucket,
    friends: Bucket,
    /// Until when a host is expected.
    expected: Generations<IpAddr, Option<Instant>>,
}

// === impl Gate ===

impl Gate {
    pub(super) fn new() -> Self {
        let expected = Generations::new(FRIENDS_MAX);
        Self { hosts: Rate::new(), strangers: Bucket::default(), friends: Bucket::default(), expected }
    }

    /// Packets from there are no stranger's for now: it has proven itself, or was asked by us of our own accord.
    pub(super) fn expect(&mut self, ip: IpAddr, until: Instant) {
        let known = self.expected.entry(host(ip));
        *known = (*known).max(Some(until));
    }

    /// Whether one more packet that says to be from `ip` is looked at.
    pub(super) fn lets_in(&mut self, ip: IpAddr, now: Instant) -> bool {
        let pace = if is_lan(ip) { HOST.times(LAN_FACTOR) } else { HOST };
        let within = self.hosts.allows(ip, pace, now);
        if self.expected.get(&host(ip)).copied().flatten().is_some_and(|until| until > now) {
            return within || self.friends.take(FRIENDS, now);
        }
        within && self.strangers.take(STRANGERS, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::from((0x0800_0000 + n).to_be_bytes())
    }

    #[test]
    fn a_host_that_has_proven_itself_is_not_silenced_in_its_own_name() {
        let (mut gate, now) = (Gate::new(), Instant::now());
        assert_eq!((0..1_000).filter(|_| gate.lets_in(ip(1), now)).count(), 100);
        gate.expect(ip(1), now + Duration::from_secs(1));
        assert_eq!((0..1_000).filter(|_| gate.lets_in(ip(1), now)).count(), 1_000);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..1_000).filter(|_| gate.lets_in(ip(1), later)).count(), 50, "a stranger again");
        gate.expect(ip(1), later + Duration::from_secs(9));
        gate.expect(ip(2), later + Duration::from_secs(9));
        assert!((0..10_000).filter(|_| gate.lets_in(ip(1), later)).count() <= 4_000);
        assert!(gate.lets_in(ip(2), later), "one loud friend leaves the others alone");
    }

    #[test]
    fn all_strangers_together_cost_a_bounded_number_of_signatures() {
        let (mut gate, now) = (Gate::new(), Instant::now());
        gate.expect(ip(7), now + Duration::from_secs(9));
        let passed = (100..100_000).filter(|n| gate.lets_in(ip(*n), now)).count();
        assert_eq!(passed, 4_000);
        assert!(gate.lets_in(ip(7), now), "who is known is heard all the while");
        let later = now + Duration::from_secs(1);
        assert_eq!((200_000..300_000).filter(|n| gate.lets_in(ip(*n), later)).count(), 2_000);
    }
}
