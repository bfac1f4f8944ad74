//! A TCP connection that can stop in the middle of what it writes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// A connection with a tap.
#[derive(Debug)]
pub(super) struct Transport {
    stream: TcpStream,
    tap: Arc<Tap>,
}

/// How much more may be written.
#[derive(Debug)]
pub(super) struct Tap {
    bytes: AtomicUsize,
    dry: Notify,
}

// === impl Transport ===

impl Transport {
    /// The tap is open.
    pub(super) fn new(stream: TcpStream) -> (Self, Arc<Tap>) {
        let tap = Arc::new(Tap { bytes: AtomicUsize::new(usize::MAX), dry: Notify::new() });
        (Self { stream, tap: Arc::clone(&tap) }, tap)
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let left = this.tap.bytes.load(Ordering::Relaxed);
        if left == 0 && !bytes.is_empty() {
            this.tap.dry.notify_one();
            return Poll::Pending;
        }
        let bytes = bytes.get(..left).unwrap_or(bytes);
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            this.tap.bytes.fetch_sub(*count, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

// === impl Tap ===

impl Tap {
    /// Lets so many more bytes through, and nothing behind them for ever.
    pub(super) fn close_after(&self, bytes: usize) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Waits until somebody wants to write more.
    pub(super) async fn is_dry(&self) {
        self.dry.notified().await;
    }
}
