//! A send arrives once at most, also where connections close in the moment of writing.

use std::sync::Arc;

use bytes::Bytes;
use hypasis_upstream::dev::Responder;
use hypasis_upstream::{Call, Class, ExpectedChain, Need, NodeOptions, Pool};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fake::{all_up, chain, quick};

/// When the server closes connections, without ever announcing it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Closes {
    /// Right behind each answer: the next request may be written into a closing connection.
    BehindAnswers,
    /// When a send has been read, in place of the answer.
    OnSends,
    /// When a connection that has been used gets its next send, before reading it.
    BeforeReading,
}

type Arrived = Arc<Mutex<Vec<String>>>;

/// Reads one request's body; `None` at the end.
async fn body(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let length: usize = length.parse().unwrap();
            if rest.len() >= length {
                bytes.drain(..head.len() + 4 + length);
                return Some(rest[..length].to_owned());
            }
        }
        let mut part = [0; 4_096];
        match socket.read(&mut part).await {
            Ok(count @ 1..) => bytes.extend_from_slice(&part[..count]),
            _ => return None,
        }
    }
}

async fn serve(mut socket: TcpStream, responder: Arc<Responder>, closes: Closes, arrived: Arrived) {
    let mut bytes = Vec::new();
    for round in 0.. {
        if closes == Closes::BeforeReading && round > 0 && socket.readable().await.is_ok() {
            let mut peeked = [0; 4_096];
            let count = socket.peek(&mut peeked).await.unwrap_or(0);
            if String::from_utf8_lossy(&peeked[..count]).contains("eth_send") {
                return;
            }
        }
        let Some(body) = body(&mut socket, &mut bytes).await else { return };
        if body.contains("eth_send") {
            arrived.lock().push(body.clone());
            if closes == Closes::OnSends {
                return;
            }
        }
        let answer = responder.answer(body.as_bytes());
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        if socket.write_all(&[head.as_bytes(), &answer].concat()).await.is_err()
            || closes == Closes::BehindAnswers
        {
            return;
        }
    }
}

#[tokio::test]
async fn a_send_arrives_once_at_most_whenever_its_connection_closes() {
    for closes in [Closes::BehindAnswers, Closes::OnSends, Closes::BeforeReading] {
        let responder = Arc::new(Responder::new(chain(1, 5)));
        let arrived = Arrived::default();
        let mut nodes = Vec::new();
        for id in ["a", "b"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            nodes.push(NodeOptions::new(id, url));
            let (responder, arrived) = (responder.clone(), arrived.clone());
            tokio::spawn(async move {
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(serve(socket, responder.clone(), closes, arrived.clone()));
                }
            });
        }
        let pool = Pool::new(&nodes, quick(), ExpectedChain::default()).unwrap();
        let _tasks = pool.spawn();
        all_up(&pool).await;
        let mut answered = Vec::new();
        for id in 0..100 {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_sendRawTransaction","params":["0x{id:02x}"]}}"#
            );
            let call = Call {
                body: Bytes::from(body.clone()),
                class: Class::Send,
                need: Need::default(),
                method: "eth_sendRawTransaction",
            };
            if pool.forward(call).await.is_ok() {
                answered.push(body);
            }
        }
        let mut arrived = arrived.lock().clone();
        let total = arrived.len();
        arrived.sort();
        arrived.dedup();
        assert_eq!(arrived.len(), total, "{closes:?}: one arrived twice");
        assert!(
            answered.iter().all(|body| arrived.contains(body)),
            "{closes:?}: an answer to what never arrived"
        );
        assert!(total > 0 || closes == Closes::BeforeReading, "{closes:?}: none arrived");
    }
}
