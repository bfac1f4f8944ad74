//! Whom the configuration means.

use hypasis_wire::node::own_id;

use super::*;

fn node(n: u8) -> NodeRecord {
    let key = SecretKey::from_byte_array([n; 32]).unwrap();
    NodeRecord::new(SocketAddr::from(([192, 0, 2, n], 30303)), own_id(&key))
}

#[test]
fn bootnodes_are_dialled_where_nothing_is_discovered() {
    let config = P2pConfig {
        bootnodes: Some(vec![
            node(1).to_string(),
            node(2).to_string(),
            NodeRecord { tcp_port: 0, udp_port: 1, ..node(4) }.to_string(),
        ]),
        static_peers: vec![node(2).to_string()],
        ..P2pConfig::default()
    };
    let upstream = || std::iter::once(node(3));
    assert_eq!(configured(&config, upstream()), [node(2), node(3)], "discovery leads to bootnodes");
    let config = P2pConfig { discovery: Vec::new(), ..config };
    assert_eq!(configured(&config, upstream()), [node(2), node(3), node(1)], "each once, if it can be");
}

#[test]
fn a_peer_as_upstream_is_refused_on_a_chain_that_devp2p_is_not_spoken_on() {
    assert!(PeerSources::new([]).spare("dev").is_ok());
    let error = PeerSources::new([("near".into(), node(1))]).spare("dev").unwrap_err().to_string();
    assert!(error.starts_with("upstream near: a peer needs devp2p") && error.contains("`dev`"), "{error}");
}
