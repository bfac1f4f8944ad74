//! How fast large and small messages flow: `cargo bench -p hypasis-wire`.
//!
//! Two ends of one process, all on one thread, so that a figure of messages is the cost of both sides:
//! compress, encrypt, authenticate, and the way back. Time is the thread's own on the processor, so that a
//! busy machine disturbs less.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark"
)]

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use hypasis_wire::ecies::{ECIESCodec, ECIESStream, FRAME_OVERHEAD, FRAME_TAIL, Handshake};
use hypasis_wire::node::{id2pk, own_id, random_key};
use hypasis_wire::p2p::{Capability, HelloMessage, P2PEvent, P2PStream, Protocol, UnauthedP2PStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Decoder, Encoder};

const VOLUME: usize = 512 << 20;
const BATCH: usize = 2 << 20;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, size, fill) in [
        ("2 MiB, incompressible", 2 << 20, noise as fn(usize) -> Bytes),
        ("2 MiB, half noise", 2 << 20, half),
        ("64 KiB, half noise", 64 << 10, half),
        ("512 B, half noise", 512, half),
    ] {
        let volume = if size < 1024 { VOLUME / 8 } else { VOLUME };
        let seconds = runtime.block_on(messages(fill(size), volume / size));
        println!(
            "messages of {name}: {:.0} MB/s plain, over TCP, both sides together",
            rate(volume, seconds)
        );
    }
    for size in [2 << 20, 64 << 10, 512] {
        let (seal, open) = frames(size, VOLUME / size);
        println!(
            "frames of {size} B: sealed at {:.0} MB/s, opened at {:.0} MB/s",
            rate(VOLUME, seal),
            rate(VOLUME, open)
        );
    }
}

/// Seconds that `count` messages take from a session to the other.
async fn messages(payload: Bytes, count: usize) -> f64 {
    let (mut near, mut far) = connections().await;
    let start = cpu_seconds();
    let sending = async {
        for _ in 0..count {
            near.feed((6, payload.clone())).await.unwrap();
        }
        near.flush().await.unwrap();
    };
    let receiving = async {
        for _ in 0..count {
            match far.next().await.unwrap().unwrap() {
                P2PEvent::Message { payload: got, .. } => assert_eq!(got.len(), payload.len()),
                P2PEvent::Pong => panic!("nobody has pinged"),
            }
        }
    };
    tokio::join!(sending, receiving);
    cpu_seconds() - start
}

/// Seconds to seal and to open `count` frames, in batches, so that the clock is read seldom.
fn frames(size: usize, count: usize) -> (f64, f64) {
    let (mut near, mut far) = codecs();
    let (mut sealing, mut opening) = (0.0, 0.0);
    let batch = (BATCH / size).max(1);
    for _ in 0..count / batch {
        let bodies: Vec<BytesMut> = (0..batch)
            .map(|_| {
                let mut body = BytesMut::with_capacity(size + FRAME_TAIL);
                body.resize(size, 7);
                body
            })
            .collect();
        let mut wire = BytesMut::with_capacity(batch * (size + FRAME_OVERHEAD));
        let start = cpu_seconds();
        bodies.into_iter().for_each(|body| near.encode(body.freeze(), &mut wire).unwrap());
        sealing += cpu_seconds() - start;
        let start = cpu_seconds();
        (0..batch).for_each(|_| assert_eq!(far.decode(&mut wire).unwrap().unwrap().len(), size));
        opening += cpu_seconds() - start;
    }
    (sealing, opening)
}

fn codecs() -> (ECIESCodec, ECIESCodec) {
    let (near, far) = (random_key(), random_key());
    let (initiator, recipient) = (Handshake::new(near), Handshake::new(far));
    let auth_packet = initiator.auth(&id2pk(own_id(&far)).unwrap());
    let ack_packet = recipient.ack(&id2pk(own_id(&near)).unwrap());
    let auth = hypasis_wire::ecies::Auth::open(&far, &auth_packet).unwrap();
    let ack = hypasis_wire::ecies::Ack::open(&near, &ack_packet).unwrap();
    let near = initiator.initiator_secrets(own_id(&far), &auth_packet, &ack, &ack_packet).unwrap();
    let far = recipient.recipient_secrets(&auth, &auth_packet, &ack_packet).unwrap();
    (ECIESCodec::new(near), ECIESCodec::new(far))
}

type Connection = P2PStream<ECIESStream<TcpStream>>;

async fn connections() -> (Connection, Connection) {
    let keys = (random_key(), random_key());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    let (near, far) =
        tokio::join!(ECIESStream::connect(near, keys.0, own_id(&keys.1)), ECIESStream::incoming(far, keys.1));
    let hello =
        |key| HelloMessage::builder(own_id(key)).protocol(Protocol::new(Capability::eth(68), 17)).build();
    let (near, far) = tokio::join!(
        UnauthedP2PStream::new(near.unwrap()).handshake(hello(&keys.0)),
        UnauthedP2PStream::new(far.unwrap()).handshake(hello(&keys.1)),
    );
    (near.unwrap().0, far.unwrap().0)
}

/// Seconds that this thread has had a processor.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanos: f64 = stat.split(' ').next().unwrap().parse().unwrap();
    nanos / 1e9
}

fn rate(bytes: usize, seconds: f64) -> f64 {
    bytes as f64 / seconds / 1e6
}

fn noise(size: usize) -> Bytes {
    let mut bytes = vec![0_u8; size];
    rand::fill(&mut bytes[..]);
    bytes.into()
}

/// Thirty-two random bytes, then thirty-two equal ones: hashes and zeros, as in bodies and receipts.
fn half(size: usize) -> Bytes {
    let mut bytes = noise(size).to_vec();
    bytes.chunks_mut(64).for_each(|chunk| chunk.iter_mut().skip(32).for_each(|byte| *byte = 0));
    bytes.into()
}
