//! `make bench`: the tables of the README's performance chapter, measured now. `serving`, `passing`, `memory`,
//! `peers` and `syncing` as arguments choose parts of it, `bor` Bor's half of the last.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench prints, and fails loudly"
)]

use std::net::SocketAddr;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use hypasis_tests::appliance::Appliance;
use hypasis_tests::bench::cases::{Case, ID, cases, heights};
use hypasis_tests::bench::cores::{self, Awake, Processors};
use hypasis_tests::bench::load::{Generator, Sample};
use hypasis_tests::bench::nginx::Nginx;
use hypasis_tests::bench::peers::{self as peer_bench, Kind, Served as Blocks};
use hypasis_tests::bench::table::{head, median, median_within, rate, row};
use hypasis_tests::bench::{latency, memory, syncing as sync_bench};
use hypasis_tests::bor::Release as BorRelease;
use hypasis_tests::geth::{Geth, HEAD, Network, Release, chain_folder};
use hypasis_tests::http::request;
use hypasis_tests::many::{Kept, room_for};
use serde_json::json;
use tempfile::TempDir;

const ROUNDS: usize = 5;
const SECONDS: u32 = 2;
const CLIENTS: u32 = 2_000;
/// Rounds of a call that passes through, and calls to each server in a round.
const PASSING_ROUNDS: usize = 31;
const CALLS: usize = 2_000;
/// Blocks of the long chain that peers are served from.
const DEVELOPMENT_BLOCKS: u64 = 1_000_000;
/// Rounds of syncing: what a fresh node does by itself takes nearly all of the time, and not always the same.
const SYNC_ROUNDS: usize = 31;
/// A Bor alone takes up to a tenth more or less from one round to the next: so many tell a ratio to a hundredth.
const BOR_ROUNDS: usize = 101;
/// Blocks that a Bor syncs.
const BOR_BLOCKS: u64 = 5_000;
/// As many as `rpc.max_connections` lets in by default, less what others have open.
const CONNECTIONS: usize = 9_900;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    if ["serving", "passing", "memory"].into_iter().any(&wants) {
        answering(wants);
    }
    if wants("peers") {
        peers(Fill::Geth);
        peers(Fill::Development);
    }
    if wants("syncing") {
        syncing();
    }
    if wants("syncing") || wants("bor") {
        syncing_bor();
    }
}

/// What is asked over JSON-RPC.
fn answering(wants: impl Fn(&str) -> bool) {
    if wants("serving") && available_parallelism().is_ok_and(|processors| processors.get() > 1) {
        // A generator on the same processors takes as much of them as a server does, whichever it asks.
        let processors = Processors::split();
        let servers = Servers::start();
        println!("Each server on one processor, the generator on another.\n");
        serving(&servers, &Generator::new(servers.dir.path(), Some(1)));
        servers.nginx.stop();
        drop(processors);
    }
    let servers = Servers::start();
    if wants("serving") {
        println!("Server and generator on both processors.\n");
        serving(&servers, &Generator::new(servers.dir.path(), None));
    }
    if wants("passing") {
        passing(&servers);
    }
    if wants("memory") {
        resident(&servers);
    }
    servers.nginx.stop();
}

/// A Geth, the appliance that holds all of it, and nginx in front of the same Geth.
struct Servers {
    geth: Geth,
    appliance: Appliance,
    nginx: Nginx,
    dir: TempDir,
}

// === impl Servers ===

impl Servers {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let geth = Geth::start(dir.path()).expect("tests/tools/install fetches Geth");
        let genesis = chain_folder().join("genesis.json");
        let url = format!("http://{}", geth.address);
        let mut appliance =
            Appliance::start(dir.path(), &["--chain", &genesis.to_string_lossy(), "--upstream", &url]);
        appliance.filled(HEAD, Duration::from_secs(120));
        let nginx = Nginx::start(dir.path(), geth.address);
        Self { geth, appliance, nginx, dir }
    }
}

