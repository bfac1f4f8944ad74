//! Buckets, replacements and limits by network.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

fn node(n: u32, ip: impl Into<IpAddr>) -> NodeRecord {
    let mut id = PeerId::ZERO;
    id[..4].copy_from_slice(&n.to_be_bytes());
    NodeRecord { id, address: ip.into(), tcp_port: 30303, udp_port: 30303 }
}

fn table() -> Table {
    Table::new(PeerId::repeat_byte(9))
}

#[test]
fn a_flood_of_nodes_fills_no_more_than_every_bucket() {
    let mut table = table();
    for n in 0..50_000_u32 {
        table.add(node(n, Ipv4Addr::from_bits(0x0b00_0000 + (n << 8))), true);
    }
    assert!(table.len() > 3 * BUCKET_SIZE && table.len() <= BUCKETS * BUCKET_SIZE, "{}", table.len());
    for bucket in &table.buckets {
        assert!(bucket.entries.len() <= BUCKET_SIZE && bucket.replacements.len() <= REPLACEMENTS_MAX);
    }
}

#[test]
fn one_public_network_gets_two_places_a_bucket_and_ten_in_all() {
    let mut table = table();
    for n in 0..50_000 {
        table.add(node(n, Ipv4Addr::from_bits(0x0808_0800 + n % 256)), true);
    }
    let held = |bucket: &Bucket| bucket.entries.len() + bucket.replacements.len();
    assert!(table.buckets.iter().all(|bucket| held(bucket) <= BUCKET_SUBNET_MAX));
    assert!(table.buckets.iter().map(held).sum::<usize>() <= TABLE_SUBNET_MAX);
    assert!(table.len() > 4, "places are used");
    // A LAN is exempt.
    for n in 0..1_000 {
        table.add(node(n, Ipv4Addr::LOCALHOST), true);
    }
    assert!(table.len() > 3 * BUCKET_SIZE);
}

#[test]
fn only_nodes_that_answered_are_told() {
    let mut table = table();
    table.add(node(1, Ipv4Addr::LOCALHOST), false);
    table.add(node(2, Ipv4Addr::LOCALHOST), true);
    let told = table.closest(PeerId::ZERO, true, |_| true);
    assert_eq!(told, [node(2, Ipv4Addr::LOCALHOST)]);
    table.answered(node(1, Ipv4Addr::LOCALHOST).id);
    assert_eq!(table.closest(PeerId::ZERO, true, |_| true).len(), 2);
    assert_eq!(table.closest(PeerId::ZERO, true, |node| node.id[3] == 1).len(), 1);
}

#[test]
fn the_nearest_come_first() {
    let mut table = table();
    for n in 0..500 {
        table.add(node(n, Ipv4Addr::LOCALHOST), true);
    }
    let target = PeerId::repeat_byte(3);
    let told = table.closest(target, true, |_| true);
    assert_eq!(told.len(), BUCKET_SIZE);
    let distance = |node: &NodeRecord| place(node.id) ^ place(target);
    assert!(told.is_sorted_by_key(distance));
    let farthest = distance(told.last().unwrap());
    let nearer = table.entries().filter(|entry| distance(&entry.record) <= farthest).count();
    assert_eq!(nearer, BUCKET_SIZE);
}

#[test]
fn silence_costs_a_newcomer_its_place_and_an_acquaintance_its_liveness() {
    let mut table = table();
    let (new, old) = (node(1, Ipv4Addr::LOCALHOST), node(2, Ipv4Addr::LOCALHOST));
    table.add(new, true);
    table.add(old, true);
    for _ in 0..5 {
        table.answered(old.id);
    }
    table.silent(new.id);
    table.silent(old.id);
    assert!(!table.contains(new.id));
    assert!(table.contains(old.id) && table.live().is_empty());
    assert_eq!(table.to_check(false), Some(old));
    table.silent(old.id);
    assert_eq!(table.len(), 0);
}

#[test]
fn a_place_that_becomes_free_goes_to_one_who_waited() {
    let mut table = table();
    let mut n = 0;
    while table.buckets[BUCKETS - 1].replacements.is_empty() {
        table.add(node(n, Ipv4Addr::LOCALHOST), true);
        n += 1;
    }
    let waiting = table.buckets[BUCKETS - 1].replacements[0].record;
    let leaving = table.buckets[BUCKETS - 1].entries[0].record;
    table.silent(leaving.id);
    assert!(table.contains(waiting.id) && !table.contains(leaving.id));
}

#[test]
fn hearsay_never_moves_a_known_node() {
    let mut table = table();
    let known = node(1, Ipv4Addr::LOCALHOST);
    table.add(known, true);
    let moved = NodeRecord { udp_port: 1, ..known };
    table.add(moved, false);
    assert_eq!(table.live(), [known]);
    table.add(moved, true);
    assert_eq!(table.live(), [moved], "its own proof does");
    assert!(!table.add(NodeRecord { id: table.own, ..known }, true), "we are not our own neighbour");
}
