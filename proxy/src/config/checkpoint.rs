//! `[checkpoint]`: where trust starts, and who vouches for later blocks.

use std::path::PathBuf;

use alloy_primitives::{Address, B256, U256};
use hypasis_upstream::checkpoint::signed::{SIGNATURES_MAX, Signers};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

use super::check::{Rules, twice};
use super::{Config, ConfigError, Period};

/// Most endpoints of a kind.
const ENDPOINTS_MAX: usize = 16;
/// Chains whose contract on L1 is built in.
const WITH_ROOT_CHAIN: [&str; 2] = ["polygon", "amoy"];

/// `[checkpoint]`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// `upstream`, `static`, `signed` or `ethereum-l1`.
    pub source: CheckpointSource,
    /// Height (static).
    pub number: Option<u64>,
    /// Block hash (static).
    #[schemars(with = "Option<String>")]
    pub hash: Option<B256>,
    /// Total difficulty up to and with that block, if it is known: decimal, or hex with 0x (static).
    #[schemars(with = "Option<String>")]
    #[serde(deserialize_with = "total", serialize_with = "decimal")]
    pub total_difficulty: Option<U256>,
    /// Checkpoint file (signed).
    pub file: Option<PathBuf>,
    /// Addresses of those who may sign it (signed).
    #[schemars(with = "Vec<String>")]
    pub signers: Vec<Address>,
    /// How many different ones of them must have signed it (signed); if absent, more than half.
    pub threshold: Option<usize>,
    /// JSON-RPC endpoints of Ethereum (ethereum-l1); where there are two or more, two or more must say the same.
    pub l1_urls: Vec<String>,
    /// Address of the RootChain contract (ethereum-l1); known for `polygon` and `amoy`.
    #[schemars(with = "Option<String>")]
    pub root_chain: Option<Address>,
    /// Time between two looks at L1.
    pub poll_interval: Period,
    /// REST interfaces of Heimdall (Polygon, with any source): spans and milestones.
    pub heimdall_urls: Vec<String>,
}

/// Where trust starts.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointSource {
    /// Trust on first use: what the upstreams agree to be finalized, said loudly.
    #[default]
    Upstream,
    /// The configured number and hash.
    Static,
    /// A file with enough signatures of configured signers.
    Signed,
    /// Polygon's checkpoints in its contract on Ethereum.
    #[serde(rename = "ethereum-l1")]
    EthereumL1,
}

// === impl CheckpointConfig ===

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self {
            source: CheckpointSource::default(),
            number: None,
            hash: None,
            total_difficulty: None,
            file: None,
            signers: Vec::new(),
            threshold: None,
            l1_urls: Vec::new(),
            root_chain: None,
            poll_interval: Period::secs(12),
            heimdall_urls: Vec::new(),
        }
    }
}

impl CheckpointConfig {
    /// Who must have signed the file.
    pub fn signers(&self) -> Signers {
        let addresses: std::collections::BTreeSet<_> = self.signers.iter().copied().collect();
        let threshold = self.threshold.unwrap_or((addresses.len() / 2).saturating_add(1));
        Signers { addresses, threshold }
    }
}

// === impl CheckpointSource ===

impl CheckpointSource {
    /// As it is written in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Static => "static",
            Self::Signed => "signed",
            Self::EthereumL1 => "ethereum-l1",
        }
    }
}

