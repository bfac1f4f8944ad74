//! What is wanted next, against a naive set of heights.

use std::collections::BTreeSet;

use hypasis_cache::Ranges;
use hypasis_cache::store::SECTION;
use hypasis_proxy::sync::gaps::*;
use proptest::prelude::*;

fn ranges(parts: &[(u64, u64)]) -> Ranges {
    let mut ranges = Ranges::default();
    for (from, length) in parts {
        ranges.insert(*from..=from + length);
    }
    ranges
}

fn set(ranges: &Ranges) -> BTreeSet<u64> {
    ranges.iter().flatten().collect()
}

prop_compose! {
    /// Intervals on both sides of a section's edge, so that cuts happen.
    fn some_ranges()(parts in prop::collection::vec((SECTION - 60..SECTION + 60, 0_u64..20), 0..8)) -> Ranges {
        ranges(&parts)
    }
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Ascending), Just(Order::Descending)]
}

proptest! {
    #[test]
    fn a_claim_is_linked_wanted_free_and_in_one_section(
        linked in some_ranges(), complete in some_ranges(), busy in some_ranges(),
        from in SECTION - 60..SECTION + 40, length in 0_u64..60, batch in 1_u64..50, order in order(),
    ) {
        let within = from..=from + length;
        let question =
            Question { linked: &linked, complete: &complete, busy: &busy, within: within.clone(), batch, order };
        let free: BTreeSet<u64> = set(&linked)
            .into_iter()
            .filter(|n| within.contains(n) && !complete.contains(*n) && !busy.contains(*n))
            .collect();
        match next_claim(&question) {
            None => prop_assert!(free.is_empty()),
            Some(claim) => {
                prop_assert!(claim.clone().all(|n| free.contains(&n)));
                prop_assert!(claim.end() - claim.start() < batch);
                prop_assert_eq!(section_of(*claim.start()), section_of(*claim.end()));
                let outermost = match order {
                    Order::Ascending => free.first() == Some(claim.start()),
                    Order::Descending => free.last() == Some(claim.end()),
                };
                prop_assert!(outermost);
            }
        }
    }

    #[test]
    fn claims_one_after_another_cover_everything_once(linked in some_ranges(), batch in 1_u64..50, order in order()) {
        let mut busy = Ranges::default();
        let mut claimed = 0;
        let complete = Ranges::default();
        while let Some(claim) = next_claim(&Question {
            linked: &linked, complete: &complete, busy: &busy, within: 0..=u64::MAX, batch, order,
        }) {
            claimed += claim.end() - claim.start() + 1;
            busy.insert(claim);
        }
        prop_assert_eq!(claimed, linked.len());
        prop_assert_eq!(busy, linked);
    }

    #[test]
    fn links_go_down_piece_by_piece_and_miss_nothing(held in some_ranges()) {
        let wanted = SECTION - 80..=SECTION + 80;
        let mut all = held.clone();
        let mut above = u64::MAX;
        while let Some(piece) = next_headers_down(&all, wanted.clone()) {
            prop_assert!(*piece.end() < above, "downward");
            prop_assert_eq!(section_of(*piece.start()), section_of(*piece.end()));
            prop_assert!(piece.clone().all(|n| !all.contains(n)));
            above = *piece.start();
            all.insert(piece);
        }
        prop_assert_eq!(missing(&all, wanted.clone()), 0);
        prop_assert_eq!(missing(&held, wanted.clone()), wanted.filter(|n| !held.contains(*n)).count() as u64);
    }
}

#[test]
fn neighbouring_claims_meet_at_multiples_of_the_batch() {
    let linked = ranges(&[(10, 89)]);
    let none = Ranges::default();
    let question = |order| Question {
        linked: &linked,
        complete: &none,
        busy: &none,
        within: 0..=u64::MAX,
        batch: 32,
        order,
    };
    assert_eq!(next_claim(&question(Order::Ascending)), Some(10..=31));
    assert_eq!(next_claim(&question(Order::Descending)), Some(96..=99));
}

#[test]
fn links_go_up_from_the_base_to_the_end_of_a_section() {
    assert_eq!(next_headers_up(10, 20), Some(11..=20));
    assert_eq!(next_headers_up(10, 100_000), Some(11..=SECTION - 1));
    assert_eq!(next_headers_up(SECTION - 1, 100_000), Some(SECTION..=2 * SECTION - 1));
    assert_eq!(next_headers_up(20, 20), None);
    assert_eq!(next_headers_up(u64::MAX, u64::MAX), None);
}

#[test]
fn a_negative_oldest_keeps_the_last_so_many() {
    assert_eq!(oldest(0, 1_000), 0);
    assert_eq!(oldest(700, 1_000), 700);
    assert_eq!(oldest(-10, 1_000), 991);
    assert_eq!(oldest(-5_000, 1_000), 0);
    assert_eq!(oldest(i64::MIN, u64::MAX), u64::MAX - (1 << 63));
}
