//! A data folder that cannot be used is the operator's to mend: exit code 1 and a sentence with the path.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use hypasis_tests::appliance::binary;
use tempfile::tempdir;

/// The user of least rights that every system has.
const NOBODY: u32 = 65_534;

#[test]
fn a_folder_that_cannot_be_made_or_written_is_named() {
    let dir = tempdir().unwrap();
    // Rights do not bind root: as root the program runs as nobody, from a copy that nobody may run.
    let root = fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    let program = dir.path().join("hypasis");
    fs::copy(binary(), &program).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let locked = dir.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o555)).unwrap();
    for folder in [locked.clone(), locked.join("data")] {
        let mut command = Command::new(&program);
        if root {
            command.uid(NOBODY);
        }
        refused(&run(&mut command, &folder), &folder, "ermission denied");
    }
    // So that the test's folder can be removed again.
    fs::set_permissions(&locked, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_file_in_the_place_of_the_folder_is_named() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "no folder").unwrap();
    for folder in [file.clone(), file.join("data")] {
        refused(&run(&mut Command::new(binary()), &folder), &folder, "");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "no folder");
}

fn run(command: &mut Command, folder: &Path) -> Output {
    let free = ["--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--p2p", "127.0.0.1:0"];
    command.args(["run", "--chain", "dev", "--data-dir"]).arg(folder).args(free).output().unwrap()
}

fn refused(output: &Output, folder: &Path, reason: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let last = errors.lines().last().unwrap_or_default();
    assert!(last.starts_with("hypasis: ") && last.contains(folder.to_str().unwrap()), "{errors}");
    assert!(last.contains(reason), "{errors}");
}
