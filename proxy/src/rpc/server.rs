//! The listener: accepts, bounds, serves, drains.
//!
//! A task a connection. Waiting clients cost a timer each, not one a request: a connection keeps the time of its
//! last step and is looked at now and then ([`pace`]), so that a slow head, a client that stopped reading and an
//! idle connection end within their limits, give or take a look.

mod pace;
mod turn;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::stack::Stack;
use pace::{Pace, Paced, Patience};
use turn::Turn;

/// Most header lines of a request, and most bytes of its head.
const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 32 * 1_024;
/// Pause after a failing accept (out of file descriptors, mostly): without one it would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long connections may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// For a request's head.
    pub(crate) read: Duration,
    /// Between requests, and for a client to take what was written.
    pub(crate) idle: Duration,
}

/// Serves until `shutdown` turns true, then lets open requests end.
pub(crate) async fn serve(
    stack: Arc<Stack>,
    listener: TcpListener,
    connections_max: usize,
    times: Times,
    mut shutdown: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
    let mut open = JoinSet::new();
    loop {
        // No room, no accept: the kernel's queue holds the next ones.
        let accepted = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            accepted = accepted => accepted,
            Some(_) = open.join_next() => continue,
            _ = shutdown.wait_for(|down| *down) => break,
        };
        match accepted {
            Ok((socket, _)) => {
                let (stack, shutdown) = (Arc::clone(&stack), shutdown.clone());
                open.spawn(async move {
                    let _permit = permit;
                    stack.core.metrics.connections.inc();
                    connection(&stack, socket, times, shutdown).await;
                    stack.core.metrics.connections.dec();
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Serves one connection to its end.
async fn connection(
    stack: &Arc<Stack>,
    socket: TcpStream,
    times: Times,
    mut shutdown: watch::Receiver<bool>,
) {
    // Answers are written whole: waiting to fill a segment would only delay them.
    let _ = socket.set_nodelay(true);
    let pace = Arc::new(Pace::new());
    let service = service_fn(|request| {
        let (stack, pace) = (Arc::clone(stack), Arc::clone(&pace));
        async move {
            pace.serving();
            let response = stack.serve(request).await;
            if response.status().is_client_error() {
                pace.linger();
            }
            pace.answered();
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    // No gathering of answers over pipelined requests: it would hold an answer back behind the unread rest of a body,
    // or behind the first half of the next head.
    builder.pipeline_flush(false).keep_alive(true).half_close(false).header_read_timeout(None);
    builder.max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
    let served = builder.serve_connection(TokioIo::new(Paced::new(socket, Arc::clone(&pace))), service);
    let mut served = std::pin::pin!(served);
    let mut served = Turn::new(served.as_mut());
    let mut look = tokio::time::interval(pace::look_every(times));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut draining = false;
    loop {
        tokio::select! {
            biased;
            // What goes wrong on a connection is its client's affair.
            _ = &mut served => return,
            _ = shutdown.wait_for(|down| *down), if !draining => {
                draining = true;
                served.inner().graceful_shutdown();
            }
            _ = look.tick() => match pace.patience(times) {
                Patience::Left => {}
                Patience::Gone => return,
            },
        }
    }
}
