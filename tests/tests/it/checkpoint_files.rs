//! `hypasis checkpoint sign|verify|show`, and an appliance that trusts a signed file.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use hypasis_chain::dev::{DevChain, DevForks};
use hypasis_tests::appliance::{Appliance, binary};
use hypasis_tests::hosted::{Hosted, assert_held, chain};
use hypasis_tests::http::get;
use serde_json::{Value, json};
use tempfile::tempdir;

const LIMIT: Duration = Duration::from_secs(60);
/// Keys of the first two accounts of every development node, and their addresses.
const KEYS: [&str; 2] = [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
];
const SIGNERS: [&str; 2] =
    ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"];

#[test]
fn a_file_is_made_signed_by_several_verified_and_shown() {
    let dir = tempdir().unwrap();
    let keys = keys(dir.path());
    let hash = format!("0x{}", "ab".repeat(32));
    let file = dir.path().join("cp.json");
    let file = file.to_str().unwrap();
    let make = ["--chain", "polygon", "--number", "81000000", "--hash", &hash, "--total-difficulty", "77"];
    let made = hypasis(&[&["checkpoint", "sign", file, "--key-file", &keys[0]], &make[..]].concat());
    assert_eq!(said(&made), format!("{} has signed block 81000000 ({hash})\n", SIGNERS[0]));
    let both = ["--signer", SIGNERS[0], "--signer", SIGNERS[1]];
    let verify = |more: &[&str]| {
        hypasis(&[&["checkpoint", "verify", file, "--chain", "polygon"], &both[..], more].concat())
    };
    let one = verify(&[]);
    assert_eq!(one.status.code(), Some(1));
    assert!(errors(&one).contains("1 of the configured signers have signed it; 2 must"), "{}", errors(&one));
    assert_eq!(verify(&["--threshold", "1"]).status.code(), Some(0));

    // The second signature needs no word about the block; a third by the same key adds nothing.
    for _ in 0..2 {
        let added = hypasis(&["checkpoint", "sign", file, "--key-file", &keys[1]]);
        assert_eq!(added.status.code(), Some(0), "{}", errors(&added));
    }
    let text = std::fs::read_to_string(file).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["signatures"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&json["version"], &json["chain_id"], &json["total_difficulty"]),
        (&json!(1), &json!(137), &json!("77"))
    );
    let verified = verify(&[]);
    assert_eq!(verified.status.code(), Some(0), "{}", errors(&verified));
    let said_by = said(&verified);
    assert!(SIGNERS.iter().all(|signer| said_by.contains(signer)), "{said_by}");
    assert!(said_by.ends_with("2 of 2 that must\n"), "{said_by}");
    // What is configured need not be said again.
    let config = dir.path().join("hypasis.toml");
    let text_of = |threshold| {
        format!(
            "[chain]\nname = \"polygon\"\n[checkpoint]\nsource = \"signed\"\nfile = \"cp.json\"\nsigners = {SIGNERS:?}\nthreshold = {threshold}\n"
        )
    };
    std::fs::write(&config, text_of(2)).unwrap();
    let by_config = ["checkpoint", "verify", file, "--config", config.to_str().unwrap()];
    assert_eq!(hypasis(&by_config).status.code(), Some(0));
    assert_eq!(hypasis(&["checkpoint", "verify", file, "--chain", "polygon"]).status.code(), Some(64));
    let shown = said(&hypasis(&["checkpoint", "show", file]));
    assert!(
        shown.starts_with("Hypasis checkpoint\nversion: 1\nchain_id: 137\nnumber: 81000000\n"),
        "{shown}"
    );
    assert!(shown.ends_with(&format!("signed by: {}\nsigned by: {}\n", SIGNERS[0], SIGNERS[1])), "{shown}");

    // Nobody signs something else by mistake, and what is not there is not made up.
    let other = hypasis(&["checkpoint", "sign", file, "--key-file", &keys[0], "--number", "81000001"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(errors(&other).contains("says something else than the flags"), "{}", errors(&other));
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
    let nothing = hypasis(&["checkpoint", "sign", "/no/such/dir/cp.json", "--key-file", &keys[0]]);
    assert_eq!(nothing.status.code(), Some(64));
    let nothing =
        hypasis(&["checkpoint", "verify", "/no/such/cp.json", "--chain", "polygon", "--signer", SIGNERS[0]]);
    assert_eq!(nothing.status.code(), Some(1));
    let foreign = hypasis(&[
        "checkpoint",
        "verify",
        file,
        "--chain",
        "amoy",
        "--signer",
        SIGNERS[0],
        "--signer",
        SIGNERS[1],
    ]);
    assert!(
        errors(&foreign).contains("it is for chain 137, and this is chain 80002"),
        "{}",
        errors(&foreign)
    );
    let threshold = verify(&["--threshold", "3"]);
    assert_eq!(threshold.status.code(), Some(64));
    // A key that others may read is no key.
    std::fs::set_permissions(&keys[0], std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = hypasis(&["checkpoint", "sign", file, "--key-file", &keys[0]]);
    assert_eq!(open.status.code(), Some(1), "{}", errors(&open));
}

#[test]
fn an_appliance_trusts_what_enough_signers_signed_and_keeps_it_without_the_file() {
    let dir = tempdir().unwrap();
    let chain = chain(120, 3, 1, DevForks::default());
    let node = Hosted::start("node", &chain);
    let (file, signed) = sign(dir.path(), &chain, 80);
    let config = config(dir.path(), &node, &SIGNERS);
    let spec = format!("signed:{file}");
    let arguments = ["--config", &config, "--checkpoint", &spec];
    let mut appliance = Appliance::start(dir.path(), &arguments);
    appliance.filled(120, LIMIT);
    let page = page(appliance.admin);
    assert_eq!((&page["source"], &page["number"]), (&json!("signed"), &json!(80)));
    assert_eq!(page["hash"], json!(chain.id_at(80).hash));
    assert_eq!(page["covered"], json!([[0, 80]]));
    assert_eq!(
        (&page["proof"]["threshold"], page["proof"]["signers"].as_array().unwrap().len()),
        (&json!(2), 2)
    );
    let shown = hypasis(&["checkpoint", "show", "--admin", &format!("http://{}", appliance.admin)]);
    let shown_page: Value = serde_json::from_str(&said(&shown)).unwrap();
    assert_eq!((shown.status.code(), &shown_page["hash"]), (Some(0), &page["hash"]));
    assert_held(&appliance, &chain, 0..=120);
    assert_eq!(appliance.terminate(), Some(0));

    // Gone, it is still what this store trusts; changed, it is refused, and what is held is served.
    std::fs::remove_file(&file).unwrap();
    let mut appliance = Appliance::start(dir.path(), &arguments);
    appliance.until(|_, admin| self::page(admin)["number"] == 80, LIMIT, "to remember what was signed");
    assert_eq!(appliance.terminate(), Some(0));
    std::fs::write(&file, signed.replacen("\"number\": 80", "\"number\": 81", 1)).unwrap();
    let mut appliance = Appliance::start(dir.path(), &arguments);
    let refused = |admin| {
        let answer = get(admin, "/api/v1/checkpoint");
        answer.status == 404 && answer.body.contains("is refused: signature 1 was made by")
    };
    appliance.until(|_, admin| refused(admin), LIMIT, "to refuse the changed file");
    assert_held(&appliance, &chain, 0..=120);
}

#[test]
fn a_file_with_too_few_signatures_starts_nothing() {
    let dir = tempdir().unwrap();
    let chain = chain(50, 2, 1, DevForks::default());
    let node = Hosted::start("node", &chain);
    let (file, _) = sign(dir.path(), &chain, 40);
    let third = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
    let config = config(dir.path(), &node, &[SIGNERS[0], SIGNERS[1], third]);
    let text = std::fs::read_to_string(&config).unwrap().replace("threshold = 2", "threshold = 3");
    std::fs::write(&config, text).unwrap();
    let mut appliance =
        Appliance::start(dir.path(), &["--config", &config, "--checkpoint", &format!("signed:{file}")]);
    let says = |admin: SocketAddr| get(admin, "/api/v1/status").json()["halted"].to_string();
    let expected = "2 of the configured signers have signed it; 3 must";
    appliance.until(|_, admin| says(admin).contains(expected), LIMIT, "to refuse the file");
    assert_eq!(appliance.status()["store"]["history_blocks"], 0);
}

/// Makes a file for a block of `chain`, signed by both keys; its path and text.
fn sign(dir: &Path, chain: &DevChain, number: u64) -> (String, String) {
    let file = dir.join("cp.json").to_str().unwrap().to_owned();
    let (id, chain_id) = (chain.id_at(number), chain.spec().chain_id.to_string());
    let (hash, number) = (id.hash.to_string(), number.to_string());
    for key in keys(dir) {
        let flags = ["--chain", &chain_id, "--number", &number, "--hash", &hash];
        let output = hypasis(&[&["checkpoint", "sign", &file, "--key-file", &key], &flags[..]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    }
    let text = std::fs::read_to_string(&file).unwrap();
    (file, text)
}

fn config(dir: &Path, node: &Hosted, signers: &[&str]) -> String {
    let path = dir.join("hypasis.toml");
    let checkpoint = format!(
        "[checkpoint]\nsource = \"signed\"\nfile = \"overridden\"\nsigners = {signers:?}\nthreshold = 2\n"
    );
    std::fs::write(&path, node.config("") + &checkpoint).unwrap();
    path.to_str().unwrap().to_owned()
}

fn keys(dir: &Path) -> [String; 2] {
    [0, 1].map(|place| {
        let path = dir.join(format!("key-{place}"));
        std::fs::write(&path, KEYS[place]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    })
}

fn page(admin: SocketAddr) -> Value {
    get(admin, "/api/v1/checkpoint").json()
}

fn hypasis(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", errors(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
