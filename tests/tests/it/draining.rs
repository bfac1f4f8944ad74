//! The end of an instance: readiness fails first, open requests get their answers, new ones find nobody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use hypasis_tests::appliance::Appliance;
use hypasis_tests::http::get;
use hypasis_wire::node::{NodeRecord, random_key};
use tempfile::tempdir;

/// After this a peer that says nothing is given up.
const HANDSHAKE_STEP: Duration = Duration::from_secs(5);

#[test]
fn readiness_fails_while_open_requests_end() {
    let dir = tempdir().unwrap();
    let mut appliance = Appliance::start(dir.path(), &["--chain", "dev"]);
    assert_eq!(get(appliance.admin, "/readyz").status, 200);
    // A request of which one half has come is open.
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"eth_chainId"}"#;
    let (first, second) = body.split_at(20);
    let mut open = TcpStream::connect(appliance.rpc).unwrap();
    open.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    write!(open, "{head}expect: 100-continue\r\n\r\n").unwrap();
    // "Continue" says that the request is being read.
    let mut proceed = [0; 25];
    open.read_exact(&mut proceed).unwrap();
    assert!(proceed.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&proceed));
    open.write_all(first.as_bytes()).unwrap();
    appliance.drain();
    let readiness = |admin| get(admin, "/readyz?verbose");
    appliance.until(|_, admin| readiness(admin).status == 503, Duration::from_secs(20), "to drain");
    assert!(readiness(appliance.admin).body.contains("listeners draining"));
    assert_eq!(get(appliance.admin, "/health").status, 503);
    assert_eq!(get(appliance.admin, "/livez").status, 200, "it lives until its end");
    appliance.until(|rpc, _| TcpStream::connect(rpc).is_err(), Duration::from_secs(20), "to close its port");
    open.write_all(second.as_bytes()).unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(r#"{"jsonrpc":"2.0","id":7,"result":"0x539"}"#), "{answer}");
    assert_eq!(appliance.ended(), Some(0));
}

#[test]
fn an_end_waits_for_no_peer_that_is_being_dialled() {
    let dir = tempdir().unwrap();
    // One takes connections and says nothing, the other has no room for another connection.
    let (silent, full) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = [&silent, &full].map(|listener| listener.local_addr().unwrap());
    let crowd = fill_up(addresses[1]);
    let nodes = addresses.map(|address| NodeRecord::from_secret_key(address, &random_key()).to_string());
    let config = dir.path().join("hypasis.toml");
    std::fs::write(&config, format!("[p2p]\nstatic_peers = {nodes:?}\n")).unwrap();
    let mut appliance =
        Appliance::start(dir.path(), &["--chain", "dev", "--config", config.to_str().unwrap()]);
    let (mut dialled, _) = silent.accept().unwrap();
    appliance.until(|_, _| is_dialled(addresses[1]), Duration::from_secs(60), "to dial the other peer");
    let began = Instant::now();
    assert_eq!(appliance.terminate(), Some(0));
    assert!(began.elapsed() < HANDSHAKE_STEP, "it waited {:?}", began.elapsed());
    // What had been said of the handshake was all.
    dialled.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut said = Vec::new();
    let end = dialled.read_to_end(&mut said);
    assert!(end.is_ok() || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    drop(crowd);
}

/// Connects to a listener that accepts nobody until the kernel takes no more for it.
fn fill_up(address: SocketAddr) -> Vec<TcpStream> {
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    std::iter::from_fn(connect).collect()
}

/// Whether somebody waits for a connection to this address: Linux tells them in state 2.
fn is_dialled(address: SocketAddr) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", address.port());
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(2);
            Some((fields.next()?, fields.next()?))
        })
        .any(|(remote, state)| remote.ends_with(&port) && state == "02")
}
