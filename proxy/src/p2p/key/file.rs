//! The key's file: read, made, rotated.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use k256::elliptic_curve::zeroize::Zeroizing;
use k256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use secp256k1::SecretKey;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::{KeyError, NodeKey};
use crate::config::{Config, passphrase};

/// Name of the file in the data directory, as Geth has it.
const FILE_NAME: &str = "nodekey";

/// Largest file that can be a key: a PEM of one has about 400 bytes.
const FILE_BYTES_MAX: u64 = 4 << 10;

/// Digits of a plain key.
const HEX_DIGITS: usize = 64;

/// First line of an encrypted key.
const PEM_MARK: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// Permission bits of the group and of all others.
const OTHERS: u32 = 0o077;

/// Where the node key lies, and what encrypts it there.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
    passphrase: Option<PathBuf>,
}

// === impl KeyFile ===

impl KeyFile {
    /// The configured one.
    pub fn of(config: &Config) -> Self {
        let path = config.p2p.key_file.clone().unwrap_or_else(|| config.store.data_dir.join(FILE_NAME));
        Self { path, passphrase: config.p2p.key_passphrase_file.clone() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the key. An encrypted one takes a good part of a second: that is what scrypt is for.
    pub fn load(&self) -> Result<NodeKey, KeyError> {
        self.read().map(|(key, _)| key)
    }

    /// Reads the key; makes it at the first run. A plain key whose passphrase has been configured since is encrypted.
    pub fn load_or_make(&self) -> Result<NodeKey, KeyError> {
        match self.read() {
            Ok((key, Form::Plain)) if self.passphrase.is_some() => {
                self.replace(&key)?;
                tracing::info!(path = %self.path.display(), "The node key was plain; it is encrypted now.");
                Ok(key)
            }
            Ok((key, _)) => Ok(key),
            Err(KeyError::Missing(_)) => match self.make() {
                // Another process was first: its key is the one.
                Err(KeyError::Exists(_)) => self.load(),
                made => made,
            },
            Err(error) => Err(error),
        }
    }

    /// Makes a key where there is none.
    pub fn make(&self) -> Result<NodeKey, KeyError> {
        let key = NodeKey::random();
        let draft = self.draft(&key)?;
        // A link never replaces what is there, a rename does.
        match fs::hard_link(&draft.0, &self.path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(KeyError::Exists(self.path.clone()))
            }
            linked => linked.and_then(|()| draft.remove()).map_err(|error| self.failed(error)),
        }?;
        sync_folder(&self.path).map_err(|error| self.failed(error)).map(|()| key)
    }

    /// Makes a new key in the place of the present one, which stays beside it under a dated name; encrypted, if it was
    /// plain and a passphrase has been configured since. At every moment there is a whole key in the place.
    pub fn rotate(&self) -> Result<(NodeKey, PathBuf), KeyError> {
        // What cannot be read is not replaced: it may be the wrong file.
        let (present, form) = self.read()?;
        let key = NodeKey::random();
        let old = self.dated();
        let linked = if form == Form::Plain && self.passphrase.is_some() {
            let draft = self.draft(&present)?;
            fs::hard_link(&draft.0, &old)
        } else {
            fs::hard_link(&self.path, &old)
        };
        match linked {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(KeyError::Exists(old)),
            linked => linked.map_err(|error| self.failed(error))?,
        }
        self.replace(&key)?;
        Ok((key, old))
    }

    fn replace(&self, key: &NodeKey) -> Result<(), KeyError> {
        let draft = self.draft(key)?;
        fs::rename(&draft.0, &self.path)
            .and_then(|()| sync_folder(&self.path))
            .map_err(|error| self.failed(error))
    }

    fn read(&self) -> Result<(NodeKey, Form), KeyError> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(KeyError::Missing(self.path.clone()));
            }
            opened => opened.map_err(|error| self.failed(error))?,
        };
        let mode = file.metadata().map_err(|error| self.failed(error))?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(KeyError::Readable { path: self.path.display().to_string(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
        match read {
            Ok(bytes) if bytes as u64 > FILE_BYTES_MAX => {
                return Err(self.no_key(format!("it has more than {FILE_BYTES_MAX} bytes")));
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(self.no_key("it is not text"));
            }
            read => read.map_err(|error| self.failed(error))?,
        };
        if text.trim_start().starts_with(PEM_MARK) {
            return self.decrypt(&text).map(|key| (key, Form::Encrypted));
        }
        self.parse(text.trim()).map(|key| (key, Form::Plain))
    }

    fn parse(&self, text: &str) -> Result<NodeKey, KeyError> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.len() != HEX_DIGITS {
            return Err(self.no_key(format!("it has {} characters", digits.len())));
        }
        let bytes = const_hex::decode_to_array(digits)
            .map_err(|_| self.no_key("it has other characters than hex digits"))?;
        let key = SecretKey::from_byte_array(bytes);
        key.map(NodeKey).map_err(|_| self.no_key("the number is zero or beyond the curve's order"))
    }

    fn decrypt(&self, pem: &str) -> Result<NodeKey, KeyError> {
        let Some(source) = &self.passphrase else { return Err(KeyError::Encrypted(self.path.clone())) };
        let wrong = || KeyError::Passphrase { key: self.path.clone(), passphrase: source.clone() };
        let key = k256::SecretKey::from_pkcs8_encrypted_pem(pem.trim(), secret(source)?.as_bytes());
        let bytes = key.map_err(|_| wrong())?.to_bytes();
        SecretKey::from_byte_array(bytes.into()).map(NodeKey).map_err(|_| wrong())
    }

    /// What stands in the file.
    fn text(&self, key: &NodeKey) -> Result<Zeroizing<String>, KeyError> {
        let bytes = Zeroizing::new(key.0.secret_bytes());
        let Some(source) = &self.passphrase else {
            return Ok(Zeroizing::new(const_hex::encode(*bytes)));
        };
        let key = k256::SecretKey::from_slice(&*bytes).map_err(|_| KeyError::Curve)?;
        key.to_pkcs8_encrypted_pem(secret(source)?.as_bytes(), LineEnding::LF)
            .map_err(|error| KeyError::Encryption(error.to_string()))
    }

    /// A synced file beside the key's place, under a name that no other process writes to.
    fn draft(&self, key: &NodeKey) -> Result<Draft, KeyError> {
        let text = self.text(key)?;
        let draft = Draft(self.beside(&format!(".{:016x}.draft", rand::random::<u64>())));
        let write = || -> io::Result<()> {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.0)?;
            // The umask may have taken bits away.
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| self.failed(error)).map(|()| draft)
    }

    /// `nodekey.2026-11-21T14-40-05Z`
    fn dated(&self) -> PathBuf {
        let mut time = String::new();
        // A string takes all that is written.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        let seconds = time.split('.').next().unwrap_or_default().replace(':', "-");
        self.beside(&format!(".{seconds}Z"))
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    fn failed(&self, source: io::Error) -> KeyError {
        KeyError::File { path: self.path.clone(), source }
    }

    fn no_key(&self, why: impl Into<String>) -> KeyError {
        KeyError::NoKey { path: self.path.clone(), why: why.into() }
    }
}

/// A file that is gone when it is dropped, unless it was renamed.
#[derive(Debug)]
struct Draft(PathBuf);

// === impl Draft ===

impl Draft {
    fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.0)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It may have been renamed or removed, and nobody waits for the outcome.
        let _ = fs::remove_file(&self.0);
    }
}

/// How a key was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Encrypted,
}

fn secret(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    passphrase(path).map(Zeroizing::new).map_err(failed)
}

/// A name is durable when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
