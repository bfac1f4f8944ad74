//! Which messages exist in which session, and in which form.

use bytes::Bytes;
use hypasis_wire::eth::{
    Dialect, EthMessage, EthMessageError, EthMessageID, EthVersion, MAX_BOR_RECEIPTS_SIZE,
};

#[test]
fn lengths_fix_where_the_next_capability_begins() {
    assert_eq!(EthVersion::ALL.iter().map(|version| version.length()).collect::<Vec<_>>(), [18, 18, 17]);
    for version in EthVersion::ALL {
        let last = EthMessageID::ALL
            .iter()
            .filter_map(|id| EthMessageID::of(*version, Dialect::Ethereum, u8::from(*id)))
            .map(u8::from)
            .max();
        assert_eq!(last, Some(version.length() - 1), "{version}");
    }
}

#[test]
fn blocks_are_announced_up_to_68_and_with_bor_always() {
    let announces = |version, dialect| EthMessageID::of(version, dialect, 0x07).is_some();
    assert!(announces(EthVersion::Eth68, Dialect::Ethereum));
    assert!(!announces(EthVersion::Eth69, Dialect::Ethereum));
    assert!(!announces(EthVersion::Eth70, Dialect::Ethereum));
    assert!(announces(EthVersion::Eth68, Dialect::Bor));
    assert!(announces(EthVersion::Eth69, Dialect::Bor));
}

#[test]
fn a_message_that_the_version_lacks_is_refused() {
    for (version, id) in [
        (EthVersion::Eth68, 0x11),
        (EthVersion::Eth69, 0x01),
        (EthVersion::Eth70, 0x07),
        (EthVersion::Eth70, 0x12),
        (EthVersion::Eth68, 0x0d),
    ] {
        let refused = EthMessage::decode(version, Dialect::Ethereum, id, Bytes::from_static(&[0xc0]));
        assert_eq!(refused, Err(EthMessageError::UnknownId { version, id }));
    }
}

#[test]
fn receipts_have_the_form_of_the_version() {
    let read = |version, payload: &'static [u8]| {
        EthMessage::decode(version, Dialect::Ethereum, 0x10, Bytes::from_static(payload))
    };
    // A typed receipt of eth/68 is a string; from eth/69 on every receipt is a list.
    let full: &[u8] = &[0xc5, 0x01, 0xc3, 0xc2, 0x02, 0xc0];
    assert!(matches!(read(EthVersion::Eth68, full), Ok(EthMessage::Receipts(_))));
    assert!(read(EthVersion::Eth69, full).is_err());
    let paged: &[u8] = &[0xc5, 0x01, 0x01, 0xc2, 0xc1, 0xc0];
    let Ok(EthMessage::Receipts70(pair)) = read(EthVersion::Eth70, paged) else { panic!("not receipts") };
    assert!(pair.message.last_block_incomplete);
    assert!(read(EthVersion::Eth69, paged).is_err());
}

#[test]
fn a_start_of_32_bytes_is_a_hash_and_any_other_a_number() {
    let read = |start: &[u8]| {
        let query = [start, &[0x01, 0x80, 0x80]].concat();
        let query = [&[0xc0 + query.len() as u8][..], &query].concat();
        let message = [&[0xc1 + query.len() as u8, 0x05][..], &query].concat();
        EthMessage::decode(EthVersion::Eth70, Dialect::Ethereum, 0x03, message.into())
    };
    assert!(read(&[0x80]).is_ok());
    assert!(read(&[0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_ok());
    assert!(read(&[&[0xa0][..], &[0xff; 32]].concat()).is_ok());
    assert!(read(&[0x82, 0x00, 0x01]).is_err(), "leading zero");
    assert!(read(&[&[0x89][..], &[0xff; 9]].concat()).is_err(), "nine bytes are no number");
    assert!(read(&[0xc0]).is_err(), "a list is neither");
}

#[test]
fn integers_must_be_in_their_shortest_form() {
    let read = |payload: &'static [u8]| {
        EthMessage::decode(EthVersion::Eth70, Dialect::Ethereum, 0x06, Bytes::from_static(payload))
    };
    assert!(read(&[0xc2, 0x05, 0xc0]).is_ok());
    assert!(read(&[0xc3, 0x81, 0x05, 0xc0]).is_err(), "a single byte with a prefix");
    assert!(read(&[0xc4, 0x82, 0x00, 0x05, 0xc0]).is_err(), "a leading zero");
    assert!(read(&[0xf8, 0x02, 0x05, 0xc0]).is_err(), "a long length that is short");
    assert!(read(&[0xc3, 0x05, 0xc0, 0xc0]).is_err(), "an item too many");
}

#[test]
fn only_receipts_of_bor_may_exceed_ten_mebibytes() {
    let size = |dialect: Dialect, id| dialect.max_message_size(id);
    assert_eq!(size(Dialect::Ethereum, EthMessageID::Receipts), 10 << 20);
    assert_eq!(size(Dialect::Bor, EthMessageID::Receipts), MAX_BOR_RECEIPTS_SIZE);
    assert_eq!(size(Dialect::Bor, EthMessageID::BlockBodies), 10 << 20);
}
