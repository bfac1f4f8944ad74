//! Why there is no node key. The operator is at fault in all but the last two, and a retry does not help.

use std::path::PathBuf;

/// What is wrong with the key file, and the way out.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No file.
    #[error(
        "there is no node key at {}; `hypasis key new` makes one, and so does the first `hypasis run`",
        .0.display()
    )]
    Missing(PathBuf),
    /// A file is there already.
    #[error(
        "{} is there already; `hypasis key rotate` replaces it and keeps the old one beside it",
        .0.display()
    )]
    Exists(PathBuf),
    /// Others may read it.
    #[error(
        "the node key {path} may be read by others (mode {mode:03o}); run `chmod 600 {path}`, and `hypasis key \
         rotate` if they may have done so"
    )]
    Readable {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// Neither form.
    #[error(
        "{} holds no node key: {why}; it takes 64 hex digits, as Geth's nodekey, or an encrypted private key in PEM",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        why: String,
    },
    /// Encrypted, but no passphrase.
    #[error("the node key {} is encrypted; name the file of its passphrase in p2p.key_passphrase_file", .0.display())]
    Encrypted(PathBuf),
    /// The passphrase does not open it.
    #[error(
        "the node key {} cannot be decrypted: the passphrase in {} is wrong, or the file is damaged",
        key.display(), passphrase.display()
    )]
    Passphrase {
        /// The key.
        key: PathBuf,
        /// Where the passphrase came from.
        passphrase: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("{}: {source}; check p2p.key_file, p2p.key_passphrase_file and store.data_dir", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The key does not encrypt.
    #[error("the node key cannot be encrypted: {0}")]
    Encryption(String),
    /// The record is too large or cannot be signed.
    #[error("the node record cannot be made: {0}")]
    Record(enr::Error),
    /// Two libraries differ about what a key is.
    #[error("the node key is no scalar of the curve")]
    Curve,
}
