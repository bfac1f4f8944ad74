//! go-ethereum's conformance tool finds nothing.

use std::path::Path;

use hypasis_tests::appliance::Appliance;
use hypasis_tests::devp2p::{Outcome, assert_passed, discv4, discv5, eth, parse_tap};
use hypasis_tests::geth::Release;
use hypasis_tests::tool;
use tempfile::tempdir;

const DISCV4: [&str; 15] = [
    "Ping/Basic",
    "Ping/WrongTo",
    "Ping/WrongFrom",
    "Ping/ExtraData",
    "Ping/ExtraDataWrongFrom",
    "Ping/PastExpiration",
    "Ping/WrongPacketType",
    "Ping/BondThenPingWithWrongFrom",
    "ENRRequest",
    "Findnode/WithoutEndpointProof",
    "Findnode/BasicFindnode",
    "Findnode/UnsolicitedNeighbors",
    "Findnode/PastExpiration",
    "Amplification/InvalidPongHash",
    "Amplification/WrongIP",
];

const DISCV5: [&str; 7] = [
    "Ping",
    "PingLargeRequestID",
    "PingMultiIP",
    "HandshakeResend",
    "TalkRequest",
    "FindnodeZeroDistance",
    "FindnodeResults",
];

/// All of eth/69 and eth/70. The last seven send transactions to be relayed.
const ETH: [&str; 20] = [
    "Status",
    "MaliciousHandshake",
    "BlockRangeUpdateExpired",
    "BlockRangeUpdateFuture",
    "BlockRangeUpdateInvalid",
    "GetBlockHeaders",
    "GetNonexistentBlockHeaders",
    "SimultaneousRequests",
    "SameRequestID",
    "ZeroRequestID",
    "GetBlockBodies",
    "GetReceipts",
    "GetLargeReceipts",
    "LargeTxRequest",
    "Transaction",
    "InvalidTxs",
    "NewPooledTxs",
    "BlobViolations",
    "TestBlobTxWithoutSidecar",
    "TestBlobTxWithMismatchedSidecar",
];

/// And of eth/68.
const ETH_68: [&str; 15] = [
    "Status",
    "GetBlockHeaders",
    "GetNonexistentBlockHeaders",
    "SimultaneousRequests",
    "SameRequestID",
    "ZeroRequestID",
    "GetBlockBodies",
    "MaliciousHandshake",
    "LargeTxRequest",
    "Transaction",
    "InvalidTxs",
    "NewPooledTxs",
    "BlobViolations",
    "TestBlobTxWithoutSidecar",
    "TestBlobTxWithMismatchedSidecar",
];

#[test]
fn discovery_v4_conforms_in_all_15_points() {
    let dir = tempdir().unwrap();
    let Some(appliance) = served(dir.path(), "devp2p", Release::Newest) else { return };
    let outcomes = discv4(&appliance.node().0).unwrap();
    assert_passed(&outcomes, &DISCV4);
}

#[test]
fn discovery_v5_conforms_in_all_7_points() {
    let dir = tempdir().unwrap();
    let Some(appliance) = served(dir.path(), "devp2p", Release::Newest) else { return };
    let outcomes = discv5(&appliance.node().1).unwrap();
    assert_passed(&outcomes, &DISCV5);
}

#[test]
fn blocks_and_receipts_are_served_as_eth_69_and_70_demand() {
    let dir = tempdir().unwrap();
    let Some(appliance) = served(dir.path(), "devp2p", Release::Newest) else { return };
    assert_passed(&eth_suite(&appliance, "devp2p", Release::Newest, &ETH), &ETH);
    assert_eq!(appliance.terminate(), Some(0));
}

#[test]
fn blocks_are_served_as_eth_68_demands() {
    let dir = tempdir().unwrap();
    let Some(appliance) = served(dir.path(), "devp2p-1.15", Release::Eth68) else { return };
    assert_passed(&eth_suite(&appliance, "devp2p-1.15", Release::Eth68, &ETH_68), &ETH_68);
    assert_eq!(appliance.terminate(), Some(0));
}

#[test]
fn what_the_tool_says_is_read_test_by_test() {
    let said = "1..3\nok 1 Ping/Basic\nnot ok 2 ENRRequest\n# no answer\n#   in time\nok 3 Status\n";
    let read: Vec<_> =
        parse_tap(said).into_iter().map(|outcome| (outcome.name, outcome.passed, outcome.said)).collect();
    assert_eq!(
        read,
        [
            ("Ping/Basic".to_owned(), true, String::new()),
            ("ENRRequest".to_owned(), false, "no answer\n  in time\n".to_owned()),
            ("Status".to_owned(), true, String::new()),
        ]
    );
}

/// An appliance with the whole chain, if the tool that asks it is installed.
fn served(dir: &Path, name: &str, release: Release) -> Option<Appliance> {
    tool(name)?;
    super::filled(dir, release, "")
}

fn eth_suite(appliance: &Appliance, name: &str, release: Release, tests: &[&str]) -> Vec<Outcome> {
    let pattern = format!("^({})$", tests.join("|"));
    eth(name, &release.chain(), &appliance.node().0, &pattern).unwrap()
}
