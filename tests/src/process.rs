//! A child process that dies with its owner, its output in a file.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Ports that tests listen at.
const FIRST_PORT: u16 = 10_000;
const PORTS: u16 = 20_000;

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
    pub fn terminate(self) -> Option<i32> {
        self.ask_to_end();
        self.ended()
    }

    /// Sends SIGTERM.
    pub fn ask_to_end(&self) {
        // One that has ended already needs no telling.
        let _ = self.signal("TERM");
    }

    /// Sends a signal, of that name without `SIG`; whether it went out.
    pub fn signal(&self, name: &str) -> bool {
        // The shell's own `kill`: the program of that name is not on every machine.
        let (pid, script) = (self.child.id().to_string(), format!("kill -{name} \"$0\""));
        Command::new("sh").args(["-c", &script, &pid]).status().is_ok_and(|status| status.success())
    }

    /// Waits for the end; returns the exit code.
    pub fn ended(mut self) -> Option<i32> {
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

/// Runs `command` to its end and returns what it printed; panics with that if it is not there after `limit`.
pub fn finish(mut command: Command, limit: Duration) -> String {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let log = folder.path().join("output");
    let file = File::create(&log).expect("the log file opens");
    let errors = file.try_clone().expect("the log file can be shared");
    let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
    let child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut process = Process { child, log };
    let deadline = Instant::now() + limit;
    while process.child.try_wait().expect("a child can be asked").is_none() {
        assert!(Instant::now() < deadline, "{command:?} runs on after {limit:?}:\n{}", process.log_text());
        pause();
    }
    process.log_text()
}

/// A loopback address that is free over TCP and UDP, and given out once. It lies below the ports that the system takes
/// for outgoing connections, of which tests open thousands.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Programs that test at the same time begin at different places.
    let start = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap_or_default();
    let free = (0..PORTS).map(|_| {
        let place = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        SocketAddr::from(([127, 0, 0, 1], FIRST_PORT + place))
    });
    let is_free =
        |address: &SocketAddr| TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok();
    free.into_iter().find(is_free).expect("loopback has a free port")
}

/// The one place where a test waits for another process without an event to await.
#[allow(clippy::disallowed_methods, reason = "another process offers no event; callers poll with a deadline")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
