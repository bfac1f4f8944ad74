//! Which branch is the chain.

use std::cmp::Ordering;

use alloy_primitives::{B256, U256};
use hypasis_chain::BlockId;
use hypasis_chain::bor::fork_choice::{Candidate, Standing, choose, compare};
use proptest::prelude::*;

fn candidate(number: u64, difficulty: u64, hash: u8, standing: Standing) -> Candidate {
    let id = BlockId { number, hash: B256::repeat_byte(hash) };
    Candidate { id, total_difficulty: U256::from(difficulty), standing }
}

#[test]
fn the_heavier_then_the_lower_then_the_larger_hash_wins_unless_a_milestone_speaks() {
    use Standing::{Contradicts, Holds, Open};
    for (better, worse) in [
        (candidate(5, 11, 1, Open), candidate(9, 10, 2, Open)),
        (candidate(4, 10, 1, Open), candidate(5, 10, 2, Open)),
        (candidate(5, 10, 2, Open), candidate(5, 10, 1, Open)),
        (candidate(5, 1, 1, Holds), candidate(9, 99, 2, Open)),
        (candidate(5, 1, 1, Open), candidate(9, 99, 2, Contradicts)),
    ] {
        assert_eq!(compare(&better, &worse), Ordering::Greater);
        assert_eq!(choose([better, worse]), Some(better));
        assert_eq!(choose([worse, better]), Some(better));
    }
    assert_eq!(choose([candidate(9, 99, 2, Contradicts)]), None);
}

proptest! {
    /// Bor compares a new head with its own, one after the other as they arrive. Whatever the order, it ends where
    /// the greatest candidate is.
    #[test]
    fn one_after_the_other_leads_where_all_at_once_does(
        seeds in prop::collection::vec((1_u64..6, 1_u64..6, 0_u8..4), 1..12),
    ) {
        let all: Vec<_> =
            seeds.iter().map(|(number, td, hash)| candidate(*number, *td, *hash, Standing::Open)).collect();
        let mut current = all[0];
        for extern_head in &all {
            let reorg = match extern_head.total_difficulty.cmp(&current.total_difficulty) {
                Ordering::Equal if extern_head.id.number == current.id.number => {
                    current.id.hash < extern_head.id.hash
                }
                Ordering::Equal => extern_head.id.number < current.id.number,
                other => other == Ordering::Greater,
            };
            if reorg {
                current = *extern_head;
            }
        }
        prop_assert_eq!(choose(all), Some(current));
    }
}
