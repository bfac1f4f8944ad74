//! What Bor asks of Heimdall, answered as the test commands: spans, milestones, events, and whether it is there at all.
//!
//! Shapes are those that the client in Bor 2.7 reads (`consensus/bor/heimdall`): integers as strings, hashes in base64,
//! and in spans and events no field that it does not know.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_primitives::B256;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The span that is said to be the latest.
const LATEST_SPAN: u64 = 50;
/// Seconds into the future at which an event of now is dated: no node can have asked for that time yet, so all find it
/// at the same sprint.
const EVENT_AHEAD: Duration = Duration::from_secs(5);

/// Who may sign in a range of heights.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its number.
    pub id: u64,
    /// Its heights.
    pub blocks: RangeInclusive<u64>,
    /// Validator ids, addresses and voting powers.
    pub producers: Vec<(u64, String, u64)>,
}

/// A block that the validators have agreed on.
#[derive(Clone, Copy, Debug)]
pub struct Milestone {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
}

/// Something that happened on Ethereum and is to be told to a contract.
#[derive(Clone, Debug)]
pub struct Event {
    /// The contract.
    pub contract: String,
    /// What it is told.
    pub data: Vec<u8>,
}

/// A stand-in for Heimdall. It ends with its value.
#[derive(Debug)]
pub struct Heimdall {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    chain_id: u64,
    span: Box<dyn Fn(u64) -> Span + Send + Sync>,
    told: Mutex<Told>,
}

#[derive(Debug)]
struct Told {
    milestone: Option<Milestone>,
    /// Events with the times at which they count.
    events: Vec<(Event, String)>,
    away: bool,
    /// Requests by path.
    asked: BTreeMap<String, usize>,
}

// === impl Heimdall ===

impl Heimdall {
    /// Starts one for a chain with these spans. A milestone beyond all heights is published: without one, Bor waits 16
    /// seconds for another producer before it takes a block after a rest.
    pub fn start(chain_id: u64, span: impl Fn(u64) -> Span + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let milestone = Some(Milestone { number: 1_000_000_000_000, hash: B256::repeat_byte(1) });
        let told = Told { milestone, events: Vec::new(), away: false, asked: BTreeMap::new() };
        let shared = Arc::new(Shared { chain_id, span: Box::new(span), told: Mutex::new(told) });
        let weak = Arc::downgrade(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The last connection is the value's own farewell.
                let Some(shared) = weak.upgrade() else { return };
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Publishes a milestone; `None` takes it back.
    pub fn milestone(&self, milestone: Option<Milestone>) {
        self.shared.told.lock().milestone = milestone;
    }

    /// Adds an event. It is committed at the first sprint that begins after the moment that is five seconds from now.
    pub fn event(&self, event: Event) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970") + EVENT_AHEAD;
        self.shared.told.lock().events.push((event, rfc3339(time.as_secs())));
    }

    /// Closes every connection without an answer until it is back.
    pub fn away(&self, away: bool) {
        self.shared.told.lock().away = away;
    }

    /// How often paths that begin like this were asked for.
    pub fn asked(&self, path: &str) -> usize {
        let told = self.shared.told.lock();
        told.asked.iter().filter(|(asked, _)| asked.starts_with(path)).map(|(_, times)| times).sum()
    }
}

impl Drop for Heimdall {
    fn drop(&mut self) {
        self.away(true);
        let _ = TcpStream::connect(self.address);
    }
}

// === impl Shared ===

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("chain_id", &self.chain_id)
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Status and body; `None` while it is away.
    fn answer(&self, target: &str) -> Option<(u16, Value)> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut told = self.told.lock();
        *told.asked.entry(path.to_owned()).or_default() += 1;
        if told.away {
            return None;
        }
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        let answer = match parts.as_slice() {
            ["status"] => json!({ "catching_up": false }),
            ["bor", "spans", "latest"] => self.span(LATEST_SPAN),
            ["bor", "spans", id] => match id.parse() {
                Ok(id) => self.span(id),
                Err(_) => return Some((400, json!({ "message": "no number" }))),
            },
            ["milestones", "latest"] => match told.milestone {
                Some(milestone) => self::milestone(milestone),
                None => return Some((500, json!({ "code": 13, "message": "milestone not found" }))),
            },
            ["clerk", "time"] => self.events(&told, query),
            _ => return Some((503, json!({ "message": "not here" }))),
        };
        Some((200, answer))
    }

    fn span(&self, id: u64) -> Value {
        let span = (self.span)(id);
        let producers: Vec<_> = span.producers.iter().map(validator).collect();
        json!({ "span": {
            "id": id.to_string(),
            "start_block": span.blocks.start().to_string(),
            "end_block": span.blocks.end().to_string(),
            "validator_set": { "validators": producers, "proposer": producers.first() },
            "selected_producers": producers,
            "bor_chain_id": self.chain_id.to_string(),
        } })
    }

    fn events(&self, told: &Told, query: &str) -> Value {
        let parameter =
            |name| query.split('&').find_map(|pair| pair.split_once('=').filter(|pair| pair.0 == name));
        let text = |name| parameter(name).map_or("", |(_, value)| value).replace("%3A", ":");
        let (from, until) = (text("from_id").parse::<usize>().unwrap_or(1), text("to_time"));
        // Texts of this form sort like the times they say.
        let known = told.events.iter().enumerate().map(|(index, event)| (index + 1, event));
        let wanted = known.filter(|(id, (_, time))| *id >= from && *time < until).take(50);
        let records: Vec<_> = wanted.map(|(id, (event, time))| self.record(id, event, time)).collect();
        json!({ "event_records": records })
    }

    fn record(&self, id: usize, event: &Event, time: &str) -> Value {
        json!({
            "id": id.to_string(), "contract": event.contract, "data": BASE64_STANDARD.encode(&event.data),
            "tx_hash": B256::left_padding_from(&id.to_be_bytes()), "log_index": "1",
            "bor_chain_id": self.chain_id.to_string(), "record_time": time,
        })
    }
}

fn validator((id, signer, power): &(u64, String, u64)) -> Value {
    json!({ "val_id": id.to_string(), "voting_power": power.to_string(), "signer": signer, "proposer_priority": "0" })
}

fn milestone(milestone: Milestone) -> Value {
    let number = milestone.number.to_string();
    json!({ "milestone": {
        "start_block": number, "end_block": number, "hash": BASE64_STANDARD.encode(milestone.hash),
        "timestamp": "1", "total_difficulty": "1",
    } })
}

/// Answers one connection, request after request.
fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut target = None;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            target = target.or_else(|| line.split(' ').nth(1).map(str::to_owned));
        }
        let (status, body) = shared.answer(&target?)?;
        let body = body.to_string();
        write!(
            writer,
            "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
    }
}

/// `2026-11-20T21:25:46Z` of seconds since the epoch (days to civil dates as in the proleptic Gregorian calendar).
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that a leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_795_296_346, "2026-11-21T21:25:46Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
