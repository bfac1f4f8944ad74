//! `make bench`: the tables of the README's performance chapter, measured now. `serving`, `passing` and `memory` as
//! arguments choose parts of it.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench prints, and fails loudly"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hypasis_tests::appliance::Appliance;
use hypasis_tests::bench::cases::{Case, ID, cases, heights};
use hypasis_tests::bench::load::{Sample, run};
use hypasis_tests::bench::nginx::Nginx;
use hypasis_tests::bench::table::{head, median, rate, row};
use hypasis_tests::bench::{latency, memory};
use hypasis_tests::geth::{Geth, HEAD, chain_folder};
use hypasis_tests::http::request;
use serde_json::json;

const ROUNDS: usize = 5;
const SECONDS: u32 = 2;
const CLIENTS: u32 = 2_000;

fn main() {
    let dir = tempfile::tempdir().expect("a folder");
    let geth = Geth::start(dir.path()).expect("tests/tools/install fetches Geth");
    let genesis = chain_folder().join("genesis.json");
    let url = format!("http://{}", geth.address);
    let mut appliance =
        Appliance::start(dir.path(), &["--chain", &genesis.to_string_lossy(), "--upstream", &url]);
    appliance.filled(HEAD, Duration::from_secs(120));
    let nginx = Nginx::start(dir.path(), geth.address);
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    if wants("serving") {
        serving(dir.path(), &geth, &appliance, &nginx);
    }
    if wants("passing") {
        passing(&geth, &appliance);
    }
    if wants("memory") {
        resident(dir.path(), &appliance);
    }
    nginx.stop();
}

fn serving(dir: &Path, geth: &Geth, appliance: &Appliance, nginx: &Nginx) {
    println!("Requests a second over 64 kept connections; CPU microseconds a request in brackets.\n");
    print!(
        "{}",
        head(&["case", "Hypasis", "nginx, same bytes", "Geth", "Hypasis / nginx", "Hypasis / Geth"])
    );
    let rivals: [(SocketAddr, Vec<u32>, bool); 3] = [
        (appliance.rpc, vec![appliance.pid()], true),
        (nginx.address, nginx.pids(), false),
        (geth.address, vec![geth.pid()], true),
    ];
    for case in cases(geth.address) {
        let samples = interleaved(dir, &case, &rivals);
        let middle =
            |rival: usize, figure: fn(&Sample) -> f64| median(samples[rival].iter().map(figure).collect());
        let cell =
            |rival| format!("{} ({:.0})", rate(middle(rival, |s| s.rate)), middle(rival, |s| s.cpu_us));
        let ratio = |rival: usize| {
            let pairs = samples[0].iter().zip(&samples[rival]).map(|(ours, theirs)| ours.rate / theirs.rate);
            format!("{:.2}", median(pairs.collect()))
        };
        print!("{}", row(&[case.name.clone(), cell(0), cell(1), cell(2), ratio(1), ratio(2)]));
    }
    println!();
}

fn interleaved(dir: &Path, case: &Case, rivals: &[(SocketAddr, Vec<u32>, bool); 3]) -> [Vec<Sample>; 3] {
    let mut samples = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for ((address, pids, fresh), samples) in rivals.iter().zip(&mut samples) {
            let sample = run(dir, case, *address, pids, *fresh, if round == 0 { 1 } else { SECONDS });
            // The first round warms caches.
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    samples
}

fn passing(geth: &Geth, appliance: &Appliance) {
    let body = request("web3_sha3", json!(["0x68656c6c6f"])).replace(ID, "1");
    let [direct, through] = latency::medians([geth.address, appliance.rpc], &body, 2_000);
    let added = through.saturating_sub(direct);
    println!("A miss at the median: {direct:?} straight, {through:?} through Hypasis, {added:?} added.\n");
}

fn resident(dir: &Path, appliance: &Appliance) {
    let case = Case { name: String::new(), bodies: heights(), connections: CLIENTS };
    let before = memory::resident(appliance.pid());
    let sample = run(dir, &case, appliance.rpc, &[appliance.pid()], true, 5);
    let after = memory::resident(appliance.pid());
    println!(
        "Resident memory: {} MiB; {} MiB while {CLIENTS} kept connections ask ({} requests a second).\n",
        before >> 20,
        after >> 20,
        rate(sample.rate)
    );
}
