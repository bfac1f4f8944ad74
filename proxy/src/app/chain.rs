//! Which chain this appliance serves.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use hypasis_chain::ChainSpec;
use hypasis_chain::dev::{DevChain, DevOptions};

use crate::config::Config;

/// The chain, and its mint if it is the development chain.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spec: ChainSpec,
    pub(super) dev: Option<Arc<DevChain>>,
}

/// Decides the chain: the configured name or genesis file; `dev` where neither chain nor upstream is given; else
/// what the upstreams say of themselves (chain id and block 0).
pub(super) async fn resolve(config: &Config) -> Result<Plan> {
    let wants_dev = config.upstream.iter().any(|upstream| upstream.url.starts_with("dev:"));
    let name = match (&config.chain.name, config.upstream.is_empty()) {
        (None, true) if config.chain.genesis.is_none() => Some("dev"),
        (name, _) => name.as_deref(),
    };
    if name == Some("dev") || (name.is_none() && wants_dev) {
        let dev = Arc::new(mint(config)?);
        return Ok(Plan { spec: dev.spec(), dev: Some(dev) });
    }
    if wants_dev {
        bail!("an upstream `dev:` serves the development chain alone: drop chain.name or set it to \"dev\"");
    }
    let spec = match (&config.chain.genesis, name) {
        (Some(path), _) => from_file(path)?,
        (None, Some(name)) => named(name)?,
        (None, None) => probe(config).await?,
    };
    Ok(Plan { spec, dev: None })
}

fn named(name: &str) -> Result<ChainSpec> {
    if let Some(spec) = ChainSpec::named(name) {
        return Ok(spec);
    }
    if Path::new(name).exists() {
        return from_file(Path::new(name));
    }
    bail!("chain `{name}` is neither built in (ethereum, sepolia, polygon, amoy, dev) nor a genesis file")
}

fn from_file(path: &Path) -> Result<ChainSpec> {
    let text = std::fs::read(path).with_context(|| format!("genesis file {}", path.display()))?;
    ChainSpec::from_genesis_json(&text).with_context(|| format!("genesis file {}", path.display()))
}

async fn probe(config: &Config) -> Result<ChainSpec> {
    let identity = super::upstreams::probe(config).await.map_err(|error| {
        anyhow!("no upstream says which chain it is on ({error}); start one, or name the chain with --chain")
    })?;
    let known = ChainSpec::known(identity.chain_id, identity.genesis_hash);
    Ok(known.unwrap_or_else(|| {
        tracing::warn!(
            chain_id = identity.chain_id,
            "This chain is not built in: fields that depend on its forks pass through. A genesis file (--chain \
             genesis.json) tells its forks."
        );
        ChainSpec::unknown(identity.chain_id, identity.genesis_hash)
    }))
}

/// Makes the development chain. Its genesis time is kept beside the store: block 0 must be the same after a
/// restart.
fn mint(config: &Config) -> Result<DevChain> {
    let options = DevOptions {
        history: config.dev.history,
        transactions: config.dev.transactions,
        period_ms: u64::try_from(config.dev.period.duration().as_millis()).unwrap_or(u64::MAX),
        seed: config.dev.seed,
    };
    let path = config.store.data_dir.join("dev-genesis-time");
    let time = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().with_context(|| format!("{} holds no time", path.display()))?,
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
            let time = now.saturating_sub(options.history.saturating_mul(options.period_ms) / 1_000);
            std::fs::create_dir_all(&config.store.data_dir)
                .and_then(|()| std::fs::write(&path, time.to_string()))
                .with_context(|| format!("{} cannot be written", path.display()))?;
            time
        }
    };
    Ok(DevChain::new(options, time))
}
