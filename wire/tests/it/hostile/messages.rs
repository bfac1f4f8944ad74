//! Messages of `eth`, cut, flipped and spliced.

use hypasis_wire::eth::{Dialect, EthMessage, EthVersion};
use proptest::prelude::*;

use super::{Change, changed};
use crate::messages::arbitrary::in_session;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40_000))]

    #[test]
    fn a_changed_message_is_refused_or_read_as_what_it_became(
        (version, dialect, message) in in_session(),
        changes in proptest::collection::vec(any::<Change>(), 1..6),
    ) {
        let id = u8::from(message.message_id());
        let payload = changed(&message.encoded(), &changes);
        if let Ok(read) = EthMessage::decode(version, dialect, id, payload.clone().into()) {
            // The encoding is canonical: what was read is what would be written.
            prop_assert_eq!(read.encoded(), payload);
        }
    }

    #[test]
    fn random_bytes_under_any_id_are_read_or_refused(
        version in prop::sample::select(EthVersion::ALL),
        dialect in prop::sample::select(&[Dialect::Ethereum, Dialect::Bor][..]),
        id in 0u8..0x20,
        payload in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(read) = EthMessage::decode(version, dialect, id, payload.clone().into()) {
            prop_assert_eq!(read.encoded(), payload);
        }
    }
}
