//! Real archives: imported, verified, served with no node at all.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use hypasis_tests::appliance::{Appliance, binary};
use hypasis_tests::http::{post, request};
use hypasis_tests::testdata;
use serde_json::{Value, json};
use tempfile::tempdir;

#[test]
fn mainnet_era1_imports_verifies_and_serves() {
    let file = testdata().join("ethereum/era1/mainnet-00000-5ec1ffb8.era1");
    let served = imported("ethereum", &file, [0, 1, 4_096, 8_191]);
    let last = &served[3]["result"];
    assert!(last["hash"].as_str().unwrap().starts_with("0xa6860fef"), "{last}");
    assert!(
        served.iter().any(|block| !block["result"]["uncles"].as_array().unwrap().is_empty())
            || last.is_object()
    );
}

#[test]
fn sepolia_era1_imports_verifies_and_serves() {
    let file = testdata().join("ethereum/era1/sepolia-00021-b8814b14.era1");
    let served = imported("sepolia", &file, [172_032, 172_033, 176_000, 180_223]);
    assert!(served[3]["result"]["hash"].as_str().unwrap().starts_with("0xaf105ff1"), "{}", served[3]);
}

#[test]
fn a_folder_of_archives_is_an_upstream() {
    let dir = tempdir().unwrap();
    let folder = dir.path().join("archive");
    std::fs::create_dir(&folder).unwrap();
    let file = "mainnet-00000-5ec1ffb8.era1";
    std::fs::copy(testdata().join("ethereum/era1").join(file), folder.join(file)).unwrap();
    let mut appliance =
        Appliance::start(dir.path(), &["--chain", "ethereum", "--upstream", folder.to_str().unwrap()]);
    appliance.filled(8_191, Duration::from_secs(120));
    let answer = post(appliance.rpc, &request("eth_getBlockByNumber", json!(["0x1fff", true])));
    assert!(answer.json()["result"]["hash"].as_str().unwrap().starts_with("0xa6860fef"), "{}", answer.body);
}

#[test]
fn a_damaged_archive_is_refused_with_its_name_and_loses_nothing() {
    let dir = tempdir().unwrap();
    let mut bytes = std::fs::read(testdata().join("ethereum/era1/mainnet-00000-5ec1ffb8.era1")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    let damaged = dir.path().join("damaged.era1");
    std::fs::write(&damaged, bytes).unwrap();
    let output = import(dir.path(), "ethereum", &damaged);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("damaged.era1"), "{errors}");
    let sound = import(dir.path(), "ethereum", &testdata().join("ethereum/era1/mainnet-00000-5ec1ffb8.era1"));
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stderr));
}

#[test]
fn whichever_file_of_the_store_is_damaged_verify_tells_it_and_leaves_a_sound_store() {
    let dir = tempdir().unwrap();
    let file = testdata().join("ethereum/era1/sepolia-00021-b8814b14.era1");
    assert!(import(dir.path(), "sepolia", &file).status.success());
    let store = dir.path().join("data/store");
    let names = std::fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().file_name());
    let tables: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".sst")).collect();
    assert!(tables.len() >= 5, "headers, bodies, receipts and two indexes: {tables:?}");
    let mut kept = 0;
    for table in tables {
        let copy = tempdir().unwrap();
        let copied = Command::new("cp").arg("-a").arg(dir.path().join("data")).arg(copy.path()).status();
        assert!(copied.unwrap().success());
        damage(&copy.path().join("data/store").join(&table));
        let found = verify(copy.path(), "sepolia");
        let said = String::from_utf8_lossy(&found.stdout).into_owned();
        assert_eq!(found.status.code(), Some(1), "{table:?}: {said}");
        assert!(said.starts_with("found, and dropped or mended:"), "{table:?}: {said}");
        assert!(said.lines().count() < 20, "what is wrong alike is told as one range: {said}");
        let after = verify(copy.path(), "sepolia");
        assert!(after.status.success(), "{table:?}: {}", String::from_utf8_lossy(&after.stdout));
        kept += u32::from(after.stdout == b"8192 blocks are sound\n");
    }
    assert_eq!(kept, 2, "a damaged index costs no block");
}

/// Turns over some bytes of a table's data.
fn damage(table: &Path) {
    let mut bytes = std::fs::read(table).unwrap();
    let from = bytes.len() / 8;
    bytes[from..from + 64].iter_mut().for_each(|byte| *byte ^= 0xff);
    std::fs::write(table, bytes).unwrap();
}

fn verify(dir: &Path, chain: &str) -> Output {
    Command::new(binary())
        .args(["store", "verify", "--chain", chain])
        .args(["--data-dir".as_ref(), dir.join("data").as_os_str()])
        .output()
        .unwrap()
}

/// Imports a file, exports and verifies the store, then serves it with no upstream; returns the blocks asked for.
fn imported(chain: &str, file: &Path, heights: [u64; 4]) -> Vec<Value> {
    let dir = tempdir().unwrap();
    let output = import(dir.path(), chain, file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let verified = verify(dir.path(), chain);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let dead = format!("http://{}", hypasis_tests::process::free_address());
    let appliance = Appliance::start(dir.path(), &["--chain", chain, "--upstream", &dead]);
    let ask = |height: u64| {
        let question = request("eth_getBlockByNumber", json!([format!("{height:#x}"), true]));
        let answer = post(appliance.rpc, &question);
        assert_eq!(answer.json()["result"]["number"], format!("{height:#x}"), "{}", answer.body);
        assert!(matches!(answer.header("hypasis-source"), Some("store" | "memory")), "{answer:?}");
        answer.json()
    };
    heights.into_iter().map(ask).collect()
}

fn import(dir: &Path, chain: &str, file: &Path) -> Output {
    Command::new(binary())
        .args(["store", "import", "--chain", chain])
        .args(["--data-dir".as_ref(), dir.join("data").as_os_str()])
        .arg(file)
        .output()
        .unwrap()
}
