//! Two of our own ends in one process.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hypasis_wire::ecies::ECIESStream;
use hypasis_wire::multiplex::{CapabilityMessage, MultiplexEvent, RlpxProtocolMultiplexer};
use hypasis_wire::node::{own_id, random_key};
use hypasis_wire::p2p::{
    Capability, DisconnectReason, HelloMessage, HelloMessageWithProtocols, P2PEvent, P2PStream,
    P2PStreamError, Protocol, UnauthedP2PStream,
};
use secp256k1::SecretKey;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};

pub(super) type Connection<Io = DuplexStream> = P2PStream<ECIESStream<Io>>;

/// Bytes that the transport between two ends holds: less than a large message, so that both must run.
const PIPE: usize = 64 * 1024;

pub(super) fn hello(key: &SecretKey) -> HelloMessageWithProtocols {
    HelloMessage::builder(own_id(key))
        .protocol(Protocol::new(Capability::eth(69), 18))
        .protocol(Protocol::new(Capability::eth(68), 17))
        .protocol(Protocol::new(Capability::new_static("snap", 1), 8))
        .build()
}

/// Encrypted transports over any pair of plain ones.
pub(super) async fn shake<Io: AsyncRead + AsyncWrite + Unpin>(
    near: Io,
    far: Io,
    keys: (SecretKey, SecretKey),
) -> (ECIESStream<Io>, ECIESStream<Io>) {
    let dialled = ECIESStream::connect(near, keys.0, own_id(&keys.1));
    let accepted = ECIESStream::incoming(far, keys.1);
    let (dialled, accepted) = tokio::join!(dialled, accepted);
    (dialled.unwrap(), accepted.unwrap())
}

/// Connections after hello.
pub(super) async fn connections() -> (Connection, Connection) {
    let keys = (random_key(), random_key());
    let (near, far) = duplex(PIPE);
    let (near, far) = shake(near, far, keys).await;
    let dialled = UnauthedP2PStream::new(near).handshake(hello(&keys.0));
    let accepted = UnauthedP2PStream::new(far).handshake(hello(&keys.1));
    let (dialled, accepted) = tokio::join!(dialled, accepted);
    (dialled.unwrap().0, accepted.unwrap().0)
}

#[tokio::test]
async fn each_end_learns_who_the_other_is() {
    let keys = (random_key(), random_key());
    let (near, far) = duplex(PIPE);
    let (near, far) = shake(near, far, keys).await;
    assert_eq!(near.remote_id(), own_id(&keys.1));
    assert_eq!(far.remote_id(), own_id(&keys.0));
}

#[tokio::test]
async fn a_dialler_that_expects_another_node_gets_no_connection() {
    let (near, far) = duplex(PIPE);
    let stranger = own_id(&random_key());
    let (dialled, accepted) = tokio::join!(
        ECIESStream::connect(near, random_key(), stranger),
        // Dropped at its error, as a listener does it: the dialler sees the end.
        ECIESStream::incoming(far, random_key()),
    );
    assert!(matches!(accepted.unwrap_err(), hypasis_wire::ecies::ECIESError::Envelope));
    assert!(!dialled.unwrap_err().is_peer_fault());
}

#[tokio::test]
async fn messages_of_every_size_arrive_in_order_and_unchanged() {
    let (mut near, mut far) = connections().await;
    let sizes =
        [0, 1, 15, 16, 17, 31, 32, 33, 4_095, 4_096, 4_097, 70_000, 65_536, 2 << 20, 5, (10 << 20) - 7, 3];
    let messages: Vec<Bytes> = sizes.iter().map(|size| noise(*size)).collect();
    let sending = async {
        for (id, message) in messages.iter().enumerate() {
            near.send((u8::try_from(id).unwrap(), message.clone())).await.unwrap();
        }
    };
    let receiving = async {
        for (id, message) in messages.iter().enumerate() {
            let P2PEvent::Message { id: got, payload } = far.next().await.unwrap().unwrap() else { panic!() };
            assert_eq!(usize::from(got), id);
            assert!(payload == message, "message {id} of {} bytes differs", message.len());
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn many_small_messages_are_gathered_and_arrive_in_order() {
    let (mut near, mut far) = connections().await;
    let sending = async {
        for round in 0..20_000_u32 {
            near.feed((2, round.to_be_bytes().to_vec().into())).await.unwrap();
        }
        near.flush().await.unwrap();
    };
    let receiving = async {
        for round in 0..20_000_u32 {
            let expected = P2PEvent::Message { id: 2, payload: round.to_be_bytes().to_vec().into() };
            assert_eq!(far.next().await.unwrap().unwrap(), expected);
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn a_ping_is_answered_without_the_session_above() {
    let (mut near, mut far) = connections().await;
    near.send_ping();
    tokio::select! {
        event = near.next() => assert_eq!(event.unwrap().unwrap(), P2PEvent::Pong),
        event = far.next() => panic!("the session was told of {event:?}"),
    }
}

#[tokio::test]
async fn the_last_messages_and_the_reason_arrive_before_the_end() {
    let (mut near, mut far) = connections().await;
    let body = noise(300_000);
    let leaving = async {
        near.feed((1, body.clone())).await.unwrap();
        near.disconnect(DisconnectReason::TooManyPeers).await.unwrap();
    };
    let staying = async {
        let first = far.next().await.unwrap().unwrap();
        assert_eq!(first, P2PEvent::Message { id: 1, payload: body.clone() });
        let error = far.next().await.unwrap().unwrap_err();
        assert!(matches!(error, P2PStreamError::Disconnected(DisconnectReason::TooManyPeers)), "{error}");
        assert_eq!(error.disconnect_reason(), None);
        assert!(far.next().await.is_none());
    };
    tokio::join!(leaving, staying);
}

#[tokio::test]
async fn a_peer_that_does_not_read_stops_the_sender() {
    let (mut near, _far) = connections().await;
    let body = noise(100_000);
    let mut taken = 0;
    // Either the sink takes it at once or it never will, since nobody reads.
    while futures_util::FutureExt::now_or_never(near.feed((0, body.clone()))).is_some() {
        taken += 1;
        assert!(taken < 100, "10 MB are taken and nobody reads");
    }
    assert!(taken >= 2);
}

#[tokio::test]
async fn a_session_sees_capabilities_and_their_own_ids() {
    let (near, far) = connections().await;
    let (mut near, mut far) = (RlpxProtocolMultiplexer::new(near), RlpxProtocolMultiplexer::new(far));
    let (eth, eth_version) = near.shared_capabilities().find("eth").unwrap();
    let (snap, _) = near.shared_capabilities().find("snap").unwrap();
    assert_eq!(eth_version, 69);
    let messages = [(eth, 0x11), (snap, 0), (snap, 7), (eth, 0)].map(|(capability, id)| CapabilityMessage {
        capability,
        id,
        payload: noise(20),
    });
    for message in &messages {
        near.send(message.clone()).await.unwrap();
        assert_eq!(far.next().await.unwrap().unwrap(), MultiplexEvent::Message(message.clone()));
    }
    let beyond = CapabilityMessage { capability: snap, id: 8, payload: Bytes::new() };
    assert!(matches!(near.send(beyond).await.unwrap_err(), P2PStreamError::NotOurs { id: 8, .. }));
}

/// Bytes that compress by about half.
pub(super) fn noise(size: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ size as u64;
    let mut bytes = Vec::with_capacity(size + 16);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
    }
    bytes.truncate(size);
    bytes.into()
}
