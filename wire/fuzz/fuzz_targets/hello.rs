//! Plain messages of the base protocol, hello above all: what is read is written again as the same.
#![no_main]

use bytes::BytesMut;
use hypasis_wire::p2p::{HelloMessage, P2PMessage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(hello) = HelloMessage::decode(input) {
        assert_eq!(HelloMessage::decode(&hello.encode()).expect("what was read is written"), hello);
    }
    let Some((&id, body)) = input.split_first() else { return };
    for snappy in [false, true] {
        if let Ok(Some(message)) = P2PMessage::decode(id.into(), BytesMut::from(body), snappy) {
            assert!(message.id() <= 0x0f);
        }
    }
});
