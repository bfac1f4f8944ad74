//! Time by the wall and time of the processors.

use std::fs;
use std::time::Instant;

/// What a piece of work took, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// By the wall.
    pub(crate) wall: f64,
    /// Of all cores together: the steadier figure where others share the machine.
    pub(crate) cpu: f64,
    /// Of the calling thread alone, to the nanosecond.
    pub(crate) thread: f64,
}

/// Ticks of a second in `/proc`.
const TICKS: f64 = 100.0;

/// Measures `work`.
pub(crate) fn cost<T>(work: impl FnOnce() -> T) -> (Cost, T) {
    let (start, before, own) = (Instant::now(), cpu(), thread());
    let made = work();
    (Cost { wall: start.elapsed().as_secs_f64(), cpu: cpu() - before, thread: thread() - own }, made)
}

/// The middle of some figures.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds of processor time that this process has used.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS
}

/// Seconds of processor time that this thread has used.
fn thread() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}
