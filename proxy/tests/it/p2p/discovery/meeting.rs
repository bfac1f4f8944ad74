//! Nodes that know only a third find each other, if they are on one fork.

use super::*;

#[tokio::test]
async fn two_nodes_find_each_other_through_a_third_by_v4() {
    let third = Node::start(V4, Vec::new()).await;
    meet(V4, &third.enode()).await;
}

#[tokio::test]
async fn two_nodes_find_each_other_through_a_third_by_v5() {
    let third = Node::start(V5, Vec::new()).await;
    meet(V5, &third.enr()).await;
}

#[tokio::test]
async fn nodes_of_either_protocol_meet_at_a_node_of_both() {
    let third = Node::start(BOTH, Vec::new()).await;
    meet(V4, &third.enode()).await;
    meet(V5, &third.enr()).await;
}

#[tokio::test]
async fn an_enode_leads_into_v5() {
    let third = Node::start(BOTH, Vec::new()).await;
    let one = Node::start(V5, vec![third.enr()]).await;
    let other = Node::start(BOTH, vec![third.enode()]).await;
    tokio::join!(one.offered(other.id()), other.offered(one.id()));
}

#[tokio::test]
async fn a_socket_of_both_address_families_serves_both() {
    let (folder, key) = (tempfile::tempdir().unwrap(), random_key());
    let at = "[::]:0".parse().unwrap();
    let third = Node::at(at, &key, fork(1), V4, Vec::new(), folder.path()).await;
    let by_v4 = SocketAddr::new("127.0.0.1".parse().unwrap(), third.record.udp_port);
    meet(V4, &PeerUrl::Enode(NodeRecord::from_secret_key(by_v4, &key))).await;
}

#[tokio::test]
async fn a_node_of_another_fork_is_known_but_not_offered() {
    for versions in [V4, V5] {
        let third = Node::start(versions, Vec::new()).await;
        let named = |third: &Node| vec![if versions.v4 { third.enode() } else { third.enr() }];
        let stranger = Node::of_fork(2, versions, named(&third)).await;
        let us = Node::start(versions, named(&third)).await;
        until(|| us.discovery.nodes() >= if versions.v4 { (2, 0) } else { (0, 2) }).await;
        // Later ones are offered: so the stranger would have been.
        for _ in 0..2 {
            let friend = Node::start(versions, named(&third)).await;
            let offered = us.offered(friend.id()).await;
            assert!(!offered.contains(&stranger.id()), "{versions:?}");
        }
    }
}

#[tokio::test]
async fn the_record_that_others_read_follows_the_fork() {
    let us = Node::start(BOTH, Vec::new()).await;
    let before = us.discovery.record();
    us.fork.send(Some(fork(2))).unwrap();
    until(|| us.discovery.record() != before).await;
    for versions in [V4, V5] {
        let named = if versions.v4 { us.enode() } else { us.enr() };
        let other = Node::of_fork(2, versions, vec![named]).await;
        other.offered(us.id()).await;
    }
}

async fn meet(versions: Versions, third: &PeerUrl) {
    let one = Node::start(versions, vec![third.clone()]).await;
    let other = Node::start(versions, vec![third.clone()]).await;
    tokio::join!(one.offered(other.id()), other.offered(one.id()));
}
