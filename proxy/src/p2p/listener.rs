//! Incoming connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Room;
use super::session::{self, Way};

/// Rest after the system gave no connection (no descriptors left, say).
const REST: Duration = Duration::from_millis(50);

/// Accepts until everything must end, then waits for the sessions.
pub(super) async fn run(room: Arc<Room>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = sessions.join_next() => continue,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(REST).await;
            continue;
        };
        // Whom nobody wants to hear is cut off without a word, and costs nothing more.
        let Some(knock) = room.peers.knock(address.ip()) else { continue };
        sessions.spawn(session::run(room.clone(), stream, address, Way::In(knock), stopped.clone()));
    }
    drop(listener);
    while sessions.join_next().await.is_some() {}
}
