//! What passing through adds: one kept connection, one call after the other, the servers in turn.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Median latency of `count` calls to each server, measured in turn.
pub fn medians<const N: usize>(servers: [SocketAddr; N], body: &str, count: usize) -> [Duration; N] {
    let mut connections = servers.map(Connection::open);
    let mut samples = [const { Vec::new() }; N];
    for round in 0..count + count / 10 {
        for (connection, samples) in connections.iter_mut().zip(&mut samples) {
            let started = Instant::now();
            connection.exchange(body);
            // The first tenth warms up.
            if round >= count / 10 {
                samples.push(started.elapsed());
            }
        }
    }
    samples.map(|mut samples| {
        samples.sort_unstable();
        samples[samples.len() / 2]
    })
}

struct Connection {
    reader: BufReader<TcpStream>,
}

// === impl Connection ===

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("loopback is TCP");
        Self { reader: BufReader::new(stream) }
    }

    fn exchange(&mut self, body: &str) {
        let length = body.len();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        self.reader.get_mut().write_all(format!("{head}{body}").as_bytes()).expect("the server reads");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("the server answers");
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut answer = vec![0; length];
        self.reader.read_exact(&mut answer).expect("the whole answer");
    }
}
