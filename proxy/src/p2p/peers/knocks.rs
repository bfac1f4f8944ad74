//! Connections that shake hands: how many at once, from where, and how often anew.

use std::collections::HashMap;
use std::net::IpAddr;

use tokio::time::Instant;

use crate::p2p::address;
use crate::p2p::rate::{Pace, Rate};

/// Seconds for one more connection of a host, once its burst is spent (Geth `inboundThrottleTime`).
const SECONDS_EACH: f64 = 30.0;

/// Counts of handshakes under way.
#[derive(Debug, Default)]
pub(super) struct Knocks {
    all: usize,
    from: HashMap<IpAddr, usize>,
    rate: Rate,
}

// === impl Knocks ===

impl Knocks {
    /// Handshakes under way.
    pub(super) fn all(&self) -> usize {
        self.all
    }

    /// Whether a connection from `ip` may begin. `per_ip` of one host may come at once, and one more each half a
    /// minute; `None`: a host that is not counted.
    pub(super) fn begin(&mut self, ip: IpAddr, max: usize, per_ip: Option<usize>, now: Instant) -> bool {
        let host = address::host(ip);
        if self.all >= max {
            return false;
        }
        if let Some(per_ip) = per_ip {
            let from_there = self.from.get(&host).copied().unwrap_or_default();
            let pace = Pace { burst: per_ip as f64, per_second: 1.0 / SECONDS_EACH };
            if from_there >= per_ip || !self.rate.allows(host, pace, now) {
                return false;
            }
        }
        self.all += 1;
        *self.from.entry(host).or_default() += 1;
        true
    }

    /// One that began is over.
    pub(super) fn end(&mut self, ip: IpAddr) {
        let host = address::host(ip);
        self.all = self.all.saturating_sub(1);
        if let Some(count) = self.from.get_mut(&host) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.from.remove(&host);
            }
        }
    }
}
