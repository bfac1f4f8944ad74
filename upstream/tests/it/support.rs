//! Where the real chain data lie.

use std::path::PathBuf;

/// The folder of test data: `HYPASIS_TESTDATA`, or `shared/testdata` beside the checkout.
#[allow(dead_code, reason = "not every topic needs it")]
pub(crate) fn testdata() -> PathBuf {
    std::env::var_os("HYPASIS_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/testdata")),
        PathBuf::from,
    )
}
