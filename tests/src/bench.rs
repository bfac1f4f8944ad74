//! What `make bench` measures: the appliance beside a real Geth and nginx, interleaved, as ratios.
//!
//! nginx repeats the same bytes from its cache (it cannot do otherwise); all others get a fresh id in each request.
//! Machines are noisy: every round visits every rival, and the median of the rounds is printed.

pub mod cases;
pub mod cores;
pub mod latency;
pub mod load;
pub mod memory;
pub mod nginx;
pub mod peers;
pub mod syncing;
pub mod table;
