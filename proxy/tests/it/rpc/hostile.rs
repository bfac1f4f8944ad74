//! Input that nobody means well with.

use std::time::Duration;

use hypasis_proxy::config::{Period, RpcConfig, Size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rig::{Node, Port, echo, read_answer, spec};
use crate::support::store;

const PARSE: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}"#;
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;

async fn quick_limits() -> (Port, Node) {
    let node = Node::start(echo()).await;
    let config = RpcConfig {
        max_body: Size(100_000),
        read_timeout: Period(Duration::from_millis(200)),
        idle_timeout: Period(Duration::from_millis(200)),
        ..RpcConfig::default()
    };
    (Port::start(store(), spec(), config, &[&node]).await, node)
}

#[tokio::test]
async fn nesting_is_bounded_as_in_go() {
    let (port, _node) = quick_limits().await;
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_chainId","x":{open}{close}}}"#)
    };
    assert_eq!(port.post(&nested(9_999)).await.json()["result"], "0x539");
    assert_eq!(port.post(&nested(10_000)).await.text(), PARSE);
    assert_eq!(port.post(&"[".repeat(99_999)).await.text(), PARSE);
    assert_eq!(port.post(&"{\"a\":".repeat(19_999)).await.text(), PARSE);
}

#[tokio::test]
async fn a_body_without_end_is_refused_and_the_refusal_can_be_read() {
    let (port, _node) = quick_limits().await;
    for round in 0..20 {
        let mut socket = TcpStream::connect(port.address).await.unwrap();
        let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("2000\r\n{}\r\n", "[".repeat(0x2000));
        // Most clients read nothing before they have written everything.
        for _ in 0..500 {
            socket.write_all(chunk.as_bytes()).await.unwrap();
        }
        let answer = read_answer(&mut socket).await;
        assert_eq!((answer.status, answer.header("connection")), (413, Some("close")), "round {round}");
        assert!(answer.text().starts_with("content length too large"), "{}", answer.text());
    }
    assert_eq!(port.post(CALL).await.status, 200);
}

#[tokio::test]
async fn bytes_that_are_no_utf8_pass_where_geth_lets_them_pass() {
    let (port, _node) = quick_limits().await;
    let mut body = br#"{"jsonrpc":"2.0","id":"??","method":"eth_chainId"}"#.to_vec();
    let place = body.iter().position(|byte| *byte == b'?').unwrap();
    body[place] = 0xff;
    body[place + 1] = 0xfe;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = port.raw(&[head.as_bytes(), &body].concat()).await;
    assert_eq!(answer.body, &b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\xfe\",\"result\":\"0x539\"}"[..]);
}

#[tokio::test]
async fn a_client_that_dribbles_its_head_is_cut_off() {
    let (port, _node) = quick_limits().await;
    let mut socket = TcpStream::connect(port.address).await.unwrap();
    let mut byte = [0; 1];
    for part in std::iter::once("POST / HTTP/1.1\r\n").chain(std::iter::repeat("x-a: b\r\n")) {
        if socket.write_all(part.as_bytes()).await.is_err() {
            return;
        }
        let closed = tokio::time::timeout(Duration::from_millis(30), socket.read(&mut byte)).await;
        if let Ok(Ok(0) | Err(_)) = closed {
            return;
        }
    }
}

#[tokio::test]
async fn a_client_that_stalls_in_its_body_is_told_and_an_idle_one_is_closed() {
    let (port, _node) = quick_limits().await;
    let mut socket = TcpStream::connect(port.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut socket).await.status, 408);
    let mut idle = TcpStream::connect(port.address).await.unwrap();
    let mut byte = [0; 1];
    assert_eq!(idle.read(&mut byte).await.unwrap_or(0), 0, "closed without a word");
}

