//! What is written is read back, and is canonical.

use hypasis_wire::eth::{EthMessage, EthMessageID};
use proptest::prelude::*;

use super::arbitrary::in_session;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn every_message_is_read_as_it_was_written((version, dialect, message) in in_session()) {
        let id = u8::from(message.message_id());
        let payload = message.encoded();
        let read = EthMessage::decode(version, dialect, id, payload.clone()).unwrap();
        prop_assert_eq!(&read, &message);
        prop_assert_eq!(read.encoded(), payload);
    }

    #[test]
    fn no_message_is_read_with_a_byte_more_or_less((version, dialect, message) in in_session()) {
        let id = u8::from(message.message_id());
        let payload = message.encoded();
        prop_assert!(EthMessage::decode(version, dialect, id, payload.slice(..payload.len() - 1)).is_err());
        let mut longer = payload.to_vec();
        longer.push(0x01);
        prop_assert!(EthMessage::decode(version, dialect, id, longer.into()).is_err());
    }

    #[test]
    fn raw_parts_are_slices_of_the_message((version, dialect, message) in in_session()) {
        let payload = message.encoded();
        let id = u8::from(message.message_id());
        let inside = payload.as_ptr_range();
        let read = EthMessage::decode(version, dialect, id, payload.clone()).unwrap();
        let parts = match &read {
            EthMessage::BlockHeaders(pair) => pair.message.0.clone(),
            EthMessage::BlockBodies(pair) => pair.message.0.clone(),
            EthMessage::PooledTransactions(pair) => pair.message.0.clone(),
            EthMessage::Receipts(pair) => pair.message.0.clone(),
            EthMessage::Receipts69(pair) => pair.message.0.clone(),
            EthMessage::Receipts70(pair) => pair.message.receipts.clone(),
            EthMessage::Transactions(transactions) => transactions.0.clone(),
            EthMessage::NewBlock(block) => vec![block.block.clone()],
            _ => Vec::new(),
        };
        for part in parts {
            prop_assert!(inside.contains(&part.as_ptr()));
        }
    }
}

#[test]
fn ids_are_those_of_the_specification() {
    let ids: Vec<u8> = EthMessageID::ALL.iter().map(|id| u8::from(*id)).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0a, 0x0f, 0x10, 0x11]);
}