fn serving(servers: &Servers, generator: &Generator) {
    let Servers { geth, appliance, nginx, .. } = servers;
    println!("Requests a second over 64 kept connections; CPU microseconds a request in brackets.\n");
    print!(
        "{}",
        head(&[
            "case",
            "Hypasis",
            "nginx, same bytes",
            "Geth",
            "Hypasis / nginx",
            "Hypasis / Geth",
            "generator"
        ])
    );
    let rivals: [(SocketAddr, Vec<u32>, bool); 3] = [
        (appliance.rpc, vec![appliance.pid()], true),
        (nginx.address, nginx.pids(), false),
        (geth.address, vec![geth.pid()], true),
    ];
    for case in cases(geth.address) {
        let samples = interleaved(generator, &case, &rivals);
        let middle =
            |rival: usize, figure: fn(&Sample) -> f64| median(samples[rival].iter().map(figure).collect());
        let cell =
            |rival| format!("{} ({:.0})", rate(middle(rival, |s| s.rate)), middle(rival, |s| s.cpu_us));
        let ratio = |rival: usize| {
            let pairs = samples[0].iter().zip(&samples[rival]).map(|(ours, theirs)| ours.rate / theirs.rate);
            format!("{:.2}", median(pairs.collect()))
        };
        // How busy the generator was with Hypasis and with nginx.
        let generator =
            format!("{:.0} %, {:.0} %", middle(0, |s| 1e2 * s.generator), middle(1, |s| 1e2 * s.generator));
        print!("{}", row(&[case.name.clone(), cell(0), cell(1), cell(2), ratio(1), ratio(2), generator]));
    }
    println!(
        "\n`generator`: share of one core that its one thread took while asking Hypasis, and while asking nginx.\n"
    );
}

