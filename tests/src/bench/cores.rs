//! Who runs on which processor.

use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

/// Keeps all processors from going to sleep, by work that gives way to everything else: on a virtual machine it takes
/// tens of microseconds to wake one, several times for each call. Ends when it is dropped.
#[derive(Debug)]
pub struct Awake {
    busy: Vec<Child>,
}

// === impl Awake ===

impl Awake {
    /// From now on.
    pub fn keep() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        let spin = || {
            let mut command = Command::new("chrt");
            // It outlives nobody by much, however this program ends.
            command.args(["--idle", "0", "timeout", "60", "sh", "-c", "while :; do :; done"]);
            command.stdin(Stdio::null()).spawn().expect("chrt runs (Debian: util-linux)")
        };
        Self { busy: (0..processors).map(|_| spin()).collect() }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.busy {
            // One that has ended by itself is what is wanted too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What this thread starts from now on runs on `cores`.
pub fn start_on(cores: &str) {
    let pid = std::process::id().to_string();
    let status = Command::new("taskset").args(["-c", "-p", cores, &pid]).stdout(Stdio::null()).status();
    assert!(status.expect("taskset runs (Debian: util-linux)").success(), "no processors {cores}");
}

/// A command that runs on one core alone.
pub fn pinned(core: u32, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}
