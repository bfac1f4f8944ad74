//! `hypasis run`: configuration, logs, runtime, build, announce, serve, drain. SIGHUP reads the configuration again.

use anyhow::Context;
use hypasis_chain::keccak;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::reload::Reload;
use super::{Failure, Flags, descriptors, logs, print};
use crate::app::App;
use crate::config::Config;

pub(super) fn run(flags: &Flags) -> Result<(), Failure> {
    let config = flags.config()?;
    let level = logs::start(&config.log)?;
    descriptors::raise_limit();
    let reload = Reload::new(flags.clone(), level, config.clone());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), vector_units = keccak::units(), "Hypasis starts.");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("hypasis")
        .build()
        .context("the runtime does not start")?;
    runtime.block_on(serve(config, reload))?;
    // Reads that hang in the kernel must not hold up the end; the store is closed by now.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    Ok(())
}

async fn serve(config: Config, reload: Reload) -> Result<(), Failure> {
    // Listened for before anything is built: a reload while a large store opens must not end the process.
    let hangups = tokio::spawn(hangups(signal(SignalKind::hangup()), reload));
    let grace = config.shutdown_grace.duration();
    let (stop, stopped) = watch::channel(false);
    let app = App::build(config, stopped.clone()).await?;
    let (rpc, admin) = (app.rpc_address(), app.admin_address());
    let enode = app.enode().map(|enode| format!("p2p    {enode}\n")).unwrap_or_default();
    print(format!("RPC    http://{rpc}\n{enode}admin  http://{admin}/api/v1/status\n").as_bytes())?;
    let signals = tokio::spawn(async move {
        if let Err(error) = terminated().await {
            tracing::error!(%error, "Signals cannot be received; stop the process by killing it.");
            std::future::pending::<()>().await;
        }
        tracing::info!("Draining: readiness fails, open requests end, the store is synced.");
        stop.send_replace(true);
        // A second signal ends it at once: what is durable stays durable.
        let _ = terminated().await;
    });
    tokio::select! {
        outcome = app.run(stopped, grace) => outcome?,
        _ = signals => return Err(anyhow::anyhow!("stopped at once by a second signal").into()),
    }
    hangups.abort();
    tracing::info!("Hypasis has stopped.");
    Ok(())
}

/// Reads the configuration again at each SIGHUP.
async fn hangups(signal: std::io::Result<Signal>, mut reload: Reload) {
    match signal {
        Ok(mut hangup) => {
            while hangup.recv().await.is_some() {
                reload.now();
            }
        }
        Err(error) => tracing::error!(%error, "SIGHUP cannot be received; a reload takes a restart."),
    }
}

/// Waits for SIGTERM or SIGINT.
async fn terminated() -> Result<(), std::io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
