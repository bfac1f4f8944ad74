//! What a peer can do to a connection: wrong bytes before, in and after the handshake.

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use hypasis_wire::ecies::{
    Ack, Auth, ECIESCodec, ECIESError, ECIESStream, Handshake, MAX_FRAME_SIZE, MAX_HANDSHAKE_SIZE,
};
use hypasis_wire::node::{id2pk, own_id, random_key};
use hypasis_wire::p2p::{
    Capability, DisconnectReason, HelloMessage, P2PEvent, P2PStreamError, PONGS_OWED_MAX, UnauthedP2PStream,
};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_util::codec::{Decoder, Encoder, FramedRead};

use super::ends::{Connection, hello, shake};

/// One end of ours after hello; the other end is the bare encrypted transport, which may send anything.
async fn victim() -> (Connection, ECIESStream<tokio::io::DuplexStream>) {
    let keys = (random_key(), random_key());
    let (near, far) = duplex(1 << 20);
    let (near, mut far) = shake(near, far, keys).await;
    let peer = hello(&keys.1).message();
    let mut frame = BytesMut::from(&[0x80][..]);
    frame.extend_from_slice(&peer.encode());
    far.send(frame.freeze()).await.unwrap();
    let (victim, _) = UnauthedP2PStream::new(near).handshake(hello(&keys.0)).await.unwrap();
    far.next().await.unwrap().unwrap();
    (victim, far)
}

/// The error that a frame ends the connection with, and the reason to tell.
async fn error_of(frame: &[u8]) -> (P2PStreamError, Option<DisconnectReason>) {
    let (mut victim, mut attacker) = victim().await;
    attacker.send(Bytes::copy_from_slice(frame)).await.unwrap();
    let error = victim.next().await.unwrap().unwrap_err();
    assert!(victim.next().await.is_none(), "nothing comes after an error");
    let reason = error.disconnect_reason();
    (error, reason)
}

fn codecs() -> (ECIESCodec, ECIESCodec) {
    let (near, far) = (random_key(), random_key());
    let (initiator, recipient) = (Handshake::new(near), Handshake::new(far));
    let auth_packet = initiator.auth(&id2pk(own_id(&far)).unwrap());
    let ack_packet = recipient.ack(&id2pk(own_id(&near)).unwrap());
    let (auth, ack) = (Auth::open(&far, &auth_packet).unwrap(), Ack::open(&near, &ack_packet).unwrap());
    let near = initiator.initiator_secrets(own_id(&far), &auth_packet, &ack, &ack_packet).unwrap();
    let far = recipient.recipient_secrets(&auth, &auth_packet, &ack_packet).unwrap();
    (ECIESCodec::new(near), ECIESCodec::new(far))
}

#[tokio::test]
async fn a_port_scanner_is_recognised_by_its_first_two_bytes_and_told_nothing() {
    for greeting in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"SSH-2.0-x\r\n", b"\x16\x03\x01\x02\x00", b"\0\0\0\0"] {
        let (mut scanner, ours) = duplex(1024);
        scanner.write_all(greeting).await.unwrap();
        let error = ECIESStream::incoming(ours, random_key()).await.unwrap_err();
        assert!(matches!(error, ECIESError::HandshakeSize { .. }), "{error}");
        let mut answer = Vec::new();
        scanner.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty());
    }
}

#[tokio::test]
async fn noise_of_a_plausible_length_does_not_open() {
    for size in [1, 2, 112, 113, 114, 300, MAX_HANDSHAKE_SIZE] {
        let (mut peer, ours) = duplex(4096);
        let mut packet = u16::try_from(size).unwrap().to_be_bytes().to_vec();
        packet.resize(2 + size, 4);
        peer.write_all(&packet).await.unwrap();
        let error = ECIESStream::incoming(ours, random_key()).await.unwrap_err();
        assert!(matches!(error, ECIESError::Envelope), "{size}: {error}");
    }
}

#[test]
fn any_change_of_a_frame_is_noticed_and_nothing_of_it_comes_out() {
    let body = Bytes::from(vec![7; 40]);
    for at in 0..32 + 48 + 16 {
        let (mut near, mut far) = codecs();
        let mut wire = BytesMut::new();
        near.encode(body.clone(), &mut wire).unwrap();
        wire[at] ^= 1;
        let error = far.decode(&mut wire).unwrap_err();
        let expected = if at < 32 { "header" } else { "body" };
        assert!(error.to_string().contains(expected), "byte {at}: {error}");
    }
}

