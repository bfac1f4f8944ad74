//! Where a tree is, and whose: `enrtree://<key>@<domain>`.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use secp256k1::PublicKey;

/// The scheme.
const SCHEME: &str = "enrtree://";
/// Longest name of DNS.
const DOMAIN_MAX: usize = 253;

/// A tree of node records in DNS and the key that signs its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeUrl {
    pub(super) key: PublicKey,
    /// In lower case.
    pub(super) domain: String,
}

impl FromStr for TreeUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix(SCHEME).ok_or("a list of nodes begins with enrtree://")?;
        let (key, domain) = rest.split_once('@').ok_or("there is no `@` between key and domain")?;
        let key = BASE32_NOPAD.decode(key.as_bytes()).map_err(|_| "the key is not in base32")?;
        let key = PublicKey::from_slice(&key).map_err(|_| "the key is no compressed public key")?;
        let domain = domain.trim_end_matches('.');
        let label = |label: &str| {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=63).contains(&label.len()) && label.bytes().all(legal)
        };
        if domain.len() > DOMAIN_MAX || !domain.split('.').all(label) {
            return Err(format!("{domain:?} is no name of DNS"));
        }
        Ok(Self { key, domain: domain.to_ascii_lowercase() })
    }
}

impl fmt::Display for TreeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}@{}", BASE32_NOPAD.encode(&self.key.serialize()), self.domain)
    }
}
