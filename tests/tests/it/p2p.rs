//! The devp2p port, shown by real counterparts.

mod between;
mod conformance;
mod geth_sync;
mod key;
mod strangers;
mod transactions;

use std::path::Path;
use std::time::Duration;

use hypasis_tests::appliance::Appliance;
use hypasis_tests::geth::{Network, Release};

/// Time for 600 blocks to be stored.
const FILLING: Duration = Duration::from_secs(120);

/// An appliance that has a release's whole chain, receipts included, from a Geth that is gone; `None` where Geth is not
/// installed.
fn filled(dir: &Path, release: Release, config: &str) -> Option<Appliance> {
    let source = Network::full(release).start(&dir.join("a"))?;
    let upstream = format!("[[upstream]]\nid = \"a\"\nurl = \"http://{}\"\n", source.address);
    let mut appliance = configured(dir, release, &format!("{upstream}{config}"));
    appliance.filled(release.head(), FILLING);
    source.stop();
    Some(appliance)
}

/// An appliance on a release's chain with this configuration.
fn configured(dir: &Path, release: Release, config: &str) -> Appliance {
    let (genesis, file) = (release.chain().join("genesis.json"), dir.join("hypasis.toml"));
    std::fs::write(&file, config).unwrap();
    let (genesis, file) = (genesis.to_str().unwrap(), file.to_str().unwrap());
    Appliance::start(dir, &["--chain", genesis, "--config", file])
}
