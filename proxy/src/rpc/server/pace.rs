//! How long a connection has been where it is.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Times;

const IDLE: u8 = 0;
const READING: u8 = 1;
const SERVING: u8 = 2;
const LEAVING: u8 = 3;

/// Longest time, and most bytes, that a client may go on sending behind a refusal. Closing while its bytes are
/// unread would make the kernel throw away the refusal before the client has read it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 64 << 20;

/// What a connection is doing and since when. Only its own task touches it.
#[derive(Debug)]
pub(crate) struct Pace {
    opened: Instant,
    phase: AtomicU8,
    since_ms: AtomicU64,
    lingers: AtomicBool,
}

/// Whether a connection may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    Left,
    Gone,
}

/// A socket whose reads and writes are steps of its pace.
#[derive(Debug)]
pub(crate) struct Paced {
    socket: TcpStream,
    pace: Arc<Pace>,
    thrown_away: usize,
}

/// How often to look: often enough that a limit is overrun by a quarter at most.
pub(crate) fn look_every(times: Times) -> Duration {
    (times.read.min(times.idle) / 4).clamp(Duration::from_millis(20), Duration::from_secs(5))
}

// === impl Pace ===

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            phase: AtomicU8::new(IDLE),
            since_ms: AtomicU64::new(0),
            lingers: AtomicBool::new(false),
        }
    }

    /// A request's head is complete. Its body has a limit of its own, and so has the call.
    pub(crate) fn serving(&self) {
        self.phase.store(SERVING, Ordering::Relaxed);
    }

    /// The answer is on its way.
    pub(crate) fn answered(&self) {
        self.step(IDLE);
    }

    /// The answer is a refusal of something that may still be on its way: the connection closes slowly.
    pub(crate) fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    /// Whether the limits are kept.
    pub(crate) fn patience(&self, times: Times) -> Patience {
        let limit = match self.phase.load(Ordering::Relaxed) {
            READING => times.read,
            IDLE => times.idle,
            LEAVING => LINGER,
            _ => return Patience::Left,
        };
        let since = Duration::from_millis(self.since_ms.load(Ordering::Relaxed));
        if self.opened.elapsed().saturating_sub(since) > limit { Patience::Gone } else { Patience::Left }
    }

    fn step(&self, phase: u8) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since_ms.store(now, Ordering::Relaxed);
        self.phase.store(phase, Ordering::Relaxed);
    }
}

// === impl Paced ===

impl Paced {
    pub(crate) fn new(socket: TcpStream, pace: Arc<Pace>) -> Self {
        Self { socket, pace, thrown_away: 0 }
    }

    fn socket(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.socket)
    }

    /// Bytes that a slow client takes at last keep its connection alive.
    fn wrote(&self) {
        if self.pace.phase.load(Ordering::Relaxed) == IDLE {
            self.pace.step(IDLE);
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(self.socket().poll_read(cx, buf))?;
        // The first bytes of a head start its clock; later ones do not set it back.
        if buf.filled().len() > before && self.pace.phase.load(Ordering::Relaxed) == IDLE {
            self.pace.step(READING);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(self.socket().poll_write(cx, buf))?;
        self.wrote();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.socket().poll_write_vectored(cx, bufs))?;
        self.wrote();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.pace.lingers.load(Ordering::Relaxed) {
            return self.socket().poll_shutdown(cx);
        }
        if self.pace.phase.load(Ordering::Relaxed) != LEAVING {
            ready!(self.socket().poll_shutdown(cx))?;
            self.pace.step(LEAVING);
        }
        let mut waste = [0; 4 * 1_024];
        while self.thrown_away < LINGER_BYTES_MAX {
            let mut waste = ReadBuf::new(&mut waste);
            ready!(self.socket().poll_read(cx, &mut waste))?;
            if waste.filled().is_empty() {
                break;
            }
            self.thrown_away = self.thrown_away.saturating_add(waste.filled().len());
        }
        Poll::Ready(Ok(()))
    }
}
