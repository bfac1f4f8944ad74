//! Two appliances, one the other's only source, and sources over devp2p that are at fault.

use std::path::Path;
use std::time::Duration;

use hypasis_tests::appliance::Appliance;
use hypasis_tests::gate::Gate;
use hypasis_tests::geth::Release;
use hypasis_tests::http::get;
use hypasis_tests::peer::{Chain, Fake, Fault};
use serde_json::json;
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;

/// Each of its blocks fits into a message of eth/69, which the fakes speak; the newest release's block 11 does not.
const CHAIN: Release = Release::Eth68;
/// Time for 500 blocks to be stored through whatever faults.
const FILLING: Duration = Duration::from_secs(240);

#[test]
fn an_appliance_fills_from_another_over_devp2p_alone() {
    let (first, second) = (tempdir().unwrap(), tempdir().unwrap());
    let Some(source) = super::filled(first.path(), CHAIN, "") else { return };
    let mut appliance = behind(second.path(), &[&source.node().0]);
    appliance.filled(CHAIN.head(), FILLING);
    // What the operator named is listed, and nothing else.
    assert_eq!(get(appliance.admin, "/api/v1/upstreams").json().as_array().unwrap().len(), 1);
    let upstream = appliance.upstream("upstream-1");
    assert_eq!((&upstream["up"], &upstream["head"]["number"]), (&json!(true), &json!(CHAIN.head())));
    assert_same(&source, &appliance);
}

#[test]
fn the_upstream_of_an_appliance_may_go_and_come_back_in_the_middle_of_filling() {
    let Some(case) = Case::new(&[Fault::Dies]) else { return };
    let dying = &case.faulty[0];
    let mut appliance = behind(case.dir.path(), &[&dying.enode()]);
    appliance.until(|_, _| dying.sessions() > 2, FILLING, "to dial again after it was cut off");
    appliance.filled(CHAIN.head(), FILLING);
    assert_same(&case.sound, &appliance);
}

#[test]
fn a_network_that_splits_in_the_middle_of_filling_heals() {
    let (first, second) = (tempdir().unwrap(), tempdir().unwrap());
    let Some(source) = super::filled(first.path(), CHAIN, "") else { return };
    let runtime = Runtime::new().unwrap();
    let gate = runtime.block_on(Gate::before(source.p2p, 64 << 10));
    let through = source.node().0.replace(&source.p2p.to_string(), &gate.address().to_string());
    let through = through.split('?').next().unwrap();
    let mut appliance = behind(second.path(), &[through]);
    appliance.until(|_, _| gate.is_shut() && gate.turned_away() > 0, FILLING, "to find the network split");
    let lacking = |admin| get(admin, "/api/v1/status").json()["coverage"]["body"] != held(&CHAIN);
    assert!(lacking(appliance.admin), "all was there before the split");
    assert_eq!(
        appliance.call("eth_chainId", json!([]))["result"],
        source.call("eth_chainId", json!([]))["result"]
    );
    gate.open();
    appliance.filled(CHAIN.head(), FILLING);
    assert_same(&source, &appliance);
}

#[test]
fn a_peer_that_stalls_holds_up_nothing_once_another_has_the_blocks() {
    let Some(case) = Case::new(&[Fault::Stalls]) else { return };
    let mut appliance = case.started();
    appliance.until(|_, _| case.faulty[0].asked() > 0, FILLING, "to ask the peer that stalls");
    case.ends_well(appliance);
}

#[test]
fn a_peer_that_lies_in_any_field_of_headers_is_named_and_its_blocks_are_fetched_elsewhere() {
    let fields = 15;
    all_are_named(&(0..fields).map(Fault::Header).collect::<Vec<_>>());
}

#[test]
fn a_peer_that_lies_in_bodies_is_named_and_its_blocks_are_fetched_elsewhere() {
    all_are_named(&[0, 1, 2, 3, 4, 5, 6, 7, 8].map(Fault::Body));
}

