//! Who gets a seat, who keeps it, and who is sent away.

use std::net::SocketAddr;
use std::time::Duration;

use hypasis_upstream::Heads;
use hypasis_upstream::peer::PeerHandle;
use hypasis_wire::node::{NodeRecord, own_id};
use prometheus_client::registry::Registry;
use tokio::time::advance;

use super::Direction::{Inbound, Outbound};
use super::*;
use crate::config::P2pConfig;

const ME: PeerId = PeerId::repeat_byte(0xee);

/// A configuration with few places.
fn few(max_peers: usize, max_inbound: usize, min_peers: usize) -> P2pConfig {
    P2pConfig { max_peers, max_inbound: Some(max_inbound), min_peers, max_per_ip: 2, ..P2pConfig::default() }
}

fn peers(config: &P2pConfig) -> Peers {
    with_upstream(config, None)
}

fn with_upstream(config: &P2pConfig, upstream: Option<NodeRecord>) -> Peers {
    let limits = Limits::new(config, upstream.into_iter(), 1_000);
    Peers::new(ME, limits, Metrics::new(&mut Registry::default()))
}

fn id(n: u8) -> PeerId {
    PeerId::repeat_byte(n)
}

/// Everybody has a public address of their own.
fn ip(n: u8) -> IpAddr {
    IpAddr::from([8, 8, 8, n])
}

fn facts(n: u8, ip: IpAddr, direction: Direction) -> Facts {
    let (handle, _requests) = PeerHandle::new(id(n), 69, Heads::default());
    let address = SocketAddr::new(ip, 30303);
    Facts { handle, address, direction, client: "test".into(), since: Instant::now() }
}

fn seat(peers: &Peers, n: u8, direction: Direction) -> Result<Seat, DisconnectReason> {
    peers.seat(facts(n, ip(n), direction))
}

fn is_told_to_go(seat: &Seat) -> bool {
    seat.end.borrow().is_some()
}

#[tokio::test(start_paused = true)]
async fn a_handshake_alone_sends_nobody_away() {
    let peers = peers(&few(2, 2, 1));
    let seats = [1, 2].map(|n| seat(&peers, n, Inbound).unwrap());
    advance(IDLE + Duration::from_secs(1)).await;
    for _ in 0..10 {
        assert_eq!(peers.consider(id(3), ip(3), Inbound), Ok(()));
    }
    assert_eq!(peers.list().len(), 2);
    assert!(!seats.iter().any(is_told_to_go));
}

