//! Framing, byte for byte as Geth 1.17 answers the same probes.

use hypasis_proxy::config::RpcConfig;

use super::rig::{Node, Port, echo, spec};
use crate::support::store;

const INVALID: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}}"#;
const PARSE: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}"#;

/// Bodies and the exact bytes that Geth answers, on chain 1337.
pub(crate) const PROBES: &[(&str, &str)] = &[
    // Ids come back as they were written.
    (
        r#"{"jsonrpc":"2.0","id":"abc","method":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":"abc","result":"0x539"}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":1.50,"method":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":1.50,"result":"0x539"}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":12345678901234567890123,"method":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":12345678901234567890123,"result":"0x539"}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":null,"method":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":"0x539"}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":true,"method":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":true,"result":"0x539"}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":"\u0041","method":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":"\u0041","result":"0x539"}"#,
    ),
    (r#"{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}"#, INVALID),
    (r#"{"jsonrpc":"2.0","id":[1],"method":"eth_chainId"}"#, INVALID),
    // Keys in any case and escaped; of equal keys the last one counts.
    (r#"{"JSONRPC":"2.0","Id":1,"METHOD":"eth_chainId"}"#, r#"{"jsonrpc":"2.0","id":1,"result":"0x539"}"#),
    (
        r#"{"jsonrpc":"2.0","id":1,"\u006dethod":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":"0x539"}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_chain\u0049d"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":"0x539"}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x","method":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":"0x539"}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","method":5}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":"0x539"}"#,
    ),
    (
        "  \n{\"jsonrpc\" : \"2.0\" ,\t\"id\":1 , \"method\": \"eth_chainId\" , \"params\" : [ ] } trailing",
        r#"{"jsonrpc":"2.0","id":1,"result":"0x539"}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":"0x539"}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","extra":{"a":[1,2,{}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":"0x539"}"#,
    ),
    // No calls.
    (
        r#"{"id":7,"method":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"invalid request"}}"#,
    ),
    (
        r#"{"jsonrpc":"1.0","id":7,"method":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"invalid request"}}"#,
    ),
    (
        r#"{"jsonrpc":2.0,"id":7,"method":"eth_chainId"}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"invalid request"}}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":7}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"invalid request"}}"#,
    ),
    (
        r#"{"jsonrpc":"2.0","id":7,"method":5}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"invalid request"}}"#,
    ),
    ("5", INVALID),
    ("null", INVALID),
    ("\"eth_chainId\"", INVALID),
    ("{}", INVALID),
    // No JSON.
    ("{", PARSE),
    ("eth_chainId", PARSE),
    (r#"{"jsonrpc":"2.0","id":01,"method":"eth_chainId"}"#, PARSE),
    (r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId",}"#, PARSE),
    (r#"{"jsonrpc":"2.0","id":1,"method":"eth_\xchainId"}"#, PARSE),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\nb\"}", PARSE),
    ("[1,2", PARSE),
    ("\u{feff}{}", PARSE),
    // Nothing to answer.
    ("", ""),
    ("  \n", ""),
    (r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#, ""),
    (r#"{"jsonrpc":"2.0","id":1,"result":"0x1"}"#, ""),
    (r#"[{"jsonrpc":"2.0","method":"eth_chainId"}]"#, ""),
    (r#"[{"jsonrpc":"2.0","id":1,"result":"0x1"}]"#, ""),
    // Batches.
    ("[]", r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"empty batch"}}"#),
    (
        r#"[1,null,{}]"#,
        r#"[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}},{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}},{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}}]"#,
    ),
    (
        r#"[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},{"jsonrpc":"2.0","method":"net_version"},{"jsonrpc":"2.0","id":1,"method":"net_version"}]"#,
        r#"[{"jsonrpc":"2.0","id":1,"result":"0x539"},{"jsonrpc":"2.0","id":1,"result":"1337"}]"#,
    ),
];

async fn port() -> (Port, Node) {
    let node = Node::start(echo()).await;
    (Port::start(store(), spec(), RpcConfig::default(), &[&node]).await, node)
}

#[tokio::test]
async fn probes_are_answered_with_the_bytes_of_geth() {
    let (port, node) = port().await;
    for (body, expected) in PROBES {
        let answer = port.post(body).await;
        assert_eq!((answer.status, answer.text()), (200, *expected), "{body}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{body}");
    }
    assert_eq!(node.count(), 0, "nothing of this is a node's affair");
}

#[tokio::test]
async fn methods_media_types_and_lengths_are_let_in_as_by_geth() {
    let (port, _node) = port().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    let send = async |method: &str, lines: &str, body: &str| {
        let length = body.len();
        let text = format!("{method} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{lines}\r\n{body}");
        let answer = port.raw(text.as_bytes()).await;
        (answer.status, answer.text().to_owned())
    };
    let good = (200, r#"{"jsonrpc":"2.0","id":1,"result":"0x539"}"#.to_owned());
    let media = (415, "invalid content type, only application/json is supported\n".to_owned());
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/json-rpc",
        "application/jsonrequest",
    ] {
        assert_eq!(send("POST /", &format!("content-type: {kind}\r\n"), body).await, good, "{kind}");
    }
    for lines in ["", "content-type: text/plain\r\n", "content-type: application/jsonx\r\n"] {
        assert_eq!(send("POST /", lines, body).await, media, "{lines}");
    }
    let json = "content-type: application/json\r\n";
    assert_eq!(send("GET /", "", "").await, (200, String::new()));
    assert_eq!(send("GET /?a=b", "", "").await, media);
    assert_eq!(send("GET /", json, body).await, good);
    assert_eq!(send("OPTIONS /", "", "").await, (200, String::new()));
    for method in ["PUT /", "DELETE /"] {
        assert_eq!(send(method, json, body).await, (405, "method not allowed\n".to_owned()));
    }
    let long =
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5242881\r\n\r\n";
    let answer = port.raw(long.as_bytes()).await;
    assert_eq!((answer.status, answer.text()), (413, "content length too large (5242881>5242880)\n"));
}

#[tokio::test]
async fn a_batch_that_is_too_large_gets_one_error_under_its_first_id() {
    let node = Node::start(echo()).await;
    let config = RpcConfig { max_batch: 2, ..RpcConfig::default() };
    let port = Port::start(store(), spec(), config, &[&node]).await;
    let answer = port.post(r#"[{},{"jsonrpc":"2.0","id":"x","method":"eth_chainId"},1]"#).await;
    let expected = r#"[{"jsonrpc":"2.0","id":"x","error":{"code":-32600,"message":"batch too large"}}]"#;
    assert_eq!((answer.status, answer.text()), (200, expected));
}

#[tokio::test]
async fn what_exceeds_the_response_limit_of_a_batch_leaves_errors_behind_it() {
    let node = Node::start(std::sync::Arc::new(|_, _| format!("\"result\":\"{}\"", "a".repeat(100)))).await;
    let config = RpcConfig { max_response: hypasis_proxy::config::Size(150), ..RpcConfig::default() };
    let port = Port::start(store(), spec(), config, &[&node]).await;
    let call = |id: u32| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_gasPrice"}}"#);
    let body = format!("[{},{},{}]", call(1), call(2), call(3));
    let answers = port.post(&body).await.json();
    assert_eq!(answers[0]["result"].as_str().map(str::len), Some(100));
    assert_eq!(answers[1]["result"].as_str().map(str::len), Some(100), "the one that exceeds is still given");
    assert_eq!(answers[2]["error"]["code"], -32003);
    assert_eq!(answers[2]["error"]["message"], "response too large");
}

#[tokio::test]
async fn a_connection_serves_many_requests_also_pipelined() {
    use tokio::io::AsyncWriteExt;
    let (port, _node) = port().await;
    let mut socket = tokio::net::TcpStream::connect(port.address).await.unwrap();
    let mut bytes = Vec::new();
    for id in 0..50 {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_chainId"}}"#);
        let length = body.len();
        bytes.extend_from_slice(format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes());
    }
    socket.write_all(&bytes).await.unwrap();
    let mut text = String::new();
    let mut part = [0; 65536];
    while text.matches("0x539").count() < 50 {
        let count = tokio::io::AsyncReadExt::read(&mut socket, &mut part).await.unwrap();
        assert!(count > 0);
        text.push_str(std::str::from_utf8(&part[..count]).unwrap());
    }
    let places: Vec<_> = (0..50).map(|id| text.find(&format!("\"id\":{id},")).unwrap()).collect();
    assert!(places.is_sorted(), "answers come in order");
}
