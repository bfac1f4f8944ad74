//! A child process that dies with its owner, its output in a file.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running program.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

// === impl Process ===

impl Process {
    /// Starts `command`, with stdout and stderr in `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("the log file opens");
        let errors = file.try_clone().expect("the log file can be shared");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// Waits until something listens at `address`; panics with the log if the process ends before.
    pub fn listening(&mut self, address: SocketAddr) {
        self.until(|_| TcpStream::connect(address).is_ok(), Duration::from_secs(60), "to listen");
    }

    /// Waits until `ready`, looking 50 times a second; panics with the log after `limit` or if the process ends.
    pub fn until(&mut self, mut ready: impl FnMut(&mut Self) -> bool, limit: Duration, what: &str) {
        let deadline = Instant::now() + limit;
        while !ready(self) {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                panic!("the process ended with {status} before it came {what}:\n{}", self.log_text());
            }
            assert!(
                Instant::now() < deadline,
                "waited {limit:?} for the process {what}:\n{}",
                self.log_text()
            );
            pause();
        }
    }

    /// Ends the process at once, as power loss would, and waits for it.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM and waits for the end; returns the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        self.child.wait().expect("a child can be waited for").code()
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that the process has printed.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that was free a moment ago.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address")
}

/// The one place where a test waits for another process without an event to await.
#[allow(clippy::disallowed_methods, reason = "another process offers no event; callers poll with a deadline")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
