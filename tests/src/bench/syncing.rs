//! How long a fresh node takes to sync from the appliance, and straight from the node that the appliance has it from.

use std::path::Path;
use std::time::{Duration, Instant};

use hypasis_chain::dev::bor::BorOptions;
use serde_json::json;

use super::cores::Processors;
use super::table::median;
use crate::appliance::Appliance;
use crate::bor::{Minted, Node, Release};

/// Time for a chain to be stored, or synced.
const LIMIT: Duration = Duration::from_secs(180);
/// Bor takes a chain's last two headers some seconds later than the others, wherever it has them from.
const HELD_BACK: u64 = 2;

/// Seconds at the median, and the median of the ratios of rounds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From the appliance.
    pub through: f64,
    /// From the node itself.
    pub direct: f64,
    /// The former over the latter.
    pub ratio: f64,
}

/// A fresh Bor of this release and so many minted blocks; `None` where Bor is not installed.
pub fn bor(dir: &Path, release: Release, blocks: u64, rounds: usize) -> Option<Times> {
    // Sprints cost a Bor more than all else: without them it is the serving that shows.
    let options = BorOptions { sprint: vec![(0, 1 << 20)], ..BorOptions::default() };
    let mut minted = Minted::new(dir, options);
    let heimdall = minted.heimdall();
    // Who serves must not take from who syncs what this measures.
    let processors = Processors::split();
    let source = Node::new(&minted.genesis, &heimdall).start(&dir.join("source"))?;
    source.import(&minted.file(blocks));
    let (genesis, url) =
        (minted.genesis.to_string_lossy().into_owned(), format!("http://{}", source.address));
    let mut appliance = Appliance::start(dir, &["--chain", &genesis, "--upstream", &url]);
    appliance.filled(blocks, LIMIT);
    let last = source.hash(blocks - HELD_BACK);
    let enodes = [appliance.node().0, source.enode()];
    let mut times = [Vec::new(), Vec::new()];
    processors.second();
    for round in 0..rounds {
        // Each goes first in turn.
        for which in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let fresh = Node::new(&minted.genesis, &heimdall).release(release);
            let fresh = fresh.syncing().static_node(&enodes[which]);
            let mut fresh = fresh.start(&dir.join(format!("fresh-{round}-{which}")))?;
            let began = Instant::now();
            fresh.reached(blocks - HELD_BACK, &last, LIMIT);
            times[which].push(began.elapsed().as_secs_f64());
            assert_eq!(fresh.ask("net_peerCount", json!([])), "0x1");
            fresh.stop();
        }
    }
    let ratio = median(times[0].iter().zip(&times[1]).map(|(ours, theirs)| ours / theirs).collect());
    let [through, direct] = times.map(median);
    Some(Times { through, direct, ratio })
}