#[test]
fn a_peer_that_lies_in_receipts_is_named_and_its_blocks_are_fetched_elsewhere() {
    // Type, status and gas of a receipt, then address, topics and data of its first log.
    all_are_named(&[0, 1, 2, 3, 4, 5].map(Fault::Receipts));
}

/// The coverage of a store that has the whole chain.
fn held(chain: &Release) -> serde_json::Value {
    json!([[0, chain.head()]])
}

/// Whoever lies is named in the log, whatever the others do; then a sound one lets itself be reached.
fn all_are_named(faults: &[Fault]) {
    let Some(case) = Case::new(faults) else { return };
    let mut appliance = case.started();
    let named = |log: &str, index: usize| {
        // By its id among the upstreams, or already by what its first words say, as a peer.
        let (upstream, peer) = (format!("upstream-{}", index + 1), format!("0x{}", case.faulty[index].id()));
        let wrong = ["gave wrong data", "what cannot be right", "misbehaves"];
        log.lines().any(|line| {
            line.split(['=', ' ', '"']).any(|word| word == upstream || word == peer)
                && wrong.iter().any(|why| line.contains(why))
        })
    };
    let file = case.dir.path().join("hypasis.log");
    let all = |_, _| {
        let log = std::fs::read_to_string(&file).unwrap();
        (0..faults.len()).all(|index| named(&log, index))
    };
    appliance.until(all, FILLING, "to name each of those that lie");
    case.ends_well(appliance);
}

/// Peers at fault, one that is sound but not to be reached yet, and what their chain is copied from.
struct Case {
    sound: Appliance,
    faulty: Vec<Fake>,
    rescue: Fake,
    dir: TempDir,
    _source: TempDir,
    _runtime: Runtime,
}

impl Case {
    fn new(faults: &[Fault]) -> Option<Self> {
        let (source, dir) = (tempdir().unwrap(), tempdir().unwrap());
        let sound = super::filled(source.path(), CHAIN, "")?;
        let runtime = Runtime::new().unwrap();
        let (faulty, rescue) = runtime.block_on(async {
            let chain = Chain::of(&sound.node().0).await;
            let mut faulty = Vec::new();
            for fault in faults {
                faulty.push(Fake::start(&chain, *fault).await);
            }
            (faulty, Fake::start(&chain, Fault::Shut).await)
        });
        Some(Self { sound, faulty, rescue, dir, _source: source, _runtime: runtime })
    }

    /// An appliance that knows them all.
    fn started(&self) -> Appliance {
        let enodes: Vec<_> = self.faulty.iter().chain([&self.rescue]).map(Fake::enode).collect();
        behind(self.dir.path(), &enodes.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The sound one can be reached now: everything is stored and right.
    fn ends_well(&self, mut appliance: Appliance) {
        self.rescue.set(Fault::None);
        appliance.filled(CHAIN.head(), FILLING);
        assert_same(&self.sound, &appliance);
    }
}

/// An appliance whose only upstreams are peers; trust is given to it, since peers name no finalized block.
fn behind(dir: &Path, enodes: &[&str]) -> Appliance {
    let genesis = CHAIN.chain().join("genesis.json");
    let checkpoint = format!("static:{}:{}", CHAIN.head(), CHAIN.head_hash());
    let mut arguments = vec!["--chain", genesis.to_str().unwrap(), "--checkpoint", &checkpoint];
    enodes.iter().for_each(|enode| arguments.extend(["--upstream", enode]));
    Appliance::start(dir, &arguments)
}

fn assert_same(source: &Appliance, appliance: &Appliance) {
    for number in (0..=CHAIN.head()).step_by(7) {
        let number = json!([format!("{number:#x}")]);
        for method in ["debug_getRawBlock", "debug_getRawReceipts"] {
            let (theirs, ours) =
                (source.held(method, number.clone()), appliance.held(method, number.clone()));
            assert!(theirs["result"].is_string() || theirs["result"].is_array(), "{theirs}");
            assert_eq!(theirs["result"], ours["result"], "{method} {number}");
        }
    }
}
