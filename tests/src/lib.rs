//! What whole-system tests start and ask: the appliance as a process, real nodes, a plain HTTP client.
//!
//! Nothing here is shipped. Every process ends with the value that started it, and talks to loopback only.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failure here is a test's failure"
)]

pub mod anvil;
pub mod appliance;
pub mod bench;
pub mod bor;
pub mod devp2p;
pub mod gate;
pub mod geth;
pub mod hosted;
pub mod http;
pub mod l1;
pub mod many;
pub mod peer;
pub mod process;
pub mod recorded;
pub mod replay;
pub mod transaction;

use std::path::PathBuf;

/// The folder of real chain data: `HYPASIS_TESTDATA`, or `shared/testdata` beside the checkout.
pub fn testdata() -> PathBuf {
    std::env::var_os("HYPASIS_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/testdata")),
        PathBuf::from,
    )
}

/// The root of the checkout.
pub fn checkout() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The folder that the build writes to (`target/release`), found from the running test.
pub fn built() -> PathBuf {
    let exe = std::env::current_exe().expect("a program knows its own path");
    let profile = exe.ancestors().skip(1).find(|folder| folder.join("deps").is_dir());
    profile.expect("tests and benches lie in target/release").to_owned()
}

/// The path of an outside tool that `tests/tools/install` fetched. `None` names what is left out; with `CI=true`
/// that is a failure.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = built().parent().expect("target").join("tools/bin").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{name} is missing: run tests/tools/install");
    eprintln_left_out(name);
    None
}

#[allow(clippy::print_stderr, reason = "the summary of a test run is its output")]
fn eprintln_left_out(name: &str) {
    eprintln!("left out: {name} is not installed (tests/tools/install fetches it)");
}
