//! Pages of receipts out of stored bytes that are damaged.

use alloy_rlp::Encodable;
use hypasis_wire::eth::{Dialect, EthMessage, EthVersion, RawAnswer};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Change, changed};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_page_of_any_bytes_is_refused_or_keeps_to_its_budget(
        receipts in vec(vec(any::<u64>(), 0..5), 0..20),
        changes in vec(any::<Change>(), 0..6),
        first in 0_u64..24,
        budget in 0_usize..400,
    ) {
        let mut stored = Vec::new();
        receipts.encode(&mut stored);
        let stored = changed(&stored, &changes);
        let mut answer = RawAnswer::new(1);
        if let Ok(page) = answer.push_receipts(&stored, first, budget) {
            // A list's own prefix has up to nine bytes; a first receipt is given however long it is.
            prop_assert!(answer.len() <= budget + 9 || page.taken == 1);
            // Receipts are stored as they were verified: whether each is one is not looked at again.
            let _either = EthMessage::decode(EthVersion::Eth70, Dialect::Ethereum, 0x10, answer.finish_receipts70());
        }
    }
}
