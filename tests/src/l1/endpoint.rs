//! An endpoint of L1 before a real node: it passes everything on, can lie about checkpoints, and can go away.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::http::post;

/// A running endpoint. It listens until the test ends.
#[derive(Debug)]
pub struct L1Endpoint {
    /// Where it answers JSON-RPC.
    pub address: SocketAddr,
    switches: Arc<Switches>,
}

#[derive(Debug, Default)]
struct Switches {
    lies: AtomicBool,
    is_away: AtomicBool,
    denies_logs: AtomicBool,
    asked_for_logs: AtomicU64,
}

// === impl L1Endpoint ===

impl L1Endpoint {
    /// Passes calls on to the node at `behind`.
    pub fn before(behind: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let switches = Arc::new(Switches::default());
        let shared = switches.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let switches = shared.clone();
                std::thread::spawn(move || switches.serve(stream, behind));
            }
        });
        Self { address, switches }
    }

    /// Its URL, with a part that nobody may print.
    pub fn url(&self) -> String {
        format!("http://user:hunter2@{}", self.address)
    }

    /// Tells other roots than the contract has.
    pub fn lie(&self, lies: bool) {
        self.switches.lies.store(lies, Ordering::SeqCst);
    }

    /// Hangs up on whoever asks.
    pub fn away(&self, away: bool) {
        self.switches.is_away.store(away, Ordering::SeqCst);
    }

    /// Answers `eth_getLogs` with an error, as hosted nodes do.
    pub fn deny_logs(&self, denies: bool) {
        self.switches.denies_logs.store(denies, Ordering::SeqCst);
    }

    /// How often logs were asked for.
    pub fn asked_for_logs(&self) -> u64 {
        self.switches.asked_for_logs.load(Ordering::SeqCst)
    }
}

// === impl Switches ===

impl Switches {
    /// Answers the requests of one connection until the client leaves.
    fn serve(&self, mut stream: TcpStream, behind: SocketAddr) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut length = 0_usize;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                if line.trim().is_empty() {
                    break;
                }
                let value =
                    line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
                if let Some((_, value)) = value {
                    length = value.trim().parse().ok()?;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            if self.is_away.load(Ordering::SeqCst) {
                return None;
            }
            let answer = self.answer(&String::from_utf8(body).ok()?, behind).to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
            stream.write_all(format!("{head} {}\r\n\r\n{answer}", answer.len()).as_bytes()).ok()?;
        }
    }

    fn answer(&self, body: &str, behind: SocketAddr) -> Value {
        let question: Value = serde_json::from_str(body).unwrap_or_default();
        if question["method"] == "eth_getLogs" {
            self.asked_for_logs.fetch_add(1, Ordering::SeqCst);
            if self.denies_logs.load(Ordering::SeqCst) {
                let error = json!({ "code": -32005, "message": "no logs on this plan" });
                return json!({ "jsonrpc": "2.0", "id": question["id"], "error": error });
            }
        }
        let mut answer = post(behind, body).json();
        if self.lies.load(Ordering::SeqCst) {
            // A header block: five words, the root first. A log: three words, the root last.
            if let Some(text) = answer["result"].as_str().filter(|text| text.len() == 2 + 5 * 64) {
                answer["result"] = json!(format!("0x{}{}", "5a".repeat(32), &text[66..]));
            }
            for log in answer["result"].as_array_mut().into_iter().flatten() {
                let text = log["data"].as_str().unwrap_or_default().to_owned();
                log["data"] = json!(format!("{}{}", &text[..2 + 2 * 64], "5a".repeat(32)));
            }
        }
        answer
    }
}
