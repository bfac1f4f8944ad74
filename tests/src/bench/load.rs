//! Load by `wrk`, and the CPU time that it cost the server.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::cases::{Case, ID};
use super::cores::pinned;

/// Digits of every id.
const ID_DIGITS: usize = 10;

/// What one run showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Requests a second.
    pub rate: f64,
    /// CPU time of the server's processes a request, in microseconds.
    pub cpu_us: f64,
    /// Share of one core that the generator's one thread took: near 1 it is the generator that was measured.
    pub generator: f64,
}

/// `wrk` with one thread.
#[derive(Clone, Debug)]
pub struct Generator {
    dir: PathBuf,
    core: Option<u32>,
}

// === impl Generator ===

impl Generator {
    /// Keeps its script in `dir`; runs on `core` alone, if one is given.
    pub fn new(dir: &Path, core: Option<u32>) -> Self {
        Self { dir: dir.to_path_buf(), core }
    }

    /// Runs one case against `address` for `seconds`; `fresh` gives each request an id of its own.
    pub fn run(&self, case: &Case, address: SocketAddr, pids: &[u32], fresh: bool, seconds: u32) -> Sample {
        let script = self.dir.join("case.lua");
        std::fs::write(&script, lua(case, fresh)).expect("the script can be written");
        let (before, generated, started) = (cpu_ticks(pids), cpu_ticks_of_children(), Instant::now());
        let mut command = match self.core {
            Some(core) => pinned(core, "wrk"),
            None => Command::new("wrk"),
        };
        let output = command
            .args(["-t1", "-c", &case.connections.to_string(), "-d", &format!("{seconds}s"), "-s"])
            .arg(&script)
            .arg(format!("http://{address}/"))
            .output()
            .expect("wrk runs (Debian: wrk)");
        let ticks = cpu_ticks(pids) - before;
        let generated = (cpu_ticks_of_children() - generated) as f64 / ticks_per_second();
        let generator = generated / started.elapsed().as_secs_f64();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && !text.contains("Non-2xx"), "wrk: {text}");
        let figure = |label: &str| {
            text.lines().find_map(|line| line.trim().strip_prefix(label)?.trim().parse::<f64>().ok())
        };
        let rate = figure("Requests/sec:").expect("wrk tells the rate");
        let requests =
            text.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse::<f64>().ok());
        let requests = requests.expect("wrk tells the count");
        Sample { rate, cpu_us: ticks as f64 * 1e6 / ticks_per_second() / requests.max(1.0), generator }
    }
}

/// A script that costs the generator as little as it can: a request is one concatenation. Ids have ten digits, so that
/// each body's length is known before.
fn lua(case: &Case, fresh: bool) -> String {
    let mut script = String::from("local parts = {}\n");
    for body in &case.bodies {
        let ids = body.matches(ID).count();
        let length = body.len() - ids * ID.len() + ids * ID_DIGITS;
        let head = format!(
            "POST / HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Type: application/json\\r\\nContent-Length: {length}\\r\\n\\r\\n"
        );
        let pieces: Vec<String> = body.split(ID).map(|piece| format!("[==[{piece}]==]")).collect();
        let _ = writeln!(script, "parts[#parts + 1] = {{\"{head}\" .. {}}}", pieces.join(","));
    }
    let step = if fresh { "1" } else { "0" };
    let _ = write!(
        script,
        "local n, id, count, concat = 0, 1000000000, #parts, table.concat\nrequest = function()\n  n = n + 1\n  \
         id = id + {step}\n  return concat(parts[n % count + 1], id)\nend\n"
    );
    script
}

/// User and system time of the processes.
pub fn cpu_seconds(pids: &[u32]) -> f64 {
    cpu_ticks(pids) as f64 / ticks_per_second()
}

/// User and system time of the processes, in clock ticks.
fn cpu_ticks(pids: &[u32]) -> u64 {
    pids.iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok())
        .filter_map(|stat| {
            let fields: Vec<u64> =
                stat.rsplit(')').next()?.split(' ').map(|f| f.parse().unwrap_or(0)).collect();
            Some(fields.get(12)? + fields.get(13)?)
        })
        .sum()
}

/// User and system time of the children that have ended.
fn cpu_ticks_of_children() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> =
        stat.rsplit(')').next().unwrap_or_default().split(' ').map(|f| f.parse().unwrap_or(0)).collect();
    fields.get(14).unwrap_or(&0) + fields.get(15).unwrap_or(&0)
}

fn ticks_per_second() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output();
    output.ok().and_then(|out| String::from_utf8_lossy(&out.stdout).trim().parse().ok()).unwrap_or(100.0)
}
