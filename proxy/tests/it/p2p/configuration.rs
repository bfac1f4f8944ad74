//! `[p2p]`: what Geth's users expect, and errors with their place.

use std::net::IpAddr;

use alloy_primitives::{B256, B512 as PeerId};
use hypasis_chain::ChainSpec;
use hypasis_proxy::config::{Blocked, Config, ConfigError, DiscoveryVersion, P2pConfig, PeerUrl, load};
use toml::Table;

const ID: &str = "ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f";
/// EIP-778's example: 127.0.0.1, UDP port 30303, no TCP port.
const RECORD: &str = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8";

fn load_text(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hypasis.toml");
    std::fs::write(&path, text).unwrap();
    load(Some(&path), Table::new(), std::iter::empty())
}

#[test]
fn by_default_devp2p_is_on_at_loopback_with_500_peers_of_which_a_third_is_dialled() {
    let p2p = Config::default().p2p;
    assert!(p2p.enabled && p2p.relay_transactions && !p2p.submit_transactions);
    assert_eq!(p2p.listen.to_string(), "127.0.0.1:30303");
    assert_eq!((p2p.max_peers, p2p.inbound_max()), (500, 334));
    assert_eq!(p2p.discovery, [DiscoveryVersion::V4, DiscoveryVersion::V5]);
    let small = load_text("[p2p]\nmax_peers = 1").unwrap().p2p;
    assert_eq!(small.inbound_max(), 1, "the one place is not kept for a dial");
}

#[test]
fn nodes_are_named_as_enode_or_enr() {
    let text = format!(
        "[p2p]\nbootnodes = ['enode://{ID}@192.0.2.1:30303?discport=30301', '{RECORD}']\n\
         static_peers = ['enode://{ID}@[2001:db8::1]:30303']\n\
         trusted_peers = ['{ID}', '{RECORD}', 'enode://{ID}@192.0.2.1:1']\ndiscovery = ['v5']",
    );
    let p2p = load_text(&text).unwrap().p2p;
    let places: Vec<_> = p2p.bootnodes().iter().map(|node| node.record().udp_addr().to_string()).collect();
    assert_eq!(places, ["192.0.2.1:30301", "127.0.0.1:30303"]);
    assert!(matches!(&p2p.bootnodes()[1], PeerUrl::Enr(record, _) if record.to_base64() == RECORD));
    assert_eq!(p2p.static_peers()[0].tcp_addr().to_string(), "[2001:db8::1]:30303");
    assert_eq!(p2p.trusted_ids(), vec![ID.parse::<PeerId>().unwrap(); 3]);
    assert_eq!(p2p.discovery, [DiscoveryVersion::V5]);
}

#[test]
fn the_block_list_takes_ids_addresses_and_networks() {
    let text = format!(
        "[p2p]\nblock_list = ['{ID}', '192.0.2.7', '198.51.100.9/24', '2001:db8::/32', 'enode://{ID}@192.0.2.1:1/']"
    );
    let blocked = load_text(&text).unwrap().p2p.blocked();
    assert_eq!(blocked.len(), 5);
    let is_blocked = |id: Option<&str>, ip: &str| {
        let (id, ip) = (id.map(|id| id.parse().unwrap()), ip.parse::<IpAddr>().unwrap());
        blocked.iter().any(|entry| entry.covers(id, ip))
    };
    for ip in ["192.0.2.7", "::ffff:192.0.2.7", "198.51.100.0", "198.51.100.255", "2001:db8:ffff::1"] {
        assert!(is_blocked(None, ip), "{ip}");
    }
    for ip in ["192.0.2.8", "198.51.101.0", "2001:db9::", "::1"] {
        assert!(!is_blocked(None, ip) && is_blocked(Some(ID), ip), "{ip}");
    }
    assert_eq!(blocked[0], Blocked::Id(ID.parse().unwrap()));
}

#[test]
fn upstreams_may_be_peers() {
    let config = load_text(&format!("[[upstream]]\nurl = 'enode://{ID}@192.0.2.1:30303'")).unwrap();
    assert!(config.upstream[0].is_peer());
    assert!(hypasis_proxy::config::show(&config).contains(ID), "an id is no secret");
}

