//! Load by `wrk`, and the CPU time that it cost the server.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::cases::{Case, ID};

/// What one run showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Requests a second.
    pub rate: f64,
    /// CPU time of the server's processes a request, in microseconds.
    pub cpu_us: f64,
}

/// Runs one case against `address` for `seconds`; `fresh` gives each request an id of its own.
pub fn run(dir: &Path, case: &Case, address: SocketAddr, pids: &[u32], fresh: bool, seconds: u32) -> Sample {
    let script = dir.join("case.lua");
    std::fs::write(&script, lua(case, fresh)).expect("the script can be written");
    let before = cpu_ticks(pids);
    let output = Command::new("wrk")
        .args(["-t1", "-c", &case.connections.to_string(), "-d", &format!("{seconds}s"), "-s"])
        .arg(&script)
        .arg(format!("http://{address}/"))
        .output()
        .expect("wrk runs (Debian: wrk)");
    let ticks = cpu_ticks(pids) - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !text.contains("Non-2xx"), "wrk: {text}");
    let figure = |label: &str| {
        text.lines().find_map(|line| line.trim().strip_prefix(label)?.trim().parse::<f64>().ok())
    };
    let rate = figure("Requests/sec:").expect("wrk tells the rate");
    let requests =
        text.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse::<f64>().ok());
    let requests = requests.expect("wrk tells the count");
    Sample { rate, cpu_us: ticks as f64 * 1e6 / ticks_per_second() / requests.max(1.0) }
}

fn lua(case: &Case, fresh: bool) -> String {
    let mut script = String::from(
        "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nlocal parts = {}\n",
    );
    for body in &case.bodies {
        let pieces: Vec<String> = body.split(ID).map(|piece| format!("[==[{piece}]==]")).collect();
        let _ = writeln!(script, "parts[#parts + 1] = {{{}}}", pieces.join(","));
    }
    let id = if fresh { "n" } else { "1" };
    let _ = write!(
        script,
        "local n = 0\nrequest = function()\n  n = n + 1\n  local body = table.concat(parts[n % #parts + 1], {id})\n  \
         return wrk.format(nil, nil, nil, body)\nend\n"
    );
    script
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

fn ticks_per_second() -> f64 {
    let output = Command::new("getconf").arg("CLK_TCK").output();
    output.ok().and_then(|out| String::from_utf8_lossy(&out.stdout).trim().parse().ok()).unwrap_or(100.0)
}
