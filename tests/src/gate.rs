//! A network between two programs that can be split and healed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes connections on to one address, until it is shut.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    /// Bytes from behind that still pass; at 0 the gate is shut.
    left: Arc<watch::Sender<usize>>,
    turned_away: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

// === impl Gate ===

impl Gate {
    /// Passes so many bytes from `behind`, then shuts by itself: what is open is cut, what comes is turned away.
    pub async fn before(behind: SocketAddr, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let left = Arc::new(watch::Sender::new(bytes));
        let turned_away = Arc::new(AtomicUsize::new(0));
        let (quota, away) = (left.clone(), turned_away.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if *quota.borrow() == 0 {
                    away.fetch_add(1, Ordering::Relaxed);
                } else {
                    tokio::spawn(pass(stream, behind, quota.clone()));
                }
            }
        });
        Self { address, left, turned_away, task }
    }

    /// Where it is entered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is shut.
    pub fn is_shut(&self) -> bool {
        *self.left.borrow() == 0
    }

    /// Connections that found it shut.
    pub fn turned_away(&self) -> usize {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Everything passes again.
    pub fn open(&self) {
        self.left.send_replace(usize::MAX);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Both directions of one connection, until an end closes it or the gate shuts.
async fn pass(front: TcpStream, behind: SocketAddr, left: Arc<watch::Sender<usize>>) -> Option<()> {
    let behind = TcpStream::connect(behind).await.ok()?;
    let ((mut front_in, mut front_out), (mut behind_in, mut behind_out)) =
        (front.into_split(), behind.into_split());
    let mut shut = left.subscribe();
    let inwards = tokio::io::copy(&mut front_in, &mut behind_out);
    let outwards = async {
        let mut bytes = vec![0; 4_096];
        loop {
            let read = behind_in.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
            left.send_modify(|left| *left = left.saturating_sub(read));
            front_out.write_all(bytes.get(..read)?).await.ok()?;
        }
    };
    tokio::select! {
        _ = inwards => None,
        end = outwards => end,
        _ = shut.wait_for(|left| *left == 0) => None,
    }
}
