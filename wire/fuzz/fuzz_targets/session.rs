//! Hello from a peer, then any frames behind it: bounded, answered or refused. Each frame of the input is its length in
//! one byte, or in three behind ff, and its body.
#![no_main]

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Sink, Stream, StreamExt};
use hypasis_wire::ecies::ECIESError;
use hypasis_wire::multiplex::{MultiplexEvent, RlpxProtocolMultiplexer};
use hypasis_wire::node::PeerId;
use hypasis_wire::p2p::{Capability, Frames, HelloMessage, MAX_MESSAGE_SIZE, Protocol, UnauthedP2PStream};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // Once from the first message on, once with a sound hello in front.
    run(split(input).collect());
    let mut hello = BytesMut::from(&[0x80][..]);
    hello.extend_from_slice(&ours(id(2)).build().message().encode());
    run(std::iter::once(hello).chain(split(input)).collect());
});

fn run(frames: VecDeque<BytesMut>) {
    let pipe = Pipe(frames);
    let handshake = UnauthedP2PStream::new(pipe).handshake(ours(id(1)).build()).now_or_never();
    let Some(Ok((conn, theirs))) = handshake else { return };
    assert_eq!(HelloMessage::decode(&theirs.encode()).expect("what was read is written"), theirs);
    let mut session = RlpxProtocolMultiplexer::new(conn);
    while let Some(Some(Ok(event))) = session.next().now_or_never() {
        let MultiplexEvent::Message(message) = event else { continue };
        assert!(message.payload.len() <= MAX_MESSAGE_SIZE);
        assert!(session.shared_capabilities().absolute(message.capability, message.id).is_some());
    }
}

fn ours(id: PeerId) -> hypasis_wire::p2p::HelloMessageBuilder {
    let snap = Protocol::new(Capability::new_static("snap", 1), 8);
    HelloMessage::builder(id).protocol(Protocol::new(Capability::eth(68), 17)).protocol(snap)
}

const fn id(byte: u8) -> PeerId {
    PeerId::new([byte; 64])
}

fn split(mut input: &[u8]) -> impl Iterator<Item = BytesMut> {
    std::iter::from_fn(move || {
        let (&first, rest) = input.split_first()?;
        let (length, rest) = match rest.split_first_chunk::<2>() {
            Some((long, rest)) if first == 0xff => (usize::from(u16::from_be_bytes(*long)), rest),
            _ => (usize::from(first), rest),
        };
        let (frame, rest) = rest.split_at(length.min(rest.len()));
        input = rest;
        Some(BytesMut::from(frame))
    })
}

/// Frames as they come; what is sent is dropped.
struct Pipe(VecDeque<BytesMut>);

impl Frames for Pipe {
    fn remote_id(&self) -> PeerId {
        id(2)
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
