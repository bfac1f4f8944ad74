//! Disconnect in all the forms that clients write.

use bytes::BytesMut;
use hypasis_wire::p2p::{DisconnectReason, P2PMessage};

fn read(body: &[u8], snappy: bool) -> DisconnectReason {
    match P2PMessage::decode(1, BytesMut::from(body), snappy) {
        Ok(Some(P2PMessage::Disconnect(reason))) => reason,
        other => panic!("{body:x?} is {other:?}"),
    }
}

#[test]
fn a_reason_is_read_as_a_list_or_bare_and_compressed_or_not() {
    for agreed in [false, true] {
        // [4], 4; then both as snappy blocks.
        for body in [&[0xc1, 0x04][..], &[0x04], &[0x02, 0x04, 0xc1, 0x04], &[0x01, 0x00, 0x04]] {
            assert_eq!(read(body, agreed), DisconnectReason::TooManyPeers, "{body:x?}, agreed: {agreed}");
        }
        // [16], [0x10, more].
        for body in [&[0xc1, 0x10][..], &[0xc2, 0x10, 0x01]] {
            assert_eq!(
                read(body, agreed),
                DisconnectReason::SubprotocolSpecific,
                "{body:x?}, agreed: {agreed}"
            );
        }
        // 0 and nothing, in any form.
        for body in [&[][..], &[0xc0], &[0x80], &[0x00], &[0xc1, 0x80], &[0x01, 0x00, 0xc0]] {
            assert_eq!(
                read(body, agreed),
                DisconnectReason::DisconnectRequested,
                "{body:x?}, agreed: {agreed}"
            );
        }
    }
}

#[test]
fn a_reason_that_is_none_is_unknown() {
    for body in [&[0xff][..], &[0xc3, 0x82, 0x01, 0x00], &[0xf9], &[0x83, 1, 2, 3], &[0xff; 50]] {
        assert_eq!(read(body, true), DisconnectReason::Unknown(0xff), "{body:x?}");
    }
    assert_eq!(read(&[0xc1, 0x0c], true), DisconnectReason::Unknown(0x0c));
}

#[test]
fn every_code_is_its_reason_and_back() {
    for code in 0..=u8::MAX {
        assert_eq!(DisconnectReason::from(code).code(), code);
    }
}
