//! The exchange of hello.

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    HelloMessage, HelloMessageWithProtocols, MAX_BASE_MESSAGE_SIZE, MAX_MESSAGE_SIZE, P2PMessage, P2PStream,
    P2PStreamError, ProtocolVersion, SharedCapabilities, compression,
};
use crate::ecies::{ECIESError, ECIESStream};
use crate::node::PeerId;

/// An encrypted transport of frame bodies that knows who is at the other end.
pub trait Frames:
    Stream<Item = Result<BytesMut, ECIESError>> + Sink<Bytes, Error = ECIESError> + Unpin
{
    /// Who has shaken hands.
    fn remote_id(&self) -> PeerId;

    /// Accepts and sends no body over `size` bytes. A longer one is refused when it is announced, before it comes.
    fn set_max_frame_size(&mut self, size: usize);
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Frames for ECIESStream<Io> {
    fn remote_id(&self) -> PeerId {
        Self::remote_id(self)
    }

    fn set_max_frame_size(&mut self, size: usize) {
        Self::set_max_frame_size(self, size);
    }
}

/// Largest frame before hello has been read: that of the largest message of the base protocol, and room to say by
/// name which one is too large.
const HELLO_FRAME_MAX: usize = 2 * MAX_BASE_MESSAGE_SIZE;

/// A connection before hello.
#[derive(Debug)]
pub struct UnauthedP2PStream<S> {
    inner: S,
}

impl<S: Frames> UnauthedP2PStream<S> {
    /// Wraps an encrypted transport.
    pub const fn new(inner: S) -> Self {
        Self { inner }
    }

    /// Sends our hello at once, reads the peer's, and compares.
    ///
    /// # Errors
    ///
    /// Why the peer cannot be talked to; it has been told the reason, as far as it still listened. No time
    /// limit: the caller sets one.
    pub async fn handshake(
        mut self,
        hello: HelloMessageWithProtocols,
    ) -> Result<(P2PStream<S>, HelloMessage), P2PStreamError> {
        let mut snappy = false;
        self.inner.set_max_frame_size(HELLO_FRAME_MAX);
        match self.exchange(&hello, &mut snappy).await {
            Ok((shared, theirs)) => {
                let mut stream = P2PStream::new(self.inner, snappy, shared);
                stream.set_max_message_size(MAX_MESSAGE_SIZE);
                Ok((stream, theirs))
            }
            Err(error) => {
                if let Some(reason) = error.disconnect_reason() {
                    let farewell = P2PMessage::Disconnect(reason).encode(snappy)?;
                    // Whether it arrives or not, the error stays what it is.
                    let _told = self.inner.send(farewell).await;
                    let _told = self.inner.close().await;
                }
                Err(error)
            }
        }
    }

    /// `snappy` tells from when on messages are compressed, also if what follows fails.
    async fn exchange(
        &mut self,
        ours: &HelloMessageWithProtocols,
        snappy: &mut bool,
    ) -> Result<(SharedCapabilities, HelloMessage), P2PStreamError> {
        self.inner.send(P2PMessage::Hello(ours.message()).encode(false)?).await?;
        let mut body = self.inner.next().await.ok_or(P2PStreamError::NoHello)??;
        let id = compression::take_id(&mut body)?;
        let theirs = match P2PMessage::decode(id, body, false)? {
            Some(P2PMessage::Hello(theirs)) => theirs,
            Some(P2PMessage::Disconnect(reason)) => return Err(P2PStreamError::Disconnected(reason)),
            _ => return Err(P2PStreamError::NotHello(id)),
        };
        *snappy = ours.protocol_version >= ProtocolVersion::V5 && theirs.compresses();
        if theirs.id != self.inner.remote_id() {
            return Err(P2PStreamError::UnexpectedIdentity);
        }
        let shared = SharedCapabilities::new(&ours.protocols, &theirs.capabilities)?;
        Ok((shared, theirs))
    }
}
