//! When several endpoints are believed.

use std::collections::HashMap;
use std::sync::Arc;

use hypasis_upstream::checkpoint::agree::{Verdict, needed, reached, weigh};
use proptest::prelude::*;

fn answers(said: &[u8]) -> Vec<(Arc<str>, u8)> {
    said.iter().enumerate().map(|(place, said)| (format!("e{place}").into(), *said)).collect()
}

#[test]
fn one_configured_endpoint_is_believed_and_one_of_several_is_not() {
    assert!(matches!(weigh(&answers(&[1]), 1), Verdict::Agreed { value: 1, .. }));
    assert_eq!(weigh(&answers(&[1]), 2), Verdict::TooFew { answered: 1, needed: 2 });
    assert_eq!(weigh::<u8>(&[], 1), Verdict::TooFew { answered: 0, needed: 1 });
    assert!(matches!(weigh(&answers(&[1, 2]), 2), Verdict::Split(_)));
    assert!(matches!(weigh(&answers(&[1, 1]), 5), Verdict::Agreed { value: 1, .. }));
    assert!(matches!(weigh(&answers(&[1, 1, 2, 2]), 4), Verdict::Split(_)), "half is not more than half");
}

#[test]
fn one_that_claims_to_be_far_ahead_moves_nothing() {
    assert_eq!(reached([100, 100, u64::MAX], 3), Some(100));
    assert_eq!(reached([100, u64::MAX], 2), Some(100));
    assert_eq!(reached([100, 90, 80], 3), Some(90));
    assert_eq!(reached([100], 2), None, "nobody stands beside it");
    assert_eq!(reached([7], 1), Some(7));
    assert_eq!(reached([], 1), None);
}

proptest! {
    #[test]
    fn an_agreed_answer_has_the_votes_and_dissenters_are_all_others(
        said in prop::collection::vec(0_u8..4, 0..9),
        away in 0_usize..4,
    ) {
        let configured = said.len() + away;
        let mut votes = HashMap::<u8, usize>::new();
        said.iter().for_each(|said| *votes.entry(*said).or_default() += 1);
        let enough = |count: usize| count * 2 > said.len() && count >= 2.min(configured) && count > 0;
        let expected = votes.iter().find(|(_, count)| enough(**count)).map(|(value, _)| *value);
        match weigh(&answers(&said), configured) {
            Verdict::Agreed { value, by, against } => {
                prop_assert_eq!(Some(value), expected);
                prop_assert_eq!(by.len(), votes[&value]);
                prop_assert_eq!(by.len() + against.len(), said.len());
                prop_assert!(against.iter().all(|(_, other)| *other != value));
                prop_assert!(by.len() >= needed(configured, said.len()));
            }
            Verdict::TooFew { answered, .. } => {
                prop_assert_eq!(expected, None);
                prop_assert!(answered == said.len() && answered < 2);
            }
            Verdict::Split(all) => {
                prop_assert_eq!(expected, None);
                prop_assert_eq!(all.len(), said.len());
            }
        }
    }

    #[test]
    fn a_position_counts_only_if_as_many_reached_it_as_must_agree(
        positions in prop::collection::vec(0_u64..20, 0..9),
        away in 0_usize..4,
    ) {
        let configured = positions.len() + away;
        let enough = |at: u64| {
            let there = positions.iter().filter(|position| **position >= at).count();
            there >= needed(configured, positions.len())
        };
        let highest = positions.iter().copied().filter(|at| enough(*at)).max();
        prop_assert_eq!(reached(positions.clone(), configured), highest);
    }
}
