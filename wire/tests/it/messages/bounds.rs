//! Each list stops at its bound, before memory is taken for more.

use alloy_primitives::B256;
use bytes::{Bytes, BytesMut};
use hypasis_wire::eth::{
    Dialect, EthMessage, EthMessageError, EthVersion, MAX_ANNOUNCED_BLOCKS, MAX_ANNOUNCED_HASHES, MAX_BODIES,
    MAX_HEADER_SIZE, MAX_HEADERS, MAX_MESSAGE_SIZE, MAX_RECEIPTS, MAX_REQUESTED_HASHES, MAX_TRANSACTIONS,
    RlpError,
};

use super::arbitrary::list;

/// A message with as many items as asked for.
type Make = fn(usize) -> Bytes;

#[test]
fn each_list_is_read_up_to_its_bound_and_no_further() {
    let hash = |byte: u8| -> Bytes { alloy_rlp::encode(B256::repeat_byte(byte)).into() };
    let cases: [(EthVersion, u8, usize, Make); 10] = [
        (EthVersion::Eth68, 0x01, MAX_ANNOUNCED_BLOCKS, |count| {
            list(&vec![list(&[alloy_rlp::encode(B256::ZERO).into(), byte(1)]); count])
        }),
        (EthVersion::Eth70, 0x02, MAX_TRANSACTIONS, |count| list(&vec![byte(1); count])),
        (EthVersion::Eth70, 0x04, MAX_HEADERS, |count| answer(count, list(&[]))),
        (EthVersion::Eth70, 0x05, MAX_REQUESTED_HASHES, |count| {
            answer(count, alloy_rlp::encode(B256::ZERO).into())
        }),
        (EthVersion::Eth70, 0x06, MAX_BODIES, |count| answer(count, list(&[list(&[]), list(&[])]))),
        (EthVersion::Eth70, 0x09, MAX_REQUESTED_HASHES, |count| {
            answer(count, alloy_rlp::encode(B256::ZERO).into())
        }),
        (EthVersion::Eth70, 0x0a, MAX_TRANSACTIONS, |count| answer(count, byte(1))),
        (EthVersion::Eth69, 0x0f, MAX_REQUESTED_HASHES, |count| {
            answer(count, alloy_rlp::encode(B256::ZERO).into())
        }),
        (EthVersion::Eth69, 0x10, MAX_RECEIPTS, |count| answer(count, list(&[]))),
        (EthVersion::Eth68, 0x10, MAX_RECEIPTS, |count| answer(count, list(&[]))),
    ];
    assert_eq!(hash(0).len(), 33);
    for (version, id, max, make) in cases {
        let read = |count| EthMessage::decode(version, Dialect::Ethereum, id, make(count));
        assert!(read(max).is_ok(), "{version} {id:#04x}: {:?}", read(max).err());
        let refused = read(max + 1);
        let Err(EthMessageError::Malformed { source: RlpError::TooMany { max: bound, .. }, .. }) = refused
        else {
            panic!("{version} {id:#04x}: {} items are read", max + 1)
        };
        assert_eq!(bound, max);
    }
}

#[test]
fn announcements_are_read_up_to_their_bound_and_must_be_even() {
    let announcement = |types: usize, sizes: usize, hashes: usize| {
        let message = list(&[
            alloy_rlp::encode(&vec![2u8; types][..]).into(),
            list(&vec![byte(1); sizes]),
            list(&vec![alloy_rlp::encode(B256::ZERO).into(); hashes]),
        ]);
        EthMessage::decode(EthVersion::Eth70, Dialect::Ethereum, 0x08, message)
    };
    let max = MAX_ANNOUNCED_HASHES;
    assert!(announcement(max, max, max).is_ok());
    assert!(announcement(max + 1, max + 1, max + 1).is_err());
    assert!(announcement(2, 3, 3).is_err());
    assert!(announcement(3, 2, 3).is_err());
    assert!(announcement(3, 4, 3).is_err());
    assert!(announcement(3, 3, 2).is_err());
}

#[test]
fn a_message_over_its_size_is_refused_unread() {
    let mut payload = BytesMut::new();
    payload.resize(MAX_MESSAGE_SIZE + 1, 0);
    let refused = EthMessage::decode(EthVersion::Eth70, Dialect::Ethereum, 0x04, payload.freeze());
    assert!(matches!(refused, Err(EthMessageError::TooLarge { length, max, .. }) if length == max + 1));
}

#[test]
fn a_header_over_its_size_is_refused() {
    let header = |length: usize| {
        let extra: Bytes = alloy_rlp::encode(&vec![0x80u8; length][..]).into();
        EthMessage::decode(EthVersion::Eth68, Dialect::Bor, 0x04, answer(1, list(&[extra])))
    };
    assert!(header(MAX_HEADER_SIZE - 8).is_ok());
    assert!(header(MAX_HEADER_SIZE).is_err());
}

#[test]
fn a_length_beyond_the_message_allocates_nothing() {
    // Lists that claim 2^40 and 2^64 - 1 bytes.
    for prefix in [&[0xfd, 0x01, 0, 0, 0, 0, 0][..], &[0xff; 9]] {
        for id in 0..0x12 {
            let payload = Bytes::copy_from_slice(prefix);
            assert!(EthMessage::decode(EthVersion::Eth68, Dialect::Bor, id, payload).is_err());
        }
    }
}

#[test]
fn total_difficulty_has_at_most_a_hundred_bits() {
    let status = |bits: usize| {
        let mut message = hypasis_wire::eth::UnifiedStatus::builder().version(EthVersion::Eth68).build();
        message.total_difficulty = Some(alloy_primitives::U256::from(1) << (bits - 1));
        let payload = EthMessage::Status(message.into_message(Dialect::Ethereum)).encoded();
        EthMessage::decode(EthVersion::Eth68, Dialect::Ethereum, 0x00, payload)
    };
    assert!(status(100).is_ok());
    assert!(status(101).is_err());
}

fn answer(count: usize, item: Bytes) -> Bytes {
    list(&[byte(7), list(&vec![item; count])])
}

fn byte(value: u8) -> Bytes {
    vec![value].into()
}
