//! How often somebody may do something.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::address;
use super::generations::Generations;

/// Hosts that are counted; beyond, those longest silent are forgotten.
const HOSTS_MAX: usize = 16_384;

/// So many at once, and so many a second in the long run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) burst: f64,
    pub(super) per_second: f64,
}

/// What has been spent of a pace.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    spent: f64,
    at: Option<Instant>,
}

/// A bucket for each host; of IPv6 addresses, those of one /64 network are one host.
#[derive(Debug)]
pub(super) struct Rate {
    buckets: Generations<IpAddr, Bucket>,
}

// === impl Pace ===

impl Pace {
    /// So many times as much.
    pub(super) fn times(self, factor: f64) -> Self {
        Self { burst: self.burst * factor, per_second: self.per_second * factor }
    }
}

// === impl Bucket ===

impl Bucket {
    /// Whether there is room for one more, which is then spent.
    pub(super) fn take(&mut self, pace: Pace, now: Instant) -> bool {
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        self.spent = (self.spent - passed.as_secs_f64() * pace.per_second).max(0.0);
        let room = self.spent + 1.0 <= pace.burst;
        if room {
            self.spent += 1.0;
        }
        room
    }
}

// === impl Rate ===

impl Default for Rate {
    fn default() -> Self {
        Self::new()
    }
}

impl Rate {
    pub(super) fn new() -> Self {
        Self { buckets: Generations::new(HOSTS_MAX) }
    }

    /// Whether one more from `ip` is within the pace.
    pub(super) fn allows(&mut self, ip: IpAddr, pace: Pace, now: Instant) -> bool {
        self.buckets.entry(address::host(ip)).take(pace, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { burst: 100.0, per_second: 50.0 };

    #[test]
    fn a_flood_from_one_host_leaves_the_others_alone() {
        let mut rate = Rate::new();
        let now = Instant::now();
        let loud: IpAddr = "8.8.8.8".parse().unwrap();
        let passed = (0..10_000).filter(|_| rate.allows(loud, PACE, now)).count();
        assert_eq!(passed, 100);
        assert!(!rate.allows("::ffff:8.8.8.8".parse().unwrap(), PACE, now), "the same host");
        assert!(rate.allows("9.9.9.9".parse().unwrap(), PACE, now));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..10_000).filter(|_| rate.allows(loud, PACE, later)).count(), 50);
    }

    #[test]
    fn the_addresses_of_one_network_of_ipv6_are_one_host() {
        let mut rate = Rate::new();
        let now = Instant::now();
        let of =
            |network: u128, host: u128| IpAddr::from(((0x2a00 << 112 | network << 64) | host).to_be_bytes());
        assert_eq!((0..10_000).filter(|n| rate.allows(of(1, *n), PACE, now)).count(), 100);
        assert!(rate.allows(of(2, 1), PACE, now));
    }
}
