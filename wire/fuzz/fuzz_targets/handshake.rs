//! Packets of the RLPx handshake as they are, and any plain body as if it had opened.
#![no_main]

use std::sync::LazyLock;

use hypasis_wire::ecies::{Ack, Auth, Handshake};
use libfuzzer_sys::fuzz_target;
use secp256k1::SecretKey;

static KEY: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_byte_array([1; 32]).expect("a scalar"));

fuzz_target!(|bytes: &[u8]| {
    let _ = Auth::open(&KEY, bytes);
    let _ = Ack::open(&KEY, bytes);
    let ours = Handshake::new(*KEY);
    if let Ok(auth) = Auth::decode(bytes) {
        // Any id and any signature may stand there.
        let _ = ours.recipient_secrets(&auth, bytes, bytes);
    }
    if let Ok(ack) = Ack::decode(bytes) {
        let _ = ours.initiator_secrets(ack.ephemeral_id, bytes, &ack, bytes);
    }
});
