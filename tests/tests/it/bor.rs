//! Polygon, shown by a real Bor.

mod content;
mod forks;
mod minted;
mod network;
mod rpc;
mod state_syncs;
mod sync;

use std::path::Path;
use std::time::Duration;

use hypasis_tests::appliance::Appliance;

/// Time for some thousand blocks to be stored.
const FILLING: Duration = Duration::from_secs(180);

/// An appliance on the chain of this genesis file with this configuration.
fn configured(dir: &Path, genesis: &Path, config: &str) -> Appliance {
    let file = dir.join("hypasis.toml");
    std::fs::write(&file, config).unwrap();
    let (genesis, file) = (genesis.to_str().unwrap(), file.to_str().unwrap());
    Appliance::start(dir, &["--chain", genesis, "--config", file])
}
