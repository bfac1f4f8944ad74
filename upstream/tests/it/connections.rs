//! Connections to a node: kept, used again, replaced, closed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::poll_immediate;
use hypasis_upstream::dev::Responder;
use hypasis_upstream::{Call, Class, ExpectedChain, Need, NodeOptions, Pool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::fake::{all_up, chain, quick};

/// What the server saw.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Connections that were opened.
    opened: usize,
    /// Connections whose client has closed them.
    closed: usize,
    /// First lines and `host` lines of users' calls.
    heads: Vec<(String, String)>,
}

/// A server on raw sockets in front of a chain; users' calls wait while `held`.
struct Server {
    address: String,
    seen: watch::Sender<Seen>,
    held: watch::Sender<bool>,
    /// Closes every connection that has no request on it, as a node does at the end of its patience.
    hang_up: watch::Sender<usize>,
}

// === impl Server ===

impl Server {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = Arc::new(Self {
            address,
            seen: watch::Sender::default(),
            held: watch::Sender::new(false),
            hang_up: watch::Sender::new(0),
        });
        let responder = Arc::new(Responder::new(chain(1, 5)));
        let this = server.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                this.seen.send_modify(|seen| seen.opened += 1);
                let (server, responder) = (this.clone(), responder.clone());
                tokio::spawn(async move {
                    server.serve(socket, &responder).await;
                    server.seen.send_modify(|seen| seen.closed += 1);
                });
            }
        });
        server
    }

    async fn serve(&self, mut socket: TcpStream, responder: &Responder) {
        let mut bytes = Vec::new();
        let mut hang_up = self.hang_up.subscribe();
        loop {
            let (head, body) = tokio::select! {
                request = request(&mut socket, &mut bytes) => match request {
                    Some(request) => request,
                    None => return,
                },
                _ = hang_up.changed() => return,
            };
            if body.contains("eth_call") {
                let line = head.lines().next().unwrap_or_default().to_owned();
                let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
                self.seen.send_modify(|seen| seen.heads.push((line, host.to_owned())));
                let mut held = self.held.subscribe();
                let mut byte = [0; 1];
                tokio::select! {
                    _ = held.wait_for(|held| !held) => {}
                    // Nothing but the end can come while a request is open.
                    _ = socket.read(&mut byte) => return,
                }
            }
            let answer = responder.answer(body.as_bytes());
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
            if socket.write_all(&[head.as_bytes(), &answer].concat()).await.is_err() {
                return;
            }
        }
    }
}

/// Reads one request's head and body; `None` at the end.
async fn request(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let length: usize = length.parse().unwrap();
            if rest.len() >= length {
                bytes.drain(..head.len() + 4 + length);
                return Some((head.to_owned(), rest[..length].to_owned()));
            }
        }
        let mut part = [0; 4_096];
        match socket.read(&mut part).await {
            Ok(count @ 1..) => bytes.extend_from_slice(&part[..count]),
            _ => return None,
        }
    }
}

fn eth_call() -> Call {
    Call {
        body: Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{},"latest"]}"#),
        class: Class::Read,
        need: Need::default(),
        method: "eth_call",
    }
}

/// A pool whose own looks at the node do not come in between.
async fn pool(options: NodeOptions) -> (Pool, tokio::task::JoinSet<()>) {
    let mut calm = quick();
    calm.follow.poll_min = Duration::from_secs(600);
    calm.follow.poll_max = Duration::from_secs(600);
    calm.follow.reprobe = Duration::from_secs(600);
    let pool = Pool::new(&[options], calm, ExpectedChain::default()).unwrap();
    let tasks = pool.spawn();
    all_up(&pool).await;
    (pool, tasks)
}

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection() {
    let server = Server::start().await;
    let (pool, _tasks) = pool(NodeOptions::new("a", format!("http://{}", server.address))).await;
    for _ in 0..50 {
        pool.forward(eth_call()).await.unwrap();
    }
    let seen = server.seen.borrow().clone();
    assert!(seen.opened <= 3, "{} connections for 50 calls and the first look", seen.opened);
    assert_eq!(seen.heads.len(), 50);
}

#[tokio::test]
async fn calls_at_once_get_connections_of_their_own_which_are_kept() {
    let server = Server::start().await;
    let (pool, _tasks) = pool(NodeOptions::new("a", format!("http://{}", server.address))).await;
    for _ in 0..3 {
        server.held.send_replace(true);
        let before = server.seen.borrow().heads.len();
        let calls = futures_util::future::join_all((0..8).map(|_| pool.forward(eth_call())));
        let release = async {
            server.seen.subscribe().wait_for(|seen| seen.heads.len() == before + 8).await.unwrap();
            server.held.send_replace(false);
        };
        let (answers, ()) = tokio::join!(calls, release);
        assert!(answers.iter().all(Result::is_ok));
    }
    let seen = server.seen.borrow().clone();
    assert!(seen.opened <= 11, "{} connections for 8 calls at once", seen.opened);
    assert_eq!(seen.closed, 0);
}

#[tokio::test]
async fn connections_that_the_node_closed_are_replaced_without_a_failed_call() {
    let server = Server::start().await;
    let (pool, _tasks) = pool(NodeOptions::new("a", format!("http://{}", server.address))).await;
    for round in 0..20 {
        pool.forward(eth_call()).await.unwrap();
        server.hang_up.send_modify(|count| *count += 1);
        server.seen.subscribe().wait_for(|seen| seen.closed == seen.opened).await.unwrap();
        let sent = server.seen.borrow().heads.len();
        pool.forward(eth_call()).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(server.seen.borrow().heads.len(), sent + 1, "it arrived once");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connection() {
    let server = Server::start().await;
    let (pool, _tasks) = pool(NodeOptions::new("a", format!("http://{}", server.address))).await;
    server.held.send_replace(true);
    let mut call = Box::pin(pool.forward(eth_call()));
    let mut seen = server.seen.subscribe();
    let arrived = seen.wait_for(|seen| seen.heads.len() == 1);
    tokio::select! {
        _ = &mut call => panic!("nothing was answered"),
        arrived = arrived => drop(arrived.unwrap()),
    }
    let closed = server.seen.borrow().closed;
    assert!(poll_immediate(&mut call).await.is_none());
    drop(call);
    server.seen.subscribe().wait_for(|seen| seen.closed == closed + 1).await.unwrap();
    server.held.send_replace(false);
    pool.forward(eth_call()).await.unwrap();
}

#[tokio::test]
async fn requests_name_path_query_and_host_of_the_url_unless_the_operator_names_another() {
    let server = Server::start().await;
    let url = format!("http://user:secret@{}/v1/key?chain=1#part", server.address);
    let (first, _tasks) = pool(NodeOptions::new("a", url.clone())).await;
    first.forward(eth_call()).await.unwrap();
    let mut options = NodeOptions::new("a", url);
    options.headers.insert("Host".into(), "node.example".into());
    let (second, _tasks) = pool(options).await;
    second.forward(eth_call()).await.unwrap();
    let line = "POST /v1/key?chain=1 HTTP/1.1".to_owned();
    let heads = server.seen.borrow().heads.clone();
    assert_eq!(heads, [(line.clone(), server.address.clone()), (line, "node.example".to_owned())]);
}
