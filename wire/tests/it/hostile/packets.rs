//! Packets of discv4 whose content was changed by their own signer.

use alloy_primitives::keccak256;
use hypasis_wire::discv4::Packet;
use hypasis_wire::node::{own_id, sign_recoverable};
use proptest::prelude::*;

use super::{Change, changed};
use crate::discv4::{key, message};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_changed_and_signed_packet_is_read_or_refused(
        message in message(),
        changes in proptest::collection::vec(any::<Change>(), 1..6),
    ) {
        const HEAD: usize = 32 + 65;
        let content = changed(&message.encode(&key()).0[HEAD..], &changes);
        let signature = sign_recoverable(&key(), keccak256(&content).0);
        let signed = [&signature[..], &content].concat();
        let datagram = [keccak256(&signed).as_slice(), &signed].concat();
        if let Ok(packet) = Packet::decode(&datagram) {
            prop_assert_eq!(packet.node_id, own_id(&key()));
            // What is ignored may have been lost, nothing else.
            let (again, _) = packet.message.encode(&key());
            prop_assert_eq!(Packet::decode(&again).map(|packet| packet.message), Ok(packet.message));
        }
    }

    #[test]
    fn random_datagrams_are_refused(datagram in proptest::collection::vec(any::<u8>(), 0..1400)) {
        prop_assert!(Packet::decode(&datagram).is_err());
    }
}