#[tokio::test(start_paused = true)]
async fn one_who_has_long_been_idle_makes_place_for_one_newcomer() {
    let peers = peers(&few(2, 2, 1));
    let [idle, busy] = [1, 2].map(|n| seat(&peers, n, Inbound).unwrap());
    advance(IDLE).await;
    busy.served();
    assert_eq!(seat(&peers, 3, Inbound).unwrap_err(), DisconnectReason::TooManyPeers);
    advance(Duration::from_secs(1)).await;
    let new = seat(&peers, 3, Inbound).unwrap();
    assert!(is_told_to_go(&idle) && !is_told_to_go(&busy));
    assert_eq!(seat(&peers, 4, Inbound).unwrap_err(), DisconnectReason::TooManyPeers);
    // The session of the one sent away ends later; that takes nobody else's seat.
    let back = peers.list().len();
    drop(idle);
    assert_eq!(peers.list().len(), back);
    drop((busy, new));
    assert!(peers.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn peers_that_came_never_take_the_seats_of_those_we_chose() {
    let peers = peers(&few(2, 2, 1));
    let chosen = [1, 2].map(|n| seat(&peers, n, Outbound).unwrap());
    advance(IDLE * 2).await;
    assert_eq!(seat(&peers, 3, Inbound).unwrap_err(), DisconnectReason::TooManyPeers);
    assert!(!chosen.iter().any(is_told_to_go));
    let _other = seat(&peers, 3, Outbound).unwrap();
    assert_eq!(chosen.iter().filter(|seat| is_told_to_go(seat)).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_sent_away_for_being_idle_while_peers_are_few() {
    let peers = peers(&few(9, 2, 5));
    let seats = [1, 2].map(|n| seat(&peers, n, Inbound).unwrap());
    advance(IDLE * 2).await;
    assert_eq!(seat(&peers, 3, Inbound).unwrap_err(), DisconnectReason::TooManyPeers);
    assert!(!seats.iter().any(is_told_to_go));
}

/// A node that configurations can name: its id is a point of the curve.
fn named(n: u8) -> NodeRecord {
    let key = secp256k1::SecretKey::from_byte_array([n; 32]).unwrap();
    NodeRecord::new(SocketAddr::new(ip(n), 30303), own_id(&key))
}

fn seat_named(peers: &Peers, n: u8) -> Result<Seat, DisconnectReason> {
    let node = named(n);
    let (handle, _requests) = PeerHandle::new(node.id, 69, Heads::default());
    peers.seat(Facts { handle, ..facts(n, node.address, Inbound) })
}

#[tokio::test]
async fn nobody_sits_twice_and_we_are_no_peer_of_ours() {
    let peers = peers(&few(9, 9, 1));
    let first = seat(&peers, 1, Inbound).unwrap();
    assert_eq!(seat(&peers, 1, Outbound).unwrap_err(), DisconnectReason::AlreadyConnected);
    assert!(
        !peers.is_welcome(id(1), ip(1)) && !peers.is_welcome(ME, ip(9)) && peers.is_welcome(id(2), ip(2))
    );
    assert_eq!(peers.consider(ME, ip(9), Inbound), Err(DisconnectReason::ConnectedToSelf));
    drop(first);
    assert!(peers.is_welcome(id(1), ip(1)));
    let _again = seat(&peers, 1, Outbound).unwrap();
}

#[tokio::test]
async fn those_that_come_leave_seats_for_those_we_choose() {
    let peers = peers(&few(3, 2, 1));
    let _in = [1, 2].map(|n| seat(&peers, n, Inbound).unwrap());
    assert_eq!(seat(&peers, 3, Inbound).unwrap_err(), DisconnectReason::TooManyPeers);
    let _out = seat(&peers, 3, Outbound).unwrap();
    assert_eq!(seat(&peers, 4, Outbound).unwrap_err(), DisconnectReason::TooManyPeers);
}

#[tokio::test]
async fn one_host_has_a_share_of_the_seats_and_the_local_network_any_number() {
    let peers = peers(&few(99, 99, 1));
    let at = |n, ip: &str| peers.seat(facts(n, ip.parse().unwrap(), Inbound));
    let _two = [at(1, "2a00::1").unwrap(), at(2, "2a00::2").unwrap()];
    assert_eq!(at(3, "2a00::3").unwrap_err(), DisconnectReason::TooManyPeers);
    let _beside = at(3, "2a00:0:0:1::3").unwrap();
    let _four = [at(4, "8.8.8.8").unwrap(), at(5, "::ffff:8.8.8.8").unwrap()];
    assert_eq!(at(6, "8.8.8.8").unwrap_err(), DisconnectReason::TooManyPeers);
    let _lan: Vec<_> = (10..40).map(|n| at(n, "192.168.1.1").unwrap()).collect();
}

#[tokio::test]
async fn trusted_and_static_peers_and_upstreams_come_in_when_all_is_full() {
    let config = P2pConfig {
        trusted_peers: vec![format!("{:x}", named(1).id)],
        static_peers: vec![named(2).to_string()],
        ..few(1, 0, 1)
    };
    let peers = with_upstream(&config, Some(named(3)));
    let _full = seat(&peers, 9, Outbound).unwrap();
    let _known = [1, 2, 3].map(|n| seat_named(&peers, n).unwrap());
    assert_eq!(seat_named(&peers, 4).unwrap_err(), DisconnectReason::TooManyPeers);
    assert_eq!(peers.list().iter().filter(|peer| peer.trusted).count(), 3);
}

#[tokio::test]
async fn a_ban_of_a_host_keeps_no_configured_peer_out() {
    let upstream = NodeRecord { address: ip(7), ..named(3) };
    let config = P2pConfig { trusted_peers: vec![format!("{:x}", named(1).id)], ..few(99, 99, 1) };
    let peers = with_upstream(&config, Some(upstream));
    for n in 0..9 {
        peers.ban(id(0x80 + n), ip(1), "it lies");
        peers.ban(id(0x90 + n), ip(7), "it lies");
        peers.ban(named(1).id, ip(1), "it lies, too");
    }
    assert!(peers.knock(ip(1)).is_none(), "a stranger's host is banned");
    assert_eq!(seat(&peers, 1, Inbound).unwrap_err(), DisconnectReason::UselessPeer);
    assert!(!peers.is_welcome(id(2), ip(1)));
    assert!(peers.is_welcome(named(1).id, ip(1)), "a trusted peer there is dialled");
    assert_eq!(peers.consider(named(1).id, ip(1), Inbound), Ok(()));
    assert!(peers.knock(ip(7)).is_some(), "where a configured peer is, anybody may knock");
    assert_eq!(peers.consider(id(0x80), ip(7), Inbound), Err(DisconnectReason::UselessPeer));
}

#[tokio::test]
async fn whom_the_operator_blocks_is_not_heard_wherever_it_comes_from() {
    let block_list = vec!["8.8.4.0/24".to_owned(), "9.9.9.9".to_owned(), format!("{:x}", named(1).id)];
    let trusted_peers = vec![format!("{:x}", named(1).id)];
    let peers = peers(&P2pConfig { block_list, trusted_peers, ..few(9, 9, 1) });
    for there in ["8.8.4.200", "9.9.9.9", "::ffff:9.9.9.9"] {
        let there = there.parse().unwrap();
        assert!(peers.knock(there).is_none() && !peers.is_welcome(id(1), there), "{there}");
        assert_eq!(peers.consider(id(1), there, Inbound), Err(DisconnectReason::DisconnectRequested));
    }
    assert_eq!(seat_named(&peers, 1).unwrap_err(), DisconnectReason::DisconnectRequested);
    assert!(peers.knock(ip(1)).is_some(), "its id is not known before it has shaken hands");
}

#[tokio::test(start_paused = true)]
async fn a_host_connects_as_often_as_may_be_connected_and_then_twice_a_minute() {
    let peers = peers(&few(9, 9, 1));
    let mut tries = (0..100).filter(|_| peers.knock(ip(1)).is_some());
    assert_eq!(tries.by_ref().count(), 2);
    assert!(peers.knock("::ffff:8.8.8.1".parse().unwrap()).is_none());
    assert!(peers.knock(ip(2)).is_some());
    advance(Duration::from_secs(60)).await;
    assert_eq!((0..100).filter(|_| peers.knock(ip(1)).is_some()).count(), 2);
    assert_eq!((0..100).filter(|_| peers.knock([127, 0, 0, 1].into()).is_some()).count(), 100);
}

#[tokio::test]
async fn those_that_shake_hands_leave_descriptors_for_others() {
    let peers = peers(&few(9, 9, 1));
    let knocks: Vec<_> = std::iter::from_fn(|| peers.knock([127, 0, 0, 1].into())).take(5_000).collect();
    assert_eq!(knocks.len(), 500, "half of a thousand");
    assert!(peers.knock(ip(1)).is_none());
    drop(knocks);
    assert!(peers.knock(ip(1)).is_some());
}

#[tokio::test(start_paused = true)]
async fn handshakes_that_are_none_ban_their_host_for_a_while() {
    let config = P2pConfig { max_per_ip: 100, ..few(9, 9, 1) };
    let peers = peers(&config);
    for _ in 0..16 {
        peers.knock(ip(1)).unwrap().over(true);
        peers.knock(ip(2)).unwrap().over(false);
        peers.knock([127, 0, 0, 1].into()).unwrap().over(true);
    }
    assert!(peers.knock(ip(1)).is_none());
    assert!(peers.knock(ip(2)).is_some() && peers.knock([127, 0, 0, 1].into()).is_some());
    advance(Duration::from_secs(301)).await;
    assert!(peers.knock(ip(1)).is_some());
}

#[tokio::test(start_paused = true)]
async fn rotation_ends_the_peer_of_the_least_use_by_the_hour_and_spares_newcomers() {
    let peers = peers(&few(9, 9, 1));
    let old = seat(&peers, 1, Outbound).unwrap();
    peers.rotate();
    assert!(!is_told_to_go(&old), "it had no time to be of use");
    (0..10).for_each(|_| old.answered());
    advance(PROBATION * 10).await;
    let newer = seat(&peers, 2, Outbound).unwrap();
    (0..5).for_each(|_| newer.answered());
    let came = seat(&peers, 3, Inbound).unwrap();
    advance(PROBATION).await;
    let newest = seat(&peers, 4, Outbound).unwrap();
    peers.rotate();
    let gone = [&old, &newer, &came, &newest].map(is_told_to_go);
    assert_eq!(gone, [true, false, false, false], "ten answers in ten times the time are less than five");
}

#[tokio::test]
async fn no_more_are_dialled_than_there_are_seats_for() {
    let peers = peers(&few(9, 6, 1));
    let mut dials: Vec<_> = std::iter::from_fn(|| peers.begin_dial()).take(100).collect();
    assert_eq!(dials.len(), 3, "a third of nine");
    let _seat = seat(&peers, 1, Outbound).unwrap();
    let mut count = peers.count();
    count.borrow_and_update();
    dials.pop();
    assert!(count.has_changed().unwrap() && peers.begin_dial().is_none(), "one of them sits");
    dials.pop();
    assert!(peers.begin_dial().is_some());
}
