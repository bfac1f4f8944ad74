//! Puts the rooms together, in the order in which they depend on each other.
//!
//! Listeners are bound first, so that a taken port is said before anything else is touched. Then: which chain,
//! the store, where blocks come from, the served head from the store alone, and the four services. Serving starts
//! at once; nothing waits for an upstream except the very first start of a store whose chain nobody named.

mod chain;
mod gauges;
mod upstreams;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hypasis_cache::{OpenError, Options, Store};
use hypasis_chain::ChainSpec;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::admin::{self, Admin};
use crate::config::Config;
use crate::p2p::key::{KeyFile, NodeKey, announced_ip};
use crate::p2p::{self, P2p, P2pView, PeerSources};
use crate::rpc::{self, Rpc, Submit};
use crate::served::{Served, ServedHead};
use crate::sync::{self, Sync};

/// Share of `store.memory` that the database gets; the rest holds hot blocks' rendered answers.
const DATABASE_SHARE: u64 = 2;
/// Accepted transactions that are being handed to peers at once.
const SUBMITTED_MAX: usize = 64;

/// A built appliance: everything is bound and open, nothing runs yet.
#[derive(Debug)]
pub struct App {
    store: Store,
    upstreams: upstreams::Upstreams,
    rpc: Rpc,
    sync: Sync,
    admin: Admin,
    p2p: Option<P2p>,
    enode: Option<String>,
    rpc_listener: TcpListener,
    admin_listener: TcpListener,
}

// === impl App ===

impl App {
    /// Binds, opens and connects everything; a failure here is the operator's to mend and says how. `stopped` is what
    /// [`App::run`] will be given.
    pub async fn build(config: Config, stopped: watch::Receiver<bool>) -> Result<Self> {
        let started = Instant::now();
        let rpc_listener = bind("rpc.listen", config.rpc.listen).await?;
        let admin_listener = bind("admin.listen", config.admin.listen).await?;
        let p2p_listener = match config.p2p.enabled {
            true => Some(bind("p2p.listen", config.p2p.listen).await?),
            false => None,
        };
        let plan = chain::resolve(&config).await?;
        let spec = Arc::new(plan.spec);
        let store = open_store(&config, &spec).await?;
        let mut upstreams = upstreams::build(&config, &spec, plan.dev).await?;
        let peer_sources = PeerSources::new(upstreams::peers(&config)?);
        if p2p_listener.is_some() {
            upstreams.sources.extend(peer_sources.sources());
        }
        let served = ServedHead::new(Served::default());
        let mut registry = Registry::default();
        gauges::register(&mut registry, store.clone(), upstreams.pool.clone(), served.clone());
        let sync = Sync::new(
            sync::Parts {
                config: config.sync.clone(),
                checkpoint: config.checkpoint.clone(),
                store_config: config.store.clone(),
                log: config.log.clone(),
                spec: spec.clone(),
                store: store.clone(),
                sources: upstreams.sources.clone(),
                served: served.clone(),
            },
            &mut registry,
        );
        let (p2p, enode) = match p2p_listener {
            Some(listener) => {
                let key = KeyFile::of(&config).load_or_make()?;
                let enode = enode(&config, &key, &listener);
                let parts = p2p::Parts {
                    config: config.p2p.clone(),
                    key,
                    spec: spec.clone(),
                    store: store.clone(),
                    served: served.clone(),
                    sync: sync.clone(),
                    sources: peer_sources,
                    data_dir: config.store.data_dir.clone(),
                };
                (P2p::new(parts, listener, &mut registry, stopped).await?, Some(enode))
            }
            None => (None, None),
        };
        let enode = enode.filter(|_| p2p.is_some());
        let submit =
            p2p.as_ref().filter(|_| config.p2p.submit_transactions).map(|p2p| submitting(p2p.view()));
        let rpc = Rpc::new(
            rpc::Parts {
                memory: config.store.memory.bytes() / DATABASE_SHARE,
                config: config.rpc,
                spec: spec.clone(),
                store: store.clone(),
                pool: upstreams.pool.clone(),
                served: served.clone(),
                submit,
            },
            &mut registry,
        );
        let admin = Admin::new(admin::Parts {
            spec,
            store: store.clone(),
            pool: upstreams.pool.clone(),
            rpc: rpc.clone(),
            sync: sync.clone(),
            p2p: p2p.as_ref().map(P2p::view),
            enode: enode.clone(),
            served,
            registry,
            started,
        });
        Ok(Self { store, upstreams, rpc, sync, admin, p2p, enode, rpc_listener, admin_listener })
    }

