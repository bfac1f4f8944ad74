//! Known nodes on disk, so that a restart needs no bootnode.
//!
//! A text file, a node a line, `enode://…` of discv4 or `enr:…` of discv5. It is replaced as a whole: a reader finds
//! the old one or the new one. What it says is not trusted more than what a stranger says: each node must answer before
//! it is told to anyone, lines that are no nodes are skipped, and no more than a bounded part is read.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::config::PeerUrl;

/// Nodes that are kept of each protocol.
pub(super) const NODES_MAX: usize = 300;
/// Bytes that are read: more than [`NODES_MAX`] of the longest lines of both kinds.
const FILE_MAX: u64 = 512 * 1024;

/// The nodes of the file; none if there is no file or it is not one of ours.
pub(super) fn read(path: &Path) -> Vec<PeerUrl> {
    let nodes = match bounded(path) {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "Known nodes could not be read; bootnodes must do");
            Vec::new()
        }
    };
    tracing::debug!(nodes = nodes.len(), "Known nodes were read");
    nodes
}

/// Replaces the file.
pub(super) fn write(path: &Path, nodes: &[PeerUrl]) -> io::Result<()> {
    let mut text = String::new();
    for node in nodes.iter().take(2 * NODES_MAX) {
        text.push_str(&node.to_string());
        text.push('\n');
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = std::fs::File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Vec<PeerUrl> {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines.filter_map(|line| line.trim().parse().ok()).take(2 * NODES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: u8) -> Vec<PeerUrl> {
        let key = |n| secp256k1::SecretKey::from_byte_array([n; 32]).unwrap();
        let at = "127.0.0.1:30303".parse().unwrap();
        let enode = |n| PeerUrl::Enode(hypasis_wire::node::NodeRecord::from_secret_key(at, &key(n)));
        let enr = super::super::record::LocalRecord::build(&key(99), at.ip(), 1, 1, None).unwrap();
        (1..=count).map(enode).chain([PeerUrl::of(enr).unwrap()]).collect()
    }

    #[test]
    fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nodes");
        assert!(read(&path).is_empty());
        write(&path, &nodes(9)).unwrap();
        let fewer = nodes(3);
        write(&path, &fewer).unwrap();
        assert_eq!(read(&path), fewer);
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 1, "nothing else is left behind");
    }

    #[test]
    fn hostile_content_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nodes");
        let good = nodes(1).remove(0);
        let mut bytes = b"enr:\nenode://\n\xff\xfe\x00\nenr:-xx\nenode://00@1.2.3.4:5\n".to_vec();
        bytes.extend(good.to_string().bytes());
        bytes.push(b'\n');
        bytes.extend(std::iter::repeat_n(b'x', 4 << 20));
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&path), std::slice::from_ref(&good));
        assert_eq!(bounded(&path).unwrap().len() as u64, FILE_MAX);

        let many = format!("{good}\n").repeat(100_000);
        std::fs::write(&path, many).unwrap();
        assert!(read(&path).len() <= 2 * NODES_MAX);
        assert!(read(folder.path()).is_empty(), "a folder is no file");
    }
}
