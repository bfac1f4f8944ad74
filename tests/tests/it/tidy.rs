//! The style that a compiler does not check.

use std::path::{Path, PathBuf};
use std::process::Command;

use hypasis_tests::checkout;

/// Longest line of Rust; a line that quotes may be as long as what it quotes.
const LINE_MAX: usize = 120;
/// Longest Rust file.
const FILE_LINES_MAX: usize = 450;
/// Largest tracked file.
const FILE_BYTES_MAX: u64 = 2 << 20;

#[test]
fn rust_files_are_short_and_so_are_their_lines() {
    for path in tracked().into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "rs")) {
        let text = read(&path);
        let lines = text.lines().count();
        assert!(
            lines <= FILE_LINES_MAX,
            "{} has {lines} lines: split it by what it is about",
            path.display()
        );
        for (number, line) in text.lines().enumerate() {
            let length = line.chars().count();
            assert!(
                length <= LINE_MAX || line.contains('"'),
                "{}:{}: {length} columns",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn nothing_is_left_over() {
    // Spelled apart, so that this file does not find itself.
    let words = ["todo", "unimplemented", "dbg"].map(|word| format!("{word}!("));
    let marks = [["FIX", "ME"], ["XX", "X:"], ["TO", "DO"]].map(|halves| halves.concat());
    for path in tracked().into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "rs")) {
        let text = read(&path);
        for word in words.iter().chain(&marks) {
            assert!(!text.contains(word.as_str()), "{} contains `{word}`", path.display());
        }
        assert!(!text.contains(&["#[ign", "ore"].concat()), "{} leaves a test out", path.display());
    }
}

#[test]
fn every_rust_file_says_what_it_is() {
    for path in tracked().into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "rs")) {
        assert!(read(&path).starts_with("//! "), "{} has no module documentation", path.display());
    }
}

#[test]
fn no_file_is_large_and_no_path_is_of_one_machine() {
    for path in tracked() {
        let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        assert!(size <= FILE_BYTES_MAX, "{} has {size} bytes", path.display());
        if let Ok(text) = std::fs::read_to_string(&path) {
            for prefix in [["/wo", "rk/"], ["/ro", "ot/"]].map(|halves| halves.concat()) {
                assert!(!text.contains(&prefix), "{} names {prefix}", path.display());
            }
        }
    }
}

#[test]
fn relative_links_of_the_documents_lead_somewhere() {
    for path in tracked().into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "md")) {
        let text = read(&path);
        for (position, _) in text.match_indices("](") {
            let target: String = text[position + 2..].chars().take_while(|c| *c != ')').collect();
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let linked = path.parent().unwrap_or(Path::new(".")).join(target);
            assert!(linked.exists(), "{} links to {target}", path.display());
        }
    }
}

fn tracked() -> Vec<PathBuf> {
    let listed =
        Command::new("git").arg("-C").arg(checkout()).args(["ls-files", "-z"]).output().expect("git runs");
    assert!(listed.status.success(), "this is no git checkout");
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let paths = names.split('\0').filter(|name| !name.is_empty()).map(|name| checkout().join(name));
    paths.filter(|path| path.is_file()).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
