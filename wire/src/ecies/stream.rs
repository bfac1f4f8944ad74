//! The encrypted transport: a Stream and a Sink of frame bodies.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, Stream};
use secp256k1::SecretKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::codec::Decoder;
use tokio_util::io::poll_read_buf;

use super::codec::READ_AHEAD;
use super::handshake::{PREFIX_LEN, packet_len};
use super::outbox::Outbox;
use super::{Ack, Auth, ECIESCodec, ECIESError, Handshake, Secrets};
use crate::node::{PeerId, id2pk};

/// Left-overs up to this are moved out of a large read buffer, so that the buffer goes with its message.
const LEFT_OVER_MAX: usize = 4 * 1024;

/// Room offered to the transport in one read, at least.
const READ_MIN: usize = 4 * 1024;

/// An RLPx connection after its handshake.
///
/// As a Stream it yields frame bodies, decrypted where they were read. As a Sink it takes them and gives no
/// room while [`super::OUTBOX_BYTES_MAX`] bytes wait; a body that nobody else holds, with
/// [`super::FRAME_TAIL`] bytes of spare capacity, is encrypted where it lies. Reading and writing belong into
/// one task: they share a waker's slot.
pub struct ECIESStream<Io> {
    io: Io,
    codec: ECIESCodec,
    remote_id: PeerId,
    inbox: BytesMut,
    outbox: Outbox,
    ended: bool,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> ECIESStream<Io> {
    /// Shakes hands as the side that dialled `remote_id`.
    ///
    /// # Errors
    ///
    /// [`ECIESError::Io`] if the transport ends or fails, else what the peer did wrong. A node with another
    /// key hangs up, since it cannot open our packet. No time limit: the caller sets one.
    pub async fn connect(mut transport: Io, key: SecretKey, remote_id: PeerId) -> Result<Self, ECIESError> {
        let remote = id2pk(remote_id)?;
        let handshake = Handshake::new(key);
        let auth_packet = handshake.auth(&remote);
        transport.write_all(&auth_packet).await?;
        transport.flush().await?;
        let ack_packet = read_packet(&mut transport).await?;
        let ack = Ack::open(&key, &ack_packet)?;
        let secrets = handshake.initiator_secrets(remote_id, &auth_packet, &ack, &ack_packet)?;
        Ok(Self::new(transport, secrets))
    }

    /// Shakes hands as the side that was dialled.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`]; nothing is sent before the peer's packet has opened and its signature is valid.
    pub async fn incoming(mut transport: Io, key: SecretKey) -> Result<Self, ECIESError> {
        let auth_packet = read_packet(&mut transport).await?;
        let auth = Auth::open(&key, &auth_packet)?;
        let handshake = Handshake::new(key);
        let ack_packet = handshake.ack(&id2pk(auth.initiator_id)?);
        let secrets = handshake.recipient_secrets(&auth, &auth_packet, &ack_packet)?;
        transport.write_all(&ack_packet).await?;
        transport.flush().await?;
        Ok(Self::new(transport, secrets))
    }
}

impl<Io> ECIESStream<Io> {
    /// A connection whose secrets are known.
    pub fn new(io: Io, secrets: Secrets) -> Self {
        let remote_id = secrets.remote_id();
        let codec = ECIESCodec::new(secrets);
        Self { io, codec, remote_id, inbox: BytesMut::new(), outbox: Outbox::default(), ended: false }
    }

    /// Who the other side has proved to be.
    pub const fn remote_id(&self) -> PeerId {
        self.remote_id
    }

    /// The transport below.
    pub const fn get_ref(&self) -> &Io {
        &self.io
    }

    /// Bytes of memory that hold what was read and is no whole frame yet. It grows with what comes, not with what is
    /// announced, to twice that at most.
    pub fn unread_room(&self) -> usize {
        self.inbox.capacity()
    }

    /// Accepts and sends no frame with a body over `size` bytes.
    pub fn set_max_frame_size(&mut self, size: usize) {
        self.codec.set_max_frame_size(size);
    }

    /// Lets a buffer that held a large frame go with it: an idle connection shall hold little.
    fn shrink_inbox(&mut self, taken: usize) {
        if taken > READ_AHEAD && self.inbox.len() <= LEFT_OVER_MAX {
            self.inbox = BytesMut::from(&*self.inbox);
        }
    }
}

impl<Io: AsyncRead + Unpin> Stream for ECIESStream<Io> {
    type Item = Result<BytesMut, ECIESError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while !this.ended {
            match this.codec.decode(&mut this.inbox) {
                Ok(None) => {}
                Ok(Some(body)) => {
                    this.shrink_inbox(body.len());
                    return Poll::Ready(Some(Ok(body)));
                }
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
            if this.inbox.capacity() - this.inbox.len() < READ_MIN {
                this.inbox.reserve(READ_MIN);
            }
            match ready!(poll_read_buf(Pin::new(&mut this.io), cx, &mut this.inbox)) {
                Ok(0) => {
                    this.ended = true;
                    return Poll::Ready(this.codec.decode_eof(&mut this.inbox).transpose());
                }
                Ok(_) => {}
                Err(error) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
        Poll::Ready(None)
    }
}

impl<Io: AsyncWrite + Unpin> Sink<Bytes> for ECIESStream<Io> {
    type Error = ECIESError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ECIESError>> {
        let this = self.get_mut();
        this.outbox.poll_room(&mut this.io, cx).map_err(Into::into)
    }

    fn start_send(self: Pin<&mut Self>, body: Bytes) -> Result<(), ECIESError> {
        let this = self.get_mut();
        let mut body = BytesMut::from(body);
        let header = this.codec.seal(&mut body)?;
        this.outbox.push(&header, body);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ECIESError>> {
        let this = self.get_mut();
        this.outbox.poll_flush(&mut this.io, cx).map_err(Into::into)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ECIESError>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx).map_err(Into::into)
    }
}

impl<Io> fmt::Debug for ECIESStream<Io> {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ECIESStream").field("remote_id", &self.remote_id).finish_non_exhaustive()
    }
}

async fn read_packet<Io: AsyncRead + Unpin>(io: &mut Io) -> Result<Vec<u8>, ECIESError> {
    let mut prefix = [0; PREFIX_LEN];
    io.read_exact(&mut prefix).await?;
    let size = packet_len(prefix)?;
    let mut packet = vec![0; PREFIX_LEN + size];
    let (front, envelope) = packet.split_at_mut(PREFIX_LEN);
    front.copy_from_slice(&prefix);
    io.read_exact(envelope).await?;
    Ok(packet)
}
