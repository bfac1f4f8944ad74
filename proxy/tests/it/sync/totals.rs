//! What is known of total difficulties is never more than the truth.

use alloy_primitives::{B256, U256};
use hypasis_chain::BlockId;
use hypasis_proxy::sync::difficulty::{Anchor, Origin, Totals};
use proptest::prelude::*;

fn id(number: u64) -> BlockId {
    BlockId { number, hash: B256::with_last_byte(number as u8) }
}

fn anchor(number: u64, total: u64, origin: Origin) -> Anchor {
    Anchor { id: id(number), total_difficulty: U256::from(total), origin }
}

#[test]
fn an_anchor_at_the_root_tells_what_the_head_has() {
    let mut totals = Totals::default();
    totals.weigh(id(10), id(15), U256::from(7));
    assert_eq!(totals.at(id(15)), None);
    assert!(totals.tell(anchor(10, 100, Origin::Source)));
    assert_eq!(totals.at(id(15)), Some(U256::from(107)));
    assert_eq!(totals.at(id(10)), Some(U256::from(100)));
    assert_eq!(totals.at(id(14)), None, "only the head is known");
    totals.settled(id(10), id(12), U256::from(3));
    totals.weigh(id(12), id(15), U256::from(4));
    assert_eq!(totals.at(id(15)), Some(U256::from(107)));
}

#[test]
fn of_two_that_differ_the_lower_one_counts_and_a_proof_before_a_word() {
    let mut totals = Totals::default();
    totals.tell(anchor(10, 100, Origin::Source));
    assert!(!totals.tell(anchor(10, 90, Origin::Source)));
    assert!(!totals.tell(anchor(10, 110, Origin::Source)));
    assert_eq!(totals.at(id(10)), Some(U256::from(90)));
    totals.tell(anchor(10, 95, Origin::Checkpoint));
    assert_eq!(totals.at(id(10)), Some(U256::from(95)));
    totals.tell(anchor(10, 97, Origin::Genesis));
    assert_eq!(totals.at(id(10)), Some(U256::from(97)));
}

#[test]
fn an_anchor_below_the_root_tells_nothing_until_it_has_climbed() {
    let mut totals = Totals::default();
    totals.weigh(id(10), id(15), U256::from(7));
    totals.tell(anchor(4, 40, Origin::Genesis));
    assert_eq!(totals.at(id(15)), None);
    assert_eq!(totals.below(10), vec![anchor(4, 40, Origin::Genesis)]);
    totals.climbed(3, anchor(9, 1, Origin::Genesis));
    assert_eq!(totals.below(10), vec![anchor(4, 40, Origin::Genesis)], "it was not there");
    totals.climbed(4, anchor(10, 60, Origin::Genesis));
    assert_eq!(totals.at(id(15)), Some(U256::from(67)));
}

proptest! {
    /// Blocks of difficulty 2; claims of the truth or less arrive in any order while history is settled.
    #[test]
    fn what_is_told_truly_or_low_never_becomes_more_than_the_truth(
        steps in prop::collection::vec((0_u64..100, 0_u64..5, 0_usize..3, 1_u64..4), 1..30),
    ) {
        let truth = |number: u64| number * 2;
        let (mut totals, mut root) = (Totals::default(), 0);
        for (number, less, origin, settled) in steps {
            let origin = [Origin::Genesis, Origin::Checkpoint, Origin::Source][origin];
            let number = number.min(root);
            totals.tell(anchor(number, truth(number).saturating_sub(less), origin));
            totals.settled(id(root), id(root + settled), U256::from(settled * 2));
            root += settled;
            let head = root + 3;
            totals.weigh(id(root), id(head), U256::from(6));
            prop_assert!(totals.at(id(head)).is_none_or(|total| total <= U256::from(truth(head))));
        }
    }
}
