//! Frames that a peer sends before, in the place of, and after its hello.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Sink, Stream, StreamExt};
use hypasis_wire::ecies::ECIESError;
use hypasis_wire::multiplex::{MultiplexEvent, RlpxProtocolMultiplexer};
use hypasis_wire::node::PeerId;
use hypasis_wire::p2p::{
    Capability, Frames, HelloMessage, HelloMessageBuilder, MAX_MESSAGE_SIZE, P2PMessage, Protocol,
    UnauthedP2PStream,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Change, changed};

/// Frames as they come; what is sent is dropped.
struct Pipe(VecDeque<BytesMut>);

impl Frames for Pipe {
    fn remote_id(&self) -> PeerId {
        PeerId::repeat_byte(2)
    }

    fn set_max_frame_size(&mut self, _: usize) {}
}

impl Stream for Pipe {
    type Item = Result<BytesMut, ECIESError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

impl Sink<Bytes> for Pipe {
    type Error = ECIESError;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ECIESError>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, _: Bytes) -> Result<(), ECIESError> {
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ECIESError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ECIESError>> {
        Poll::Ready(Ok(()))
    }
}

fn hello(id: u8) -> HelloMessageBuilder {
    let snap = Protocol::new(Capability::new_static("snap", 1), 8);
    let eth = Protocol::new(Capability::eth(68), 17);
    HelloMessage::builder(PeerId::repeat_byte(id)).protocol(eth).protocol(snap)
}

fn hello_frame() -> Vec<u8> {
    [&[0x80][..], &hello(2).build().message().encode()].concat()
}

/// A frame of some message, its payload compressed, damaged or not.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    (0_u8..0x30, vec(any::<u8>(), 0..60), vec(any::<Change>(), 0..4)).prop_map(|(id, plain, changes)| {
        let id = if id == 0 { 0x80 } else { id };
        let payload = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        changed(&[&[id][..], &payload].concat(), &changes)
    })
}

/// How many messages came through.
fn run(frames: impl Iterator<Item = Vec<u8>>) -> usize {
    let pipe = Pipe(frames.map(|frame| BytesMut::from(&frame[..])).collect());
    let shaken = UnauthedP2PStream::new(pipe).handshake(hello(1).build()).now_or_never();
    let Some(Ok((conn, theirs))) = shaken else { return 0 };
    assert_eq!(HelloMessage::decode(&theirs.encode()).unwrap(), theirs);
    let (mut session, mut messages) = (RlpxProtocolMultiplexer::new(conn), 0);
    while let Some(Some(Ok(event))) = session.next().now_or_never() {
        let MultiplexEvent::Message(message) = event else { continue };
        assert!(message.payload.len() <= MAX_MESSAGE_SIZE);
        assert!(session.shared_capabilities().absolute(message.capability, message.id).is_some());
        messages += 1;
    }
    messages
}

#[test]
fn a_sound_session_passes() {
    let message = [&[0x10][..], &snap::raw::Encoder::new().compress_vec(&[0xc0]).unwrap()].concat();
    assert_eq!(run([hello_frame(), message.clone(), message].into_iter()), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_frames_are_answered_or_refused(
        changes in vec(any::<Change>(), 0..4),
        frames in vec(frame(), 0..8),
    ) {
        run(std::iter::once(hello_frame()).chain(frames.clone()));
        run(std::iter::once(changed(&hello_frame(), &changes)).chain(frames));
    }

    #[test]
    fn any_message_of_the_base_protocol_is_read_or_refused(
        id in 0_u64..0x20,
        snappy: bool,
        body in vec(any::<u8>(), 0..300),
    ) {
        if let Ok(Some(message)) = P2PMessage::decode(id, BytesMut::from(&body[..]), snappy) {
            prop_assert!(message.id() <= 0x0f);
        }
    }
}