#[test]
fn a_frame_twice_or_out_of_turn_is_noticed() {
    let (mut near, mut far) = codecs();
    let mut frames = [BytesMut::new(), BytesMut::new()];
    for frame in &mut frames {
        near.encode(Bytes::from_static(b"the same"), frame).unwrap();
    }
    let [mut first, mut second] = frames;
    let mut again = first.clone();
    assert!(matches!(far.decode(&mut second).unwrap_err(), ECIESError::HeaderMac));
    let (mut near, mut far) = codecs();
    first.clear();
    near.encode(Bytes::from_static(b"the same"), &mut first).unwrap();
    again.clone_from(&first);
    assert_eq!(far.decode(&mut first).unwrap().unwrap(), "the same");
    assert!(matches!(far.decode(&mut again).unwrap_err(), ECIESError::HeaderMac));
}

#[test]
fn an_announced_frame_costs_no_memory_before_it_comes() {
    let (mut near, mut far) = codecs();
    let mut wire = BytesMut::new();
    near.encode(Bytes::from(vec![1; MAX_FRAME_SIZE]), &mut wire).unwrap();
    let mut arrived = BytesMut::from(&wire[..32]);
    assert!(far.decode(&mut arrived).unwrap().is_none());
    assert!(arrived.capacity() <= 128 * 1024, "{} bytes for a mere header", arrived.capacity());
    arrived.extend_from_slice(&wire[32..200_032]);
    assert!(far.decode(&mut arrived).unwrap().is_none());
    assert!(arrived.capacity() <= 1 << 20, "{} bytes for 200 kB", arrived.capacity());
    arrived.extend_from_slice(&wire[200_032..]);
    assert_eq!(far.decode(&mut arrived).unwrap().unwrap().len(), MAX_FRAME_SIZE);
}

#[test]
fn frames_over_the_bound_are_refused_in_both_directions() {
    let (mut near, mut far) = codecs();
    far.set_max_frame_size(1000);
    let mut wire = BytesMut::new();
    near.encode(Bytes::from(vec![1; 1001]), &mut wire).unwrap();
    assert!(matches!(far.decode(&mut wire).unwrap_err(), ECIESError::FrameSize { size: 1001, max: 1000 }));
    let over = Bytes::from(vec![1; MAX_FRAME_SIZE + 1]);
    assert!(matches!(near.encode(over, &mut wire).unwrap_err(), ECIESError::OwnFrameSize { .. }));
}

#[tokio::test]
async fn frames_are_small_before_hello_and_as_small_as_the_session_wants_after_it() {
    let keys = (random_key(), random_key());
    let (near, far) = duplex(1 << 20);
    let (near, mut far) = shake(near, far, keys).await;
    far.send(Bytes::from(vec![0x80; 4097])).await.unwrap();
    let error = UnauthedP2PStream::new(near).handshake(hello(&keys.0)).await.unwrap_err();
    let P2PStreamError::Transport(ECIESError::FrameSize { size: 4097, max: 4096 }) = error else {
        panic!("{error}");
    };

    let (mut victim, mut attacker) = victim().await;
    victim.set_max_message_size(64 * 1024);
    let fits = [&[0x10][..], &vec![0; 60 * 1024]].concat();
    let sent: Bytes =
        [&[0x10][..], &snap::raw::Encoder::new().compress_vec(&fits[1..]).unwrap()].concat().into();
    attacker.send(sent).await.unwrap();
    let P2PEvent::Message { payload, .. } = victim.next().await.unwrap().unwrap() else { panic!() };
    assert_eq!(payload, fits[1..]);
    attacker.send(Bytes::from(vec![0x10; 80 * 1024])).await.unwrap();
    let error = victim.next().await.unwrap().unwrap_err();
    assert!(matches!(error, P2PStreamError::Transport(ECIESError::FrameSize { .. })), "{error}");
    assert!(error.is_peer_fault(), "it was the peer: the header is authentic");
}

#[tokio::test]
async fn what_others_or_we_did_is_no_fault_of_the_peer() {
    let (mut victim, _attacker) = victim().await;
    victim.set_max_message_size(10);
    let error = victim.send((0, Bytes::from_static(&[0; 11]))).await.unwrap_err();
    assert!(matches!(error, P2PStreamError::OwnMessageSize { size: 11, max: 10, .. }), "{error}");
    assert!(!error.is_peer_fault());
    let error = victim.send((0xff, Bytes::new())).await.unwrap_err();
    assert!(matches!(error, P2PStreamError::NotOurs { .. }) && !error.is_peer_fault(), "{error}");
    for error in [ECIESError::HeaderMac, ECIESError::BodyMac, ECIESError::OwnFrameSize { size: 2, max: 1 }] {
        assert!(!P2PStreamError::Transport(error).is_peer_fault());
    }
}

