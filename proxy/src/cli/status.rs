//! `hypasis status` and `hypasis health`: a running instance seen through its admin port.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use super::{Failure, print};

const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer that is read of an admin port.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

#[derive(Args, Debug)]
pub(super) struct Flags {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Args, Debug)]
pub(super) struct Admin {
    /// Admin port of the instance
    #[arg(long = "admin", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
}

/// Prints the state of an instance.
pub(super) fn status(flags: &Flags) -> Result<(), Failure> {
    let (code, body) = flags.admin.get("/api/v1/status")?;
    if code != 200 {
        return Err(anyhow::anyhow!("{} answered {code}: {}", flags.admin.url, body.trim()).into());
    }
    if flags.json {
        return print(body.as_bytes());
    }
    let status: Value = serde_json::from_str(&body).context("the status is no JSON")?;
    print(page(&status).as_bytes())
}

/// Succeeds if the instance is ready.
pub(super) fn health(admin: &Admin) -> Result<(), Failure> {
    let (code, body) = admin.get("/readyz?verbose")?;
    print(body.as_bytes())?;
    if code == 200 { Ok(()) } else { Err(Failure::Negative) }
}

// === impl Admin ===

impl Admin {
    /// One GET with a deadline; an admin port is near, so a plain socket does.
    pub(super) fn get(&self, path: &str) -> Result<(u16, String), anyhow::Error> {
        let authority = self.url.strip_prefix("http://").unwrap_or(&self.url).trim_end_matches('/');
        let address = resolve(authority).with_context(|| format!("`{}` is no admin URL", self.url))?;
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)
            .with_context(|| format!("nothing answers at {}: is an instance running there?", self.url))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            bail!("{} is no HTTP server", self.url)
        };
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok((code.with_context(|| format!("{} is no HTTP server", self.url))?, body.to_owned()))
    }
}

fn resolve(authority: &str) -> Result<SocketAddr, anyhow::Error> {
    let with_port = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:8080") };
    with_port.to_socket_addrs()?.next().context("no address")
}

/// The state as a page for people.
fn page(status: &Value) -> String {
    let mut page = String::new();
    let text = |pointer: &str| match status.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".into(),
        Some(value) => value.to_string(),
    };
    let _ = writeln!(page, "chain       {} ({})", text("/chain/name"), text("/chain/id"));
    let local = if text("/served_locally") == "true" { "held here" } else { "the upstream's" };
    let _ = writeln!(page, "head        {} ({local})", text("/head/number"));
    let _ = writeln!(page, "finalized   {}", text("/finalized/number"));
    if status.pointer("/checkpoint").is_some_and(Value::is_object) {
        let covered =
            status.pointer("/checkpoint/covered").and_then(Value::as_array).and_then(|all| all.last());
        let top = covered.and_then(|range| range.get(1)).map_or_else(|| "-".to_owned(), Value::to_string);
        let _ = writeln!(
            page,
            "checkpoint  {} ({}), covered up to {top}",
            text("/checkpoint/number"),
            text("/checkpoint/source")
        );
        if status.pointer("/checkpoint/l1/trouble").is_some_and(Value::is_string) {
            let _ = writeln!(page, "L1          {}", text("/checkpoint/l1/trouble"));
        }
    }
    for (name, key) in [("forward", "forward_sync"), ("backward", "backward_sync")] {
        let field = |field: &str| text(&format!("/{key}/{field}"));
        let state = if field("done") == "true" { "complete" } else { "filling" };
        let rate = status.pointer(&format!("/{key}/rate")).and_then(Value::as_f64).unwrap_or_default();
        let _ = writeln!(
            page,
            "{name:<11} {state}, at {} of {}, {rate:.0} blocks/s",
            field("current"),
            field("target")
        );
    }
    let (settled, tip) = (text("/store/history_blocks"), text("/store/tip_blocks"));
    let _ = writeln!(page, "blocks      {settled} settled, {tip} in the tip window");
    let _ =
        writeln!(page, "disk        {} bytes, {} free", text("/store/disk_bytes"), text("/store/free_bytes"));
    for (label, pointer) in [("store", "/store/read_only"), ("sync", "/halted")] {
        if status.pointer(pointer).is_some_and(Value::is_string) {
            let _ = writeln!(page, "{label:<11} STOPPED: {}", text(pointer));
        }
    }
    if status.pointer("/p2p").is_some_and(Value::is_object) {
        let peers = status.pointer("/peers").and_then(Value::as_array).map_or(0, Vec::len);
        let known = |version| status.pointer(&format!("/p2p/known_nodes/{version}")).and_then(Value::as_u64);
        let known = known("v4").unwrap_or_default().max(known("v5").unwrap_or_default());
        let _ = writeln!(page, "p2p         {peers} peers, {known} known nodes, {}", text("/p2p/enode"));
    }
    for upstream in status.pointer("/upstreams").and_then(Value::as_array).into_iter().flatten() {
        let field = |key: &str| upstream.get(key).and_then(Value::as_str).unwrap_or_default();
        let line = format!("upstream    {} {} {}", field("id"), field("state"), field("client_version"));
        let _ = writeln!(page, "{}", line.trim_end());
    }
    page
}
