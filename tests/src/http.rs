//! A plain HTTP client: one request a connection, so that nothing of a pool's cleverness hides a fault.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    head: String,
    /// Body.
    pub body: String,
}

// === impl Answer ===

impl Answer {
    /// The value of a header, by lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }
}

/// Posts a JSON-RPC body.
pub fn post(address: SocketAddr, body: &str) -> Answer {
    post_with(address, body, &[])
}

/// Posts a JSON-RPC body with further headers.
pub fn post_with(address: SocketAddr, body: &str, headers: &[(&str, &str)]) -> Answer {
    send(address, body, headers, PATIENCE)
}

/// Posts a JSON-RPC body whose answer may take so long.
pub fn post_within(address: SocketAddr, body: &str, limit: Duration) -> Answer {
    send(address, body, &[], limit)
}

fn send(address: SocketAddr, body: &str, headers: &[(&str, &str)], limit: Duration) -> Answer {
    let mut head = String::from("content-type: application/json\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    exchange(
        address,
        &format!("POST / HTTP/1.0\r\nhost: localhost\r\n{head}content-length: {}\r\n\r\n{body}", body.len()),
        limit,
    )
    .unwrap_or_else(|error| panic!("{address} does not answer: {error}"))
}

/// Gets a path.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    exchange(address, &format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n"), PATIENCE)
        .unwrap_or_else(|error| panic!("{address} does not answer: {error}"))
}

/// Calls a method and returns the whole response object.
pub fn call(address: SocketAddr, method: &str, params: Value) -> Value {
    post(address, &request(method, params)).json()
}

/// The text of a call.
pub fn request(method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

fn exchange(address: SocketAddr, request: &str, limit: Duration) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
