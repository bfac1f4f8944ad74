//! The configuration as a program sees it: typed, complete, checked.
//!
//! Order: defaults < file < `conf.d/*.toml` beside it < `HYPASIS__SECTION__KEY` < flags. Unknown keys are errors.
//!
//! * [`load`]: layers become one [`Config`], which `check` and `upstreams` then go through
//! * [`show`]: that configuration without its secrets; [`default_text`], [`schema`]: what can be configured
//! * [`ConfigError`]: file, line, column, and the way out

mod check;
mod checkpoint;
mod document;
mod error;
mod known;
mod layer;
mod load;
mod p2p;
mod show;
mod units;
mod upstreams;

use std::net::SocketAddr;
use std::path::PathBuf;

use hypasis_chain::Level;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use checkpoint::parse_total;
pub use checkpoint::{CheckpointConfig, CheckpointSource};
pub use document::{default_text, schema};
pub use error::{ConfigError, EXIT_CONFIG};
pub use layer::Origin;
pub use load::load;
pub use p2p::{Blocked, DiscoveryVersion, P2pConfig, PeerUrl};
pub(crate) use p2p::{passphrase, record_of};
pub use show::show;
pub use units::{Period, Size};

/// Everything.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which chain.
    pub chain: ChainConfig,
    /// Where the history lies.
    pub store: StoreConfig,
    /// Where blocks and answers come from.
    pub upstream: Vec<UpstreamConfig>,
    /// What the store trusts.
    pub checkpoint: CheckpointConfig,
    /// How the store is filled.
    pub sync: SyncConfig,
    /// The RPC port.
    pub rpc: RpcConfig,
    /// The devp2p port.
    pub p2p: P2pConfig,
    /// The admin port.
    pub admin: AdminConfig,
    /// The development chain.
    pub dev: DevConfig,
    /// Logging.
    pub log: LogConfig,
    /// How long open requests may take after SIGTERM.
    pub shutdown_grace: Period,
}

/// `[chain]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainConfig {
    /// A built-in chain (`ethereum`, `sepolia`, `polygon`, `amoy`, `dev`) or the path of a `genesis.json`.
    pub name: Option<String>,
    /// Path of a Geth-style `genesis.json`.
    pub genesis: Option<PathBuf>,
}

/// `[store]`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Folder of the store.
    pub data_dir: PathBuf,
    /// Hot layer and database caches together.
    pub memory: Size,
    /// Oldest sections go first beyond this.
    pub max_size: Option<Size>,
    /// Blocks below the head that are taken for final where the node names no finalized block.
    pub finality_depth: u64,
    /// Most blocks of the tip window, over all forks; beyond it forward sync stops loudly.
    pub tip_blocks_max: usize,
    /// Read around the page cache.
    pub direct_reads: bool,
}

/// `[[upstream]]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Name in headers, logs and metrics; made from the position if absent. Never a URL.
    pub id: String,
    /// `http(s)://…`, `enode://…` or `enr:…` of a peer, a folder or `file://…` of archives, or `dev:`.
    pub url: String,
    /// `primary` (default) or `backup`.
    pub role: Role,
    /// Headers sent with each request; a value `@path` is read from that file.
    pub headers: std::collections::BTreeMap<String, String>,
    /// Calls a second over all traffic.
    pub rate_limit: Option<u32>,
    /// Blocks a second taken for history.
    pub fill_rate: Option<u32>,
    /// Parallel calls.
    pub concurrency: Option<usize>,
    /// Longest wait for an answer.
    pub timeout: Option<Period>,
    /// Method globs this upstream is asked; empty: all.
    pub methods: Vec<String>,
}

/// Who is asked first.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Asked first.
    #[default]
    Primary,
    /// Asked when no primary can answer.
    Backup,
}

/// `[sync]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncConfig {
    /// From the checkpoint to the head and along it.
    pub forward: ForwardConfig,
    /// From the checkpoint down to `oldest`.
    pub backward: BackwardConfig,
    /// Bytes that all workers together may hold of blocks in flight.
    pub memory: SyncMemory,
}

