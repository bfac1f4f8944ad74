//! Thousands of kept connections held by one process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that everything else of this process may need.
const SPARE: u64 = 1_000;

/// A kept connection on which calls are asked one after the other.
#[derive(Debug)]
pub struct Kept {
    reader: BufReader<TcpStream>,
}

/// Raises the limits of descriptors of this process, and of those that it starts from now on, so that it can hold so
/// many connections; panics where that is refused. Only root may raise the hard limit.
pub fn room_for(connections: usize) {
    let needed = connections as u64 + SPARE;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = maximum.map(|maximum| maximum.max(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: wanted });
    assert!(
        raised.is_ok(),
        "{connections} connections need {needed} file descriptors; the hard limit is {maximum:?} (raise `ulimit -Hn`)"
    );
}

// === impl Kept ===

impl Kept {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket has a time-out");
        // Most answers here are small, and there are many of us.
        Self { reader: BufReader::with_capacity(512, stream) }
    }

    /// Sends a call without waiting for its answer.
    pub fn ask(&mut self, body: &str) {
        let length = body.len();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        self.reader.get_mut().write_all(format!("{head}{body}").as_bytes()).expect("the server reads");
    }

    /// Reads the next answer's body.
    pub fn answer(&mut self) -> String {
        let mut length = 0;
        loop {
            let mut line = String::new();
            let count = self.reader.read_line(&mut line).expect("the server answers");
            assert!(count > 0, "the server closed the connection");
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("the whole answer");
        String::from_utf8(body).expect("JSON is UTF-8")
    }

    /// Whether an answer has begun within `wait`.
    pub fn is_answered(&mut self, wait: Duration) -> bool {
        self.reader.get_ref().set_read_timeout(Some(wait)).expect("a socket has a time-out");
        self.reader.fill_buf().is_ok_and(|bytes| !bytes.is_empty())
    }
}
