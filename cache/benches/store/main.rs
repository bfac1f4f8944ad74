//! What the store writes and reads, beside what the same bytes cost without it. Prints markdown tables.
//!
//! `cargo bench -p hypasis-cache --bench store [-- write|read|scale|merging]`; without a name the first two.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench"
)]

mod blocks;
mod merging;
mod meter;
mod read;
mod scale;
mod write;

/// The program's own, for Rust and RocksDB alike.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|word| word == name);
    if wanted("write") {
        write::print();
    }
    if wanted("read") {
        read::print();
    }
    if named.iter().any(|word| word == "scale") {
        scale::print();
    }
    if named.iter().any(|word| word == "merging") {
        merging::print();
    }
}
