//! Hello: the vector of EIP-8, and what a peer may write into it.

use alloy_primitives::{B512, hex};
use hypasis_wire::p2p::{Capability, HelloMessage, P2PStreamError};
use proptest::prelude::*;

/// Of version 22, with more items than there are (<https://eips.ethereum.org/EIPS/eip-8#devp2p-base-protocol>).
const EIP8: [u8; 115] = hex!(
    "f87137916b6e6574682f76302e39312f706c616e39cdc5836574683dc6846d6f726b1682270fb840"
    "fda1cff674c90c9a197539fe3dfb53086ace64f83ed7c6eabec741f7f381cc803e52ab2cd55d5569"
    "bce4347107a310dfd5f88a010cd2ffd1005ca406f1842877c883666f6f836261720304"
);

#[test]
fn a_later_hello_with_more_items_is_read() {
    let hello = HelloMessage::decode(&EIP8).unwrap();
    assert_eq!(hello.protocol_version, 55);
    assert_eq!(hello.client_version, "kneth/v0.91/plan9");
    assert_eq!(hello.capabilities, [Capability::eth(61), Capability::new_static("mork", 22)]);
    assert_eq!(hello.port, 9999);
    assert!(hello.compresses());
    assert_eq!(hello.id[..4], [0xfd, 0xa1, 0xcf, 0xf6]);
}

#[test]
fn a_null_or_misshapen_identity_is_told_apart() {
    let sound = HelloMessage::decode(&EIP8).unwrap();
    let null = HelloMessage { id: B512::ZERO, ..sound }.encode();
    assert!(matches!(HelloMessage::decode(&null).unwrap_err(), P2PStreamError::NullIdentity));
    // The id's prefix says 65 bytes: one of the items behind it slides in.
    let mut long = EIP8;
    let at = long.windows(2).position(|pair| pair == [0xb8, 0x40]).unwrap();
    long[at + 1] = 0x41;
    assert!(matches!(HelloMessage::decode(&long).unwrap_err(), P2PStreamError::NullIdentity));
}

proptest! {
    #[test]
    fn every_hello_reads_back(
        protocol_version in 0_u64..9,
        client_version in ".{0,40}",
        names in prop::collection::vec(("[a-z]{1,8}", 0_usize..100), 0..9),
        port: u16,
        id in prop::array::uniform32(1_u8..),
    ) {
        let capabilities =
            names.into_iter().map(|(name, version)| Capability { name: name.into(), version }).collect();
        let id = B512::from_slice(&[id, id].concat());
        let hello = HelloMessage { protocol_version, client_version, capabilities, port, id };
        prop_assert_eq!(HelloMessage::decode(&hello.encode()).unwrap(), hello);
    }

    #[test]
    fn a_damaged_hello_is_read_or_refused(at in 0_usize..115, byte: u8, len in 0_usize..116) {
        let mut damaged = EIP8;
        damaged[at] = byte;
        let _either = HelloMessage::decode(&damaged[..len]);
    }
}
