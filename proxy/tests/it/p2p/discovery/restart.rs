//! What is known survives a restart.

use super::*;

#[tokio::test]
async fn a_restarted_node_needs_no_bootnode() {
    for versions in [V4, V5] {
        let folder = tempfile::tempdir().unwrap();
        let at = "127.0.0.1:0".parse().unwrap();
        let key = random_key();
        let other = Node::start(versions, Vec::new()).await;
        let named = vec![if versions.v4 { other.enode() } else { other.enr() }];
        let us = Node::at(at, &key, fork(1), versions, named, folder.path()).await;
        us.offered(other.id()).await;
        us.stop().await;

        let known = std::fs::read_to_string(folder.path().join("nodes")).unwrap();
        assert_eq!(known.lines().count(), 1, "{known:?}");
        // Lines that are no nodes are skipped.
        std::fs::write(folder.path().join("nodes"), format!("enode://zz\n{known}enr:!\n")).unwrap();
        let again = Node::at(at, &key, fork(1), versions, Vec::new(), folder.path()).await;
        again.offered(other.id()).await;
    }
}

#[tokio::test]
async fn after_the_end_the_port_is_free() {
    for versions in [V4, V5, BOTH] {
        let node = Node::start(versions, Vec::new()).await;
        let address = node.discovery.address();
        node.stop().await;
        until(|| std::net::UdpSocket::bind(address).is_ok()).await;
    }
}