    /// The bound address of the RPC port.
    pub fn rpc_address(&self) -> SocketAddr {
        local(&self.rpc_listener)
    }

    /// The bound address of the admin port.
    pub fn admin_address(&self) -> SocketAddr {
        local(&self.admin_listener)
    }

    /// `enode://…`, if the devp2p port is open.
    pub fn enode(&self) -> Option<&str> {
        self.enode.as_deref()
    }

    /// Serves until `stopped` turns true, then drains for at most `grace` and closes the store.
    pub async fn run(self, stopped: watch::Receiver<bool>, grace: Duration) -> Result<()> {
        let followers = self.upstreams.spawn(stopped.clone());
        let sync = tokio::spawn(self.sync.run(stopped.clone()));
        let rpc = tokio::spawn(self.rpc.serve(self.rpc_listener, stopped.clone()));
        let p2p = tokio::spawn({
            let stopped = stopped.clone();
            async move {
                if let Some(p2p) = self.p2p {
                    p2p.run(stopped).await
                }
            }
        });
        // The admin port outlives the drain, so that readiness can be seen failing.
        let (close_admin, admin_closed) = watch::channel(false);
        let admin = tokio::spawn(self.admin.serve(self.admin_listener, stopped.clone(), admin_closed));
        let mut stopping = stopped.clone();
        let _ = stopping.wait_for(|stop| *stop).await;
        let drained = async {
            let _ = rpc.await;
            let _ = p2p.await;
            let _ = sync.await;
        };
        if tokio::time::timeout(grace, drained).await.is_err() {
            tracing::warn!(
                ?grace,
                "Requests were still open at the end of the grace period and are cut off."
            );
        }
        drop(followers);
        let store = self.store;
        tokio::task::spawn_blocking(move || store.close()).await.context("closing the store")??;
        close_admin.send_replace(true);
        let _ = admin.await;
        Ok(())
    }
}

/// Opens the configured store, in a way, for work without a network; the chain must be named.
pub fn offline(
    config: &Config,
    open: impl FnOnce(&Options) -> Result<Store, OpenError>,
) -> Result<(Store, ChainSpec)> {
    let mut alone = config.clone();
    alone.upstream.clear();
    let plan = tokio::runtime::Builder::new_current_thread().build()?.block_on(chain::resolve(&alone))?;
    let store = open(&options(config, Arc::new(plan.spec.clone())))?;
    Ok((store, plan.spec))
}

/// Hands on to peers what a node has accepted. The caller does not wait, and where too many are under way the node's
/// own peers must do.
fn submitting(view: P2pView) -> Submit {
    let places = Arc::new(Semaphore::new(SUBMITTED_MAX));
    Submit::new(move |raw| {
        let Ok(place) = places.clone().try_acquire_owned() else { return };
        let view = view.clone();
        tokio::spawn(async move {
            if let Some(Err(why)) = view.submit(raw).await {
                tracing::debug!(%why, "A transaction that a node accepted is not passed on to peers.");
            }
            drop(place);
        });
    })
}

/// Who and where this node is.
fn enode(config: &Config, key: &NodeKey, listener: &TcpListener) -> String {
    let port = local(listener).port();
    key.enode(announced_ip(&config.p2p), port, port)
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{key} = \"{address}\" cannot be bound"))
}

fn local(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
}

async fn open_store(config: &Config, spec: &Arc<ChainSpec>) -> Result<Store> {
    let options = options(config, spec.clone());
    std::fs::create_dir_all(&config.store.data_dir)
        .with_context(|| format!("store.data_dir = {} cannot be made", config.store.data_dir.display()))?;
    let opened =
        tokio::task::spawn_blocking(move || Store::open(&options)).await.context("opening the store")?;
    Ok(opened?)
}

fn options(config: &Config, spec: Arc<ChainSpec>) -> Options {
    Options {
        path: config.store.data_dir.join("store"),
        memory: config.store.memory.bytes() / DATABASE_SHARE,
        chain_id: spec.chain_id,
        genesis_hash: spec.genesis_hash,
        direct_reads: config.store.direct_reads,
        tip_blocks_max: config.store.tip_blocks_max,
        spec: Some(spec),
    }
}
