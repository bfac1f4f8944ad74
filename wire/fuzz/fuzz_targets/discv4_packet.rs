//! Any content, rightly signed, so that hash and signature are no wall; and the bytes as they are.
#![no_main]

use std::sync::LazyLock;

use alloy_primitives::keccak256;
use hypasis_wire::discv4::Packet;
use hypasis_wire::node::sign_recoverable;
use libfuzzer_sys::fuzz_target;
use secp256k1::SecretKey;

static KEY: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_byte_array([1; 32]).expect("a scalar"));

fuzz_target!(|content: &[u8]| {
    let _ = Packet::decode(content);
    let signed = [&sign_recoverable(&KEY, keccak256(content).0), content].concat();
    let datagram = [keccak256(&signed).as_slice(), &signed].concat();
    if let Ok(packet) = Packet::decode(&datagram) {
        let (again, _) = packet.message.encode(&KEY);
        let read = Packet::decode(&again).expect("what was read is written as a packet");
        assert_eq!(read.message, packet.message);
    }
});
