//! The handshake vectors of EIP-8 (<https://eips.ethereum.org/EIPS/eip-8#rlpx-handshake>).

use alloy_primitives::{B256, b256};
use hypasis_wire::ecies::{Ack, Auth, Handshake};
use hypasis_wire::node::own_id;
use secp256k1::SecretKey;

const KEY_A: B256 = b256!("49a7b37aa6f6645917e7b807e9d1c00d4fa71f18343b0d4122a4d2df64dd6fee");
const KEY_B: B256 = b256!("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291");
const EPHEMERAL_A: B256 = b256!("869d6ecf5211f1cc60418a13b9d870b22959d0c16f02bec714c960dd2298a32d");
const EPHEMERAL_B: B256 = b256!("e238eb8e04fee6511ab04c6dd3c89ce097b11f25d584863ac2b6d5b35b1847e4");
const NONCE_A: B256 = b256!("7e968bba13b6c50e2c4cd7f241cc0d64d1ac25c7f5952df231ac6a2bda8ee5d6");
const NONCE_B: B256 = b256!("559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd");

pub(super) fn packet(name: &str) -> Vec<u8> {
    let lines = include_str!("../testdata/eip8_handshake.txt").lines();
    let line = lines.filter_map(|line| line.split_once(' ')).find(|(first, _)| *first == name);
    const_hex::decode(line.unwrap().1).unwrap()
}

pub(super) fn key(bytes: B256) -> SecretKey {
    SecretKey::from_byte_array(bytes.0).unwrap()
}

#[test]
fn auth_opens_also_with_a_later_version_and_more_items() {
    for name in ["auth2", "auth3"] {
        let auth = Auth::open(&key(KEY_B), &packet(name)).unwrap();
        assert_eq!(auth.initiator_id, own_id(&key(KEY_A)), "{name}");
        assert_eq!(auth.nonce, NONCE_A, "{name}");
    }
}

#[test]
fn ack_opens_also_with_a_later_version_and_more_items() {
    for name in ["ack2", "ack3"] {
        let ack = Ack::open(&key(KEY_A), &packet(name)).unwrap();
        assert_eq!(ack.ephemeral_id, own_id(&key(EPHEMERAL_B)), "{name}");
        assert_eq!(ack.nonce, NONCE_B, "{name}");
    }
}

#[test]
fn both_sides_draw_the_published_secrets() {
    let (auth_packet, ack_packet) = (packet("auth2"), packet("ack2"));
    let auth = Auth::open(&key(KEY_B), &auth_packet).unwrap();
    let ack = Ack::open(&key(KEY_A), &ack_packet).unwrap();
    let recipient = Handshake::with_ephemeral(key(KEY_B), key(EPHEMERAL_B), NONCE_B)
        .recipient_secrets(&auth, &auth_packet, &ack_packet)
        .unwrap();
    let initiator = Handshake::with_ephemeral(key(KEY_A), key(EPHEMERAL_A), NONCE_A)
        .initiator_secrets(own_id(&key(KEY_B)), &auth_packet, &ack, &ack_packet)
        .unwrap();
    for secrets in [&recipient, &initiator] {
        assert_eq!(secrets.aes(), b256!("80e8632c05fed6fc2a13b0f8d31a3cf645366239170ea067065aba8e28bac487"));
        assert_eq!(secrets.mac(), b256!("2ea74ec5dae199227dff1af715362700e989d889d7a493cb0639691efb8e5f98"));
    }
    assert_eq!(recipient.remote_id(), own_id(&key(KEY_A)));
    assert_eq!(initiator.remote_id(), own_id(&key(KEY_B)));
}

#[test]
fn a_packet_with_any_byte_changed_does_not_open() {
    let (sound, key) = (packet("auth2"), key(KEY_B));
    for at in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x40;
        assert!(Auth::open(&key, &damaged).is_err(), "byte {at}");
    }
    for len in 0..sound.len() {
        assert!(Auth::open(&key, &sound[..len]).is_err(), "length {len}");
    }
}
