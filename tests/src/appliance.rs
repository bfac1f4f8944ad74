//! The appliance as an operator runs it: the binary, a data directory, three ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::built;
use crate::http::{Answer, call, get, post_with, request};
use crate::process::{Process, finish, free_address};

/// A running `hypasis run`.
#[derive(Debug)]
pub struct Appliance {
    process: Process,
    data: PathBuf,
    /// The RPC port.
    pub rpc: SocketAddr,
    /// The admin port.
    pub admin: SocketAddr,
    /// The devp2p port, TCP and UDP.
    pub p2p: SocketAddr,
}

// === impl Appliance ===

impl Appliance {
    /// Starts the appliance on `dir` with further arguments and waits for its ports.
    pub fn start(dir: &Path, arguments: &[&str]) -> Self {
        Self::start_by(Command::new(binary()), dir, arguments)
    }

    /// Starts the appliance from a shell that lowered its soft limit of file descriptors.
    pub fn start_with_descriptors(limit: u32, dir: &Path, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -Sn {limit} && exec \"$@\""), "sh"]).arg(binary());
        Self::start_by(shell, dir, arguments)
    }

    fn start_by(mut command: Command, dir: &Path, arguments: &[&str]) -> Self {
        let (rpc, admin, p2p) = (free_address(), free_address(), free_address());
        let data = dir.join("data");
        command
            .arg("run")
            .args(["--data-dir".as_ref(), data.as_os_str()])
            .args(["--http", &rpc.to_string(), "--admin", &admin.to_string()])
            .args(["--p2p", &p2p.to_string()])
            .args(arguments);
        let mut process = Process::start(command, &dir.join("hypasis.log"));
        process.until(|_| std::net::TcpStream::connect(admin).is_ok(), Duration::from_secs(120), "to listen");
        // Ports are bound first; this is answered once everything is there.
        get(admin, "/livez");
        Self { process, data, rpc, admin, p2p }
    }

    /// The status page as JSON.
    pub fn status(&self) -> Value {
        get(self.admin, "/api/v1/status").json()
    }

    /// Missing heights by kind.
    pub fn gaps(&self) -> Value {
        get(self.admin, "/api/v1/gaps").json()
    }

    /// Waits until no height is missing between `oldest` and a head of at least `head`.
    pub fn filled(&mut self, head: u64, limit: Duration) {
        let admin = self.admin;
        self.process.until(
            |_| {
                let status = get(admin, "/api/v1/status").json();
                let reached = status["head"]["number"].as_u64().is_some_and(|number| number >= head);
                reached && status["served_locally"] == true && no_gaps(&get(admin, "/api/v1/gaps").json())
            },
            limit,
            "to fill its store",
        );
    }

    /// Waits until every form in the held blocks was compared with the node's.
    pub fn calibrated(&mut self, limit: Duration) {
        let complete = |admin| get(admin, "/api/v1/status").json()["rpc"]["calibration"]["complete"] == true;
        self.until(|_, admin| complete(admin), limit, "to know the node's forms");
    }

    /// Waits until `ready` says so.
    pub fn until(
        &mut self,
        mut ready: impl FnMut(SocketAddr, SocketAddr) -> bool,
        limit: Duration,
        what: &str,
    ) {
        let (rpc, admin) = (self.rpc, self.admin);
        self.process.until(|_| ready(rpc, admin), limit, what);
    }

    /// Calls a method on the RPC port.
    pub fn call(&self, method: &str, params: Value) -> Value {
        call(self.rpc, method, params)
    }

    /// Asks the store alone.
    pub fn held(&self, method: &str, params: Value) -> Value {
        post_with(self.rpc, &request(method, params), &[("hypasis-route", "store")]).json()
    }

    /// What is known of an upstream.
    pub fn upstream(&self, id: &str) -> Value {
        upstream(self.admin, id)
    }

    /// The metrics page.
    pub fn metrics(&self) -> Answer {
        get(self.admin, "/metrics")
    }

    /// Its `enode://…` and its `enr:…`, as `hypasis key show` prints them.
    pub fn node(&self) -> (String, String) {
        let mut command = Command::new(binary());
        command.args(["key", "show", "--p2p", &self.p2p.to_string(), "--data-dir"]).arg(&self.data);
        let printed = finish(command, Duration::from_secs(30));
        let mut lines = printed.lines().map(str::to_owned);
        let mut line = || lines.next().unwrap_or_else(|| panic!("no two lines in {printed}"));
        (line(), line())
    }

    /// The devp2p peers.
    pub fn peers(&self) -> Vec<Value> {
        get(self.admin, "/api/v1/peers").json().as_array().cloned().unwrap_or_default()
    }

    /// Sends SIGTERM; returns the exit code.
    pub fn terminate(self) -> Option<i32> {
        self.process.terminate()
    }

    /// Sends SIGHUP: it reads its configuration again.
    pub fn hang_up(&self) {
        assert!(self.process.signal("HUP"), "the appliance is there");
    }

    /// Sends SIGTERM and returns at once: it drains.
    pub fn drain(&self) {
        self.process.ask_to_end();
    }

    /// Waits for the end; returns the exit code.
    pub fn ended(self) -> Option<i32> {
        self.process.ended()
    }

    /// Ends it as power loss would.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        self.process.log_text()
    }
}

/// The built binary.
pub fn binary() -> PathBuf {
    let path = built().join("hypasis");
    assert!(path.exists(), "{} is not built: run `cargo build --release` first", path.display());
    path
}

/// What the appliance with that admin port knows of an upstream.
pub fn upstream(admin: SocketAddr, id: &str) -> Value {
    let all = get(admin, "/api/v1/upstreams").json();
    let found = all.as_array().and_then(|all| all.iter().find(|upstream| upstream["id"] == id));
    found.cloned().unwrap_or_else(|| panic!("no upstream {id} in {all}"))
}

fn no_gaps(gaps: &Value) -> bool {
    gaps.as_object()
        .is_some_and(|kinds| kinds.values().all(|gaps| gaps.as_array().is_some_and(Vec::is_empty)))
}
