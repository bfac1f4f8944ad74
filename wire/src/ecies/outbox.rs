//! Frames on their way out: large ones in their own buffers, small ones gathered.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;

/// Once so many bytes wait, no further message is taken until the transport has taken some. One message may
/// go over it, so a connection holds at most this and one message.
pub const OUTBOX_BYTES_MAX: usize = 256 * 1024;

/// Bodies up to this are copied behind each other, so that many small messages leave in one write.
const GATHER_MAX: usize = 4 * 1024;

/// A gathering buffer takes no more once it has so many bytes.
const GATHERED_MAX: usize = 32 * 1024;

/// Buffers offered to the transport in one write.
const SLICES_MAX: usize = 16;

/// A queue of bytes. A buffer is freed as soon as it is written, so an idle connection holds none.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    buffers: VecDeque<BytesMut>,
    len: usize,
    /// Whether the last buffer still gathers.
    gathering: bool,
}

impl Outbox {
    /// Whether another message may be added.
    pub(super) fn has_room(&self) -> bool {
        self.len < OUTBOX_BYTES_MAX
    }

    /// Adds a sealed frame.
    pub(super) fn push(&mut self, header: &[u8], body: BytesMut) {
        self.len += header.len() + body.len();
        self.gather(header);
        if body.len() <= GATHER_MAX {
            self.gather(&body);
        } else {
            self.buffers.push_back(body);
            self.gathering = false;
        }
    }

    /// Writes until nothing is left, then flushes the transport.
    pub(super) fn poll_flush<Io: AsyncWrite + Unpin>(
        &mut self,
        io: &mut Io,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.len > 0 {
            ready!(self.poll_write(io, cx))?;
        }
        Pin::new(io).poll_flush(cx)
    }

    /// Writes until there is room for another message.
    pub(super) fn poll_room<Io: AsyncWrite + Unpin>(
        &mut self,
        io: &mut Io,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.has_room() {
            ready!(self.poll_write(io, cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write<Io: AsyncWrite + Unpin>(
        &mut self,
        io: &mut Io,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slice, buffer) in slices.iter_mut().zip(&self.buffers) {
            *slice = IoSlice::new(buffer);
            count += 1;
        }
        let slices = slices.get(..count).unwrap_or_default();
        let written = ready!(Pin::new(io).poll_write_vectored(cx, slices))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(written);
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.len = self.len.saturating_sub(written);
        while let Some(front) = self.buffers.front_mut() {
            if front.len() > written {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.buffers.pop_front();
        }
        self.gathering = false;
    }

    fn gather(&mut self, bytes: &[u8]) {
        match self.buffers.back_mut().filter(|back| self.gathering && back.len() < GATHERED_MAX) {
            Some(back) => back.extend_from_slice(bytes),
            None => {
                self.buffers.push_back(BytesMut::from(bytes));
                self.gathering = true;
            }
        }
    }
}
