//! Where the real chain data lie.

use std::path::PathBuf;
use std::sync::Arc;

use hypasis_chain::ChainSpec;

/// The folder of test data: `HYPASIS_TESTDATA`, or `shared/testdata` beside the checkout.
#[allow(dead_code, reason = "not every topic needs it")]
pub(crate) fn testdata() -> PathBuf {
    std::env::var_os("HYPASIS_TESTDATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/testdata")),
        PathBuf::from,
    )
}

/// An empty store of chain 1337 in a folder of its own.
#[allow(dead_code, reason = "not every topic needs it")]
pub(crate) fn store() -> hypasis_cache::Store {
    store_of(1337)
}

/// An empty store of a chain. Its folder is removed when the process ends at the latest.
#[allow(dead_code, reason = "not every topic needs it")]
pub(crate) fn store_of(chain_id: u64) -> hypasis_cache::Store {
    store_by(chain_id, None)
}

/// The same by the chain's rules.
#[allow(dead_code, reason = "not every topic needs it")]
pub(crate) fn store_by(chain_id: u64, spec: Option<Arc<ChainSpec>>) -> hypasis_cache::Store {
    let options = hypasis_cache::Options {
        path: tempfile::tempdir().unwrap().keep(),
        memory: 8 << 20,
        chain_id,
        genesis_hash: None,
        direct_reads: false,
        tip_blocks_max: 1_024,
        spec,
    };
    hypasis_cache::Store::open(&options).unwrap()
}
