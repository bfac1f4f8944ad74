//! How long a fresh node takes to sync from the appliance, and straight from the node that the appliance has it from.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use hypasis_chain::dev::bor::BorOptions;
use serde_json::json;

use super::cores::Processors;
use super::table::{median, median_within};
use crate::appliance::Appliance;
use crate::bor::{Minted, Node, Release};

/// Time for a chain to be stored, or synced.
const LIMIT: Duration = Duration::from_secs(180);
/// Bor takes a chain's last two headers some seconds later than the others, wherever it has them from.
const HELD_BACK: u64 = 2;

/// Seconds at the median, and the median of the ratios of rounds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    through: f64,
    direct: f64,
    ratio: f64,
    within: [f64; 2],
}

// === impl Times ===

impl Times {
    /// Seconds of the same rounds, from the appliance and from the node itself.
    pub fn of([through, direct]: [Vec<f64>; 2]) -> Self {
        let ratios: Vec<_> = through.iter().zip(&direct).map(|(ours, theirs)| ours / theirs).collect();
        let within = median_within(ratios.clone());
        Self { through: median(through), direct: median(direct), ratio: median(ratios), within }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { through, direct, ratio, within: [low, high] } = self;
        write!(f, "{through:.2} s from Hypasis and {direct:.2} s from the node itself, ratio {ratio:.3} ")?;
        write!(f, "({low:.3} to {high:.3} in 95 of 100 such runs)")
    }
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
    Some(Times::of(times))
}
