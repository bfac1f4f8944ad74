//! `hypasis`: see `hypasis help`, or the README.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// One allocator for Rust and RocksDB alike: glibc's arenas keep what the caches give back.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    hypasis_proxy::cli::main()
}