#[tokio::test]
async fn each_breach_of_the_base_protocol_ends_the_connection_with_its_reason() {
    // A block of 9 bytes that claims 2^31, one that claims 10 MiB + 1 and could not hold it, a damaged one,
    // no id, an id of two items, an id beyond all, a base message over its bound.
    let bomb = [&[0x10][..], &[0x80, 0x80, 0x80, 0x80, 0x08], &[0; 4]].concat();
    let over = [&[0x10][..], &[0x81, 0x80, 0x80, 0x05], &[0; 4]].concat();
    let lie = [&[0x10][..], &[0x80, 0x80, 0x20], &[0; 4]].concat();
    let damaged = [0x10, 0x04, 0xff, 0xff, 0xff];
    let long_ping = [&[0x02][..], &[0; 2049]].concat();
    for (frame, part) in [
        (&bomb[..], "at most 10485760"),
        (&over, "10485761 bytes: at most"),
        (&lie, "impossible"),
        (&damaged, "decompress"),
        (&[], "without a message id"),
        (&[0xc1, 0x10], "no RLP integer"),
        (&[0x82, 0xff, 0xff, 0x00], "no shared capability"),
        (&long_ping, "at most 2048"),
    ] {
        let (error, reason) = error_of(frame).await;
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert!(error.is_peer_fault());
        assert_eq!(reason, Some(DisconnectReason::ProtocolBreach));
    }
}

#[tokio::test]
async fn reserved_messages_and_another_hello_are_ignored() {
    let (mut victim, mut attacker) = victim().await;
    for id in [0x80, 0x04, 0x0f] {
        attacker.send(Bytes::copy_from_slice(&[id, 0x01, 0x00, 0xc0])).await.unwrap();
    }
    attacker.send(Bytes::from_static(&[0x10, 0x01, 0x00, 0xc0])).await.unwrap();
    let expected = P2PEvent::Message { id: 0, payload: Bytes::from_static(&[0xc0]) };
    assert_eq!(victim.next().await.unwrap().unwrap(), expected);
}

#[tokio::test]
async fn pings_without_reading_the_pongs_end_the_connection() {
    let (mut victim, mut attacker) = victim().await;
    let flood = async {
        // Ends when the victim is dropped.
        while attacker.send(Bytes::from_static(&[0x02, 0x01, 0x00, 0xc0])).await.is_ok() {}
    };
    let suffer = async {
        let error = victim.next().await.unwrap().unwrap_err();
        assert!(matches!(error, P2PStreamError::PingFlood), "{error}");
        drop(victim);
    };
    tokio::join!(flood, suffer);
    const { assert!(PONGS_OWED_MAX < 100) };
}

type Change = fn(&mut HelloMessage);

#[tokio::test]
async fn a_wrong_hello_is_answered_with_the_right_reason() {
    let cases: [(Change, DisconnectReason); 5] = [
        (|hello| hello.capabilities = vec![Capability::new_static("les", 4)], DisconnectReason::UselessPeer),
        (|hello| hello.capabilities.clear(), DisconnectReason::UselessPeer),
        (|hello| hello.id[0] ^= 1, DisconnectReason::UnexpectedHandshakeIdentity),
        (|hello| hello.id.fill(0), DisconnectReason::NullNodeIdentity),
        (|hello| hello.client_version = "x".repeat(3000), DisconnectReason::ProtocolBreach),
    ];
    for (change, reason) in cases {
        let keys = (random_key(), random_key());
        let (near, far) = duplex(1 << 20);
        let (near, mut far) = shake(near, far, keys).await;
        let mut theirs = hello(&keys.1).message();
        change(&mut theirs);
        let frame = [&[0x80], &theirs.encode()[..]].concat();
        far.send(frame.into()).await.unwrap();
        let error = UnauthedP2PStream::new(near).handshake(hello(&keys.0)).await.unwrap_err();
        assert_eq!(error.disconnect_reason(), Some(reason), "{error}");
        far.next().await.unwrap().unwrap();
        let farewell = far.next().await.unwrap().unwrap();
        assert_eq!(farewell.first(), Some(&0x01));
        assert!(farewell.ends_with(&[reason.code()]), "{farewell:x?}");
        assert!(far.next().await.is_none());
    }
}

#[tokio::test]
async fn a_connection_cut_inside_a_frame_is_an_error_not_an_end() {
    let keys = (random_key(), random_key());
    let (near, far) = duplex(1 << 20);
    let (near, mut far) = shake(near, far, keys).await;
    drop(near);
    assert!(far.next().await.is_none(), "a cut between frames is an end");

    for cut in [1, 31, 32, 33, 32 + 112 + 15] {
        let (mut near, far) = codecs();
        let mut wire = BytesMut::new();
        near.encode(Bytes::from(vec![1; 100]), &mut wire).unwrap();
        let mut far = FramedRead::new(&wire[..cut], far);
        assert!(far.next().await.unwrap().is_err(), "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn any_plain_handshake_body_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _either = (Auth::decode(&body), Ack::decode(&body));
    }
}