#[tokio::test]
async fn a_body_that_drips_in_chunks_is_cut_off_and_holds_up_nobody() {
    let (port, _node) = quick_limits().await;
    let (mut reader, mut writer) = TcpStream::connect(port.address).await.unwrap().into_split();
    let head =
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    writer.write_all(head.as_bytes()).await.unwrap();
    // Each byte comes long before any limit between two bytes could strike: the whole body has one.
    let dripping = tokio::spawn(async move {
        let mut drops = tokio::time::interval(Duration::from_millis(10));
        while writer.write_all(b"1\r\n[\r\n").await.is_ok() {
            drops.tick().await;
        }
    });
    let refusal = async {
        let answer = read_answer(&mut reader).await;
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    };
    let others = async {
        for _ in 0..50 {
            assert_eq!(port.post(CALL).await.json()["result"], "0x539");
        }
    };
    tokio::join!(refusal, others);
    tokio::time::timeout(Duration::from_secs(20), dripping).await.expect("the connection closes").unwrap();
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_over_all_clients() {
    let node = Node::start(echo()).await;
    let config = RpcConfig { max_in_flight: Size(200_000), ..RpcConfig::default() };
    let port = Port::start(store(), spec(), config, &[&node]).await;
    let mut slow = TcpStream::connect(port.address).await.unwrap();
    let head =
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 150000\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let big = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_chainId","x":"{}"}}"#, "a".repeat(100_000));
    let mut answer = port.post(&big).await;
    while answer.status == 200 {
        // The slow client's head may still be on its way.
        answer = port.post(&big).await;
    }
    assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (503, Some(-32005)));
    assert_eq!(port.post(CALL).await.status, 200, "small calls go on");
    drop(slow);
    while port.post(&big).await.status != 200 {}
}

#[tokio::test]
async fn heads_are_bounded_in_lines_and_bytes() {
    let (port, _node) = quick_limits().await;
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
    let mut socket = TcpStream::connect(port.address).await.unwrap();
    socket.write_all(many.as_bytes()).await.unwrap();
    let mut refusal = Vec::new();
    let _ = socket.read_to_end(&mut refusal).await;
    assert!(!refusal.starts_with(b"HTTP/1.1 200"));
    let mut socket = TcpStream::connect(port.address).await.unwrap();
    let line = format!("a: {}\r\n", "b".repeat(1_000));
    let mut sent = socket.write_all(b"GET / HTTP/1.1\r\n").await;
    while sent.is_ok() {
        sent = socket.write_all(line.as_bytes()).await;
    }
    assert_eq!(port.post(CALL).await.status, 200);
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let (port, _node) = quick_limits().await;
    let mut socket = TcpStream::connect(port.address).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        CALL.len()
    );
    let both = format!("{head}{CALL}{head}{CALL}");
    let (first, second) = both.split_at(both.len() - 100);
    socket.write_all(first.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut socket).await.json()["result"], "0x539");
    socket.write_all(second.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut socket).await.json()["result"], "0x539");
}

#[tokio::test]
async fn open_requests_end_before_the_port_does() {
    let node = Node::start(echo()).await;
    let port = Port::start(store(), spec(), RpcConfig::default(), &[&node]).await;
    node.hold.send_replace(true);
    let mut socket = TcpStream::connect(port.address).await.unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice"}"#;
    let text = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(text.as_bytes()).await.unwrap();
    node.arrived.notified().await;
    port.shutdown.send_replace(true);
    node.hold.send_replace(false);
    let answer = read_answer(&mut socket).await;
    assert_eq!(answer.json()["result"][0], "eth_gasPrice");
    tokio::time::timeout(Duration::from_secs(10), port.serving).await.expect("it drains").unwrap();
    assert!(TcpStream::connect(port.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn hosts_and_origins_are_let_in_as_configured() {
    let node = Node::start(echo()).await;
    let config = RpcConfig {
        hosts: vec!["node.example".into()],
        cors: vec!["https://app.example".into()],
        ..RpcConfig::default()
    };
    let port = Port::start(store(), spec(), config, &[&node]).await;
    let send = async |host: &str, lines: &str| {
        let text = format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n{lines}content-length: {}\r\n\r\n{CALL}",
            CALL.len()
        );
        port.raw(text.as_bytes()).await
    };
    for (host, status) in [
        ("node.example", 200),
        ("NODE.example:80", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:1", 200),
        ("evil.example", 403),
    ] {
        assert_eq!(send(host, "").await.status, status, "{host}");
    }
    let good = send("127.0.0.1", "origin: https://app.example\r\n").await;
    assert_eq!(good.header("access-control-allow-origin"), Some("https://app.example"));
    let bad = send("127.0.0.1", "origin: https://evil.example\r\n").await;
    assert_eq!(bad.header("access-control-allow-origin"), None);
    let ask = "OPTIONS / HTTP/1.1\r\nhost: 127.0.0.1\r\norigin: https://app.example\r\naccess-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n\r\n";
    let answer = port.raw(ask.as_bytes()).await;
    assert_eq!((answer.status, answer.header("access-control-allow-headers")), (204, Some("content-type")));
}