#[test]
fn values_that_cannot_be_are_refused_where_they_stand() {
    let [off_curve, short] = [ID.replace("ca", "cb"), ID[1..].to_owned()];
    for (text, place, what) in [
        ("[p2p]\nmax_peers = 0".to_owned(), "2:1", "it must be 1 to 100000"),
        ("[p2p]\nmax_per_ip = 0".to_owned(), "2:1", "it must be 1 to 100000"),
        ("[p2p]\nmax_peers = 10\nmax_inbound = 11".to_owned(), "3:1", "it must be 0 to 10"),
        ("[p2p]\ndiscovery = ['v6']".to_owned(), "2:14", "`v4` or `v5`"),
        ("[p2p]\nexternal_ip = '0.0.0.0'".to_owned(), "2:1", "no address that a peer could dial"),
        ("[p2p]\nexternal_ip = 'here'".to_owned(), "2:15", "IP address"),
        ("[p2p]\nlisten = '127.0.0.1:8545'".to_owned(), "2:1", "where the RPC port is; give it another port"),
        ("[p2p]\nlisten = '127.0.0.1:8080'".to_owned(), "2:1", "where the admin port is"),
        ("[p2p]\nbootnodes = ['http://n']".to_owned(), "2:14", "a node record begins with enode://"),
        (format!("[p2p]\nbootnodes = ['enode://{off_curve}@1.2.3.4:1']"), "2:14", "is not a public key"),
        (
            format!("[p2p]\nbootnodes = ['enode://{short}@1.2.3.4:1']"),
            "2:14",
            "128 hex digits, this one has 127",
        ),
        (
            format!("[p2p]\nbootnodes = [\n  'enode://{ID}@1.2.3.4:1',\n  'enode://{ID}@name:1']"),
            "4:3",
            "is not ip:port",
        ),
        ("[p2p]\nbootnodes = ['enr:-xyz']".to_owned(), "2:14", "the record cannot be read"),
        (format!("[p2p]\nstatic_peers = ['enode://{ID}@1.2.3.4:0']"), "2:17", "no TCP port"),
        (format!("[p2p]\nstatic_peers = ['{RECORD}']"), "2:17", "no TCP port"),
        (format!("[p2p]\nstatic_peers = ['{ID}']"), "2:17", "begins with enode://"),
        ("[p2p]\ntrusted_peers = ['abc']".to_owned(), "2:18", "a node id of 128 hex digits"),
        (
            "[p2p]\nblock_list = ['192.0.2.0/33']".to_owned(),
            "2:15",
            "this is no network; write it like 192.0.2.0/24",
        ),
        ("[p2p]\nblock_list = ['192.0.2']".to_owned(), "2:15", "neither enode://…"),
        ("[p2p]\nkey_passphrase_file = '/no/such/file'".to_owned(), "2:1", "/no/such/file"),
        (
            "[p2p]\nsubmit_transactions = true\nrelay_transactions = false".to_owned(),
            "2:1",
            "needs `p2p.relay_transactions`",
        ),
        ("[p2p]\nmax_peer = 5".to_owned(), "2:1", "did you mean `max_peers`?"),
        ("[[upstream]]\nurl = 'enode://ab@1.2.3.4:1'".to_owned(), "2:1", "a node id has 128 hex digits"),
        ("[[upstream]]\nurl = 'enr:-xyz'".to_owned(), "2:1", "the record cannot be read"),
        (format!("[[upstream]]\nurl = '{RECORD}'"), "2:1", "no TCP port"),
        (
            format!("[[upstream]]\nurl = 'enode://{ID}@192.0.2.1:30303'\n[p2p]\nenabled = false"),
            "2:1",
            "is a devp2p peer, but `p2p.enabled` is false",
        ),
    ] {
        let error = load_text(&text).expect_err(&text).to_string();
        assert!(
            error.contains(&format!("hypasis.toml:{place}: ")) && error.contains(what),
            "{text}: {error}"
        );
        assert!(!error.contains('\n'), "one line: {error}");
    }
}

#[test]
fn a_passphrase_file_is_one_short_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("passphrase");
    for (content, valid) in [
        ("x\n".to_owned(), true),
        (String::new(), false),
        ("\n".to_owned(), false),
        ("x".repeat(2_000), false),
    ] {
        std::fs::write(&path, &content).unwrap();
        let loaded = load_text(&format!("[p2p]\nkey_passphrase_file = '{}'", path.display()));
        assert_eq!(loaded.is_ok(), valid, "{content:?}: {loaded:?}");
    }
}

#[test]
fn bootnodes_and_lists_of_the_chain_are_used_where_nothing_else_is_said_and_the_port_is_open() {
    for (name, nodes) in [("ethereum", 4), ("sepolia", 5), ("polygon", 4), ("amoy", 4)] {
        let spec = ChainSpec::named(name).unwrap();
        let open = P2pConfig { listen: "0.0.0.0:30303".parse().unwrap(), ..P2pConfig::default() };
        assert_eq!((open.bootnodes_of(&spec).len(), open.dns_of(&spec).len()), (nodes, 1), "{name}");
        let entrance = spec.entrance();
        assert_eq!(entrance.bootnodes.len(), nodes, "{name}: each can be read");
        // An empty list is none, and what is configured replaces the chain's own.
        let none = P2pConfig { bootnodes: Some(Vec::new()), dns: Some(Vec::new()), ..open.clone() };
        assert_eq!((none.bootnodes_of(&spec).len(), none.dns_of(&spec).len()), (0, 0));
        let one = Some(vec![entrance.bootnodes[0].to_owned()]);
        let closed = P2pConfig { bootnodes: one, ..P2pConfig::default() };
        assert_eq!((closed.bootnodes_of(&spec).len(), closed.dns_of(&spec).len()), (1, 0));
        assert!(P2pConfig::default().bootnodes_of(&spec).is_empty(), "loopback is no network to join");
        // Another block 0 is another chain.
        let private = ChainSpec { genesis_hash: Some(B256::ZERO), ..spec };
        assert_eq!((open.bootnodes_of(&private).len(), open.dns_of(&private).len()), (0, 0));
    }
}
