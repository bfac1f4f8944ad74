//! An unmodified Geth that knows nobody but the appliance syncs from it: every block, the same head.
//!
//! A has the chain, B is fresh. Full sync executes everything, so that B reaching the head proves each block.

use std::path::Path;
use std::time::Duration;

use hypasis_tests::appliance::{Appliance, binary};
use hypasis_tests::geth::{Discovery, Geth, Network, Release};
use hypasis_tests::http::{call, get};
use serde_json::json;
use tempfile::{TempDir, tempdir};

/// Geth asks for its target at growing intervals; 55 seconds in the worst case, and then it must execute.
const SYNCING: Duration = Duration::from_secs(120);

/// So slow that next to nothing is stored while B syncs: the links of 600 headers alone take half a minute.
const SLOW: &str = "fill_rate = 20";

#[test]
fn from_a_full_store_as_a_static_peer_with_the_source_gone() {
    let dir = tempdir().unwrap();
    let Some(appliance) = super::filled(dir.path(), Release::Newest, "") else { return };
    syncs(&dir, &appliance, Release::Newest, |network, enode| network.static_node(enode));
}

#[test]
fn found_by_bootnodes_alone_through_discovery_v4() {
    let dir = tempdir().unwrap();
    let Some(appliance) = super::filled(dir.path(), Release::Newest, "") else { return };
    syncs(&dir, &appliance, Release::Newest, |network, enode| network.bootnode(enode, Discovery::V4));
}

#[test]
fn found_by_bootnodes_alone_through_discovery_v5() {
    let dir = tempdir().unwrap();
    let Some(appliance) = super::filled(dir.path(), Release::Newest, "") else { return };
    syncs(&dir, &appliance, Release::Newest, |network, enode| network.bootnode(enode, Discovery::V5));
}

#[test]
fn a_geth_that_speaks_eth_68_alone_syncs_too() {
    let dir = tempdir().unwrap();
    let release = Release::Eth68;
    let Some(appliance) = super::filled(dir.path(), release, "") else { return };
    syncs(&dir, &appliance, release, |network, enode| network.static_node(enode));
}

#[test]
fn from_an_empty_store_everything_is_forwarded_and_kept() {
    let dir = tempdir().unwrap();
    let Some(source) = Network::full(Release::Newest).start(&dir.path().join("a")) else { return };
    let appliance = behind(dir.path(), &source);
    syncs(&dir, &appliance, Release::Newest, |network, enode| network.static_node(enode));
    kept(appliance, source);
}

#[test]
fn from_a_store_with_gaps_what_it_lacks_is_forwarded() {
    let dir = tempdir().unwrap();
    let Some(source) = Network::full(Release::Newest).start(&dir.path().join("a")) else { return };
    import(dir.path(), &pieces(&Release::Newest.chain(), dir.path()));
    let mut appliance = behind(dir.path(), &source);
    let missing = |admin| get(admin, "/api/v1/gaps").json()["body"].as_array().map_or(0, Vec::len);
    appliance.until(|_, admin| missing(admin) > 3, SYNCING, "to see its gaps");
    syncs(&dir, &appliance, Release::Newest, |network, enode| network.static_node(enode));
    // Nobody asked for the receipts of what was there before.
    appliance.filled(Release::Newest.head(), SYNCING);
}

/// Once it has linked the headers it needs the source no more: all else has come by when B asked for it.
fn kept(mut appliance: Appliance, source: Geth) {
    let whole = json!([[0, Release::Newest.head()]]);
    let headers = |admin| get(admin, "/api/v1/status").json()["coverage"]["header"].clone();
    appliance.until(|_, admin| headers(admin) == whole, SYNCING, "to link the headers");
    source.stop();
    appliance.filled(Release::Newest.head(), SYNCING);
}

/// An appliance whose one upstream is this Geth, and which takes next to nothing from it unasked.
fn behind(dir: &Path, source: &Geth) -> Appliance {
    let upstream = format!("[[upstream]]\nid = \"a\"\nurl = \"http://{}\"\n{SLOW}\n", source.address);
    super::configured(dir, Release::Newest, &upstream)
}

/// Starts B as `acquaint` says and waits until it has the whole chain; then asks it for what only execution gives.
fn syncs(
    dir: &TempDir,
    appliance: &Appliance,
    release: Release,
    acquaint: impl Fn(Network, &str) -> Network,
) {
    let (enode, _) = appliance.node();
    let network = acquaint(Network::fresh(release).syncing(), &enode);
    let mut fresh = network.start(&dir.path().join("b")).unwrap();
    fresh.reached(release.head(), &release.head_hash(), SYNCING);
    let peers = fresh.peers();
    let id = enode.split('@').next().unwrap();
    assert!(peers.len() == 1 && peers[0].starts_with(id), "{peers:?} are not the appliance alone");
    let asked = |method, params: serde_json::Value| call(fresh.address, method, params)["result"].clone();
    for number in [1, release.head() / 2, release.head()] {
        let tag = json!([format!("{number:#x}"), false]);
        let theirs = asked("eth_getBlockByNumber", tag.clone())["hash"].clone();
        let ours = appliance.call("eth_getBlockByNumber", tag)["result"]["hash"].clone();
        assert_eq!(theirs, ours, "block {number}");
    }
}

/// Every other stretch of the chain as a chain file of its own; stretches of 1 to 40 blocks that follow from a fixed
/// seed.
fn pieces(chain: &Path, dir: &Path) -> Vec<String> {
    let bytes = std::fs::read(chain.join("chain.rlp")).unwrap();
    let (mut rest, mut seed, mut files) = (&bytes[..], 0x9e37_79b9_u32, Vec::new());
    while !rest.is_empty() {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut length = 0;
        for _ in 0..=(seed >> 16) % 40 {
            length += item_length(&rest[length..]);
        }
        let (piece, after) = rest.split_at(length);
        if seed & 0x8000 == 0 {
            let file = dir.join(format!("piece-{}.rlp", files.len()));
            std::fs::write(&file, piece).unwrap();
            files.push(file.to_str().unwrap().to_owned());
        }
        rest = after;
    }
    files
}

/// Length of the RLP list at the start of `bytes`; 0 at the end.
fn item_length(bytes: &[u8]) -> usize {
    match bytes.first() {
        None => 0,
        Some(&mark @ 0xf8..) => {
            let digits = usize::from(mark - 0xf7);
            1 + digits + bytes[1..=digits].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        }
        Some(&mark) => 1 + usize::from(mark - 0xc0),
    }
}

fn import(dir: &Path, files: &[String]) {
    let mut command = std::process::Command::new(binary());
    command.args(["store", "import", "--data-dir"]).arg(dir.join("data"));
    command.arg("--chain").arg(Release::Newest.chain().join("genesis.json")).args(files);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
