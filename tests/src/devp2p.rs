//! go-ethereum's conformance tool, `devp2p`: its suites, run against a node, test by test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::finish;
use crate::tool;

/// Any secret serves: only transaction tests call the engine port, and nobody checks their tokens here.
const JWT_SECRET: &str = "0x7365637265747365637265747365637265747365637265747365637265747365";

/// Longest time of a suite; against Geth the slowest takes ten seconds.
const SUITE_TIME: Duration = Duration::from_secs(180);

/// Largest body that the tool posts to the engine port.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What became of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The tool's name for it.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// What it said.
    pub said: String,
}

/// The node discovery v4 suite; `None` where the tool is not installed.
pub fn discv4(enode: &str) -> Option<Vec<Outcome>> {
    let mut command = Command::new(tool("devp2p")?);
    command.args(["discv4", "test", "--tap", "--remote", enode]);
    Some(run(command))
}

/// The node discovery v5 suite; takes an `enr:` or an `enode://`.
pub fn discv5(node: &str) -> Option<Vec<Outcome>> {
    let mut command = Command::new(tool("devp2p")?);
    command.args(["discv5", "test", "--tap", node]);
    Some(run(command))
}

/// The tests of the eth suite that `pattern` matches, with the tool of that name (its version decides eth's) and
/// the chain that belongs to it.
pub fn eth(name: &str, chain: &Path, node: &str, pattern: &str) -> Option<Vec<Outcome>> {
    let engine = Engine::start();
    let mut command = Command::new(tool(name)?);
    command
        .args(["rlpx", "eth-test", "--tap", "--run", pattern, "--chain"])
        .arg(chain)
        .args(["--node", node, "--jwtsecret", JWT_SECRET])
        .args(["--engineapi", &format!("http://{}", engine.address)]);
    Some(run(command))
}

/// Panics unless exactly `expected` ran, and all passed.
pub fn assert_passed(outcomes: &[Outcome], expected: &[&str]) {
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
    assert_eq!(names, expected, "other tests ran than were meant");
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed).collect();
    let said: Vec<_> = failed.iter().map(|failed| format!("{}:\n{}", failed.name, failed.said)).collect();
    assert!(failed.is_empty(), "{} of {} failed\n{}", failed.len(), outcomes.len(), said.join("\n"));
}

/// Reads what the tool says in the form of the Test Anything Protocol: a plan `1..N`, then for each test `ok` or
/// `not ok` with number and name, and its output behind `#`.
pub fn parse_tap(text: &str) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for line in text.lines() {
        let verdict = line
            .strip_prefix("not ok ")
            .map(|rest| (false, rest))
            .or(line.strip_prefix("ok ").map(|rest| (true, rest)));
        match (verdict, outcomes.last_mut()) {
            (Some((passed, rest)), _) => {
                let name = rest.split_once(' ').map_or(rest, |(_, name)| name).to_owned();
                outcomes.push(Outcome { name, passed, said: String::new() });
            }
            (None, Some(outcome)) => {
                outcome.said.push_str(line.strip_prefix("# ").unwrap_or(line));
                outcome.said.push('\n');
            }
            (None, None) => {}
        }
    }
    outcomes
}

/// Runs the tool to its end; panics with what it said if it does not come to it.
fn run(command: Command) -> Vec<Outcome> {
    let shown = format!("{command:?}");
    let said = finish(command, SUITE_TIME);
    let outcomes = parse_tap(&said);
    let planned = said.lines().find_map(|line| line.strip_prefix("1..")?.parse::<usize>().ok());
    assert_eq!(planned, Some(outcomes.len()), "{shown} did not run to its end:\n{said}");
    outcomes
}

/// An engine port that agrees with everything: the tool posts one `engine_forkchoiceUpdated` before transaction
/// tests and does not look at the answer.
#[derive(Debug)]
struct Engine {
    address: SocketAddr,
}

// === impl Engine ===

impl Engine {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || answer(&stream));
            }
        });
        Self { address }
    }
}

fn answer(stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
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
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length.min(BODY_BYTES_MAX)];
        reader.read_exact(&mut body).ok()?;
        let said = r#"{"jsonrpc":"2.0","id":1,"result":{"payloadStatus":{"status":"VALID"}}}"#;
        write!(
            writer,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{said}",
            said.len()
        )
        .ok()?;
    }
}