/// Checks that what the source needs is there, and that nothing is there that another source would need.
pub(super) fn check(config: &Config, rules: &Rules<'_>) -> Result<(), ConfigError> {
    let checkpoint = &config.checkpoint;
    let source = checkpoint.source;
    let needs = |holds: bool, what: &str| {
        rules.ensure(holds, "checkpoint.source", || {
            format!("`checkpoint.source` is \"{}\", which needs {what}", source.name())
        })
    };
    let is = |wanted: CheckpointSource| source == wanted;
    if is(CheckpointSource::Static) {
        let both = checkpoint.number.is_some() && checkpoint.hash.is_some();
        needs(both, "`checkpoint.number` and `checkpoint.hash`")?;
    }
    if is(CheckpointSource::Signed) {
        let both = checkpoint.file.is_some() && !checkpoint.signers.is_empty();
        needs(both, "`checkpoint.file` and `checkpoint.signers`")?;
    }
    if is(CheckpointSource::EthereumL1) {
        needs(!checkpoint.l1_urls.is_empty(), "`checkpoint.l1_urls`")?;
        let known = config.chain.name.as_deref().is_none_or(|name| WITH_ROOT_CHAIN.contains(&name));
        let known = known && config.chain.genesis.is_none();
        needs(
            known || checkpoint.root_chain.is_some(),
            "`checkpoint.root_chain` on this chain: the contract is known for polygon and amoy alone",
        )?;
    }
    for (key, given, wanted) in [
        ("number", checkpoint.number.is_some(), CheckpointSource::Static),
        ("hash", checkpoint.hash.is_some(), CheckpointSource::Static),
        ("total_difficulty", checkpoint.total_difficulty.is_some(), CheckpointSource::Static),
        ("file", checkpoint.file.is_some(), CheckpointSource::Signed),
        ("signers", !checkpoint.signers.is_empty(), CheckpointSource::Signed),
        ("threshold", checkpoint.threshold.is_some(), CheckpointSource::Signed),
        ("l1_urls", !checkpoint.l1_urls.is_empty(), CheckpointSource::EthereumL1),
        ("root_chain", checkpoint.root_chain.is_some(), CheckpointSource::EthereumL1),
    ] {
        let path = format!("checkpoint.{key}");
        rules.ensure(!given || is(wanted), &path, || {
            let name = wanted.name();
            format!("`{path}` is for `checkpoint.source = \"{name}\"`; set that, or remove it")
        })?;
    }
    check_signers(checkpoint, rules)?;
    urls("checkpoint.l1_urls", &checkpoint.l1_urls, rules)?;
    urls("checkpoint.heimdall_urls", &checkpoint.heimdall_urls, rules)?;
    let path = "checkpoint.poll_interval";
    rules.ensure(!checkpoint.poll_interval.duration().is_zero(), path, || {
        format!("`{path}` is 0; it must be more")
    })
}

fn check_signers(checkpoint: &CheckpointConfig, rules: &Rules<'_>) -> Result<(), ConfigError> {
    let signers = &checkpoint.signers;
    let path = "checkpoint.signers";
    rules.ensure(signers.len() <= SIGNATURES_MAX, path, || {
        format!("`{path}` has {} addresses; at most {SIGNATURES_MAX} can be", signers.len())
    })?;
    let texts: Vec<_> = signers.iter().map(ToString::to_string).collect();
    if let Some((_, place)) = twice(texts.iter().map(String::as_str)) {
        let signer = texts.get(place).cloned().unwrap_or_default();
        return rules.ensure(false, path, || format!("`{path}` has {signer} twice; remove one"));
    }
    match checkpoint.threshold {
        Some(threshold) => rules.within("checkpoint.threshold", threshold, 1, signers.len()),
        None => Ok(()),
    }
}

/// No message shows a URL: it may hold a secret.
fn urls(path: &str, urls: &[String], rules: &Rules<'_>) -> Result<(), ConfigError> {
    rules.ensure(urls.len() <= ENDPOINTS_MAX, path, || {
        format!("`{path}` has {} URLs; at most {ENDPOINTS_MAX} can be", urls.len())
    })?;
    for (place, url) in (1..).zip(urls) {
        let url = Url::parse(url);
        let fine = url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
        rules.ensure(fine, path, || {
            format!("`{path}`: URL {place} cannot be read; write it like https://host:port/path")
        })?;
    }
    match twice(urls.iter().map(String::as_str)) {
        None => Ok(()),
        Some((first, second)) => rules.ensure(false, path, || {
            format!("`{path}`: URLs {} and {} are the same; two endpoints must be two", first + 1, second + 1)
        }),
    }
}

/// A number, or its digits as text: TOML's own numbers end at 2⁶³.
fn total<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<U256>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Total {
        Number(u64),
        Text(String),
    }
    match Option::<Total>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Total::Number(number)) => Ok(Some(U256::from(number))),
        Some(Total::Text(text)) => parse_total(&text).map(Some).map_err(de::Error::custom),
    }
}

/// A total difficulty: decimal, or hex with `0x`.
pub(crate) fn parse_total(text: &str) -> Result<U256, String> {
    // No digits at all would be zero.
    let total = match text {
        "" | "0x" => None,
        text => text.parse().ok(),
    };
    total.ok_or_else(|| format!("{text:?} is no total difficulty; write it like \"123\" or \"0x7b\""))
}

fn decimal<S: Serializer>(total: &Option<U256>, serializer: S) -> Result<S::Ok, S::Error> {
    total.map(|total| total.to_string()).serialize(serializer)
}
