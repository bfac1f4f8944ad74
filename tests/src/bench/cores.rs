//! Who runs on which processor.

use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

/// Runs until it is killed, or for as long as the program that started it does. Most of it is no work of the kernel's.
const SPIN: &str = "while [ -e /proc/$PPID ]; do i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; done";

/// What idle cores of a Linux machine do, and how long a guest polls before it halts one.
const IDLE_DRIVER: &str = "/sys/devices/system/cpu/cpuidle/current_driver";
const HALT_POLL: &str = "/sys/module/haltpoll/parameters/guest_halt_poll_ns";

/// How this machine's idle cores wait, as far as it tells: that decides what waking one costs.
pub fn idling() -> String {
    let tell =
        |path| std::fs::read_to_string(path).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned());
    format!("Idle cores: driver {}, guest_halt_poll_ns {}.", tell(IDLE_DRIVER), tell(HALT_POLL))
}

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
            command.args(["--idle", "0", "sh", "-c", SPIN]);
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

/// What this thread starts runs on the first processor, then on the second, and on all again once this is dropped. With
/// a single processor it changes nothing.
#[derive(Debug)]
pub struct Processors {
    count: usize,
}

// === impl Processors ===

impl Processors {
    /// The first, from now on.
    pub fn split() -> Self {
        let processors = Self { count: available_parallelism().map_or(1, usize::from) };
        processors.start_on("0");
        processors
    }

    /// The second, from now on.
    pub fn second(&self) {
        self.start_on("1");
    }

    fn start_on(&self, cores: &str) {
        if self.count == 1 {
            return;
        }
        let pid = std::process::id().to_string();
        let status = Command::new("taskset").args(["-c", "-p", cores, &pid]).stdout(Stdio::null()).status();
        assert!(status.expect("taskset runs (Debian: util-linux)").success(), "no processors {cores}");
    }
}

impl Drop for Processors {
    fn drop(&mut self) {
        self.start_on(&format!("0-{}", self.count - 1));
    }
}

/// A command that runs on one core alone.
pub fn pinned(core: u32, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}
