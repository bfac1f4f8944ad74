//! Whom hearsay may lead to.

use alloy_eip2124::{ForkHash, ForkId};
use hypasis_wire::node::{own_id, random_key};
use prometheus_client::registry::Registry;

use super::*;
use crate::p2p::discovery::record::LocalRecord;

const FORK: ForkId = ForkId { hash: ForkHash([1; 4]), next: 0 };

/// A node on a port that the system chooses, whose record says `ip`.
async fn service(ip: &str, learn_address: bool) -> V5 {
    let key = random_key();
    let socket = Arc::new(UdpSocket::bind("0.0.0.0:0").await.unwrap());
    let enr = LocalRecord::build(&key, ip.parse().unwrap(), 1, 1, Some(FORK)).unwrap();
    let candidates = Arc::new(Candidates::new(own_id(&key), Arc::new(|fork| *fork == FORK)));
    let metrics = Metrics::new(&mut Registry::default());
    V5::start(&key, enr, socket, learn_address, candidates, metrics).await.unwrap()
}

/// Whether a node there is offered to the dialer after a stranger's word for it.
fn is_offered(v5: &V5, ip: &str) -> bool {
    let key = random_key();
    let enr = LocalRecord::build(&key, ip.parse().unwrap(), 30303, 30303, Some(FORK)).unwrap();
    v5.consider(&enr, None);
    !v5.candidates.offer(record_of(&enr).unwrap(), FORK)
}

#[tokio::test]
async fn a_node_that_does_not_know_where_it_is_is_not_sent_into_its_own_network() {
    let v5 = service("127.0.0.1", true).await;
    for inside in ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.1.1"] {
        assert!(!is_offered(&v5, inside), "{inside}");
    }
    assert!(is_offered(&v5, "9.9.9.9"));
}

#[tokio::test]
async fn a_node_that_listens_on_loopback_or_a_lan_meets_its_like() {
    let v5 = service("127.0.0.1", false).await;
    assert!(is_offered(&v5, "127.0.0.1") && is_offered(&v5, "10.0.0.1") && is_offered(&v5, "9.9.9.9"));
    let learned = service("192.168.1.7", true).await;
    assert!(is_offered(&learned, "192.168.1.1") && !is_offered(&learned, "127.0.0.1"));
}