/// Byte budget of all sync workers.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SyncMemory(pub Size);

/// `[sync.forward]`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForwardConfig {
    /// Whether to follow the head.
    pub enabled: bool,
    /// Parallel workers.
    pub workers: usize,
    /// What is checked: `none`, `header`, `light` or `full`.
    #[schemars(with = "String")]
    pub validation: Level,
}

/// `[sync.backward]`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackwardConfig {
    /// Whether to fill history.
    pub enabled: bool,
    /// Parallel workers.
    pub workers: usize,
    /// Heights a worker claims, not a request's size.
    pub batch_size: u64,
    /// What is checked: `none`, `header`, `light` or `full`.
    #[schemars(with = "String")]
    pub validation: Level,
    /// Fill down to here; negative: keep the last N blocks.
    pub oldest: i64,
}

/// `[rpc]`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RpcConfig {
    /// Address of the RPC port.
    pub listen: SocketAddr,
    /// Largest request.
    pub max_body: Size,
    /// Most calls of a batch.
    pub max_batch: usize,
    /// Largest answer of a call or a batch; beyond: error −32003.
    pub max_response: Size,
    /// Bytes of requests and answers in flight over all clients.
    pub max_in_flight: Size,
    /// Most open connections.
    pub max_connections: usize,
    /// Longest time for a call.
    pub timeout: Period,
    /// Longest time a client may take to send a request's head or body.
    pub read_timeout: Period,
    /// Longest idle time of a kept connection.
    pub idle_timeout: Period,
    /// Methods that are allowed though a listener that is not loopback refuses them by default.
    pub allow: Vec<String>,
    /// Origins that browsers may call from; empty: none.
    pub cors: Vec<String>,
    /// `Host` values that are served; empty: all.
    pub hosts: Vec<String>,
    /// Rewrites block tags of passed calls to the hash of the served head.
    pub pin_tags: bool,
    /// Share of local answers that is checked against the node in the background, 0 to 1.
    pub shadow_share: f64,
    /// Most heights of one `eth_getLogs`; 0: no limit of our own.
    pub logs_range_max: u64,
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// Address of the admin port.
    pub listen: SocketAddr,
}

/// `[dev]`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DevConfig {
    /// Heights that exist at start.
    pub history: u64,
    /// Mean transactions of a block, 0 to 500.
    pub transactions: u32,
    /// Time between blocks.
    pub period: Period,
    /// Everything follows from this.
    pub seed: u64,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Filter in the form of `RUST_LOG`.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
    /// Time between progress lines when stderr is no terminal.
    pub progress_interval: Period,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

// === defaults ===

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            memory: Size::mib(512),
            max_size: None,
            finality_depth: 1_024,
            tip_blocks_max: 32_768,
            direct_reads: false,
        }
    }
}

impl Default for SyncMemory {
    fn default() -> Self {
        Self(Size::mib(128))
    }
}

impl Default for ForwardConfig {
    fn default() -> Self {
        Self { enabled: true, workers: 8, validation: Level::Full }
    }
}

impl Default for BackwardConfig {
    fn default() -> Self {
        Self { enabled: true, workers: 4, batch_size: 8_192, validation: Level::Full, oldest: 0 }
    }
}

impl Default for RpcConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8545)),
            max_body: Size::mib(5),
            max_batch: 1_000,
            max_response: Size::mib(25),
            max_in_flight: Size::mib(256),
            max_connections: 10_000,
            timeout: Period::secs(30),
            read_timeout: Period::secs(30),
            idle_timeout: Period::secs(120),
            allow: Vec::new(),
            cors: Vec::new(),
            hosts: Vec::new(),
            pin_tags: false,
            shadow_share: 0.001,
            logs_range_max: 0,
        }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)) }
    }
}

impl Default for DevConfig {
    fn default() -> Self {
        Self { history: 100_000, transactions: 20, period: Period::secs(1), seed: 0 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text, progress_interval: Period::secs(10) }
    }
}
