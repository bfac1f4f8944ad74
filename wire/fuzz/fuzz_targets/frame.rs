//! A frame with one byte changed: it is refused, and never read as something else. The first three bytes of the input
//! say where and what to change.
#![no_main]

use bytes::{Bytes, BytesMut};
use hypasis_wire::ecies::{Ack, Auth, ECIESCodec, Handshake};
use hypasis_wire::node::{id2pk, own_id};
use libfuzzer_sys::fuzz_target;
use secp256k1::SecretKey;
use tokio_util::codec::{Decoder, Encoder};

fuzz_target!(|input: &[u8]| {
    let Some((&[high, low, change], body)) = input.split_first_chunk() else { return };
    let (mut near, mut far) = codecs();
    let mut wire = BytesMut::new();
    near.encode(Bytes::copy_from_slice(body), &mut wire).expect("a small frame");
    let at = usize::from(u16::from_be_bytes([high, low])) % wire.len();
    wire[at] ^= change;
    match far.decode(&mut wire) {
        Ok(read) => assert!(change == 0 && read.is_some_and(|read| read == body)),
        Err(_) => assert_ne!(change, 0),
    }
});

fn codecs() -> (ECIESCodec, ECIESCodec) {
    let key = |byte| SecretKey::from_byte_array([byte; 32]).expect("a scalar");
    let (near, far) = (key(1), key(2));
    let hand = |key, byte| {
        Handshake::with_ephemeral(
            key,
            SecretKey::from_byte_array([byte; 32]).expect("a scalar"),
            [byte; 32].into(),
        )
    };
    let (initiator, recipient) = (hand(near, 3), hand(far, 4));
    let auth_packet = initiator.auth(&id2pk(own_id(&far)).expect("a point"));
    let ack_packet = recipient.ack(&id2pk(own_id(&near)).expect("a point"));
    let auth = Auth::open(&far, &auth_packet).expect("ours");
    let ack = Ack::open(&near, &ack_packet).expect("ours");
    let near = initiator.initiator_secrets(own_id(&far), &auth_packet, &ack, &ack_packet).expect("ours");
    let far = recipient.recipient_secrets(&auth, &auth_packet, &ack_packet).expect("ours");
    (ECIESCodec::new(near), ECIESCodec::new(far))
}
