//! Exit codes and messages of the command line.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use hypasis_tests::appliance::{Appliance, binary};
use hypasis_tests::process::pause;
use tempfile::tempdir;

#[test]
fn a_wrong_flag_is_a_usage_error() {
    let output = hypasis(&["run", "--no-such-flag"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--no-such-flag"));
}

#[test]
fn a_wrong_key_names_file_line_column_and_what_was_meant() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("hypasis.toml");
    std::fs::write(&file, "[rpc]\nmax_boddy = \"5MiB\"\n").unwrap();
    let output = hypasis(&["config", "check", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("hypasis.toml:2:1") && errors.contains("max_body"), "{errors}");
}

#[test]
fn the_printed_defaults_are_valid_and_say_the_same_as_none() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("hypasis.toml");
    std::fs::write(&file, hypasis(&["config", "default"]).stdout).unwrap();
    let with = hypasis(&["config", "show", "--config", file.to_str().unwrap()]);
    assert_eq!(with.status.code(), Some(0), "{}", String::from_utf8_lossy(&with.stderr));
    assert_eq!(with.stdout, hypasis(&["config", "show"]).stdout);
}

#[test]
fn secrets_are_redacted() {
    let output =
        hypasis(&["config", "show", "--upstream", "https://user:hunter2@node.example/key?token=hunter3"]);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(!shown.contains("hunter2") && !shown.contains("hunter3"), "{shown}");
}

#[test]
fn help_version_completion_and_manual_are_results() {
    for arguments in [&["help"][..], &["version"], &["completion", "bash"], &["man"], &["config", "schema"]] {
        let output = hypasis(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_store_of_another_chain_is_refused_clearly() {
    let dir = tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let archive = hypasis_tests::testdata().join("ethereum/era1/mainnet-00000-5ec1ffb8.era1");
    let first =
        hypasis(&["store", "import", "--chain", "ethereum", "--data-dir", data, archive.to_str().unwrap()]);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let second = hypasis(&["store", "stats", "--chain", "sepolia", "--data-dir", data]);
    assert_eq!(second.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&second.stderr);
    assert!(errors.contains("11155111") || errors.contains("sepolia"), "{errors}");
}

#[test]
fn health_of_nothing_is_a_failure() {
    let output = hypasis(&["health", "--admin", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_hangup_takes_what_can_change_names_the_rest_and_keeps_the_old_on_errors() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("hypasis.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("[log]\nlevel = \"off\"\n[rpc]\nmax_batch = 5\n");
    let appliance = Appliance::start(dir.path(), &["--chain", "dev", "--config", file.to_str().unwrap()]);
    let hang_up = |expected: &[&str]| {
        appliance.hang_up();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !expected.iter().all(|text| appliance.log().contains(text)) {
            assert!(Instant::now() < deadline, "{expected:?} in {}", appliance.log());
            pause();
        }
    };
    write("[log]\nlevel = \"warn\"\n[rpc]\nmax_batch = 6\n");
    hang_up(&["take effect after a restart", "rpc.max_batch"]);
    write("[log]\nlevell = \"info\"\n");
    hang_up(&["ERROR", "hypasis.toml:2:1", "the one from before stays"]);
    assert!(!appliance.log().contains("INFO"), "{}", appliance.log());
    assert_eq!(hypasis_tests::http::get(appliance.admin, "/readyz").status, 200);
    assert_eq!(appliance.terminate(), Some(0));
}

#[test]
fn a_taken_port_is_a_failure_that_names_the_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let output = hypasis(&["run", "--chain", "dev", "--data-dir", data, "--http", &address]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("rpc.listen") && errors.contains(&address), "{errors}");
}

#[test]
fn files_that_cannot_be_read_and_values_that_mean_nothing_have_their_exit_codes() {
    let dir = tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    for (arguments, code) in [
        (&["config", "check", "--config", "/no/such/file.toml"][..], 78),
        (&["config", "check", "--config", folder], 78),
        (&["run", "--checkpoint", "foo"], 64),
        (&["run", "--checkpoint", "static:x:0x00"], 64),
        (&["run", "--checkpoint", "static:1:zz"], 78),
        (&["run", "--checkpoint", "signed:"], 64),
        (&["run", "--checkpoint", "signed:cp.json"], 78),
        (&["run", "--checkpoint", "ethereum-l1"], 78),
        (&["run", "--checkpoint", "upstream:1"], 64),
        (&["run", "--http", "nonsense"], 78),
    ] {
        let output = hypasis(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(output.stderr.starts_with(b"hypasis: "), "{arguments:?}");
    }
}

fn hypasis(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().unwrap()
}
