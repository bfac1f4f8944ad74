//! What the types cannot say: ranges, and settings that must fit together.

use std::collections::BTreeMap;
use std::path::Path;

use tracing_subscriber::EnvFilter;

use super::known::nearest;
use super::{ChainConfig, Config, ConfigError, Origin, RpcConfig, Size, StoreConfig, SyncConfig};
use super::{checkpoint, p2p, upstreams};

/// Chains that are built in.
const CHAINS: [&str; 5] = ["ethereum", "sepolia", "polygon", "amoy", "dev"];

/// Chains that the documentation names and this version does not have yet.
const CHAINS_PLANNED: [&str; 3] = ["bsc", "avalanche", "zkevm"];

/// Least memory that the store's caches work with.
const MEMORY_MIN: Size = Size::mib(32);

/// Least bytes of blocks in flight: room for one large answer.
const SYNC_MEMORY_MIN: Size = Size::mib(8);

/// Most workers of a direction; beyond, they only wait for each other.
const WORKERS_MAX: usize = 256;

/// Most heights that a worker may claim.
const BATCH_SIZE_MAX: u64 = 1 << 20;

/// Most transactions of a development block.
const DEV_TRANSACTIONS_MAX: u32 = 500;

/// Finds the place of a setting by its path, like `upstream.0.url`.
pub(super) type Origins<'a> = &'a dyn Fn(&str) -> Origin;

/// Checks one configuration.
pub(super) fn check(config: &Config, origins: Origins<'_>) -> Result<(), ConfigError> {
    let rules = Rules(origins);
    rules.chain(&config.chain)?;
    rules.store(&config.store)?;
    upstreams::check(config, &rules)?;
    checkpoint::check(config, &rules)?;
    rules.sync(&config.sync)?;
    rules.rpc(&config.rpc)?;
    p2p::check(config, &rules)?;
    let (rpc, admin) = (config.rpc.listen, config.admin.listen);
    rules.ensure(rpc != admin || rpc.port() == 0, "admin.listen", || {
        format!("`admin.listen` is {admin}, where the RPC port is; give it another port")
    })?;
    rules.ensure(config.dev.transactions <= DEV_TRANSACTIONS_MAX, "dev.transactions", || {
        format!("`dev.transactions` is {}; at most {DEV_TRANSACTIONS_MAX} can be", config.dev.transactions)
    })?;
    let filter = EnvFilter::try_new(&config.log.level);
    rules.ensure(filter.is_ok(), "log.level", || {
        format!(
            "`log.level` is {:?}, which is no filter; write it like \"info\" or \"hypasis=debug\"",
            config.log.level
        )
    })
}

/// Tells the place of a broken rule.
pub(super) struct Rules<'a>(Origins<'a>);

// === impl Rules ===

impl Rules<'_> {
    /// An error at `path` unless `holds`.
    pub(super) fn ensure(
        &self,
        holds: bool,
        path: &str,
        problem: impl FnOnce() -> String,
    ) -> Result<(), ConfigError> {
        if holds { Ok(()) } else { Err(ConfigError::at((self.0)(path), problem())) }
    }

    pub(super) fn within<T>(&self, path: &str, value: T, least: T, most: T) -> Result<(), ConfigError>
    where
        T: PartialOrd + std::fmt::Display,
    {
        let holds = value >= least && value <= most;
        self.ensure(holds, path, || format!("`{path}` is {value}; it must be {least} to {most}"))
    }

    fn at_least(&self, path: &str, value: Size, least: Size) -> Result<(), ConfigError> {
        self.ensure(value >= least, path, || format!("`{path}` is {value}; it must be at least {least}"))
    }

    fn chain(&self, chain: &ChainConfig) -> Result<(), ConfigError> {
        self.ensure(chain.name.is_none() || chain.genesis.is_none(), "chain.genesis", || {
            "`chain.name` and `chain.genesis` are both given; remove one of them".to_owned()
        })?;
        let Some(name) = chain.name.as_deref() else { return Ok(()) };
        self.ensure(!CHAINS_PLANNED.contains(&name), "chain.name", || {
            format!("the chain `{name}` is not built in yet; give the path of its genesis.json instead")
        })?;
        self.ensure(CHAINS.contains(&name) || Path::new(name).is_file(), "chain.name", || {
            let guess = nearest(name, CHAINS.into_iter()).map(|name| format!("did you mean `{name}`?"));
            let help = guess.unwrap_or_else(|| format!("there are {}", CHAINS.join(", ")));
            format!("`{name}` is neither a chain nor a genesis file; {help}")
        })
    }

    fn store(&self, store: &StoreConfig) -> Result<(), ConfigError> {
        self.at_least("store.memory", store.memory, MEMORY_MIN)?;
        self.within("store.finality_depth", store.finality_depth, 1, 1 << 20)?;
        let tip = store.tip_blocks_max as u64;
        self.ensure(tip > store.finality_depth, "store.tip_blocks_max", || {
            let depth = store.finality_depth;
            format!("`store.tip_blocks_max` is {tip}; it must be more than `store.finality_depth`, {depth}")
        })
    }

    fn sync(&self, sync: &SyncConfig) -> Result<(), ConfigError> {
        self.within("sync.forward.workers", sync.forward.workers, 1, WORKERS_MAX)?;
        self.within("sync.backward.workers", sync.backward.workers, 1, WORKERS_MAX)?;
        self.within("sync.backward.batch_size", sync.backward.batch_size, 1, BATCH_SIZE_MAX)?;
        self.at_least("sync.memory", sync.memory.0, SYNC_MEMORY_MIN)
    }

    fn rpc(&self, rpc: &RpcConfig) -> Result<(), ConfigError> {
        self.at_least("rpc.max_body", rpc.max_body, Size(1))?;
        self.at_least("rpc.max_response", rpc.max_response, Size(1))?;
        self.within("rpc.max_batch", rpc.max_batch, 1, 1_000_000)?;
        self.within("rpc.max_connections", rpc.max_connections, 1, 1_000_000)?;
        self.ensure(
            rpc.shadow_share.is_finite() && (0.0..=1.0).contains(&rpc.shadow_share),
            "rpc.shadow_share",
            || format!("`rpc.shadow_share` is {}; it must be 0 to 1", rpc.shadow_share),
        )?;
        for (path, period) in [
            ("rpc.timeout", rpc.timeout),
            ("rpc.read_timeout", rpc.read_timeout),
            ("rpc.idle_timeout", rpc.idle_timeout),
        ] {
            self.ensure(!period.duration().is_zero(), path, || format!("`{path}` is 0; it must be more"))?;
        }
        let one = rpc.max_body.max(rpc.max_response);
        self.ensure(rpc.max_in_flight >= one, "rpc.max_in_flight", || {
            let flight = rpc.max_in_flight;
            format!("`rpc.max_in_flight` is {flight}; one request or answer may already have {one}")
        })
    }
}

/// The first value that occurs twice, with both places.
pub(super) fn twice<'a>(values: impl Iterator<Item = &'a str>) -> Option<(usize, usize)> {
    let mut seen = BTreeMap::new();
    values.enumerate().find_map(|(place, value)| seen.insert(value, place).map(|first| (first, place)))
}
