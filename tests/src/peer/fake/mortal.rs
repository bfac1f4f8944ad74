//! A connection that ends after so many bytes, wherever that is.

use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket that can write so many bytes.
#[derive(Debug)]
pub(super) struct Mortal {
    stream: TcpStream,
    left: usize,
}

// === impl Mortal ===

impl Mortal {
    pub(super) fn new(stream: TcpStream, left: usize) -> Self {
        Self { stream, left }
    }
}

impl AsyncRead for Mortal {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Mortal {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let end = bytes.len().min(self.left);
        if end == 0 && !bytes.is_empty() {
            return Poll::Ready(Err(Error::from(ErrorKind::BrokenPipe)));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..end]))?;
        self.left -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
