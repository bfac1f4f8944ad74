//! The configured upstreams: nodes in the pool, archives and the development chain beside them as sources.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use hypasis_chain::ChainSpec;
use hypasis_chain::dev::DevChain;
use hypasis_upstream::archive::ArchiveSource;
use hypasis_upstream::dev::{DevNode, DevSource};
use hypasis_upstream::rpc::ProbedChain;
use hypasis_upstream::{
    ExpectedChain, FollowOptions, NodeOptions, Pool, PoolOptions, Role, Source, probe_chain,
};
use hypasis_wire::node::NodeRecord;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{self, Config, PeerUrl, UpstreamConfig};

/// Id of the development chain where no upstream was configured for it.
const DEV_ID: &str = "dev";

/// Everything that blocks and answers come from.
#[derive(Debug)]
pub(super) struct Upstreams {
    /// User traffic.
    pub(super) pool: Pool,
    /// Blocks for sync.
    pub(super) sources: Vec<Arc<dyn Source>>,
    dev: Option<Development>,
}

/// The development chain: its blocks are handed over in process, its node answers what the store cannot.
#[derive(Debug)]
struct Development {
    source: Arc<DevSource>,
    node: Arc<DevNode>,
    listener: TcpListener,
}

/// Asks the configured nodes which chain they are on.
pub(super) async fn probe(config: &Config) -> Result<ProbedChain> {
    let nodes = nodes(config)?;
    Ok(probe_chain(&nodes).await?)
}

/// Builds all upstreams; none needs to be reachable, but archives must be readable.
pub(super) async fn build(
    config: &Config,
    spec: &Arc<ChainSpec>,
    dev: Option<Arc<DevChain>>,
) -> Result<Upstreams> {
    let mut nodes = nodes(config)?;
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    let dev = match dev {
        Some(chain) => {
            let development = Development::new(dev_id(config), chain).await?;
            nodes.push(development.options()?);
            sources.push(development.source.clone());
            Some(development)
        }
        None => None,
    };
    for (upstream, id) in with_ids(config).filter(|(upstream, _)| upstream.scheme() == "file") {
        let path = PathBuf::from(upstream.url.strip_prefix("file://").unwrap_or(&upstream.url));
        let archive = ArchiveSource::open(id.as_str().into(), path).await;
        sources.push(Arc::new(archive.with_context(|| format!("upstream {id}"))?));
    }
    let options = PoolOptions {
        deadline: config.rpc.timeout.duration(),
        response_bytes_max: config.rpc.max_response.bytes(),
        follow: FollowOptions::default(),
        ..PoolOptions::default()
    };
    let expected = ExpectedChain { chain_id: Some(spec.chain_id), genesis_hash: spec.genesis_hash };
    let pool = Pool::new(&nodes, options, expected)?;
    let fetched_in_process = dev.as_ref().map(|development| development.source.id().clone());
    sources.extend(
        pool.sources_of(spec).into_iter().filter(|source| Some(source.id()) != fetched_in_process.as_ref()),
    );
    Ok(Upstreams { pool, sources, dev })
}

// === impl Upstreams ===

impl Upstreams {
    /// Starts following the nodes and, if there is one, minting the development chain.
    pub(super) fn spawn(self, mut stopped: watch::Receiver<bool>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let mut followers = self.pool.spawn();
        tasks.spawn(async move { while followers.join_next().await.is_some() {} });
        if let Some(Development { source, node, listener }) = self.dev {
            tasks.spawn(async move {
                if let Err(error) = node.serve(listener).await {
                    tracing::error!(%error, "The development node stopped answering; restart the program.");
                }
            });
            tasks.spawn(async move {
                let blocks = source.chain().options().history;
                tracing::info!(
                    blocks,
                    "The development chain mints its history; its head is known when that is done."
                );
                tokio::select! {
                    outcome = source.run() => if let Err(error) = outcome {
                        tracing::error!(%error, "The development chain stopped; restart the program.");
                    },
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            });
        }
        tasks
    }
}

// === impl Development ===

impl Development {
    async fn new(id: String, chain: Arc<DevChain>) -> Result<Self> {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.context("a loopback port for the development node")?;
        let source = Arc::new(DevSource::new(id.as_str().into(), chain.clone()));
        Ok(Self { source, node: DevNode::new(chain), listener })
    }

    fn options(&self) -> Result<NodeOptions> {
        let address = self.listener.local_addr()?;
        Ok(NodeOptions::new(self.source.id().as_ref(), format!("http://{address}")))
    }
}

/// The nodes among the upstreams.
fn nodes(config: &Config) -> Result<Vec<NodeOptions>> {
    let mut nodes = Vec::new();
    for (upstream, id) in with_ids(config) {
        match upstream.scheme() {
            "http" | "https" => nodes.push(node(upstream, id)?),
            "file" | "dev" | "enode" | "enr" => {}
            scheme => bail!(
                "upstream {id}: `{scheme}:` is not built yet; use http(s)://, enode://, a folder of archives, or dev:"
            ),
        }
    }
    Ok(nodes)
}

fn node(upstream: &UpstreamConfig, id: String) -> Result<NodeOptions> {
    let defaults = NodeOptions::new(id, upstream.url.clone());
    Ok(NodeOptions {
        role: match upstream.role {
            config::Role::Primary => Role::Primary,
            config::Role::Backup => Role::Backup,
        },
        headers: upstream.header_values()?.into_iter().collect(),
        rate_limit: upstream.rate_limit,
        fill_rate: upstream.fill_rate,
        concurrency: upstream.concurrency.unwrap_or(defaults.concurrency),
        timeout: upstream.timeout.map_or(defaults.timeout, config::Period::duration),
        methods: upstream.methods.clone(),
        ..defaults
    })
}

/// The peers among the upstreams.
pub(super) fn peers(config: &Config) -> Result<Vec<(Arc<str>, NodeRecord)>> {
    let peers = with_ids(config).filter(|(upstream, _)| matches!(upstream.scheme(), "enode" | "enr"));
    let peers = peers.map(|(upstream, id)| {
        let url: PeerUrl = upstream.url.parse().map_err(|error| anyhow!("upstream {id}: {error}"))?;
        Ok((id.as_str().into(), url.record()))
    });
    peers.collect()
}

/// Each upstream with its id, made from its position where none was given.
fn with_ids(config: &Config) -> impl Iterator<Item = (&UpstreamConfig, String)> {
    config.upstream.iter().enumerate().map(|(position, upstream)| {
        let given = !upstream.id.is_empty();
        (upstream, if given { upstream.id.clone() } else { format!("upstream-{}", position + 1) })
    })
}

fn dev_id(config: &Config) -> String {
    let configured = with_ids(config).find(|(upstream, _)| upstream.scheme() == "dev");
    configured.filter(|(upstream, _)| !upstream.id.is_empty()).map_or_else(|| DEV_ID.to_owned(), |(_, id)| id)
}
