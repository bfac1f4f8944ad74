//! A node that answers from recordings alone, over HTTP/1.1 with kept connections, batches too.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use crate::recorded::{Conversation, Said, key};

/// A running replay. It listens until the test ends.
#[derive(Debug)]
pub struct Replay {
    /// Where it answers JSON-RPC.
    pub address: SocketAddr,
    answers: Arc<Answers>,
}

#[derive(Debug)]
struct Answers {
    recorded: HashMap<(String, String), Said>,
    asked: Mutex<HashMap<(String, String), u64>>,
}

// === impl Replay ===

impl Replay {
    /// Answers what was recorded; `more` holds (method, params, result) that a node must answer to be taken for one
    /// and that the recordings lack.
    pub fn start(recorded: &[Conversation], more: &[(&str, &str, &str)]) -> Self {
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("a call is JSON");
        let mut answers = HashMap::new();
        for (method, params, result) in more {
            let params = parse(params).to_string();
            answers.insert(((*method).to_owned(), params), ("result".to_owned(), (*result).to_owned()));
        }
        answers.extend(recorded.iter().map(|call| (key(&parse(&call.request)), call.said.clone())));
        let answers = Arc::new(Answers { recorded: answers, asked: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = answers.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = shared.clone();
                std::thread::spawn(move || answers.serve(stream));
            }
        });
        Self { address, answers }
    }

    /// How often this very call came.
    pub fn asked(&self, request: &str) -> u64 {
        let request = serde_json::from_str(request).expect("a call is JSON");
        self.answers.asked.lock().get(&key(&request)).copied().unwrap_or_default()
    }
}

// === impl Answers ===

impl Answers {
    /// Answers the requests of one connection until the client leaves.
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
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
                if let Some((_, value)) =
                    line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                {
                    length = value.trim().parse().ok()?;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let answer = self.answer(&serde_json::from_slice(&body).ok()?);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
            stream.write_all(format!("{head} {}\r\n\r\n{answer}", answer.len()).as_bytes()).ok()?;
        }
    }

    fn answer(&self, request: &Value) -> String {
        if let Some(batch) = request.as_array() {
            let members: Vec<String> = batch.iter().map(|member| self.answer(member)).collect();
            return format!("[{}]", members.join(","));
        }
        let key = key(request);
        let (kind, said) = self.recorded.get(&key).cloned().unwrap_or_else(|| {
            ("error".to_owned(), r#"{"code":-32000,"message":"this was not recorded"}"#.to_owned())
        });
        *self.asked.lock().entry(key).or_default() += 1;
        format!(r#"{{"jsonrpc":"2.0","id":{},"{kind}":{said}}}"#, request["id"])
    }
}