fn interleaved(
    generator: &Generator,
    case: &Case,
    rivals: &[(SocketAddr, Vec<u32>, bool); 3],
) -> [Vec<Sample>; 3] {
    let mut samples = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for ((address, pids, fresh), samples) in rivals.iter().zip(&mut samples) {
            let sample = generator.run(case, *address, pids, *fresh, if round == 0 { 1 } else { SECONDS });
            // The first round warms caches.
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    samples
}

fn passing(servers: &Servers) {
    println!(
        "A miss: the middle of {PASSING_ROUNDS} medians of {CALLS} calls each, in microseconds, and the range in \
         which it lies in 95 of 100 such measurements. {}\n",
        cores::idling()
    );
    print!("{}", head(&["cores", "straight", "Hypasis adds", "nginx adds"]));
    let asked = [servers.geth.address, servers.appliance.rpc, servers.nginx.passing];
    print!("{}", passed("halt between calls", asked));
    let awake = Awake::keep();
    print!("{}", passed("are kept awake", asked));
    drop(awake);
    println!();
}

/// What passing on adds to a call to the first of these, by the second and by the third.
fn passed(cores: &str, asked: [SocketAddr; 3]) -> String {
    let body = request("web3_sha3", json!(["0x68656c6c6f"])).replace(ID, "1");
    let mut columns = [const { Vec::new() }; 3];
    for _ in 0..PASSING_ROUNDS {
        let [straight, ours, theirs] =
            latency::medians(asked, &body, CALLS).map(|median| median.as_secs_f64() * 1e6);
        for (column, figure) in columns.iter_mut().zip([straight, ours - straight, theirs - straight]) {
            column.push(figure);
        }
    }
    let cells = columns.map(|figures| {
        let [low, high] = median_within(figures.clone());
        format!("{:.0} ({low:.0} to {high:.0})", median(figures))
    });
    row(&[vec![cores.to_owned()], cells.to_vec()].concat())
}

fn resident(servers: &Servers) {
    let appliance = &servers.appliance;
    let case = Case { name: String::new(), bodies: heights(), connections: CLIENTS };
    let before = memory::resident(appliance.pid()).unwrap_or_default();
    let generator = Generator::new(servers.dir.path(), None);
    let sample = generator.run(&case, appliance.rpc, &[appliance.pid()], true, 5);
    let after = memory::resident(appliance.pid()).unwrap_or_default();
    println!(
        "Resident memory: {} MiB; {} MiB while {CLIENTS} kept connections ask ({} requests a second).\n",
        before >> 20,
        after >> 20,
        rate(sample.rate)
    );
    room_for(CONNECTIONS);
    let mut clients: Vec<Kept> = (0..CONNECTIONS).map(|_| Kept::open(appliance.rpc)).collect();
    let body = request("eth_chainId", json!([]));
    for round in ["opened", "asked again"] {
        clients.iter_mut().for_each(|client| client.ask(&body));
        clients.iter_mut().for_each(|client| drop(client.answer()));
        let bytes = memory::resident(appliance.pid()).unwrap_or_default();
        println!("{CONNECTIONS} kept connections, {round}, each answered: {} MiB resident.", bytes >> 20);
    }
    println!();
}

/// What the served store holds.
#[derive(Clone, Copy)]
enum Fill {
    /// Geth's own 600 blocks, with that Geth as the rival.
    Geth,
    /// A long development chain, without a rival.
    Development,
}

/// Items a second that a peer gets over one session.
fn peers(fill: Fill) {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut rivals, head) = (Vec::new(), if matches!(fill, Fill::Geth) { HEAD } else { DEVELOPMENT_BLOCKS });
    let geth = match fill {
        Fill::Geth => Network::full(Release::Newest).start(&dir.path().join("rival")),
        Fill::Development => None,
    };
    let genesis = chain_folder().join("genesis.json").to_string_lossy().into_owned();
    let url = geth.as_ref().map(|geth| format!("http://{}", geth.address));
    let (blocks, config) = (head.to_string(), dir.path().join("dev.toml"));
    let section = format!("[dev]\nhistory = {blocks}\ntransactions = 1\nperiod = \"1h\"\n");
    std::fs::write(&config, section).expect("the configuration can be written");
    let config = config.to_string_lossy();
    let mut appliance = match &url {
        Some(url) => Appliance::start(dir.path(), &["--chain", &genesis, "--upstream", url]),
        None => Appliance::start(dir.path(), &["--chain", "dev", "--config", &config]),
    };
    appliance.filled(head, Duration::from_secs(1_200));
    rivals.push((appliance.node().0, appliance.pid()));
    rivals.extend(geth.as_ref().map(|geth| (geth.enode(), geth.pid())));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let hashes = runtime.block_on(peer_bench::hashes(&rivals[0].0, head));
    println!(
        "Served to one peer, {head} blocks: items a second, MB a second; CPU microseconds an item in brackets.\n"
    );
    print!("{}", head_row(rivals.len() > 1));
    for kind in [Kind::Headers, Kind::Bodies, Kind::Receipts] {
        let hashes = match (kind, fill) {
            (Kind::Receipts, Fill::Geth) => &runtime.block_on(peer_bench::fitting(&rivals[0].0, &hashes)),
            _ => &hashes,
        };
        let mut samples: Vec<Vec<Blocks>> = vec![Vec::new(); rivals.len()];
        for round in 0..=ROUNDS {
            for ((enode, pid), samples) in rivals.iter().zip(&mut samples) {
                let time = Duration::from_secs(u64::from(SECONDS));
                let sample = runtime.block_on(peer_bench::run(enode, *pid, hashes, kind, time));
                // The first round warms caches.
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        let middle =
            |rival: usize, figure: fn(&Blocks) -> f64| median(samples[rival].iter().map(figure).collect());
        let cell = |rival| {
            let (rate_of, mb) = (middle(rival, |s| s.rate), middle(rival, |s| s.bytes) / 1e6);
            format!("{}, {mb:.0} ({:.1})", rate(rate_of), middle(rival, |s| s.cpu_us))
        };
        let mut cells = vec![format!("{kind:?}").to_lowercase(), cell(0)];
        if rivals.len() > 1 {
            let pairs = samples[0].iter().zip(&samples[1]).map(|(ours, theirs)| ours.rate / theirs.rate);
            cells.extend([cell(1), format!("{:.1}", median(pairs.collect()))]);
        }
        print!("{}", row(&cells));
    }
    println!();
}

fn head_row(rival: bool) -> String {
    if rival { head(&["kind", "Hypasis", "Geth", "Hypasis / Geth"]) } else { head(&["kind", "Hypasis"]) }
}

/// How long a fresh Geth takes to sync from us, and from the Geth that we have it from.
fn syncing() {
    let dir = tempfile::tempdir().expect("a folder");
    let source = Network::full(Release::Newest).start(&dir.path().join("source")).expect("Geth");
    let genesis = chain_folder().join("genesis.json").to_string_lossy().into_owned();
    let url = format!("http://{}", source.address);
    let mut appliance = Appliance::start(dir.path(), &["--chain", &genesis, "--upstream", &url]);
    appliance.filled(HEAD, Duration::from_secs(120));
    let enodes = [appliance.node().0, source.enode()];
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..SYNC_ROUNDS {
        // Each goes first in turn.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for (which, enode) in order.map(|which| (which, &enodes[which])) {
            let folder = dir.path().join(format!("fresh-{round}-{which}"));
            let fresh = Network::fresh(Release::Newest).static_node(enode).syncing();
            let mut fresh = fresh.start(&folder).expect("Geth");
            let began = Instant::now();
            fresh.reached(HEAD, &Release::Newest.head_hash(), Duration::from_secs(120));
            times[which].push(began.elapsed().as_secs_f64());
            fresh.stop();
        }
    }
    println!("A fresh Geth syncs {HEAD} blocks: {}.\n", sync_bench::Times::of(times));
}

/// The same of Bor, in both versions of eth.
fn syncing_bor() {
    for (release, version) in [(BorRelease::Newest, 69), (BorRelease::Eth68, 68)] {
        let dir = tempfile::tempdir().expect("a folder");
        let times = sync_bench::bor(dir.path(), release, BOR_BLOCKS, BOR_ROUNDS).expect("Bor");
        println!("A fresh Bor syncs {BOR_BLOCKS} blocks at eth/{version}: {times}.\n");
    }
}
