//! `hypasis key`: what an operator does with the node key.

use std::path::Path;
use std::process::{Command, Output};

use hypasis_tests::appliance::binary;
use tempfile::tempdir;

#[test]
fn show_prints_enode_and_record_a_line_each_and_rotation_makes_another_node() {
    let dir = tempdir().unwrap();
    let data = dir.path();
    assert_eq!(key("show", data, &[]).status.code(), Some(1), "there is none yet");
    let made = printed(&key("new", data, &["--p2p", "0.0.0.0:30304"]));
    let [enode, record] = &made[..] else { panic!("{made:?}") };
    assert!(enode.starts_with("enode://") && enode.ends_with("@127.0.0.1:30304"), "{enode}");
    assert!(record.starts_with("enr:-"), "{record}");
    let shown = printed(&key("show", data, &["--p2p", "0.0.0.0:30304"]));
    assert_eq!(shown[0], made[0]);
    let again = key("new", data, &[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
    let rotated = printed(&key("rotate", data, &["--p2p", "0.0.0.0:30304"]));
    assert_ne!(rotated[0], made[0]);
    assert_eq!(printed(&key("show", data, &["--p2p", "0.0.0.0:30304"]))[0], rotated[0]);
}

#[test]
fn geth_reads_the_same_key_as_the_same_node() {
    let Some(devp2p) = hypasis_tests::tool("devp2p") else { return };
    let dir = tempdir().unwrap();
    let made = printed(&key("new", dir.path(), &["--p2p", "192.0.2.1:30304"]));
    let mut command = Command::new(&devp2p);
    command.args(["key", "to-enode", "--ip", "192.0.2.1", "--tcp", "30304", "--udp", "30304"]);
    let enode = printed(&command.arg(dir.path().join("nodekey")).output().unwrap());
    assert_eq!(enode, made[..1]);
    let record = printed(&Command::new(&devp2p).args(["enrdump", &made[1]]).output().unwrap()).join("\n");
    assert!(record.contains("192.0.2.1") && record.contains("30304"), "{record}");
    let theirs = dir.path().join("theirs");
    assert!(Command::new(&devp2p).args(["key", "generate"]).arg(&theirs).status().unwrap().success());
    let mut show = Command::new(binary());
    show.args(["key", "show", "--p2p", "192.0.2.1:30304"]).env("HYPASIS__P2P__KEY_FILE", &theirs);
    let shown = printed(&show.output().unwrap());
    let mut command = Command::new(&devp2p);
    command.args(["key", "to-enode", "--ip", "192.0.2.1", "--tcp", "30304", "--udp", "30304"]).arg(&theirs);
    assert_eq!(shown[..1], printed(&command.output().unwrap()));
}

fn key(action: &str, data: &Path, more: &[&str]) -> Output {
    Command::new(binary()).args(["key", action, "--data-dir"]).arg(data).args(more).output().unwrap()
}

/// The lines of a command that succeeds.
fn printed(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
