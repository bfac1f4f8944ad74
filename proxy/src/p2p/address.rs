//! Which addresses may be told to whom, and which belong together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that no node listens on: documentation, benchmarks, anycast relays, "this" network.
///
/// Sources: the IANA registries of special-purpose IPv4 and IPv6 addresses, the choice of go-ethereum `p2p/netutil`.
const SPECIAL_V4: [(Ipv4Addr, u32); 13] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(192, 0, 0, 0), 29),
    (Ipv4Addr::new(192, 0, 0, 9), 32),
    (Ipv4Addr::new(192, 0, 0, 170), 32),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(255, 255, 255, 255), 32),
];
const SPECIAL_V6: [(Ipv6Addr, u32); 11] = [
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 1), 128),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x2001, 3, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2001, 4, 0x112, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x2001, 5, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2001, 0x10, 0, 0, 0, 0, 0, 0), 28),
    (Ipv6Addr::new(0x2001, 0x20, 0, 0, 0, 0, 0, 0), 28),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// Leading bits that two addresses of one subnet share (go-ethereum `p2p/discover`: `bucketSubnet`, `tableSubnet`).
const SUBNET_BITS: u32 = 24;

/// The network that limits are counted for; `None` for addresses that no limit is counted for (loopback, LAN).
pub(super) fn subnet(ip: IpAddr) -> Option<u128> {
    let ip = ip.to_canonical();
    if is_lan(ip) {
        return None;
    }
    Some(match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits() >> (u32::BITS - SUBNET_BITS)),
        // No IPv4 subnet has so high a bit set.
        IpAddr::V6(ip) => (ip.to_bits() >> (u128::BITS - SUBNET_BITS)) | (1 << SUBNET_BITS),
    })
}

/// What connections and bans are counted for: an IPv4 address, also where it is written as one of IPv6, or the /64
/// network that a host of IPv6 may take any address of.
pub(super) fn host(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// Whether `sender` may tell us of a node at `told` (go-ethereum `netutil.CheckRelayAddr`): special addresses never,
/// loopback only from loopback, LAN only from LAN.
pub(super) fn may_relay(sender: IpAddr, told: IpAddr) -> bool {
    let (sender, told) = (sender.to_canonical(), told.to_canonical());
    if told.is_unspecified() || is_special(told) {
        return false;
    }
    if told.is_loopback() {
        return sender.is_loopback();
    }
    !is_lan(told) || is_lan(sender)
}

/// Whether anybody may tell us of a node there.
pub(super) fn is_public(told: IpAddr) -> bool {
    let told = told.to_canonical();
    !told.is_unspecified() && !is_special(told) && !is_lan(told)
}

/// Loopback, private and link-local addresses.
pub(super) fn is_lan(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

fn is_special(ip: IpAddr) -> bool {
    if ip.is_multicast() {
        return true;
    }
    match ip {
        IpAddr::V4(ip) => SPECIAL_V4.iter().any(|(network, bits)| {
            let shift = u32::BITS - bits;
            ip.to_bits() >> shift == network.to_bits() >> shift
        }),
        IpAddr::V6(ip) => SPECIAL_V6.iter().any(|(network, bits)| {
            let shift = u128::BITS - bits;
            ip.to_bits() >> shift == network.to_bits() >> shift
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_relayed_only_where_they_can_be_reached() {
        let may = |sender: &str, told: &str| may_relay(sender.parse().unwrap(), told.parse().unwrap());
        assert!(may("127.0.0.1", "127.0.0.2") && may("::1", "127.0.0.2"));
        assert!(may("10.0.0.1", "192.168.1.1") && may("127.0.0.1", "10.0.0.1") && may("fd00::1", "10.0.0.1"));
        assert!(may("127.0.0.1", "8.8.8.8") && may("8.8.8.8", "9.9.9.9") && may("8.8.8.8", "2a00::1"));
        assert!(!may("10.0.0.1", "127.0.0.1") && !may("8.8.8.8", "127.0.0.1") && !may("8.8.8.8", "10.0.0.1"));
        assert!(!may("8.8.8.8", "::ffff:10.0.0.1") && !may("8.8.8.8", "fe80::1") && !may("8.8.8.8", "::1"));
        for special in
            ["0.0.0.0", "0.1.2.3", "192.0.2.9", "203.0.113.1", "224.0.0.1", "255.255.255.255", "::"]
        {
            assert!(!may("127.0.0.1", special) && !may("8.8.8.8", special), "{special}");
        }
        assert!(!may("127.0.0.1", "2001:db8::1") && !may("127.0.0.1", "ff02::1"));
        assert!(may("8.8.8.8", "198.20.0.1") && may("8.8.8.8", "192.0.0.11"), "just beside special networks");
    }

    #[test]
    fn an_address_of_ipv4_and_a_network_of_ipv6_are_a_host() {
        let of = |ip: &str| host(ip.parse().unwrap());
        assert_eq!(of("::ffff:8.8.8.8"), of("8.8.8.8"));
        assert_ne!(of("8.8.8.9"), of("8.8.8.8"));
        assert_eq!(of("2a00:1:2:3::1"), of("2a00:1:2:3:ffff::"));
        assert_ne!(of("2a00:1:2:4::1"), of("2a00:1:2:3::1"));
    }

    #[test]
    fn limits_are_counted_for_public_networks_only() {
        let of = |ip: &str| subnet(ip.parse().unwrap());
        assert_eq!(of("8.8.8.1"), of("8.8.8.254"));
        assert_ne!(of("8.8.8.1"), of("8.8.9.1"));
        assert_eq!(of("8.8.8.1"), of("::ffff:8.8.8.9"));
        assert_ne!(of("0808:0800::1"), of("8.8.8.1"));
        assert!(of("127.0.0.1").is_none() && of("192.168.3.4").is_none() && of("fd00::1").is_none());
    }
}
