//! Bans: timed, longer for who comes back to lie, forgotten by and by, bounded in number.
//!
//! Ids cost nothing, hosts do: a host whose ids are banned again and again, or whose handshakes are again and again
//! none, is banned itself. One of them alone may be a stranger behind the same router.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use hypasis_upstream::peer::PeerId;
use tokio::time::Instant;

use crate::p2p::address;

/// First ban.
const SHORTEST: Duration = Duration::from_secs(300);
/// Longest ban.
const LONGEST: Duration = Duration::from_secs(86_400);
/// After each such while without a ban, half of what is remembered is forgotten.
const HALF_LIFE: Duration = Duration::from_secs(3_600);
/// Ids, and hosts, whose bans are remembered; those that end first are forgotten first.
const REMEMBERED_MAX: usize = 4_096;
/// Marks that ban a host.
const HOST_MARKS: u32 = 16;
/// Marks of a host for a banned id.
const BANNED_ID_MARKS: u32 = 4;

/// Who is banned until when.
#[derive(Debug, Default)]
pub(super) struct Bans {
    ids: HashMap<PeerId, Ban>,
    hosts: HashMap<IpAddr, Ban>,
}

#[derive(Clone, Copy, Debug)]
struct Ban {
    marks: u32,
    until: Instant,
}

// === impl Bans ===

impl Bans {
    /// Bans an id; and its host, once several ids of that have been banned.
    pub(super) fn add(&mut self, id: PeerId, ip: Option<IpAddr>) -> Duration {
        if let Some(ip) = ip {
            extend(&mut self.hosts, address::host(ip), BANNED_ID_MARKS, HOST_MARKS);
        }
        extend(&mut self.ids, id, 1, 1)
    }

    /// A handshake from there was none.
    pub(super) fn mark(&mut self, ip: IpAddr) {
        extend(&mut self.hosts, address::host(ip), 1, HOST_MARKS);
    }

    /// Whether this id or this address is banned now.
    pub(super) fn has(&self, id: &PeerId, ip: IpAddr) -> bool {
        self.has_ip(ip) || is_on(self.ids.get(id))
    }

    /// Whether this address is banned now.
    pub(super) fn has_ip(&self, ip: IpAddr) -> bool {
        is_on(self.hosts.get(&address::host(ip)))
    }
}

fn is_on(ban: Option<&Ban>) -> bool {
    ban.is_some_and(|ban| ban.until > Instant::now())
}

/// Adds marks; every `bans` of them are a ban, each twice as long as the one before.
fn extend<K: Copy + Eq + Hash>(all: &mut HashMap<K, Ban>, key: K, marks: u32, bans: u32) -> Duration {
    if all.len() >= REMEMBERED_MAX && !all.contains_key(&key) {
        let first = all.iter().min_by_key(|(_, ban)| ban.until).map(|(key, _)| *key);
        first.and_then(|key| all.remove(&key));
    }
    let now = Instant::now();
    let (before, until) = all.get(&key).map_or((0, now), |ban| (ban.remembered(now), ban.until));
    let marks = before.saturating_add(marks);
    let length = match marks / bans {
        0 => Duration::ZERO,
        times => SHORTEST.saturating_mul(1 << (times - 1).min(10)).min(LONGEST),
    };
    all.insert(key, Ban { marks, until: until.max(now + length) });
    length
}

// === impl Ban ===

impl Ban {
    /// Marks that are not forgotten yet.
    fn remembered(&self, now: Instant) -> u32 {
        let halves = now.saturating_duration_since(self.until).as_secs() / HALF_LIFE.as_secs();
        u32::try_from(halves).ok().and_then(|halves| self.marks.checked_shr(halves)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

    #[tokio::test(start_paused = true)]
    async fn a_ban_names_the_id_first_and_the_host_when_its_ids_come_again_and_again() {
        let mut bans = Bans::default();
        for last in 1..=4_u8 {
            assert!(!bans.has_ip(IP));
            bans.add(PeerId::with_last_byte(last), Some(IP));
            assert!(bans.has(&PeerId::with_last_byte(last), IP));
        }
        assert!(bans.has_ip(IP) && bans.has_ip("::ffff:203.0.113.7".parse().unwrap()));
        assert!(!bans.has(&PeerId::with_last_byte(9), IpAddr::V4(Ipv4Addr::LOCALHOST)));
        tokio::time::advance(SHORTEST).await;
        assert!(!bans.has_ip(IP));
    }

    #[tokio::test(start_paused = true)]
    async fn handshakes_that_are_none_ban_their_host_when_they_are_many() {
        let mut bans = Bans::default();
        // Another address of the same network each time.
        let ip = |n: u16| IpAddr::from([0x2a00, 1, 2, 3, 0, 0, 0, n]);
        for n in 0..16 {
            assert!(!bans.has_ip(ip(99)));
            bans.mark(ip(n));
        }
        assert!(bans.has_ip(ip(99)));
        assert!(!bans.has_ip("2a00:1:2:4::1".parse().unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn each_ban_is_twice_as_long_as_the_last_and_their_number_is_bounded() {
        let mut bans = Bans::default();
        assert_eq!(bans.add(PeerId::ZERO, None), SHORTEST);
        assert_eq!(bans.add(PeerId::ZERO, None), SHORTEST * 2);
        for id in 0..REMEMBERED_MAX as u64 + 10 {
            let mut bytes = [1_u8; 64];
            bytes[..8].copy_from_slice(&id.to_be_bytes());
            bans.add(PeerId::from(bytes), None);
        }
        assert!(bans.ids.len() <= REMEMBERED_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn what_lies_long_back_is_forgotten() {
        let mut bans = Bans::default();
        for _ in 0..4 {
            bans.add(PeerId::ZERO, None);
        }
        tokio::time::advance(SHORTEST * 8 + HALF_LIFE).await;
        assert_eq!(bans.add(PeerId::ZERO, None), SHORTEST * 4, "half of four, and one");
        tokio::time::advance(HALF_LIFE * 100).await;
        assert_eq!(bans.add(PeerId::ZERO, None), SHORTEST);
    }
}
