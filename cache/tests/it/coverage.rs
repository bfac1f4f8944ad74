//! The gap map against a naive set.

use std::collections::BTreeSet;

use hypasis_cache::Ranges;
use proptest::prelude::*;

const TOP: u64 = 60;

proptest! {
    #[test]
    fn the_gap_map_says_what_a_set_says(
        steps in prop::collection::vec((any::<bool>(), 0..TOP, 0..TOP), 0..40),
        (from, to) in (0..TOP, 0..TOP),
    ) {
        let (mut ranges, mut set, mut other) = (Ranges::default(), BTreeSet::new(), Ranges::default());
        for (add, from, to) in steps {
            if add {
                ranges.insert(from..=to);
                set.extend(from..=to);
            } else {
                ranges.remove(from..=to);
                set.retain(|number| !(from..=to).contains(number));
                other.insert(from..=to);
            }
            let heights: BTreeSet<u64> = ranges.iter().flatten().collect();
            prop_assert_eq!(&heights, &set);
            let ends: Vec<_> = ranges.iter().collect();
            prop_assert!(ends.windows(2).all(|pair| pair[0].end() + 1 < *pair[1].start()));
        }
        let others: BTreeSet<u64> = other.iter().flatten().collect();
        let collected = |ranges: Ranges| ranges.iter().flatten().collect::<BTreeSet<u64>>();
        prop_assert_eq!(ranges.len(), set.len() as u64);
        prop_assert_eq!(ranges.contains(from), set.contains(&from));
        prop_assert_eq!(ranges.contains_all(&(from..=to)), (from..=to).all(|number| set.contains(&number)));
        let gaps: Vec<u64> = ranges.gaps(from..=to).into_iter().flatten().collect();
        let missing: Vec<u64> = (from..=to).filter(|number| !set.contains(number)).collect();
        prop_assert_eq!(gaps, missing);
        prop_assert_eq!(collected(ranges.intersection(&other)), &set & &others);
        prop_assert_eq!(collected(ranges.union(&other)), &set | &others);
        prop_assert_eq!(collected(ranges.difference(&other)), &set - &others);
    }
}

#[test]
fn the_highest_height_has_no_neighbour_above() {
    let mut ranges = Ranges::default();
    ranges.insert(u64::MAX - 1..=u64::MAX);
    ranges.insert(u64::MAX..=u64::MAX);
    assert_eq!(ranges.gaps(u64::MAX - 2..=u64::MAX), vec![u64::MAX - 2..=u64::MAX - 2]);
    ranges.remove(u64::MAX..=u64::MAX);
    assert!(!ranges.contains(u64::MAX) && ranges.contains(u64::MAX - 1));
}
