//! The end of an instance: readiness fails first, open requests get their answers, new ones find nobody.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hypasis_tests::appliance::Appliance;
use hypasis_tests::http::get;
use tempfile::tempdir;

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
